"""Fan-out: 364 lines of Shakespeare over one function."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import FunctionError

if TYPE_CHECKING:
    from pathlib import Path

    from lambda_invoke import FanOutReport, Progress
    from lambda_invoke.cli.demo.stage import Stage
    from lambda_invoke.cli.demo.tour import Tour
    from lambda_invoke.fanout.progress import ProgressCallback

_CONCURRENCY = 8
_LONG_WORD = 5
_SHOWN = 8


@attrs.frozen
class LineCount:
    """The reply for one line."""

    id: str
    words: dict[str, int]


def fan_out(tour: Tour) -> None:
    """Typed replies, a progress bar, failures among them, and the report."""
    stage = tour.stage
    lines = _read(tour.examples / "sonnets.jsonl")
    stage.heading(f"Fan-out: {len(lines)} lines of Shakespeare, {_CONCURRENCY} in flight")
    stage.code(
        'count = client.function("sonnets", response=LineCount, log_tail=True)',
        f"report = count.fan_out(lines, concurrency={_CONCURRENCY}, progress=True)",
    )
    count = tour.client.function("sonnets", response=LineCount, log_tail=True)
    report = count.fan_out(lines, concurrency=_CONCURRENCY, progress=_progress(stage))
    stage.code("print(report)")
    stage.result(report)
    _show_failures(stage, report)
    words = _show_words(stage, report)

    expected = {"HandlerError (IllegibleLineError)": 3, "HandlerError (KeyError)": 2}
    stage.expect(
        "every item has an outcome, in the input's order", _indices(report) == list(range(len(lines)))
    )
    stage.expect("the five bad lines failed, and only they", report.errors() == expected)
    ran = tour.local.stats("sonnets").started
    stage.expect(f"the endpoint ran {len(lines)} lines: none was left out, none ran twice", ran == len(lines))
    here = Counter(word for line in lines for word in _words_here(line))
    stage.expect("the words counted there are those counted here", words == here)
    stage.expect(
        "billed time and cold starts come from the log tails", report.billed_duration and report.cold_starts
    )


def _read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _indices(report: FanOutReport[LineCount]) -> list[int]:
    return [outcome.index for outcome in report]


def _progress(stage: Stage) -> bool | ProgressCallback:
    if stage.is_terminal and importlib.util.find_spec("rich") is not None:
        return True

    def tell(progress: Progress) -> None:
        if progress.finished:
            stage.result(progress)

    return tell


def _show_failures(stage: Stage, report: FanOutReport[LineCount]) -> None:
    stage.code("report.failed")
    for outcome in report.failed:
        if isinstance(outcome.error, FunctionError):
            stage.result(
                f"{outcome.payload['id']:<7} {outcome.error.error_type}: {outcome.error.error_message}"
            )


def _show_words(stage: Stage, report: FanOutReport[LineCount]) -> Counter[str]:
    words: Counter[str] = Counter()
    for outcome in report.succeeded:
        words.update(outcome.value.words)
    long = [(word, count) for word, count in words.most_common() if len(word) >= _LONG_WORD][:_SHOWN]
    stage.text(
        f"{words.total():,} words, {len(words):,} different ones. The most frequent of {_LONG_WORD} letters "
        f"and more: {', '.join(f'{word} {count}' for word, count in long)}."
    )
    return words


def _words_here(line: dict[str, Any]) -> list[str]:
    """The same words by another way than the handler's."""
    text = str(line.get("text") or "").lower()
    kept = "".join(letter if letter.isalpha() or letter == "'" else " " for letter in text)
    return [word for word in (part.strip("'") for part in kept.split()) if word]
