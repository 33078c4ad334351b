"""One execution environment, as Lambda calls it: a worker process, its Runtime API and its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from typing import TYPE_CHECKING

from lambda_invoke.local import log, memory
from lambda_invoke.local.channel import Channel
from lambda_invoke.local.chunked import BrokenBodyError
from lambda_invoke.local.json_log import JsonLines
from lambda_invoke.local.outcome import (
    Answered,
    Exited,
    InitOutcome,
    Invocation,
    Malformed,
    NotStarted,
    Outcome,
    OutOfMemory,
    Ready,
    Streamed,
    TimedOut,
)
from lambda_invoke.local.process import WorkerProcess
from lambda_invoke.local.reload import ImportWatch, NoWatch, Staleness, TreeWatch
from lambda_invoke.local.runtime_api import RuntimeApi
from lambda_invoke.local.streamed_reply import receive

if TYPE_CHECKING:
    from lambda_invoke.local.chunked import ChunkedBody
    from lambda_invoke.local.launch import Launch
    from lambda_invoke.local.registry import Deployment
    from lambda_invoke.local.reload import Watch
    from lambda_invoke.local.runtime_api import Asker

_EXIT_SECONDS = 1.0
"""A worker whose reply broke off has so long to have ended; then it is the reply alone that is wrong. One
that ended has as long for its connections to end, which something that it left behind may hold."""


class Environment:
    """Runs one invocation at a time for one version of a function, and for one tenant.

    ``begin`` may be called again as soon as the last answer came, though the worker may not have
    asked for more yet: one that does not within the limit is killed. After any outcome but an answer
    the environment is spent.
    """

    def __init__(self, deployment: Deployment, tenant_id: str | None) -> None:
        self.deployment = deployment
        self.tenant_id = tenant_id
        self.log = log.EnvironmentLog()
        self.platform_lines = _platform_lines(deployment)
        self._staleness = Staleness(NoWatch())
        self.idle_since = 0.0
        self.peak_memory_bytes = 0
        self._api = RuntimeApi(self, by_user=deployment.source.command is not None)
        self._channel = Channel(self) if deployment.source.command is None else None
        self._imports = ImportWatch()
        self._process: WorkerProcess | None = None
        self._askers: deque[Asker] = deque()
        self._invocation: Invocation | None = None
        self._waiting = False
        """Whether nobody asked for it yet."""
        self._loop = asyncio.get_running_loop()
        self._init: asyncio.Future[InitOutcome] = self._loop.create_future()
        self._outcome: asyncio.Future[Outcome] | None = None
        self._exit_code: int | None = None
        self._timeout = 0.0
        self._delivered_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._out_of_memory = False
        self._replying = False
        self._reply_over = asyncio.Event()
        self._reply_over.set()
        self._exiting: asyncio.Task[None] | None = None
        self.started_at = 0.0
        self.duration = 0.0

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._exit_code is None

    @property
    def pid(self) -> int | None:
        """The worker's process id, once it was started."""
        return None if self._process is None else self._process.pid

    @property
    def stale(self) -> bool:
        """Whether its code has changed since it was started."""
        return self._staleness.check()

    async def initialise(
        self, launch: Launch, variables: dict[str, str], limit: float, *, reload: bool, phase: str = "init"
    ) -> InitOutcome:
        """Start the worker, and wait until it asks for its first invocation or ``limit`` seconds passed."""
        address = await self._api.start()
        channel = None if self._channel is None else await self._channel.open()
        if reload:
            watch: Watch = TreeWatch(launch.directory) if channel is None else self._imports
            self._staleness = Staleness(watch)
        self.platform_lines = _platform_lines(self.deployment, variables["AWS_LAMBDA_LOG_STREAM_NAME"])
        self.log.lines(self.platform_lines.init_start(phase))
        self.started_at = time.perf_counter()
        try:
            self._process = WorkerProcess(
                launch,
                {**variables, "AWS_LAMBDA_RUNTIME_API": address},
                self.log.write,
                self._exited,
                channel,
            )
        except OSError as error:
            if self.deployment.source.command is None:
                raise  # this Python itself cannot be started: a defect here, not the function's
            return NotStarted(f"fork/exec {launch.command[0]}: {os.strerror(error.errno or 0).lower()}")
        try:
            async with asyncio.timeout(limit):
                outcome = await self._init
        except TimeoutError:
            outcome = TimedOut(limit)
        self.duration = time.perf_counter() - self.started_at
        if not isinstance(outcome, Ready):
            await self.close()
        return outcome

    def begin(self, invocation: Invocation, limit: float) -> None:
        """Hand an invocation over, for at most ``limit`` seconds from then."""
        self._outcome = self._loop.create_future()
        if not self.alive:
            self._outcome.set_result(Exited(self._exit_code or 0, delivered=False))
            return
        self._timeout = limit
        self._invocation = invocation
        self._waiting = True
        self._hand_over()
        if self._waiting:  # for a worker that never asks for more, though it lives
            assert self._process is not None
            self._timer = self._loop.call_later(limit, self._process.kill)

    async def outcome(self) -> Outcome:
        """Wait for how the invocation that was begun ends."""
        assert self._outcome is not None
        assert self._process is not None
        outcome = await self._outcome
        delivered_at = time.perf_counter() if self._delivered_at is None else self._delivered_at
        self.duration = time.perf_counter() - delivered_at
        self._forget()
        if not isinstance(outcome, Answered | Streamed):
            await self.close()
            return outcome
        self._process.drain()
        # Its own peak is told by the system; what it started is watched while it runs.
        pid = self._process.pid
        self.measure(0 if self._process.memory.is_alone() else memory.resident_bytes([pid]).get(pid, 0))
        if self._out_of_memory:
            await self.close()
            return OutOfMemory()
        return outcome

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._invocation = self._outcome = self._timer = self._delivered_at = None
        self._replying = False

    def measure(self, resident: int) -> None:
        """Take a sample of the tree's resident memory in bytes; over the function's memory it is killed."""
        if self._process is None or not self.alive:
            return
        self.peak_memory_bytes = max(self.peak_memory_bytes, resident, self._process.memory.peak_bytes())
        if self.peak_memory_bytes > self.deployment.function.memory_size * memory.BYTES_PER_MB:
            self._out_of_memory = True
            self._process.kill()

    @property
    def max_memory_used(self) -> int:
        """The most memory so far in MB, as REPORT has it: never over what the function has."""
        used = -(-self.peak_memory_bytes // memory.BYTES_PER_MB)
        return min(used, self.deployment.function.memory_size)

    async def close(self) -> None:
        """Kill the worker with all that it started, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            await self._process.exited.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                await self._reply_over.wait()  # what it had streamed is the caller's
        if self._channel is not None:
            self._channel.close()
        await self._api.close()

    def imported(self, lines: bytes) -> None:
        """What the worker says it has imported."""
        self._imports.feed(lines)

    def next_invocation(self, asker: Asker) -> None:
        """The Runtime API's /next, or the channel's."""
        if not self._init.done():
            self._init.set_result(Ready())
        self._askers.append(asker)
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the invocation that waits to whoever asked first and still listens."""
        while self._waiting and self._askers:
            asker = self._askers.popleft()
            if asker.gone:
                continue
            assert self._process is not None
            assert self._invocation is not None
            self._waiting = False
            self._process.drain()  # what it printed before is not this invocation's
            self._delivered_at = time.perf_counter()
            asker.hand_over(self._invocation, int((time.time() + self._timeout) * 1000))
            # From here on the worker works; what it prints is read in another turn, after this line.
            self.log.lines(self.platform_lines.start(self._invocation.request_id))
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(self._timeout, self._settle, TimedOut(self._timeout))

    def answered(self, request_id: str, answer: Answered | Malformed) -> bool:
        """The Runtime API's /response and /error, or the channel's."""
        if self._invocation is None or self._invocation.request_id != request_id or self._replying:
            return False
        return self._settle(answer)

    async def streamed(self, request_id: str, body: ChunkedBody, *, declared: bool) -> bool:
        """The Runtime API's /response in chunks."""
        if self._invocation is None or self._invocation.request_id != request_id or self._replying:
            return False
        self._replying = True
        self._reply_over.clear()
        try:
            return self._settle(await receive(body, self._invocation.reply_stream, declared=declared))
        except BrokenBodyError as error:
            assert self._process is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EXIT_SECONDS):
                    await self._process.exited.wait()
            if self._exit_code is None:
                self._settle(Malformed("Runtime.TruncatedResponse", f"The response was truncated: {error}"))
            return False
        finally:
            self._reply_over.set()

    def init_failed(self, error: Answered) -> None:
        """The Runtime API's /init/error."""
        if not self._init.done():
            self._init.set_result(error)

    def _settle(self, outcome: Outcome) -> bool:
        if self._outcome is None or self._outcome.done():
            return False
        self._outcome.set_result(outcome)
        return True

    def _exited(self, code: int) -> None:
        self._exit_code = code
        delivered = self._delivered_at is not None
        ended = OutOfMemory() if self._out_of_memory else Exited(code, delivered)
        if not self._init.done():
            self._init.set_result(ended)
        if delivered:
            self._exiting = asyncio.create_task(self._settle_exit(ended), name="lambda-invoke-local-exit")
        else:
            self._settle(ended)

    async def _settle_exit(self, ended: Outcome) -> None:
        """Take what the worker had sent before it ended, then let the invocation end."""
        if not self._replying:
            await self._api.hung_up(_EXIT_SECONDS)
            if self._channel is not None:
                await self._channel.hung_up(_EXIT_SECONDS)
                if self._channel.unread and isinstance(ended, Exited):
                    ended = Exited(ended.code, delivered=False)
        await self._reply_over.wait()
        self._settle(ended)


def _platform_lines(deployment: Deployment, log_stream: str = "") -> log.PlatformLines:
    function = deployment.function
    origin = log.Origin(
        deployment.function_name,
        deployment.version,
        deployment.arn,
        deployment.source.runtime,
        function.memory_size,
        log_stream,
    )
    if function.log_format == "JSON":
        return JsonLines(origin, function.system_log_level)
    return log.TextLines(origin)
