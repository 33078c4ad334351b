"""How a peer's process is told to measure: a line of JSON for each run, on standard input and output.

The first line out says what is measured, with versions. This runs in the peers' own environments too:
it takes the standard library only.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FUNCTION = "echo"
LOOPS = ("asyncio", "uvloop") if importlib.util.find_spec("uvloop") else ("asyncio",)


@dataclass(frozen=True)
class Job:
    """So many invokes with this payload, so many of them in flight."""

    items: int
    in_flight: int
    payload: Any


def serve(about: str, run: Callable[[Job], int]) -> None:
    """Do every job that is asked for, until the input ends; ``run`` says how many replies were right.

    Each is answered with the CPU seconds of this process, user and system, per invoke, and the invokes
    per second.
    """
    answer({"about": f"{about}, Python {'.'.join(map(str, sys.version_info[:3]))}"})
    for line in sys.stdin:
        job = Job(**json.loads(line))
        cpu, begun = time.process_time(), time.perf_counter()
        made = run(job)
        cpu, took = time.process_time() - cpu, time.perf_counter() - begun
        if made != job.items:
            raise SystemExit(f"{made} replies of {job.items} were right")
        answer({"cpu": cpu / job.items, "rate": job.items / took})


def answer(values: dict[str, Any]) -> None:
    """One line out."""
    print(json.dumps(values), flush=True)


async def pooled(invoke: Callable[[Any], Awaitable[object]], job: Job) -> int:
    """As many tasks as are to be in flight, each taking the next item when it is done with one."""
    left = iter(range(job.items))
    made = 0

    async def work() -> None:
        nonlocal made
        for _ in left:
            value = await invoke(job.payload)
            made += value == job.payload

    await asyncio.gather(*(work() for _ in range(job.in_flight)))
    return made


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes a loop of asyncio's, or of uvloop's."""
    if name == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop
