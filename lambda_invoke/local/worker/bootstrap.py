"""The first thing a worker process runs: it finds the handler's world and hands over to awslambdaric.

Run as a script with the numbers of two descriptors, the life line's and the channel's;
standard input is the configuration that ``launch.py`` wrote (JSON). It imports nothing of lambda_invoke: a
cold start is the interpreter, awslambdaric and the handler.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import time
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

RUNTIME_API = "AWS_LAMBDA_RUNTIME_API"
MAX_CONCURRENCY = "AWS_LAMBDA_MAX_CONCURRENCY"
SIGKILL = 9
F_SETSIG = 10
"""Linux's ``<asm-generic/fcntl.h>``; Python has no name for it."""
FRESH_SECONDS = 2.0


def read_configuration() -> dict[str, Any]:
    """Read standard input from its beginning (its offset is shared by all workers), then close it."""
    configuration: dict[str, Any] = json.loads(os.pread(0, os.fstat(0).st_size, 0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return configuration


def die_with_parent(life_line: int) -> None:
    """Have this process group killed when the parent goes, a ``kill -9`` included.

    The life line is a pipe whose other end the parent alone holds. On Linux the kernel turns its
    closing into a SIGKILL for the group, with no thread (a thread would make every fork of the
    handler a fork of a threaded process); elsewhere a thread waits for it. PR_SET_PDEATHSIG is not
    used: it kills the worker without its children, and so before the life line can kill them.
    """
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(life_line, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life_line, F_SETSIG, SIGKILL)
        flags = fcntl.fcntl(life_line, fcntl.F_GETFL)
        fcntl.fcntl(life_line, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
        try:
            os.read(life_line, 1)
        except BlockingIOError:
            return
        os._exit(1)  # the parent went before any of this was in place
    else:
        import threading

        def wait() -> None:
            os.read(life_line, 1)
            os.killpg(os.getpgrp(), SIGKILL)

        threading.Thread(target=wait, name="lambda-invoke-life-line", daemon=True).start()


class ShimFinder:
    """Imports ``lambda_invoke_local_handler``, whose ``handler`` is one that no module name reaches."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """Find the one module that it makes."""
        return ModuleSpec(name, self) if name == "lambda_invoke_local_handler" else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave the making of the module to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Find the handler; what that raises is an error of the import, as for any handler."""
        module.handler = self._load()  # type: ignore[attr-defined]


def nested(module_name: str, qualname: str) -> Any:
    """Import a module and walk a dotted name inside it."""
    found: Any = importlib.import_module(module_name)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def unpickle(text: str) -> Any:
    """Load a handler that the parent pickled with cloudpickle."""
    import pickle

    return pickle.loads(base64.b64decode(text))  # noqa: S301 - the parent's own bytes


def install_shim(configuration: dict[str, Any]) -> None:
    """Make a nested or pickled handler importable."""
    if configuration["nested"] is not None:
        module_name, qualname = configuration["nested"]
        sys.meta_path.append(ShimFinder(lambda: nested(module_name, qualname)))
    elif configuration["pickled"] is not None:
        pickled = configuration["pickled"]
        sys.meta_path.append(ShimFinder(lambda: unpickle(pickled)))


def load_runtime_client(channel: int) -> ModuleType:
    """Our ``runtime_client``, connected; it is beside this file, where no module name reaches it."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runtime_client.py")  # noqa: PTH100, PTH118, PTH120
    spec = spec_from_file_location("runtime_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.connect(channel)
    return module


def authorise(client_class: Any, authority: str) -> None:
    """Have awslambdaric's one request that goes past ``runtime_client``, /init/error, carry the token."""
    token = base64.b64encode(authority.encode()).decode()
    plain = client_class.call_rapid

    def call_rapid(
        self: object, method: str, endpoint: str, code: int, payload: object = None, headers: Any = None
    ) -> None:
        plain(self, method, endpoint, code, payload, {**(headers or {}), "Authorization": f"Basic {token}"})

    client_class.call_rapid = call_rapid


class Imports:
    """Tells the endpoint which files of the caller's own this process has imported, for it to watch."""

    def __init__(self, tell: Callable[[bytes], None]) -> None:
        self._tell = tell
        self._modules = 0
        self._told: set[str] = set()
        self._read: dict[str, tuple[int, int, int]] = {}
        parts = ("site-packages", "dist-packages")
        self._foreign_parts = tuple(f"{os.sep}{part}{os.sep}" for part in parts)
        self._foreign_roots = tuple(
            f"{os.path.dirname(os.path.abspath(file))}{os.sep}"  # noqa: PTH100, PTH120
            for file in (os.__file__, __file__)
        )

    def report(self) -> None:
        """Write a line for each new file. It costs a comparison when there were no imports."""
        if len(sys.modules) == self._modules:
            return
        self._modules = len(sys.modules)
        lines = []
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file not in self._told and not self._is_foreign(file):
                self._told.add(file)
                try:
                    found = self._read.get(file) or signature(file)
                except (OSError, ValueError):  # in an archive, gone, or no file's name at all
                    continue
                lines.append(json.dumps([file, *found]) + "\n")
        if lines:
            self._tell("".join(lines).encode())

    def _is_foreign(self, file: str) -> bool:
        return file.startswith(self._foreign_roots) or any(part in file for part in self._foreign_parts)

    def follow(self, client_class: Any, loader_class: Any) -> None:
        """Report before every answer and the first wait: an answer is a wait for more.

        Each file's signature is taken before Python reads it, so that an edit during a long init counts.
        """
        path_stats = loader_class.path_stats
        for name in ("wait_next_invocation", "post_invocation_result", "post_invocation_error"):
            setattr(client_class, name, self._reporting(getattr(client_class, name)))

        def noted_path_stats(loader: object, path: str) -> Any:
            self._read[path] = signature(path)
            return path_stats(loader, path)

        loader_class.path_stats = noted_path_stats

    def _reporting(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        def reporting(client: object, *arguments: Any, **named: Any) -> Any:
            self.report()
            return plain(client, *arguments, **named)

        return reporting


def signature(path: str) -> tuple[int, int, int]:
    """What ``reload.py`` knows a file again by."""
    status = os.stat(path)  # noqa: PTH116 - pathlib is not imported here
    return status.st_mtime_ns, status.st_size, status.st_ino


def cache_no_fresh_bytecode(loader_class: Any) -> None:
    """Have no bytecode written of a file that changed within the last two seconds.

    Python takes a cached file for current by the source's size and its time of change in whole seconds:
    a second edit in the same second, of the same length, would go on running the first one's code.
    """
    plain = loader_class.set_data

    def set_data(loader: Any, path: str, data: bytes, **options: Any) -> None:
        try:
            fresh = time.time() - os.stat(loader.path).st_mtime < FRESH_SECONDS  # noqa: PTH116
        except OSError:
            fresh = True
        if not fresh:
            plain(loader, path, data, **options)

    loader_class.set_data = set_data


def main() -> None:
    """Prepare this process, and run awslambdaric's loop in it."""
    configuration = read_configuration()
    die_with_parent(int(sys.argv[1]))
    channel = load_runtime_client(int(sys.argv[2]))
    if configuration["runtime_client"] == "python":
        sys.modules["runtime_client"] = channel
    sys.path[:] = configuration["path"]
    install_shim(configuration)
    authority, _, address = os.environ[RUNTIME_API].rpartition("@")
    # With it awslambdaric forks, and several processes would read one channel's invocations in pieces.
    # Only Lambda's managed instances have it; this is an on-demand environment.
    os.environ.pop(MAX_CONCURRENCY, None)

    # This import makes the C client, if it is that, which keeps the address it finds now, its token included.
    runtime_client = importlib.import_module("awslambdaric.lambda_runtime_client")
    runtime_loop: Any = importlib.import_module("awslambdaric.bootstrap")
    entry = importlib.import_module("awslambdaric.__main__")

    os.environ[RUNTIME_API] = address
    authorise(runtime_client.LambdaRuntimeClient, authority)
    if configuration["reload"]:
        cache_no_fresh_bytecode(SourceFileLoader)
        Imports(channel.report_imports).follow(runtime_client.LambdaRuntimeClient, SourceFileLoader)
    # Lambda's log pipe has frames, so that its multi-line records keep their line feeds; plain
    # standard output, which is used here, would get carriage returns in their place.
    runtime_loop.ERROR_LOG_LINE_TERMINATE = "\n"
    sys.argv[:] = ["bootstrap", configuration["handler"]]
    entry.main(sys.argv)


if __name__ == "__main__":
    main()
