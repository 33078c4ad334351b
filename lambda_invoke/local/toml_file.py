"""Definitions in TOML: a table for each function, and one for the endpoint."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_invoke.local.bootstrap_runtime import Bootstrap, BootstrapError, resolve
from lambda_invoke.local.definition import (
    Definition,
    DefinitionError,
    check_destinations,
    check_function,
)
from lambda_invoke.local.function import Alias, EventInvokeConfig, Function
from lambda_invoke.local.options import check_option
from lambda_invoke.local.tables import Table

if TYPE_CHECKING:
    from lambda_invoke.local.function import Handler


def load_toml(path: str | os.PathLike[str]) -> dict[str, Function]:
    """The functions that a TOML file defines, by name.

    ``[functions.NAME]`` has the arguments of :class:`Function`; ``handler`` alone is required, or
    ``bootstrap``, a :class:`Bootstrap`'s command, whose ``handler``, ``task_root`` and ``runtime`` then stand
    beside it. Paths are relative to the file's directory, and so are modules, unless ``task_root`` names
    another directory.
    What the file's ``[local]`` table says of the endpoint counts in ``LocalLambda.from_file``.

    Raises:
        DefinitionError: the file is wrong; the message names the table, the key and the fix.
        LocalLambdaError: a handler that it names is not there.
        OSError: it cannot be read.
    """
    return dict(read_toml(Path(path)).functions)


def read_toml(path: Path) -> Definition:
    """The functions and the endpoint's options; raises as :func:`load_toml` does."""
    try:
        values = tomllib.loads(path.read_bytes().decode())
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{path}: not UTF-8 at byte {error.start + 1}") from error
    root = path.resolve().parent
    top = Table(str(path), "the file", values)
    tables = top.table("functions")
    local = top.table("local")
    top.finish()
    if tables is None or not tables.values:
        raise DefinitionError(f"{path}: it defines no function: write [functions.NAME] with a handler")
    functions: dict[str, Function] = {}
    places: dict[str, str] = {}
    for name in tables.values:
        table = tables.table(name)
        assert table is not None
        places[name] = f"{path}: {table.place}"
        functions[name] = _function(table, root)
        check_function(places[name], name, functions[name])
    check_destinations(places, functions)
    return Definition(path, functions, {} if local is None else _options(local, root))


def _function(table: Table, root: Path) -> Function:
    given: dict[str, Any] = {
        "timeout": table.number("timeout"),
        "memory_size": table.whole("memory_size"),
        "environment": table.texts("environment"),
        "reserved_concurrency": table.whole("reserved_concurrency"),
        "description": table.text("description"),
        "versions": table.texts("versions"),
        "aliases": _aliases(table.table("aliases")),
        "events": _events(table.table("events")),
        "dead_letter": table.text("dead_letter"),
        "state": table.text("state"),
        "pending_seconds": table.number("pending_seconds"),
        "denied": table.flag("denied"),
        "log_format": table.text("log_format"),
        "application_log_level": table.text("application_log_level"),
        "system_log_level": table.text("system_log_level"),
        "layers": [_directory(table, "layers", root, each) for each in table.list_of_text("layers") or ()],
        "task_root": _directory(table, "task_root", root, table.text("task_root") or "."),
    }
    handler = _handler(table, root)
    table.finish()
    if handler is None:
        raise table.error(
            "handler", "is missing: write 'path/file.py:function' or 'module.function', or name a bootstrap"
        )
    try:
        return Function(handler, **{key: value for key, value in given.items() if value is not None})
    except ValueError as error:
        raise table.error(None, str(error)) from error


def _handler(table: Table, root: Path) -> Handler | None:
    """What ``handler`` or ``bootstrap`` names; None: neither is there."""
    handler, runtime = table.text("handler"), table.text("runtime")
    command = _command(table, root)
    if command is not None:
        return _bootstrap(table, root, command, {"handler": handler, "runtime": runtime})
    if runtime is not None:
        raise table.error("runtime", "goes with a bootstrap; a handler in Python runs under this Python")
    return handler


def _command(table: Table, root: Path) -> list[str] | None:
    """``bootstrap``: a path, or a program (a path, or a name on PATH) and its arguments as they are."""
    if isinstance(table.values.get("bootstrap"), list):
        program, *arguments = table.list_of_text("bootstrap") or [""]
        return [str(root / Path(program).expanduser()) if os.sep in program else program, *arguments]
    path = table.text("bootstrap")
    return None if path is None else [str(root / Path(path).expanduser()) if path else ""]


def _bootstrap(table: Table, root: Path, command: list[str], given: dict[str, str | None]) -> Bootstrap:
    """With a path alone its task root is the executable's own directory, else the file's."""
    task_root = table.text("task_root")
    if task_root is None:
        directory = None if len(command) == 1 else str(root)
    else:
        directory = _directory(table, "task_root", root, task_root)
    options = {key: value for key, value in given.items() if value is not None}
    try:
        bootstrap = Bootstrap(command, task_root=directory, **options)
        resolve(bootstrap)
    except BootstrapError as error:
        raise table.error("bootstrap", str(error)) from error
    except ValueError as error:
        raise table.error("bootstrap", f"is empty: {error}") from error
    return bootstrap


def _directory(table: Table, key: str, root: Path, text: str) -> str:
    directory = root / Path(text).expanduser()
    if not directory.is_dir():
        raise table.error(key, f"there is no directory {text} in {root}")
    return str(directory)


def _aliases(table: Table | None) -> dict[str, str | Alias] | None:
    """``NAME = "1"``, or a table with ``version``, ``weights`` and ``description``."""
    if table is None:
        return None
    aliases: dict[str, str | Alias] = {}
    for name, value in table.values.items():
        if isinstance(value, dict):
            inner = table.table(name)
            assert inner is not None
            aliases[name] = _alias(inner)
        else:
            aliases[name] = table.text(name) or ""
    return aliases


def _alias(table: Table) -> Alias:
    version = table.text("version")
    weights = table.table("weights")
    description = table.text("description") or ""
    table.finish()
    if version is None:
        raise table.error("version", 'is missing: write the version that it points to, such as "1"')
    shares = {} if weights is None else {key: weights.number(key) or 0.0 for key in weights.values}
    try:
        return Alias(version, weights=shares, description=description)
    except ValueError as error:
        raise table.error("weights", str(error)) from error


def _events(table: Table | None) -> EventInvokeConfig | None:
    if table is None:
        return None
    given: dict[str, Any] = {
        "maximum_retry_attempts": table.whole("maximum_retry_attempts"),
        "maximum_event_age": table.number("maximum_event_age"),
        "on_success": table.text("on_success"),
        "on_failure": table.text("on_failure"),
    }
    table.finish()
    try:
        return EventInvokeConfig(**{key: value for key, value in given.items() if value is not None})
    except ValueError as error:
        raise table.error(None, str(error)) from error


def _options(table: Table, root: Path) -> dict[str, Any]:
    """``[local]`` as arguments of ``LocalLambda``."""
    state = table.text("state_dir")
    options: dict[str, Any] = {
        "region_name": table.text("region"),
        "account_id": table.text("account_id"),
        "port": table.whole("port"),
        "concurrency_limit": table.whole("concurrency_limit"),
        "scaling_rate": table.whole("scaling_rate"),
        "init_timeout": table.number("init_timeout"),
        "idle_timeout": table.number("idle_timeout"),
        "time_scale": table.number("time_scale"),
        "state_dir": None if state is None else str(root / Path(state).expanduser()),
        "reload": table.flag("reload"),
        "allow_any_credentials": table.flag("allow_any_credentials"),
    }
    table.finish()
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        key = "region" if name == "region_name" else name
        try:
            check_option(name, value, key)
        except ValueError as error:
            raise table.error(None, str(error)) from error
    return given
