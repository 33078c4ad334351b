"""A diagnosis as plain text, for any place that takes text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from lambda_invoke.doctor.facts import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.findings import Diagnosis, Finding

WIDTH = 100
_LABEL = 9
_LONGEST_VALUE = 300


def plain_table(diagnosis: Diagnosis, *, width: int = WIDTH) -> str:
    """A heading, a block for each finding, and what was looked at."""
    lines = [heading(diagnosis), ""]
    for finding in diagnosis.findings:
        lines += [*_block(finding, width), ""]
    lines += _wrapped("", looked_at(diagnosis), width, indent=0)
    return "\n".join(lines)


def heading(diagnosis: Diagnosis) -> str:
    """What was diagnosed, and the counts."""
    return f"{diagnosis.function}: {diagnosis.summary}"


def looked_at(diagnosis: Diagnosis) -> str:
    """What was looked at, sound or not."""
    named = [f"{what} ({diagnosis.hours:g} h)" if what == METRICS else what for what in diagnosis.looked_at]
    return f"Looked at: {', '.join(named) or 'nothing'}."


def evidence_text(finding: Finding) -> str:
    """The evidence on one line."""
    said = []
    for name, value in finding.evidence.items():
        if value is None or value == ():
            continue
        text = ", ".join(value) if isinstance(value, tuple) else f"{value:g}" if _is_float(value) else value
        said.append(f"{name.replace('_', ' ')}: {str(text)[:_LONGEST_VALUE]}")
    return "; ".join(said)


def _is_float(value: object) -> bool:
    return isinstance(value, float)


def _block(finding: Finding, width: int) -> Iterator[str]:
    yield from _wrapped(finding.severity.value.upper(), finding.title, width)
    yield from _wrapped("", f"[{finding.id}]", width)
    for name, text in (
        ("seen", evidence_text(finding)),
        ("why", finding.why),
        ("fix", finding.fix),
        ("source", finding.source),
    ):
        if text:
            yield from _wrapped("", f"{name + ':':<8}{text}", width, hang=8)


def _wrapped(label: str, text: str, width: int, *, indent: int = _LABEL, hang: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=f"{label:<{indent}}",
        subsequent_indent=" " * (indent + hang),
        break_long_words=False,
        break_on_hyphens=False,
    )
