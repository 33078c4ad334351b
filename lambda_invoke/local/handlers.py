"""Where a worker finds a handler. Nothing of the handler runs here."""

from __future__ import annotations

import base64
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.local import peers
from lambda_invoke.local.bootstrap_runtime import Bootstrap, BootstrapError, resolve
from lambda_invoke.local.function import LocalLambdaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from lambda_invoke.local.function import Handler

SHIM_NAME = "lambda_invoke_local_handler.handler"
"""How awslambdaric is told of a handler that no ``module.function`` names; see worker/bootstrap.py."""
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@attrs.frozen
class HandlerSource:
    """What a worker needs to find a handler.

    ``name`` is the handler as awslambdaric takes it (``module.function``), ``display`` as the
    caller wrote it. ``first_path`` goes to the front of the worker's ``sys.path`` and
    ``last_path`` to its end; ``task_root`` is the worker's directory. ``nested`` is a module and a
    dotted name inside it, ``pickled`` the callable itself in base64. ``command`` is set for a bootstrap,
    for which ``name`` is only passed on. ``runtime`` is Lambda's name for what runs it.
    """

    name: str
    display: str
    task_root: str
    first_path: str | None = None
    last_path: str | None = None
    nested: tuple[str, str] | None = None
    pickled: str | None = attrs.field(default=None, repr=False)
    command: tuple[str, ...] | None = None
    runtime: str = PYTHON


def locate(handler: Handler, task_root: str | None = None) -> HandlerSource:
    """Say where a worker finds the handler; ``task_root`` is where its name is looked up first.

    Raises:
        LocalLambdaError: no worker could find it; the message names the fix.
    """
    if isinstance(handler, Bootstrap):
        return _of_bootstrap(handler)
    if not isinstance(handler, str):
        return _of_callable(handler)
    source = _of_text(handler, str(Path.cwd() if task_root is None else Path(task_root).resolve()))
    return source if task_root is None else attrs.evolve(source, first_path=source.task_root, last_path=None)


def _of_bootstrap(bootstrap: Bootstrap) -> HandlerSource:
    if not peers.AVAILABLE:
        raise LocalLambdaError(
            f"{bootstrap} needs Linux: its Runtime API is kept to this user's processes, and only there does "
            "the system say whose a connection is. Run it in a Linux container; Python handlers run here too"
        )
    try:
        command, task_root = resolve(bootstrap)
    except BootstrapError as error:
        raise LocalLambdaError(str(error)) from error
    return HandlerSource(
        bootstrap.handler, bootstrap.handler, task_root, command=command, runtime=bootstrap.runtime
    )


def _of_text(text: str, cwd: str) -> HandlerSource:
    place, colon, name = text.rpartition(":")
    if colon and place.endswith(".py") and name:
        return _of_file(text, cwd, Path(place), name)
    if colon and place and name:
        if "." in name:
            return HandlerSource(SHIM_NAME, text, cwd, last_path=cwd, nested=(place, name))
        return HandlerSource(f"{place}.{name}", text, cwd, last_path=cwd)
    if not colon and "." in text.strip(".") and not text.endswith(".py"):
        return HandlerSource(text, text, cwd, last_path=cwd)
    raise LocalLambdaError(
        f"{text!r} does not name a handler: write 'path/file.py:function', 'package.module.function' "
        "or 'package.module:function'"
    )


def _of_file(text: str, cwd: str, path: Path, name: str) -> HandlerSource:
    file = Path(cwd, path.expanduser()).resolve()
    if not file.is_file():
        raise LocalLambdaError(f"handler {text!r}: there is no file {path} in {cwd}")
    root = str(file.parent)
    if "." in name:
        return HandlerSource(SHIM_NAME, text, root, first_path=root, nested=(file.stem, name))
    return HandlerSource(f"{file.stem}.{name}", text, root, first_path=root)


def _of_callable(handler: Callable[..., Any]) -> HandlerSource:
    if not callable(handler):
        raise LocalLambdaError(f"a handler is a name or a callable, not {type(handler).__name__}")
    module_name = getattr(handler, "__module__", None)
    qualname = getattr(handler, "__qualname__", None)
    cwd = str(Path.cwd())
    module = sys.modules.get(module_name) if isinstance(module_name, str) else None
    if module is None or not isinstance(qualname, str) or module_name == "__main__":
        return _pickled(handler, cwd)
    if _attribute(module, qualname) is not handler:
        return _pickled(handler, cwd)
    root = _import_root(module)
    display = f"{module.__name__}:{qualname}"
    if "." in qualname:
        return HandlerSource(SHIM_NAME, display, cwd, last_path=root, nested=(module.__name__, qualname))
    return HandlerSource(f"{module.__name__}.{qualname}", display, cwd, last_path=root)


def _attribute(module: ModuleType, qualname: str) -> Any:
    found: Any = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _import_root(module: ModuleType) -> str | None:
    """The directory from which the module's full name imports it; None when it has no file."""
    if not module.__dict__.get("__file__"):
        return None
    path = Path(str(module.__file__)).resolve()
    path = path.parent if path.stem == "__init__" else path.with_name(path.name.split(".")[0])
    parts = tuple(module.__name__.split("."))
    if path.parts[-len(parts) :] != parts:
        raise LocalLambdaError(
            f"module {module.__name__} was loaded from {module.__file__}, where no import finds it by "
            f"that name: name the handler as '{module.__file__}:function'"
        )
    return str(path.parents[len(parts) - 1])


def _pickled(handler: Callable[..., Any], cwd: str) -> HandlerSource:
    display = str(getattr(handler, "__qualname__", type(handler).__qualname__))
    fix = (
        "Move it to a module of its own, or name it as 'path/file.py:function' (a script then needs the "
        'usual if __name__ == "__main__" guard).'
    )
    try:
        cloudpickle = importlib.import_module("cloudpickle")  # an optional dependency
    except ImportError as error:
        raise LocalLambdaError(
            f"handler {display!r} is defined in a script, a notebook or another function, where a worker "
            "cannot import it, and cloudpickle, which could carry it over, is not installed: "
            f"pip install 'lambda-invoke-sdk[local]'. {fix}"
        ) from error
    try:
        pickled = cloudpickle.dumps(handler)
    except Exception as error:
        raise LocalLambdaError(
            f"handler {display!r} cannot be imported by a worker, nor pickled ({error}). {fix}"
        ) from error
    return HandlerSource(SHIM_NAME, display, cwd, last_path=cwd, pickled=base64.b64encode(pickled).decode())
