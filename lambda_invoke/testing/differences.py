"""How payloads differ, in few lines that a person can read, and in little time whatever their size."""

from __future__ import annotations

import json
import pprint
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from lambda_invoke.core.codec import NO_PAYLOAD
from lambda_invoke.testing.matching import Having, equal, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_AROUND = 3
"""Lines that are the same on both sides, shown before and after one that differs."""
_MOST_LINES = 60
_LONGEST_LINE = 160
_BEFORE = 40
"""Characters shown of a long line before the first one that differs."""
_MOST_COMPARED = 2_000
"""Lines from the first that differs on; comparing is quadratic in what differs."""


def nearest(pairs: Iterable[tuple[object, object]]) -> list[str]:
    """Of pairs of a matcher and a payload the one that differs least: its lines, ``-`` wanted, ``+`` sent.

    What is the same is left out but for the lines around, as what is too much; an ellipsis says where.
    Empty where there are no pairs.
    """
    sides = (_sides(wanted, payload) for wanted, payload in pairs)
    least = min(sides, key=_distance, default=None)
    if least is None:
        return []
    begin = max(0, _first_difference(*least) - _AROUND)
    lines = list(_compared(*(side[begin : begin + _MOST_COMPARED] for side in least)))
    more = max(map(len, least)) > begin + _MOST_COMPARED
    if len(lines) > _MOST_LINES or more:
        lines = [*lines[:_MOST_LINES], "  ... and more"]
    return ["  ...", *lines] if begin else lines


def _first_difference(wanted: Sequence[str], sent: Sequence[str]) -> int:
    pairs = enumerate(zip(wanted, sent, strict=False))
    return next((n for n, (old, new) in pairs if old != new), min(len(wanted), len(sent)))


def _distance(sides: tuple[list[str], list[str]]) -> int:
    """How many lines have no fellow on the other side, wherever that stands."""
    one, other = map(Counter, sides)
    return (one - other).total() + (other - one).total()


def _compared(wanted: list[str], sent: list[str]) -> Iterator[str]:
    groups = list(SequenceMatcher(None, wanted, sent).get_grouped_opcodes(_AROUND))
    for group in groups:
        if group[0][1] > 0:
            yield "  ..."
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from (f"  {_clipped(line)}" for line in wanted[a:b])
            elif b - a == d - c:  # line by line, the new one under the old one
                for old, new in zip(wanted[a:b], sent[c:d], strict=True):
                    start = max(0, _first_difference(old, new) - _BEFORE)
                    yield f"- {_clipped(old, start)}"
                    yield f"+ {_clipped(new, start)}"
            else:
                yield from (f"- {_clipped(line)}" for line in wanted[a:b])
                yield from (f"+ {_clipped(line)}" for line in sent[c:d])
    if groups and groups[-1][-1][2] < len(wanted):
        yield "  ..."


def _clipped(line: str, start: int = 0) -> str:
    """A line, of a long one what stands at ``start``."""
    if len(line) <= _LONGEST_LINE:
        return line
    end = start + _LONGEST_LINE
    return f"{'...' if start else ''}{line[start:end]}{'...' if end < len(line) else ''}"


def _sides(wanted: object, payload: object) -> tuple[list[str], list[str]]:
    if isinstance(wanted, Having):
        return _lines(wanted.part), _lines(_only(payload, wanted.part))
    return _lines(_alike(plain(wanted), payload)), _lines(payload)


def _only(payload: Any, part: Any) -> Any:
    """Of the payload what the part speaks of."""
    if isinstance(part, dict) and isinstance(payload, dict):
        return {name: _only(value, part[name]) for name, value in payload.items() if name in part}
    return payload


def _alike(wanted: Any, payload: Any) -> Any:
    """What is wanted, with the payload's own values where they are as wanted (``mock.ANY``)."""
    if isinstance(wanted, dict) and isinstance(payload, dict):
        return {
            name: _alike(value, payload[name]) if name in payload else value for name, value in wanted.items()
        }
    if isinstance(wanted, list) and isinstance(payload, list):
        common = [_alike(*both) for both in zip(wanted, payload, strict=False)]
        return [*common, *wanted[len(common) :]]
    return payload if equal(wanted, payload) else wanted


def _lines(value: object) -> list[str]:
    if value is NO_PAYLOAD:
        return ["(no payload)"]
    try:
        text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, default=repr)
    except (TypeError, ValueError):  # a matcher of the test's own may be anything
        text = pprint.pformat(value)
    return text.splitlines()
