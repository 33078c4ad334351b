"""A scripted server in a process of its own, so that a benchmark's CPU time is the client's alone."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Any, Self

import attrs

from tests.support.server import Counts, ScriptedServer, echo
from tests.support.tls import authority

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import TracebackType

    from tests.support.steps import Script

_START_TIMEOUT = 30.0  # seconds; a spawned interpreter imports everything anew


@attrs.frozen
class Snapshot:
    """The counters of the server at one moment, and the CPU seconds of its process so far."""

    counts: Counts
    connections: int
    open_connections: int
    cpu_seconds: float


class ServerProcess:
    """The same arguments as :class:`ScriptedServer`, and all must pickle: no gates, no lambdas.

    ``calls`` are not kept. ``url``, ``port`` and ``ca_bundle`` are as on the server; ``snapshot()``
    asks for the counters.
    """

    def __init__(self, script: Script = echo, **options: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, script, {"record": False, **options}), daemon=True
        )
        self._theirs = theirs
        self.url = ""
        self.port = 0
        self.ca_bundle = ""

    def snapshot(self) -> Snapshot:
        """The counters now."""
        self._pipe.send("snapshot")
        answer = self._pipe.recv()
        assert isinstance(answer, Snapshot)
        return answer

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()  # so that a server that dies ends the read below
        assert self._pipe.poll(_START_TIMEOUT), "the server's process did not start"
        self.url, self.port, self.ca_bundle = self._pipe.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join()
        self._process.close()


def _serve(pipe: Connection, script: Script, options: dict[str, Any]) -> None:
    with ScriptedServer(script, **options) as server:
        pipe.send((server.url, server.port, server.ca_bundle if options.get("tls") else ""))
        while True:
            try:
                pipe.recv()
            except EOFError:  # the parent closed its end, or died
                break
            pipe.send(
                Snapshot(server.counts, server.connections, server.open_connections, time.process_time())
            )
    if options.get("tls"):
        authority().remove()  # multiprocessing's children do not run atexit
