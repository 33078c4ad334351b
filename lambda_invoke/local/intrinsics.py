"""CloudFormation's intrinsic functions, as far as their values are known before anything is deployed.

Source: "Intrinsic function reference" and "Pseudo parameters reference", AWS CloudFormation template
reference, 2026-11.
"""

from __future__ import annotations

import base64
import json
import re
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SUBSTITUTED = re.compile(r"\$\{([^}]*)\}")
_DYNAMIC = re.compile(r"\{\{resolve:[^}]*\}\}")


class Unresolvable(Exception):  # noqa: N818 - it is no error: the value is known later only
    """The value is not known here; the message says what of it."""


class MalformedTemplate(Exception):  # noqa: N818 - the caller makes a DefinitionError of it
    """An intrinsic function is not written as CloudFormation has it."""


class _Absent(Enum):
    NO_VALUE = "AWS::NoValue"


NO_VALUE = _Absent.NO_VALUE
"""What ``AWS::NoValue`` resolves to: the property is as if it were not there."""


def function_of(value: Any) -> tuple[str, Any] | None:
    """The intrinsic function that a value is, and its argument; None for any other value."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, argument),) = value.items()
        if isinstance(name, str) and (name in ("Ref", "Condition") or name.startswith("Fn::")):
            return name, argument
    return None


class Resolver:
    """Resolves values of one template.

    ``ref`` and ``attribute`` say what Ref and GetAtt come to, ``mappings`` and ``conditions`` are the
    template's sections. ``resolve`` raises :class:`Unresolvable` or :class:`MalformedTemplate`.
    """

    def __init__(
        self,
        ref: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        mappings: Mapping[str, Any],
        conditions: Mapping[str, Any],
    ) -> None:
        self._ref = ref
        self._attribute = attribute
        self._mappings = mappings
        self._conditions = conditions
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": lambda argument: self._ref(_name(argument, "Ref")),
            "Condition": lambda argument: self.condition(_name(argument, "Condition")),
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Base64": lambda argument: base64.b64encode(self._text(argument).encode()).decode(),
            "Fn::ToJsonString": lambda argument: json.dumps(self.resolve(argument), separators=(",", ":")),
            "Fn::Length": lambda argument: len(self._list(argument, "Fn::Length")),
            "Fn::If": self._if,
            "Fn::Equals": self._equals,
            "Fn::Not": lambda argument: not self._truth(_items(argument, "Fn::Not", 1)[0]),
            "Fn::And": lambda argument: all(self._truth(each) for each in _items(argument, "Fn::And")),
            "Fn::Or": lambda argument: any(self._truth(each) for each in _items(argument, "Fn::Or")),
        }

    def resolve(self, value: Any) -> Any:
        """The value with every function in it resolved; NO_VALUE is gone from tables and lists."""
        function = function_of(value)
        if function is not None:
            name, argument = function
            if name not in self._functions:
                raise Unresolvable(f"{name} is known only to CloudFormation")
            return self._functions[name](argument)
        if isinstance(value, dict):
            resolved = {key: self.resolve(inner) for key, inner in value.items()}
            return {key: inner for key, inner in resolved.items() if inner is not NO_VALUE}
        if isinstance(value, list):
            return [inner for inner in map(self.resolve, value) if inner is not NO_VALUE]
        if isinstance(value, str) and (dynamic := _DYNAMIC.search(value)):
            raise Unresolvable(f"{dynamic[0]} is known only to CloudFormation")
        return value

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        if name not in self._conditions:
            raise MalformedTemplate(f"there is no condition {name!r}")
        return self._truth(self._conditions[name])

    def _truth(self, value: Any) -> bool:
        resolved = self.resolve(value)
        if not isinstance(resolved, bool):
            raise MalformedTemplate("a condition is neither true nor false")
        return resolved

    def _text(self, value: Any) -> str:
        return as_text(self.resolve(value))

    def _list(self, value: Any, function: str) -> list[Any]:
        resolved = self.resolve(value)
        if not isinstance(resolved, list):
            raise MalformedTemplate(f"{function} needs a list")
        return resolved

    def _get_att(self, argument: Any) -> Any:
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        resource, attribute = _items(argument, "Fn::GetAtt", 2)
        return self._attribute(_name(resource, "Fn::GetAtt"), self._text(attribute))

    def _sub(self, argument: Any) -> str:
        template, names = (argument, {}) if isinstance(argument, str) else _items(argument, "Fn::Sub", 2)
        if not isinstance(template, str) or not isinstance(names, dict):
            raise MalformedTemplate("Fn::Sub needs a string, and a table of names at most")

        def substitute(found: re.Match[str]) -> str:
            name = found[1].strip()
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return self._text(names[name])
            resource, dot, attribute = name.partition(".")
            return as_text(self._attribute(resource, attribute) if dot else self._ref(name))

        if dynamic := _DYNAMIC.search(template):
            raise Unresolvable(f"{dynamic[0]} is known only to CloudFormation")
        return _SUBSTITUTED.sub(substitute, template)

    def _join(self, argument: Any) -> str:
        delimiter, values = _items(argument, "Fn::Join", 2)
        return as_text(delimiter).join(as_text(value) for value in self._list(values, "Fn::Join"))

    def _split(self, argument: Any) -> list[str]:
        delimiter, value = _items(argument, "Fn::Split", 2)
        return self._text(value).split(as_text(delimiter))

    def _select(self, argument: Any) -> Any:
        index, values = _items(argument, "Fn::Select", 2)
        text, chosen = self._text(index), self._list(values, "Fn::Select")
        if not text.isdecimal() or int(text) >= len(chosen):
            raise MalformedTemplate(f"Fn::Select: there is no {text} among {len(chosen)} values")
        return chosen[int(text)]

    def _find_in_map(self, argument: Any) -> Any:
        keys = _items(argument, "Fn::FindInMap")
        found: Any = self._mappings
        for key in keys[:3]:
            found = found.get(self._text(key)) if isinstance(found, dict) else None
        if found is None and len(keys) > 3 and isinstance(keys[3], dict):  # noqa: PLR2004 - its fourth argument
            return self.resolve(keys[3].get("DefaultValue"))
        if found is None:
            raise MalformedTemplate(f"Mappings have no {' / '.join(map(self._text, keys[:3]))}")
        return found

    def _if(self, argument: Any) -> Any:
        name, then, otherwise = _items(argument, "Fn::If", 3)
        return self.resolve(then if self.condition(_name(name, "Fn::If")) else otherwise)

    def _equals(self, argument: Any) -> bool:
        one, other = _items(argument, "Fn::Equals", 2)
        return self._text(one) == self._text(other)


def as_text(value: Any) -> str:
    """A scalar as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise MalformedTemplate("a string is wanted where there is none")


def _name(argument: Any, function: str) -> str:
    if not isinstance(argument, str):
        raise MalformedTemplate(f"{function} needs a name")
    return argument


def _items(argument: Any, function: str, count: int | None = None) -> list[Any]:
    if not isinstance(argument, list) or (count is not None and len(argument) != count):
        raise MalformedTemplate(f"{function} needs a list{'' if count is None else f' of {count}'}")
    return argument
