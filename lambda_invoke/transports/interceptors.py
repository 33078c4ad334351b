"""Whether anything stands between botocore and the wire that the direct transport would bypass.

OpenTelemetry and X-Ray wrap ``BaseClient._make_api_call`` and register no handler; moto registers
one in every session made after its import and enables it inside ``mock_aws``; users register their
own. The direct transport is taken only if there is none of these.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import boto3
import botocore
from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN_FOLDERS = (
    f"{Path(botocore.__file__ or '').parent}{os.sep}",
    f"{Path(boto3.__file__ or '').parent}{os.sep}",
    f"{Path(__file__).parent}{os.sep}",
)
_POWERTOOLS_USER_AGENT = os.path.join("aws_lambda_powertools", "shared", "user_agent.py")  # noqa: PTH118
_PATCHED = (
    (BaseClient, "_make_api_call"),
    (Endpoint, "prepare_request"),
    (URLLib3Session, "send"),
)
_PLACES = [(vars(owner), name) for owner, name in _PATCHED]


class Interceptors:
    """Watches one client that the library built; asked before every operation."""

    def __init__(self, client: Any) -> None:
        self._found = _foreign_handler(client)
        self._switches = [handler for handler in _handlers(client) if hasattr(handler, "enabled")]
        self._verified: list[Any] = []

    def reason(self) -> str | None:
        """Why botocore must carry the next operation; None when nothing would be bypassed."""
        if self._found is not None:
            return self._found
        for handler in self._switches:
            if handler.enabled:
                return f"the handler {_name(handler)} is enabled"
        # From the class's own dictionary: a wrapper that passes for what it wraps stands there undisguised.
        current = [owner[name] for owner, name in _PLACES]
        if current != self._verified:
            for (owner, name), function in zip(_PATCHED, current, strict=True):
                if not _is_botocores(function):
                    return f"{owner.__name__}.{name} is patched by {_module(function)}"
            self._verified = current
        return None

    def missed_mock(self) -> str | None:
        """What is wrong when moto mocks AWS, but not this client: its session is older than moto's import."""
        stubber = getattr(sys.modules.get("moto.core.models"), "botocore_stubber", None)
        if stubber is None or not stubber.enabled or stubber in self._switches:
            return None
        return (
            "moto is active, and this client's session was made before moto was imported, so its calls would "
            "reach AWS: import moto before the first call, or hand over a boto3 client made inside mock_aws"
        )


def _foreign_handler(client: Any) -> str | None:
    for handler in _handlers(client):
        if not (hasattr(handler, "enabled") or _is_botocores(handler) or _names_powertools(handler)):
            return f"the handler {_name(handler)} is registered"
    return None


def _handlers(client: Any) -> Iterator[Any]:
    """Every handler registered on the client for an event of Lambda's, or of every service's."""
    emitter = client.meta.events
    trie = getattr(emitter, "_emitter", emitter)._handlers  # noqa: SLF001 - there is no public way to list them
    for event in trie._root["children"].values():  # noqa: SLF001
        yield from _values(event)
        for service, node in event["children"].items():
            if service in {"lambda", "*"}:
                yield from _below(node)


def _below(node: Any) -> Iterator[Any]:
    yield from _values(node)
    for child in node["children"].values():
        yield from _below(child)


def _values(node: Any) -> Iterator[Any]:
    for section in node["values"] or ():
        yield from section


def _is_botocores(function: Any) -> bool:
    """Whether a callable's code is botocore's or boto3's own (or ours, which bypasses nothing)."""
    # By type() and not isinstance(): wrapt's proxies pass for the class of what they wrap.
    while type(function) in {MethodType, partial}:
        function = function.__func__ if type(function) is MethodType else function.func
    if type(function) is not FunctionType:
        # A class or a callable object: its own __call__ counts, and its class must be botocore's.
        kind = function if type(function) is type else type(function)
        module = sys.modules.get(kind.__module__)
        return (getattr(module, "__file__", None) or "").startswith(_OWN_FOLDERS)
    return function.__code__.co_filename.startswith(_OWN_FOLDERS)


def _names_powertools(handler: Any) -> bool:
    """Whether it is what AWS Powertools, once imported, registers in every session.

    It appends Powertools' version to the User-Agent and does nothing else; that is all that is bypassed.
    """
    return type(handler) is FunctionType and handler.__code__.co_filename.endswith(_POWERTOOLS_USER_AGENT)


def _name(handler: Any) -> str:
    return getattr(handler, "__qualname__", None) or type(handler).__qualname__


def _module(function: Any) -> str:
    return getattr(function, "__module__", None) or type(function).__module__
