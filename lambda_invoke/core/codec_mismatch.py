"""How a reply differs from the type that was asked for, said without its values."""

from __future__ import annotations

import re
import types
import typing
from typing import TYPE_CHECKING, Any

import attrs
from cattrs.errors import AttributeValidationNote, BaseValidationError

from lambda_invoke.core.codec_keys import is_field_class, json_keys
from lambda_invoke.core.codec_paths import render_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lambda_invoke.core.codec_paths import Step

MOST_MISMATCHES = 5
"""How many mismatches a message lists."""

_MODULE_PREFIX = re.compile(r"\b(?:\w+\.)+(?:<locals>\.)?(?=\w)")


def type_text(kind: Any) -> str:
    """A type as messages name it, without its modules: ``list[Report]``, ``Report | None``."""
    if kind is None or kind is types.NoneType:
        return "None"
    if isinstance(kind, type):
        return kind.__name__
    if typing.get_origin(kind) is typing.Annotated:
        return type_text(typing.get_args(kind)[0])
    return str(kind.__name__) if hasattr(kind, "__supertype__") else _MODULE_PREFIX.sub("", str(kind))


class Mismatch(Exception):  # noqa: N818 - a signal between hooks; callers see PayloadDecodingError
    """A value is not of the type that was asked for. Holds what was expected and the type found."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    @classmethod
    def between(cls, expected: Any, value: Any, detail: str = "") -> Mismatch:
        """Expected a type, found a value: of which only its type is told, and ``detail``."""
        wanted = expected if isinstance(expected, str) else type_text(expected)
        return cls(f"expected {wanted}, found {type_text(type(value))}{detail and ' ' + detail}")


class Mismatches(Exception):  # noqa: N818 - as above
    """What went wrong inside of a value: each failure with the steps that lead to it from there."""

    def __init__(self, failures: Iterable[tuple[tuple[Step, ...], Exception]]) -> None:
        super().__init__()
        self.failures = tuple(failures)


@attrs.frozen
class Located:
    """One mismatch and where it is."""

    path: str
    text: str


def locate(error: Exception) -> tuple[Located, ...]:
    """The mismatches that an error of a structuring hook stands for: at least one, at most six."""
    found: list[Located] = []
    for steps, leaf, note in _leaves(error, (), None):
        found.append(Located(render_path(steps), _describe(leaf, note)))
        if len(found) > MOST_MISMATCHES:
            break
    return tuple(found)


def describe(located: tuple[Located, ...]) -> str:
    """Up to five mismatches in one line."""
    lines = [f"{one.path}: {one.text}" for one in located[:MOST_MISMATCHES]]
    if len(located) > MOST_MISMATCHES:
        lines.append("and more")
    return "; ".join(lines)


def _leaves(
    error: BaseException, steps: tuple[Step, ...], note: AttributeValidationNote | None
) -> Iterator[tuple[tuple[Step, ...], BaseException, AttributeValidationNote | None]]:
    if isinstance(error, Mismatches) and error.failures:
        for more, inner in error.failures:
            yield from _leaves(inner, (*steps, *more), None)
    elif isinstance(error, BaseValidationError):
        keys = json_keys(error.cl) if is_field_class(error.cl) else {}
        for inner in error.exceptions:
            place = _attribute_note(inner)
            more = () if place is None else (keys.get(place.name, place.name),)
            yield from _leaves(inner, (*steps, *more), place)
    else:
        yield steps, error, note


def _attribute_note(error: BaseException) -> AttributeValidationNote | None:
    notes = getattr(error, "__notes__", ())
    return next((note for note in notes if isinstance(note, AttributeValidationNote)), None)


def _describe(error: BaseException, note: AttributeValidationNote | None) -> str:
    if isinstance(error, Mismatch):
        return error.text
    if isinstance(error, KeyError) and note is not None:
        return f"missing, expected {type_text(note.type)}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    # Its own checks refused it (a validator, a converter, __post_init__), and their message may
    # hold the value.
    return f"refused with {type(error).__name__}"
