"""CPU and throughput of a fan-out on asyncio's loop and uvloop's, beside other SDKs in the same run.

Everybody sends the same payload to the same server, over plain HTTP and TLS, with 32 and 256 in flight:
one shared client, as many connections as calls in flight, retries off, JSON in and out. Each runs in a
process of its own, whose CPU time is what counts, and they take turns in rounds. Aims: at most a tenth
of the CPU per invoke of boto3 in threads, a quarter of every other's (docs/design/transport.md has the
figures). Arguments: items in a run (default 5,000; the peers do a fifth), rounds (5).
The peers' environments are made in BENCH_PEERS, a directory (default ``.nox/.cache/peers``).
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import statistics
from pathlib import Path

import attrs

from benchmarks._measure import numbers
from benchmarks.peers import wrk
from benchmarks.peers.contenders import ROOT, Contender, Running, own, present, started
from benchmarks.peers.protocol import LOOPS
from benchmarks.peers.server import Server, serving

PAYLOAD = {"id": 17, "name": "reports", "pages": [1, 2, 3], "note": "forty characters of text, or about that"}
WIDTHS = (32, 256)
SHARE = 5  # a peer does that many times less, being that much slower


@attrs.frozen
class Series:
    """What one contender took in each round: CPU seconds per invoke, and invokes per second."""

    of: Contender
    rounds: list[tuple[float, float]] = attrs.Factory(list)

    @property
    def cpu(self) -> float:
        """The median, in seconds."""
        return statistics.median(cpu for cpu, _ in self.rounds)

    @property
    def rate(self) -> float:
        """The median, per second."""
        return statistics.median(rate for _, rate in self.rounds)

    def times_less_than(self, peer: Series) -> float:
        """How many times less CPU this took: the median over the rounds."""
        pairs = zip(peer.rounds, self.rounds, strict=True)
        return statistics.median(other / mine for (other, _), (mine, _) in pairs)


def measured(running: list[Running], *, in_flight: int, items: int, rounds: int) -> list[Series]:
    """A series of each, taken in turns, so that a noisy neighbour hits all alike."""
    series = [Series(one.contender) for one in running]
    for _ in range(rounds):
        for one, taken in zip(running, series, strict=True):
            one.measure(items=in_flight * 2, in_flight=in_flight, payload=PAYLOAD)  # connections are made
            count = items if one.contender.aim is None else max(in_flight * 2, items // SHARE)
            taken.rounds.append(one.measure(items=count, in_flight=in_flight, payload=PAYLOAD))
    return series


def show(title: str, series: list[Series], most: float | None) -> None:
    """One setting's table, in Markdown: CPU per invoke, and how many times less than each peer's."""
    peers = [one for one in series if one.of.aim is not None]
    heads = [title, "CPU", "invokes/s", *(["of wrk's"] if most else []), *(f"x {p.of.name}" for p in peers)]
    print(f"\n| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|")
    for one in series:
        ratios = [f"{one.times_less_than(p):.1f}" if one.of.aim is None else "" for p in peers]
        share = [f"{one.rate / most:.0%}"] if most else []
        cells = (one.of.name, f"{one.cpu * 1e6:,.0f} µs", f"{one.rate:,.0f}", *share, *ratios)
        print(f"| {' | '.join(cells)} |", flush=True)


def compare(
    contenders: list[Contender], *, tls: bool, items: int, rounds: int
) -> list[tuple[str, Series, Series]]:
    """Measure one server in both widths; every series of this library's beside every peer's."""
    pairs = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(PAYLOAD, tls=tls))
        running = started(contenders, server, stack)
        for one in running:  # node compiles what it runs, and is at its best after thousands
            one.measure(items=items, in_flight=WIDTHS[0], payload=PAYLOAD)
        if not tls:
            print_what_runs(server, running)
        for in_flight in WIDTHS:
            title = f"{'TLS' if tls else 'plain'}, {in_flight} in flight"
            most = wrk.requests_per_second(server, in_flight=in_flight, payload=PAYLOAD)
            series = measured(running, in_flight=in_flight, items=items, rounds=rounds)
            show(title, series, most)
            mine = [one for one in series if one.of.aim is None]
            pairs += [(title, one, peer) for peer in series if peer.of.aim for one in mine]
    return pairs


def print_what_runs(server: Server, running: list[Running]) -> None:
    """The server and the versions."""
    if shutil.which("wrk") is None:
        print("left out: wrk: it is not on PATH; no share of what it reaches")
    print(f"server: {server.name}")
    for one in running:
        print(f"{one.contender.name}: {one.about}")


def judge(pairs: list[tuple[str, Series, Series]]) -> None:
    """Each peer's aim, and where this library comes nearest to missing it."""
    for peer in dict.fromkeys(peer.of for _, _, peer in pairs):
        ratio, where, name = min(
            (mine.times_less_than(other), title, mine.of.name)
            for title, mine, other in pairs
            if other.of == peer
        )
        verdict = "reached" if ratio >= (peer.aim or 0) else "NOT reached"
        worst = f"worst {ratio:.1f}: {name}, {where}"
        print(f"aim: {peer.aim:.0f} times less CPU than {peer.name}: {verdict} ({worst})")


def main() -> None:
    """Measure and print."""
    items, rounds = numbers(5000, 5)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # everybody keeps its connections open
    contenders = present(Path(os.environ.get("BENCH_PEERS", ROOT / ".nox" / ".cache" / "peers")))
    contenders += own(LOOPS)
    if "uvloop" not in LOOPS:
        print("left out: uvloop is not installed")
    pairs = []
    for tls in (False, True):
        pairs += compare(contenders, tls=tls, items=items, rounds=rounds)
    print()
    judge(pairs)


if __name__ == "__main__":
    main()
