"""The operations of Lambda's control plane that are served, by the requests that ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.local.control_call import Call, read_body
from lambda_invoke.local.control_concurrency import Concurrency
from lambda_invoke.local.control_events import EventConfigs
from lambda_invoke.local.control_functions import Functions
from lambda_invoke.local.control_versions import Aliases, Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lambda_invoke.local.registry import Registry

_FUNCTIONS = "2015-03-31/functions"


@attrs.frozen
class Answer:
    """What an operation answers with; ``document`` is None for a reply without a body."""

    status: int
    document: dict[str, Any] | None


@attrs.frozen
class _Operation:
    """One operation: ``path`` has its variable segments in braces."""

    name: str
    method: str
    path: str
    run: Callable[[Call], dict[str, Any] | None]
    status: int = 200

    def parts(self, method: str, segments: Sequence[str]) -> dict[str, str] | None:
        """The variable segments of a request for it; None when the request is for something else."""
        pattern = self.path.split("/")
        if method != self.method or len(segments) != len(pattern):
            return None
        parts: dict[str, str] = {}
        for expected, segment in zip(pattern, segments, strict=True):
            if expected.startswith("{"):
                parts[expected.strip("{}")] = segment
            elif expected != segment:
                return None
        return parts


class ControlPlane:
    """Answers for a registry; ``concurrency_limit`` is the account's."""

    def __init__(self, registry: Registry, concurrency_limit: int) -> None:
        functions = Functions(registry)
        self._operations = (
            *_about_functions(functions),
            *_about_versions(Versions(registry, functions), Aliases(registry)),
            *_about_concurrency(Concurrency(registry, concurrency_limit)),
            *_about_events(EventConfigs(registry)),
        )

    @property
    def served(self) -> list[str]:
        """The names of the operations."""
        return [operation.name for operation in self._operations]

    def answer(
        self, method: str, segments: Sequence[str], query: Mapping[str, str], body: bytes
    ) -> Answer | None:
        """Carry out what a request asks for; None when it asks for something that is not served.

        Raises:
            ServiceFault: Lambda would refuse it.
        """
        for operation in self._operations:
            parts = operation.parts(method, segments)
            if parts is not None:
                return Answer(operation.status, operation.run(Call(parts, query, read_body(body))))
        return None


def _about_functions(functions: Functions) -> Sequence[_Operation]:
    one = f"{_FUNCTIONS}/{{name}}"
    return (
        _Operation("ListFunctions", "GET", _FUNCTIONS, functions.list),
        _Operation("GetFunction", "GET", one, functions.get),
        _Operation("GetFunctionConfiguration", "GET", f"{one}/configuration", functions.get_configuration),
        _Operation(
            "UpdateFunctionConfiguration", "PUT", f"{one}/configuration", functions.update_configuration
        ),
        _Operation("GetPolicy", "GET", f"{one}/policy", functions.get_policy),
        _Operation("ListTags", "GET", "2017-03-31/tags/{arn}", functions.list_tags),
        _Operation(
            "ListEventSourceMappings",
            "GET",
            "2015-03-31/event-source-mappings",
            functions.list_event_source_mappings,
        ),
    )


def _about_versions(versions: Versions, aliases: Aliases) -> Sequence[_Operation]:
    every, one = f"{_FUNCTIONS}/{{name}}/aliases", f"{_FUNCTIONS}/{{name}}/aliases/{{alias}}"
    return (
        _Operation("ListVersionsByFunction", "GET", f"{_FUNCTIONS}/{{name}}/versions", versions.list),
        _Operation("PublishVersion", "POST", f"{_FUNCTIONS}/{{name}}/versions", versions.publish, 201),
        _Operation("ListAliases", "GET", every, aliases.list),
        _Operation("CreateAlias", "POST", every, aliases.create, 201),
        _Operation("GetAlias", "GET", one, aliases.get),
        _Operation("UpdateAlias", "PUT", one, aliases.update),
        _Operation("DeleteAlias", "DELETE", one, aliases.delete, 204),
    )


def _about_concurrency(concurrency: Concurrency) -> Sequence[_Operation]:
    # Each has the date on which Lambda came to have it.
    changed, read = "2017-10-31/functions/{name}/concurrency", "2019-09-30/functions/{name}/concurrency"
    return (
        _Operation("PutFunctionConcurrency", "PUT", changed, concurrency.put),
        _Operation("DeleteFunctionConcurrency", "DELETE", changed, concurrency.delete, 204),
        _Operation("GetFunctionConcurrency", "GET", read, concurrency.get),
        _Operation(
            "ListProvisionedConcurrencyConfigs",
            "GET",
            "2019-09-30/functions/{name}/provisioned-concurrency",
            concurrency.provisioned,
        ),
        _Operation("GetAccountSettings", "GET", "2016-08-19/account-settings", concurrency.account_settings),
    )


def _about_events(configs: EventConfigs) -> Sequence[_Operation]:
    one = "2019-09-25/functions/{name}/event-invoke-config"
    return (
        _Operation("GetFunctionEventInvokeConfig", "GET", one, configs.get),
        _Operation("PutFunctionEventInvokeConfig", "PUT", one, configs.put),
        _Operation("UpdateFunctionEventInvokeConfig", "POST", one, configs.update),
        _Operation("DeleteFunctionEventInvokeConfig", "DELETE", one, configs.delete, 204),
        _Operation("ListFunctionEventInvokeConfigs", "GET", f"{one}/list", configs.list),
    )
