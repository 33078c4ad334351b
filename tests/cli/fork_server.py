"""Forks a process for each command, out of one that has imported what commands do.

An interpreter and its imports take longer than most commands, the more so under coverage. What is forked
is a process as any other: its own exit code, environment and streams, and an interpreter that ends.

Run as a script with the number of a socket. For each line (JSON: arguments and environment) that comes with
three descriptors it answers with the process's id, and at its end with its exit code, a signal's below 0.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import sys
from typing import Any

PRELOADED = ("lambda_invoke.cli", "lambda_invoke.methods", "lambda_invoke.transports", "lambda_invoke.local")
"""Packages of which all modules are imported; what a command runs otherwise, it imports itself."""


def preload() -> None:
    """Import them, once for all."""
    importlib.import_module("boto3")
    for name in PRELOADED:
        for module in pkgutil.iter_modules(importlib.import_module(name).__path__, f"{name}."):
            importlib.import_module(module.name)
    gc.freeze()  # an interpreter that ends looks through it all otherwise, and the kernel copies it


def serve(calls: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork for each call until there are no more; returns in the forked process alone, with its call."""
    while True:
        text, streams, _flags, _address = socket.recv_fds(calls, 65536, 3)
        while text and not text.endswith(b"\n"):
            text += calls.recv(65536)
        if not text:
            os._exit(0)
        pid = os.fork()
        if not pid:
            calls.close()
            return json.loads(text), streams
        for stream in streams:
            os.close(stream)
        calls.sendall(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        calls.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def main() -> None:
    preload()
    with contextlib.suppress(KeyboardInterrupt):  # it was the tests'
        call, streams = serve(socket.socket(fileno=int(sys.argv[1])))
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(call["environment"])
        sys.argv[1:] = call["arguments"]
        runpy.run_module("lambda_invoke", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
