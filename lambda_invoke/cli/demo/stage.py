"""Where the demo speaks and checks: headings, code, results, and what was expected."""

from __future__ import annotations

import os
import textwrap
from typing import TextIO

import attrs

_WIDTH = 100
_INDENT = "   "
_RESULT = _INDENT + "    "
_BOLD, _DIM, _RED, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[0m"


@attrs.frozen
class Check:
    """One expectation and whether it held."""

    pattern: str
    expected: str
    held: bool


class Stage:
    """Writes for people. Colours only in a terminal, and not where ``NO_COLOR`` is set."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.is_terminal = out.isatty()
        self._colours = self.is_terminal and "NO_COLOR" not in os.environ
        self._headings = 0
        self._pattern = ""
        self.checks: list[Check] = []

    def heading(self, title: str) -> None:
        """Begin a pattern."""
        self._headings += 1
        self._pattern = title
        self._line("")
        self._line(self._styled(_BOLD, f"{self._headings}. {title}"))

    def text(self, text: str) -> None:
        """A paragraph."""
        for line in textwrap.wrap(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT):
            self._line(line)

    def code(self, *lines: str) -> None:
        """What the caller writes."""
        for line in lines:
            self._line(f"{_INDENT}{self._styled(_DIM, '>>> ' + line)}")

    def result(self, *lines: object) -> None:
        """What comes of it."""
        for line in "\n".join(map(str, lines)).splitlines():
            if len(line) <= _WIDTH or "\t" in line:  # a log's line is shown as it is
                self._line(f"{_RESULT}{line}")
            else:
                self._line(textwrap.fill(line, _WIDTH, initial_indent=_RESULT, subsequent_indent=_RESULT * 2))

    def error(self, error: Exception, *, lines: int = 1) -> None:
        """The class of an error and the first lines of its text."""
        shown = str(error).splitlines()[:lines]
        self.result(f"{type(error).__name__}: {shown[0]}", *shown[1:])

    def expect(self, expected: str, held: object) -> None:
        """Check that something came out as the demo says."""
        self.checks.append(Check(self._pattern, expected, bool(held)))
        if not held:
            self._line(self._styled(_RED, f"{_INDENT}NOT AS EXPECTED: {expected}"))

    def summary(self, seconds: float) -> bool:
        """Say what was checked, by pattern; whether all of it held."""
        failed = [check for check in self.checks if not check.held]
        self._line("")
        self._line(self._styled(_BOLD, "What was checked"))
        for pattern in dict.fromkeys(check.pattern for check in self.checks):
            said = "; ".join(check.expected for check in self.checks if check.pattern == pattern)
            self._line(
                textwrap.fill(
                    f"{pattern}: {said}", _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT * 2
                )
            )
        self._line("")
        verdict = (
            f"{len(self.checks) - len(failed)} of {len(self.checks)} expectations held, in {seconds:.1f} s"
        )
        self._line(self._styled(_RED if failed else _BOLD, verdict))
        for check in failed:
            self._line(self._styled(_RED, f"{_INDENT}not: {check.pattern}: {check.expected}"))
        return not failed

    def _styled(self, style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if self._colours else text

    def _line(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()
