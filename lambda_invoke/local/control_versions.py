"""Published versions and aliases, as Lambda's API makes, shows and changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_invoke.local.control_functions import MAX_DESCRIPTION, code_sha256
from lambda_invoke.local.faults import (
    conflict,
    fails_constraint,
    invalid_parameter,
    no_function,
    not_found,
    stale_revision,
)
from lambda_invoke.local.function import ALIAS_NAME, LATEST, Alias
from lambda_invoke.local.pages import page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.local.control_call import Call
    from lambda_invoke.local.control_functions import Functions
    from lambda_invoke.local.registry import NamedAlias, Registry


class Versions:
    """The operations on versions."""

    def __init__(self, registry: Registry, functions: Functions) -> None:
        self._registry = registry
        self._functions = functions

    def list(self, call: Call) -> dict[str, Any]:
        """ListVersionsByFunction."""
        name = self._registry.find(call.parts["name"]).deployment.function_name
        return page(
            "Versions",
            self._registry.versions(name),
            call.query,
            lambda item: self._functions.listed(item, qualified=True),
        )

    def publish(self, call: Call) -> dict[str, Any]:
        """PublishVersion: the last version again when nothing changed since it."""
        call.only("CodeSha256", "Description", "RevisionId")
        name = self._registry.find(call.parts["name"]).deployment.function_name
        latest = self._registry.find(name).deployment
        self._registry.states.check_changeable(name, latest.arn)
        if call.text("RevisionId") not in (None, latest.revision_id):
            raise stale_revision()
        current, given = code_sha256(latest), call.text("CodeSha256") or None
        if given not in (None, current):
            raise invalid_parameter(
                f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). Please "
                "try again with the CodeSHA256 in $LATEST."
            )
        published = self._registry.publish(name, call.text("Description", longest=MAX_DESCRIPTION))
        return self._functions.stated(published, self._registry.arn(name, published.version))


class Aliases:
    """The operations on aliases."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def list(self, call: Call) -> dict[str, Any]:
        """ListAliases: by name, or those that point to ``FunctionVersion``."""
        name = self._function(call)
        version = call.query.get("FunctionVersion")
        aliases = sorted(self._registry.aliases(name).items())
        chosen = [
            alias
            for alias, named in aliases
            if version in (None, named.alias.version) or version in named.alias.weights
        ]
        return page("Aliases", chosen, call.query, lambda alias: self._shown(name, alias))

    def get(self, call: Call) -> dict[str, Any]:
        """GetAlias."""
        name = self._function(call)
        self._existing(name, call.parts["alias"], "Cannot find alias arn")
        return self._shown(name, call.parts["alias"])

    def create(self, call: Call) -> dict[str, Any]:
        """CreateAlias."""
        call.only("Name", "FunctionVersion", "Description", "RoutingConfig")
        name = self._function(call)
        alias = call.required("Name", call.text("Name"))
        if not ALIAS_NAME.fullmatch(alias):
            raise fails_constraint(
                alias, "name", "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
            )
        version = call.required("FunctionVersion", call.text("FunctionVersion"))
        made = Alias(
            version,
            weights=self._weights(call, name, version, {}),
            description=call.text("Description", longest=MAX_DESCRIPTION) or "",
        )
        self._check_version(name, version)
        if alias in self._registry.aliases(name):
            raise conflict(f"Alias already exists: {self._registry.arn(name, alias)}")
        self._registry.put_alias(name, alias, made)
        return self._shown(name, alias)

    def update(self, call: Call) -> dict[str, Any]:
        """UpdateAlias: what is not given stays."""
        call.only("FunctionVersion", "Description", "RoutingConfig", "RevisionId")
        name, alias = self._function(call), call.parts["alias"]
        existing = self._existing(name, alias, "Alias not found")
        if call.text("RevisionId") not in (None, existing.revision_id):
            raise stale_revision()
        version = call.text("FunctionVersion") or existing.alias.version
        description = call.text("Description", longest=MAX_DESCRIPTION)
        changed = Alias(
            version,
            weights=self._weights(call, name, version, existing.alias.weights),
            description=existing.alias.description if description is None else description,
        )
        self._check_version(name, version)
        self._registry.put_alias(name, alias, changed)
        return self._shown(name, alias)

    def delete(self, call: Call) -> None:
        """DeleteAlias: also one that is not there."""
        self._registry.remove_alias(self._function(call), call.parts["alias"])

    def _function(self, call: Call) -> str:
        return self._registry.find(call.parts["name"]).deployment.function_name

    def _existing(self, name: str, alias: str, complaint: str) -> NamedAlias:
        found = self._registry.aliases(name).get(alias)
        if found is None:
            raise not_found(f"{complaint}: {self._registry.arn(name, alias)}")
        return found

    def _check_version(self, name: str, version: str) -> None:
        if not any(deployment.version == version for deployment in self._registry.versions(name)):
            raise no_function(self._registry.arn(name, version))

    def _weights(
        self, call: Call, name: str, version: str, before: Mapping[str, float]
    ) -> Mapping[str, float]:
        routing = call.members("RoutingConfig")
        weights: Mapping[str, Any]
        if routing is None:
            weights = before
        else:
            given = routing.members("AdditionalVersionWeights")
            weights = {} if given is None else given.body
        if len(weights) > 1:
            raise invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1")
        for other, weight in weights.items():
            if not (isinstance(weight, (int, float)) and 0 <= weight <= 1):
                raise fails_constraint(
                    f"{{{other}={weight}}}",
                    "routingConfig.additionalVersionWeights",
                    "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
                    "Member must have value greater than or equal to 0.0, Member must not be null]",
                )
            if other == version:
                raise invalid_parameter(
                    f"Invalid function version {version}. Function version {version} is already included in "
                    "routing configuration."
                )
            if LATEST in (version, other):
                raise invalid_parameter(
                    "$LATEST is not supported for an alias pointing to more than 1 version"
                )
            self._check_version(name, other)
        return weights

    def _shown(self, name: str, alias: str) -> dict[str, Any]:
        named = self._registry.aliases(name)[alias]
        shown: dict[str, Any] = {
            "AliasArn": self._registry.arn(name, alias),
            "Name": alias,
            "FunctionVersion": named.alias.version,
            "Description": named.alias.description,
            "RevisionId": named.revision_id,
        }
        if named.alias.weights:
            shown["RoutingConfig"] = {"AdditionalVersionWeights": dict(named.alias.weights)}
        return shown
