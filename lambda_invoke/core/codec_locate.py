"""The slow walk through a value that the encoder refused: where is the problem, or is there none?"""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.codec_lower import lower, type_label
from lambda_invoke.core.codec_pydantic import is_model_class

if TYPE_CHECKING:
    from lambda_invoke.core.codec_paths import Step


@attrs.frozen
class Problem:
    """Why a value cannot be encoded, without the value; ``steps`` lead to it."""

    text: str
    steps: tuple[Step, ...] = ()


def to_plain(value: object) -> Any:
    """The value in dicts with text keys, lists and scalars, or the :class:`Problem` with it.

    Keys such as enums and UUIDs are what the encoder refuses although they have a JSON form.
    """
    walk = _Walk()
    try:
        return walk.visit(value)
    except _ProblemFound as found:
        return Problem(found.text, tuple(walk.steps))
    except RecursionError:
        return Problem("nested too deeply", tuple(walk.steps))


class _ProblemFound(Exception):  # noqa: N818 - a signal, caught above
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class _Walk:
    """One walk. When it is broken off, ``steps`` are left where it stood."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._open: set[int] = set()

    def visit(self, value: Any) -> Any:
        if value is None or isinstance(value, str | int | float):
            return _checked_scalar(value)
        identity = id(value)
        if identity in self._open:
            raise _ProblemFound(f"a {type_label(type(value))} that contains itself")
        self._open.add(identity)
        plain = self._visit_container(value)
        self._open.discard(identity)
        return plain

    def _visit_container(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._visit_members(value)
        if isinstance(value, list | tuple):
            return [self._visit_at(index, member) for index, member in enumerate(value)]
        try:
            lowered = lower(value)
        except RecursionError:
            raise
        except Exception as error:  # noqa: BLE001 - lowering runs code of the value's class
            raise self._refusal(value, error) from None
        return self.visit(lowered)

    def _visit_members(self, members: dict[Any, Any]) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, member in members.items():
            text = _key_text(key)
            if text in plain:
                self.steps.append(text)
                raise _ProblemFound("two keys have the same text in JSON")
            plain[text] = self._visit_at(text, member)
        return plain

    def _visit_at(self, step: Step, value: Any) -> Any:
        self.steps.append(step)
        plain = self.visit(value)
        self.steps.pop()
        return plain

    def _refusal(self, value: Any, error: Exception) -> _ProblemFound:
        kind = type_label(type(value))
        if is_model_class(type(value)):
            self._descend_into_model(value)
            return _ProblemFound(f"pydantic cannot serialise the {kind}")
        if isinstance(error, TypeError):
            return _ProblemFound(f"a {kind} has no JSON form")
        return _ProblemFound(f"reading the {kind} failed with {type(error).__name__}")

    def _descend_into_model(self, model: Any) -> None:
        """Raise for the first field that pydantic cannot serialise, or return."""
        for name, field in type(model).model_fields.items():
            try:
                model.model_dump(mode="json", include={name})
            except Exception:  # noqa: BLE001 - serialisers may fail in any way
                self.steps.append(field.serialization_alias or field.alias or name)
                self.visit(getattr(model, name))
                # We could encode it; pydantic, with the model's own serialisers, could not.
                raise _ProblemFound("pydantic cannot serialise it") from None


def _checked_scalar(value: Any) -> Any:
    if isinstance(value, str):
        if not _is_unicode(value):
            raise _ProblemFound("a str with a lone surrogate has no UTF-8 form")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _ProblemFound("a float that is not finite (NaN or an infinity) has no JSON form")
    elif isinstance(value, int):
        try:
            int.__repr__(value)
        except ValueError:
            raise _ProblemFound("an int with more digits than Python writes out") from None
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _key_text(key: Any) -> str:
    """A key as JSON has it: text. What :mod:`json` does for scalars, and the JSON form of the rest."""
    kind = type_label(type(key))
    scalar = key
    while not (scalar is None or isinstance(scalar, str | int | float)):
        if isinstance(scalar, dict | list | tuple | AbstractSet):
            raise _ProblemFound(f"a key of type {kind}; JSON's keys are text")
        try:
            scalar = lower(scalar)
        except Exception:  # noqa: BLE001 - lowering runs code of the key's class
            raise _ProblemFound(f"a key of type {kind}; JSON's keys are text") from None
    _checked_scalar(scalar)
    if isinstance(scalar, str):
        return str.__str__(scalar)
    if scalar is None or isinstance(scalar, bool):
        return {None: "null", True: "true", False: "false"}[scalar]
    return int.__repr__(scalar) if isinstance(scalar, int) else float.__repr__(scalar)
