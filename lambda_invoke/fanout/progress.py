"""Progress of a fan-out: a snapshot for callbacks, and a bar for people."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import attrs

_EVERY_SECONDS = 0.1


@attrs.frozen
class Progress:
    """Where a fan-out stands. ``total`` is None when the input has no length; ``elapsed`` in seconds."""

    done: int
    failed: int
    in_flight: int
    total: int | None
    elapsed: float
    finished: bool = False

    @property
    def rate(self) -> float:
        """Outcomes per second so far."""
        return self.done / self.elapsed if self.elapsed > 0 else 0.0

    def __str__(self) -> str:
        total = f" of {self.total:,}" if self.total is not None else ""
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.done:,}{total} done{failed}, {self.in_flight:,} in flight, {self.rate:,.0f}/s"


ProgressCallback = Callable[[Progress], object]


class Meter(Protocol):
    """What is told of progress."""

    def update(self, progress: Progress) -> None:
        """Take note."""

    def close(self) -> None:
        """Put away what was opened."""


class CallbackMeter:
    """Calls a function at most ten times a second, and at the end."""

    def __init__(self, callback: ProgressCallback) -> None:
        self._callback = callback
        self._next = 0.0

    def update(self, progress: Progress) -> None:
        """Tell the callback, if it is time."""
        now = time.monotonic()
        if progress.finished or now >= self._next:
            self._next = now + _EVERY_SECONDS
            self._callback(progress)

    def close(self) -> None:
        """Nothing to put away."""


class SilentMeter:
    """Tells nobody."""

    def update(self, progress: Progress) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class BarMeter:
    """A rich progress bar, in terminals and notebooks."""

    def __init__(self, label: str, total: int | None) -> None:
        try:
            import rich.console
            import rich.progress as bars
        except ImportError as error:
            raise ImportError(
                "progress=True shows a bar with rich, which is not installed: "
                "pip install 'lambda-invoke-sdk[progress]', or pass a callable"
            ) from error
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[note]}"),
            bars.TimeElapsedColumn(),
            console=rich.console.Console(stderr=True),  # stdout is for results
        )
        self._task: Any = self._bar.add_task(label, total=total, note="")
        self._bar.start()

    def update(self, progress: Progress) -> None:
        """Move the bar; rich draws it ten times a second."""
        failed = f", {progress.failed:,} failed" if progress.failed else ""
        note = f"{progress.rate:,.0f}/s, {progress.in_flight:,} in flight{failed}"
        total = progress.done if progress.finished and progress.total is None else progress.total
        self._bar.update(self._task, completed=progress.done, total=total, note=note)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


def meter_for(progress: bool | ProgressCallback | None, label: str, total: int | None) -> Meter:
    """The meter that a caller's ``progress=`` asks for."""
    if progress is None or progress is False:
        return SilentMeter()
    return BarMeter(label, total) if progress is True else CallbackMeter(progress)
