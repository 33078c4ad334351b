"""A scripted Lambda endpoint on 127.0.0.1 that can misbehave on purpose, and counts what it sees.

::

    with ScriptedServer([throttle(), ok(b'"done"')]) as server:
        client = boto3.client("lambda", endpoint_url=server.url, ...)
        ...
    assert server.executions == 1

It runs an event loop in a thread of its own. Counters may be read from any thread, also after it was
stopped. A script that raises answers 500, and its exception is raised again when the server stops.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tests.support.connection import Accept, Connection
from tests.support.endpoint import ControlPlane, Counts, Endpoint
from tests.support.measuring import unmeasured
from tests.support.patience import PATIENCE
from tests.support.steps import (
    Call,
    Ending,
    Framing,
    Script,
    Step,
    by_function,
    close_idle,
    closing,
    delay,
    drop_after_executing,
    drop_before_executing,
    echo,
    error,
    gate,
    hang,
    ok,
    raw,
    reset,
    reset_idle,
    stall,
    throttle,
    trickle,
    trickle_headers,
    truncate,
    truncate_chunked,
)
from tests.support.tls import Certificate, authority

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from types import TracebackType

__all__ = [
    "Accept",
    "Call",
    "Certificate",
    "Counts",
    "Ending",
    "Framing",
    "Script",
    "ScriptedServer",
    "Step",
    "by_function",
    "close_idle",
    "closing",
    "delay",
    "drop_after_executing",
    "drop_before_executing",
    "echo",
    "error",
    "gate",
    "hang",
    "ok",
    "raw",
    "reset",
    "reset_idle",
    "stall",
    "throttle",
    "trickle",
    "trickle_headers",
    "truncate",
    "truncate_chunked",
]

T = TypeVar("T")


_TURNS_OF_AN_ACCEPT = 5


class ScriptedServer(Endpoint):
    """A Lambda endpoint. ``script`` says what becomes of each invocation (default: it echoes).

    Args:
        script: Steps, used in order over the whole server (the last repeats), or a callable.
        tls: True for a good certificate, or one of the bad ones; ``ca_bundle`` is the CA's path.
        client_cert: Whether the client must show a certificate; ``authority().client_cert`` is one.
        limit: The most executions at a time; past it the answer is 429 and no step is used up. May be
            set while the server runs.
        limits: The same for single functions, by name.
        accept: What to do with connections, in order (the last repeats) or by their number from 1.
        control_plane: JSON documents, steps or callables by path, or a callable, for every request
            that is no invocation. Unknown paths answer 404 ResourceNotFoundException.
        record: Whether ``calls`` and ``control_calls`` are kept.
        refusing: Begin with a port that refuses connections; ``accept_connections`` opens it.
        receive_buffer_bytes: SO_RCVBUF of what is accepted; small, to block a writer early.
    """

    def __init__(
        self,
        script: Script = echo,
        *,
        tls: bool | Certificate = False,
        client_cert: bool = False,
        limit: int | None = None,
        limits: Mapping[str, int] | None = None,
        accept: Sequence[Accept] | Callable[[int], Accept] = (Accept.NORMAL,),
        control_plane: ControlPlane | None = None,
        record: bool = True,
        refusing: bool = False,
        receive_buffer_bytes: int | None = None,
    ) -> None:
        super().__init__(script, limit=limit, limits=limits, control_plane=control_plane, record=record)
        self.connections = 0
        self.open_connections = 0
        self.port = 0
        self._tls = Certificate.GOOD if tls is True else (tls or None)
        self._ask_client = client_cert
        self._accept = accept
        self._refusing = refusing
        self._receive_buffer_bytes = receive_buffer_bytes
        self._open: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gates: dict[threading.Event, asyncio.Task[None]] = {}
        self._listener: asyncio.Server | None = None
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()

    # What a test reads

    @property
    def url(self) -> str:
        """The endpoint's URL, by address; the good certificate names localhost too."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def ca_bundle(self) -> str:
        """The path of the CA that signed the good certificate, for ``verify`` or AWS_CA_BUNDLE."""
        return str(authority().ca_bundle)

    def wait_until(self, holds: Callable[[ScriptedServer], bool], timeout: float = PATIENCE) -> None:
        """Wait until the predicate holds of the server; AssertionError after ``timeout`` seconds."""
        until = time.monotonic() + timeout
        while not holds(self):
            assert time.monotonic() < until, f"not so within {timeout} s: {self.counts}"
            time.sleep(0.001)

    # What a test does while it runs

    def accept_connections(self) -> None:
        """Open a port that refused connections so far."""
        self._on_loop(self._listen())

    def refuse_connections(self) -> None:
        """Refuse new connections from now on; those that are open stay."""
        self._on_loop(self._refuse())

    def close_idle_connections(self, *, reset: bool = False) -> int:
        """Close (or RST) every connection that waits for a request; returns how many there were."""
        return self._on_loop(self._close_idle(Ending.RESET if reset else Ending.CLOSE))

    def start(self) -> Self:
        """Begin to listen; returns when connections are accepted (or refused)."""
        self._socket = self._bind(0)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=f"scripted-server-{self.port}", daemon=True)
        self._thread.start()
        self._ready.wait()
        return self

    def stop(self) -> None:
        """Drop every connection and join the thread. Raises what a script raised."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None
        if self.script_errors:
            raise self.script_errors[0]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except Exception:
            if value is None:
                raise

    # What a connection asks for, on the loop's thread

    def opened(self, connection: Connection) -> Accept:
        self.open_connections += 1
        self._open.add(connection)
        if callable(self._accept):
            return self._accept(connection.number)
        return self._accept[min(connection.number, len(self._accept)) - 1]

    def lost(self, connection: Connection) -> None:
        self.open_connections -= 1
        self._open.discard(connection)

    def spawn(self, connection: Connection, call: Call, step: Step) -> None:
        task = self._loop.create_task(connection.perform(call, step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def passed(self, gate: threading.Event) -> None:
        if gate.is_set():
            return
        if gate not in self._gates:  # one poll for all that wait at the same gate
            self._gates[gate] = self._loop.create_task(_poll(gate))
        await asyncio.shield(self._gates[gate])

    # Inside

    def _bind(self, port: int) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._receive_buffer_bytes is not None:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer_bytes)
        bound.bind(("127.0.0.1", port))
        return bound

    def _connection(self) -> Connection:
        self.connections += 1
        return Connection(self, self.connections)

    def _on_loop(self, action: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(action, self._loop).result(timeout=PATIENCE)

    def _run(self) -> None:
        unmeasured()
        with asyncio.Runner() as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        if not self._refusing:
            await self._listen()
        self._ready.set()
        await self._stopping.wait()
        if self._listener is not None:
            # A connection that is accepted as the listener closes would be lost half-made (CPython):
            # first accept nothing more, then make what was accepted.
            for sock in self._listener.sockets:
                self._loop.remove_reader(sock.fileno())
            for _ in range(_TURNS_OF_AN_ACCEPT):
                await asyncio.sleep(0)
            self._listener.close()
        if self._socket is not None:
            self._socket.close()
        for task in [*self._tasks, *self._gates.values()]:
            task.cancel()
        for _ in range(_TURNS_OF_AN_ACCEPT):
            # A connection accepted a moment ago is made on one of the loop's next turns.
            await self._end(set(self._open), Ending.ABORT)
            await asyncio.sleep(0)

    async def _listen(self) -> None:
        assert self._socket is not None, "it accepts connections already"
        context = (
            None if self._tls is None else authority().server_context(self._tls, ask_client=self._ask_client)
        )
        self._listener = await self._loop.create_server(
            self._connection,
            sock=self._socket,
            ssl=context,
            ssl_shutdown_timeout=None if context is None else 1.0,
            backlog=1024,
        )
        self._socket = None

    async def _refuse(self) -> None:
        assert self._listener is not None, "it refuses connections already"
        self._listener.close()
        self._listener = None
        self._socket = self._bind(self.port)  # bound and not listening: Linux refuses

    async def _close_idle(self, ending: Ending) -> int:
        idle = {connection for connection in self._open if connection.idle}
        await self._end(idle, ending)
        return len(idle)

    async def _end(self, connections: set[Connection], ending: Ending) -> None:
        for connection in connections:
            connection.finish(ending)
        for connection in connections:
            await connection.closed.wait()


async def _poll(gate: threading.Event) -> None:
    while not gate.is_set():  # noqa: ASYNC110 - a threading.Event cannot be awaited
        await asyncio.sleep(0.001)
