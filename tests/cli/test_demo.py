"""The demo: it runs, shows every pattern, and would notice if something were not as it says."""

from __future__ import annotations

import io
import json
import re

import pytest

from lambda_invoke.cli.demo import PATTERNS
from lambda_invoke.cli.demo.stage import Stage
from lambda_invoke.cli.demo.tour import find_examples
from tests.cli.command import EXAMPLES, run


def test_the_demo() -> None:
    """Exit code 0, every expectation held, every pattern shown; no colours or bars in a pipe."""
    done = run("demo")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    assert "\r" not in done.out
    assert re.findall(r"^(\d+)\. ", done.out, re.MULTILINE) == [str(n + 1) for n in range(len(PATTERNS))]
    assert "NOT AS EXPECTED" not in done.out
    verdict = re.search(r"^(\d+) of (\d+) expectations held, in ([\d.]+) s$", done.out, re.MULTILINE)
    assert verdict is not None
    assert verdict[1] == verdict[2]
    assert float(verdict[3]) < 30
    for shown in ("FunctionTimeoutError", "FunctionOutOfMemoryError", "FunctionInitError", "OutOfStock:"):
        assert shown in done.out


def test_an_expectation_that_does_not_hold_is_told() -> None:
    """It is shown where it happens and at the end, and the verdict is no."""
    out = io.StringIO()
    stage = Stage(out)
    stage.heading("A pattern")
    stage.expect("this holds", held=True)
    assert stage.summary(1.0)
    stage.expect("this does not", held=False)
    assert not stage.summary(1.0)
    assert "   NOT AS EXPECTED: this does not\n" in out.getvalue()
    assert "1 of 2 expectations held, in 1.0 s\n   not: A pattern: this does not\n" in out.getvalue()


@pytest.mark.parametrize("no_color", [False, True])
def test_colours_are_for_terminals(no_color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets them, unless NO_COLOR is set."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    Stage(out).heading("A pattern")
    assert ("\x1b" in out.getvalue()) is not no_color


def test_the_examples_are_found() -> None:
    """In a checkout they are its examples directory, of which the wheel has a copy."""
    assert find_examples() == EXAMPLES


def test_the_sonnets_are_whole() -> None:
    """Every item has an id of its own; sonnets have 14 lines; five items are bad, as the demo expects."""
    with (EXAMPLES / "sonnets.jsonl").open(encoding="utf-8") as file:
        items = [json.loads(line) for line in file]
    ids = [item["id"] for item in items]
    assert len(set(ids)) == len(ids) == 364
    sonnets = {one.partition(".")[0] for one in ids}
    assert ids == [
        f"{sonnet}.{line}"
        for sonnet in dict.fromkeys(i.partition(".")[0] for i in ids)
        for line in range(1, 15)
    ]
    assert len(sonnets) == 26
    assert [item["id"] for item in items if item.get("text") is None] == [
        "33.9",
        "104.3",
        "126.13",
        "126.14",
        "146.2",
    ]
