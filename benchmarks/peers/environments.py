"""Where the peers run: an environment each, made when it is missing, since they pin other versions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class AbsentError(Exception):
    """What cannot be measured here; the message says why."""


def virtual_environment(home: Path, python: str, *requirements: str) -> str:
    """The interpreter of a virtual environment in which these are installed.

    Raises:
        AbsentError: they could not be installed.
    """
    interpreter = str(home / "bin" / "python")
    if anew(home, (python, *requirements)):
        done_or_absent(python, "-m", "venv", str(home))
        done_or_absent(interpreter, "-m", "pip", "install", "--quiet", *requirements)
        made(home, (python, *requirements))
    return interpreter


def node_modules(home: Path, *packages: str) -> str:
    """The directory to name in NODE_PATH, with these packages in it.

    Raises:
        AbsentError: node or npm is not there, or they could not be installed.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise AbsentError("node and npm are not on PATH")
    if anew(home, packages):
        done_or_absent("npm", "install", "--no-audit", "--no-fund", "--prefix", str(home), *packages)
        made(home, packages)
    return str(home / "node_modules")


def anew(home: Path, of: tuple[str, ...]) -> bool:
    """Whether what is there was not made, to its end, of these; what is there is cleared away then."""
    marker = home / "made"
    if marker.exists() and marker.read_text() == " ".join(of):
        return False
    print(f"making the environment {home} ...", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return True


def made(home: Path, of: tuple[str, ...]) -> None:
    """Note that it was made to its end."""
    (home / "made").write_text(" ".join(of))


def later_python(minor: int) -> str:
    """An interpreter of Python 3.``minor`` or later: this one, one on PATH, or one of pyenv's.

    Raises:
        AbsentError: there is none.
    """
    for python in interpreters(minor):
        checked = subprocess.run(
            [python, "-c", f"import sys, venv; sys.exit(sys.version_info < (3, {minor}))"],
            capture_output=True,
            check=False,
        )
        if checked.returncode == 0:
            return python
    raise AbsentError(f"it needs Python 3.{minor} or later, and none was found")


def interpreters(minor: int) -> Iterator[str]:
    """What may be an interpreter of that version or later."""
    yield sys.executable
    for number in range(minor, 15):
        found = shutil.which(f"python3.{number}")
        if found is not None:
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for number in range(minor, 15):
        yield from map(str, sorted(pyenv.glob(f"versions/3.{number}.*/bin/python")))


def done_or_absent(*command: str) -> None:
    """Run an installer. Raises AbsentError with the last line that it wrote if it fails."""
    try:
        subprocess.run(command, capture_output=True, check=True, text=True)
    except subprocess.CalledProcessError as exc:
        said = (exc.stderr or exc.stdout).strip().splitlines()
        raise AbsentError(f"{' '.join(command[:4])} failed: {said[-1] if said else exc}") from exc
