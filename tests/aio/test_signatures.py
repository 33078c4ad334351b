"""The two clients, and the two handles, have the same names with the same parameters."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from lambda_invoke import AsyncLambdaClient, AsyncLambdaFunction, LambdaClient, LambdaFunction

PAIRS = pytest.mark.parametrize(
    ("blocking", "awaited"), [(LambdaClient, AsyncLambdaClient), (LambdaFunction, AsyncLambdaFunction)]
)
RENAMED = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"}
LAZY = {
    *("map", "list_functions", "list_versions", "list_aliases"),
    *("list_event_configs", "list_event_source_mappings"),
}
NOT_AWAITED = {
    "__init__",
    "__repr__",
    "over",
    "function",
    "from_env",
    "with_options",
    "target",
    "transport",
    "outcomes",
}


def members(kind: type[Any]) -> dict[str, Any]:
    """What a class has of its own and from its bases in this library: public names and the like."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("lambda_invoke"):
            found.update(vars(base))
    return {
        name: value
        for name, value in found.items()
        if callable(getattr(value, "__func__", value)) or isinstance(value, property)
        if not name.startswith("_")
        or name in {"__init__", "__call__", "__repr__", *RENAMED, *RENAMED.values()}
    }


def shape(member: Any) -> Any:
    """Parameters by name, kind and default."""
    if isinstance(member, property):
        return property
    signature = inspect.signature(getattr(member, "__func__", member))
    return [(one.name, one.kind, one.default) for one in signature.parameters.values()]


@PAIRS
def test_the_names_are_the_same(blocking: type[Any], awaited: type[Any]) -> None:
    """Each method of one is there in the other, and takes the same."""
    ours = {RENAMED.get(name, name): shape(value) for name, value in members(blocking).items()}
    theirs = {name: shape(value) for name, value in members(awaited).items()}
    assert ours.keys() == theirs.keys()
    assert {name: shape for name, shape in ours.items() if shape != theirs[name]} == {}


@PAIRS
def test_what_sends_is_awaited(blocking: type[Any], awaited: type[Any]) -> None:
    """Everything that may wait is a coroutine function; map and the listings are async iterators."""
    for name, value in members(awaited).items():
        member = getattr(value, "__func__", value)
        assert inspect.iscoroutinefunction(member) is (name not in NOT_AWAITED | LAZY), name


@PAIRS
def test_every_public_name_has_its_words(blocking: type[Any], awaited: type[Any]) -> None:
    """A docstring each."""
    for kind in (blocking, awaited):
        for name, value in members(kind).items():
            assert name.startswith("__") or inspect.getdoc(value), (kind, name)
