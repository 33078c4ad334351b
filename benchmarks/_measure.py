"""How the benchmarks measure: ratios within one run, never absolute times."""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def numbers(*defaults: int) -> tuple[int, ...]:
    """The command line's arguments, and the defaults of those that were left out."""
    given = tuple(map(int, sys.argv[1 : 1 + len(defaults)]))
    return (*given, *defaults[len(given) :])


def cpu_per_call(call: Callable[[], object], calls: int) -> float:
    """CPU seconds of this process per call, over a run of them."""
    begun = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - begun) / calls


def interleaved(
    peers: Mapping[str, Callable[[], object]], *, calls: int, rounds: int
) -> dict[str, list[float]]:
    """CPU per call of each peer, round by round, so that a noisy neighbour hits all alike."""
    for call in peers.values():
        cpu_per_call(call, calls)  # warm: connections, caches, lazy imports
    measured: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, call in peers.items():
            measured[name].append(cpu_per_call(call, calls))
    return measured


def ratio(measured: Mapping[str, list[float]], name: str, base: str) -> float:
    """The median of the per-round ratios of ``name`` to ``base``."""
    return statistics.median(one / other for one, other in zip(measured[name], measured[base], strict=True))
