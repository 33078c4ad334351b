"""The execution environments of one endpoint: admission, reuse, expiry, and a watch on their memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.local import memory
from lambda_invoke.local.admission import Admission
from lambda_invoke.local.environment import Environment
from lambda_invoke.local.launch import launch, worker_environment
from lambda_invoke.local.watchdog import Watchdog

if TYPE_CHECKING:
    from lambda_invoke.local.launch import Launch
    from lambda_invoke.local.outcome import InitOutcome
    from lambda_invoke.local.registry import Deployment, Registry

_WATCH_SECONDS = 0.05
_WATCH_SECONDS_WITHOUT_PROC = 0.5
_IDLE_CHECK_SECONDS = 1.0


@attrs.frozen
class WorkerSettings:
    """How workers are started: ``idle_timeout`` in seconds; ``path`` is the parent's ``sys.path``.

    ``scaling_rate`` is how many a function gets in 10 seconds. With ``reload`` a worker whose code has
    changed is not used again.
    """

    concurrency_limit: int
    scaling_rate: int
    idle_timeout: float
    runtime_client: str
    path: list[str]
    variables: dict[str, str] = attrs.field(repr=False)
    reload: bool = True


class Pool:
    """One process per concurrent invocation, the most recently used first. Used on one event loop."""

    def __init__(self, registry: Registry, settings: WorkerSettings) -> None:
        self._registry = registry
        self._settings = settings
        self.admission = Admission(registry, settings.concurrency_limit, settings.scaling_rate)
        self._idle: list[Environment] = []
        self._active: set[Environment] = set()
        self._starts = asyncio.Semaphore(max(2, os.cpu_count() or 2))
        self._launches: dict[Deployment, Launch] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._watchdog = Watchdog()
        self._work = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to watch."""
        self._watcher = asyncio.create_task(self._watch(), name="lambda-invoke-local-watch")

    def take(self, deployment: Deployment, tenant_id: str | None) -> Environment | None:
        """An idle environment of the deployment and tenant, or None. One whose code has changed is ended."""
        for environment in reversed(self._idle.copy()):
            if environment.deployment is deployment and environment.tenant_id == tenant_id:
                stale = environment.stale
                self._idle.remove(environment)
                if stale:
                    self.retire(environment)
                    continue
                self._activate(environment)
                return environment
        return None

    def retire(self, environment: Environment) -> None:
        """End an environment that was taken, and is not to be used."""
        self._active.discard(environment)
        task = asyncio.create_task(environment.close())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def launch(
        self,
        deployment: Deployment,
        tenant_id: str | None,
        limit: float,
        earlier_log: bytes,
        *,
        phase: str = "init",
    ) -> tuple[Environment, InitOutcome]:
        """Start a new environment and initialise it for at most ``limit`` seconds.

        ``phase`` is "init", or "invoke" where an init that failed is done once more.
        """
        settings = self._settings
        async with self._starts:
            while self._idle and len(self._idle) + len(self._active) >= settings.concurrency_limit:
                await self._idle.pop(0).close()
            self._watchdog.start()
            environment = Environment(deployment, tenant_id)
            environment.log.write(earlier_log)
            self._activate(environment)
            variables = {
                **worker_environment(deployment, settings.variables, self._registry.region_name),
                **self._watchdog.variables,
            }
            try:
                outcome = await environment.initialise(
                    self._launch(deployment), variables, limit, reload=settings.reload, phase=phase
                )
            finally:
                if not environment.alive:
                    self._active.discard(environment)
                    await environment.close()
        return environment, outcome

    def _launch(self, deployment: Deployment) -> Launch:
        if deployment not in self._launches:
            settings = self._settings
            self._launches[deployment] = launch(
                deployment, settings.path, settings.runtime_client, reload=settings.reload
            )
        return self._launches[deployment]

    def _activate(self, environment: Environment) -> None:
        self._active.add(environment)
        self._work.set()

    async def release(self, environment: Environment) -> None:
        """Take an environment back; one that is spent is closed."""
        self._active.discard(environment)
        if environment.alive:
            environment.idle_since = time.monotonic()
            self._idle.append(environment)
        else:
            await environment.close()

    async def _watch(self) -> None:
        interval = _WATCH_SECONDS if memory.HAS_PROC else _WATCH_SECONDS_WITHOUT_PROC
        while True:
            if self._active:
                await asyncio.sleep(interval)
                await self._measure()
            else:
                self._work.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._work.wait(), _IDLE_CHECK_SECONDS)
            await self._expire()

    async def _measure(self) -> None:
        active = {environment.pid: environment for environment in self._active if environment.alive}
        pids = [pid for pid in active if pid is not None]
        if not pids:
            return
        if memory.HAS_PROC:
            resident = memory.resident_bytes(pids)
        else:
            resident = await asyncio.to_thread(memory.resident_bytes, pids)
        for pid, used in resident.items():
            active[pid].measure(used)

    async def _expire(self) -> None:
        oldest = time.monotonic() - self._settings.idle_timeout
        for environment in [
            e
            for e in self._idle
            if not e.alive or e.idle_since < oldest or not self._registry.serves(e.deployment)
        ]:
            if environment in self._idle:  # not taken while another was closed
                self._idle.remove(environment)
                await environment.close()
        used = {environment.deployment for environment in self._active}
        for deployment in [d for d in self._launches if not (d in used or self._registry.serves(d))]:
            self._launches.pop(deployment).close()

    async def close(self) -> None:
        """Kill every worker, and wait until they are gone."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
        environments = [*self._idle, *self._active]
        self._idle.clear()
        self._active.clear()
        await asyncio.gather(*(environment.close() for environment in environments), *self._retiring)
        await self._watchdog.close()
        for launched in self._launches.values():
            launched.close()
