"""A redrive's dry run and report as text: columns, ages, and never a payload."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0


def age_text(seconds: float | None) -> str:
    """An age as people say it: "45 s", "12 min", "3 h", "4 d"."""
    if seconds is None:
        return "-"
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"


def ages_text(newest: float | None, oldest: float | None) -> str:
    """A range of ages."""
    low, high = age_text(newest), age_text(oldest)
    return high if low == high else f"{low} to {high}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: int = 1) -> str:
    """Columns as wide as they need be, the first ``right`` of them set to the right."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  "
        + "  ".join(
            cell.rjust(width) if column < right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def short_function(arn: str) -> str:
    """A function's ARN by its name and qualifier."""
    parts = arn.split(":")
    return ":".join(parts[6:]) if len(parts) > 6 else arn or "(not named)"  # noqa: PLR2004 - an ARN's parts
