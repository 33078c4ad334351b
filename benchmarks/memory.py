"""Memory of a long fan-out, which is to be flat, and of a call in flight.

A job with 256 in flight, by ``map`` and by ``fan_out(keep="failures")``: resident memory at every tenth
of it. Then 2,000 calls at once on a server that holds its answers back: bytes per call, as the growth
of resident memory (connection and TLS state included) and as what tracemalloc sees of Python's objects.
Each in a process of its own. Arguments: items of the job (default 50,000; the aim is meant for 1,000,000),
calls at once (2,000). Linux only: it reads /proc.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import multiprocessing
import os
import resource
import threading
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._measure import numbers
from benchmarks.peers.protocol import LOOPS, loop_factory
from lambda_invoke import AsyncLambdaClient, LambdaClient
from tests.support.aws import dummy_environment
from tests.support.process import ServerProcess
from tests.support.server import echo, gate, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Call, Step

MIB = 1024 * 1024
IN_FLIGHT = 256
FLAT = 0.05  # growth from a fifth of the job to its end, as a share of what was there at a fifth
PATIENCE = 60.0  # seconds until all calls are in flight
OPEN = threading.Event()  # of the server's process


def payload(number: int) -> dict[str, Any]:
    """An item that no other item equals."""
    return {"id": number, "name": "reports", "pages": [1, 2, 3], "note": "forty characters of text, or so"}


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def environment(server: ServerProcess) -> None:
    """Make this process's clients find the server."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(dummy_environment(), AWS_ENDPOINT_URL_LAMBDA=server.url)
    if server.ca_bundle:
        os.environ["AWS_CA_BUNDLE"] = server.ca_bundle


# A long job


def sampled(items: int, samples: list[int]) -> Iterator[dict[str, Any]]:
    """The items; memory is looked at whenever a tenth of them was taken."""
    step = items // 10
    for number in range(items):
        if number and number % step == 0:
            samples.append(resident())
        yield payload(number)


def by_map(client: LambdaClient, items: Iterator[dict[str, Any]]) -> int:
    return sum(outcome.ok for outcome in client.map("echo", items, concurrency=IN_FLIGHT))


def by_fan_out(client: LambdaClient, items: Iterator[dict[str, Any]]) -> int:
    report = client.fan_out("echo", items, concurrency=IN_FLIGHT, keep="failures")
    return report.succeeded_count


JOBS = {"map": by_map, 'fan_out(keep="failures")': by_fan_out}


def long_job(name: str, items: int) -> None:
    """Run a job and print its samples."""
    samples: list[int] = []
    with ServerProcess(echo) as server:
        environment(server)
        with LambdaClient() as client:
            begun = time.perf_counter()
            assert JOBS[name](client, sampled(items, samples)) == items
            took = time.perf_counter() - begun
            samples.append(resident())
    shown = " ".join(f"{sample / MIB:.1f}" for sample in samples)
    early, late = samples[1], samples[-1]
    growth = late - early
    verdict = "flat" if growth <= FLAT * early else "NOT flat"
    print(
        f"{name}, {items:,} items, {IN_FLIGHT} in flight, {items / took:,.0f}/s: MiB at every tenth: {shown}"
    )
    print(
        f"  from 20 % to 100 %: {growth / MIB:+.1f} MiB, {growth / (items * 0.8):+.1f} bytes per item: "
        f"{verdict} (aim: at most {FLAT:.0%})",
        flush=True,
    )


# Many calls at once


def gated(call: Call) -> Step:
    """Answers are held back until the function ``open`` is invoked; ``echo`` answers at once."""
    if call.function == "open":
        OPEN.set()
    return ok(call.body) if call.function != "gated" else gate(OPEN, ok(call.body))


def held_by_async(calls: int, ready: Callable[[], None], loop: str) -> None:
    """So many tasks that await ``invoke``."""

    async def run() -> None:
        async with AsyncLambdaClient(max_concurrency=calls) as client:
            await client.invoke("echo", payload(0))
            ready()
            await asyncio.gather(*(client.invoke("gated", payload(number)) for number in range(calls)))

    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        runner.run(run())


def held_by_map(calls: int, ready: Callable[[], None]) -> None:
    """A ``map`` that wide, on the loop that it takes by itself."""
    with LambdaClient(max_concurrency=calls) as client:
        assert all(outcome.ok for outcome in client.map("echo", [payload(0)]))
        ready()
        outcomes = client.map("gated", (payload(number) for number in range(calls)), concurrency=calls)
        assert all(outcome.ok for outcome in outcomes)


HOLDERS: dict[str, Callable[[int, Callable[[], None]], None]] = {
    **{f"await invoke, {loop}": functools.partial(held_by_async, loop=loop) for loop in LOOPS},
    f"map, {LOOPS[-1]}": held_by_map,
}


def held(name: str, calls: int, *, tls: bool, traced: bool) -> None:
    """Hold so many calls in flight, and print what each took beyond a client that has made one."""
    before, during, in_flight = 0, 0, 0
    look: Callable[[], int] = (lambda: tracemalloc.get_traced_memory()[0]) if traced else resident

    def watch() -> None:
        nonlocal during, in_flight
        until = time.monotonic() + PATIENCE
        while in_flight < calls and time.monotonic() < until:
            time.sleep(0.1)
            in_flight = server.snapshot().counts.in_flight
        during = look()
        opener.invoke("open")

    watching = threading.Thread(target=watch)

    def ready() -> None:
        nonlocal before
        gc.collect()
        if traced:
            tracemalloc.start()
        before = look()
        watching.start()

    with ServerProcess(gated, tls=tls) as server:
        environment(server)
        with LambdaClient() as opener:
            opener.invoke("echo")
            HOLDERS[name](calls, ready)
            watching.join()
    assert in_flight == calls, f"{in_flight} of {calls} were in flight"
    kind = "of Python objects (tracemalloc)" if traced else "resident"
    setting = f"{name}, {'TLS' if tls else 'plain'}, {calls:,} in flight"
    print(f"{setting}: {(during - before) / calls:,.0f} bytes per call {kind}", flush=True)


def apart(target: Callable[..., None], *arguments: Any, **options: Any) -> bool:
    """Run it in a process of its own; whether it ended well."""
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments, kwargs=options)
    process.start()
    process.join()
    return process.exitcode == 0


def main() -> None:
    """Measure and print."""
    items, calls = numbers(50_000, 2000)
    if not Path("/proc/self/statm").exists():
        raise SystemExit("left out: there is no /proc/self/statm here")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a connection for every call in flight
    ended = [apart(long_job, name, items) for name in JOBS]
    for name in HOLDERS:
        for tls in (False, True):
            ended += [apart(held, name, calls, tls=tls, traced=traced) for traced in (False, True)]
    if not all(ended):
        raise SystemExit("a measurement failed")


if __name__ == "__main__":
    main()
