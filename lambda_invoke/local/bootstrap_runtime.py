"""An executable as a function's runtime: Node's ``aws-lambda-ric``, Go, Rust, a shell script."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

Command = tuple[str, ...]
_Path = str | os.PathLike[str]


def _command(given: _Path | Sequence[_Path]) -> Command:
    if isinstance(given, str | os.PathLike):
        # A path, also where nothing but its name says so: no look at PATH, no splitting at blanks.
        text = os.fspath(given)
        return (text if os.sep in text else os.path.join(os.curdir, text),)  # noqa: PTH118 - Path drops the "."
    return tuple(os.fspath(part) for part in given)


def _path(given: _Path | None) -> str | None:
    return None if given is None else os.fspath(given)


def _check_command(_bootstrap: Bootstrap, _field: Any, value: Command) -> None:
    if not value or not value[0]:
        raise ValueError("a bootstrap's command is a path, or a program and its arguments")


@attrs.frozen
class Bootstrap:
    """A handler that an executable runs, which speaks Lambda's Runtime API itself.

    ``command`` is the executable's path, or a program (a path, or a name that is on ``PATH``) and its
    arguments: ``["node", "/app/node_modules/aws-lambda-ric/index.mjs"]``. The program's path is relative to
    the current directory; arguments are passed as they are, and what they name is looked up in
    ``task_root``. ``handler`` is what the executable is told in ``_HANDLER``. ``task_root`` is
    its working directory and ``LAMBDA_TASK_ROOT``; by default the executable's own directory where
    ``command`` is a path, else the current one. ``runtime`` is Lambda's name for the runtime, such as
    ``"nodejs22.x"``.

    It runs on Linux: its Runtime API is open to the processes of one user, who only Linux can tell (see
    ``docs/design/local.md``).

    Raises:
        ValueError: the command is empty.
    """

    command: Command = attrs.field(converter=_command, validator=_check_command)
    handler: str = attrs.field(kw_only=True, default="function.handler")
    task_root: str | None = attrs.field(kw_only=True, default=None, converter=_path)
    runtime: str = attrs.field(kw_only=True, default="provided.al2023")

    def __str__(self) -> str:
        return f"Bootstrap({' '.join(self.command)!r})"


class BootstrapError(ValueError):
    """What is wrong with a bootstrap, and what to do about it."""


def resolve(bootstrap: Bootstrap) -> tuple[Command, str]:
    """The command with the executable's full path, and the task root.

    Raises:
        BootstrapError: no such executable or directory, or it may not be executed.
    """
    program, *arguments = bootstrap.command
    if os.sep in program:
        found = Path(program).expanduser().absolute()
    elif which := shutil.which(program):
        found = Path(which).absolute()
    else:
        raise BootstrapError(
            f"{bootstrap}: there is no program {program!r} on PATH: install it, or name its path"
        )
    if not found.is_file():
        raise BootstrapError(f"{bootstrap}: there is no file {program} in {Path.cwd()}: build it first")
    if not os.access(found, os.X_OK):
        raise BootstrapError(f"{bootstrap}: {program} is not executable: chmod +x {found}")
    if bootstrap.task_root is not None:
        root = Path(bootstrap.task_root).expanduser().absolute()
    else:
        root = found.parent if len(bootstrap.command) == 1 else Path.cwd()
    if not root.is_dir():
        raise BootstrapError(f"{bootstrap}: its task_root {bootstrap.task_root} is not a directory")
    return (str(found), *arguments), str(root)
