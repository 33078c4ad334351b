"""The reading part of Lambda's control plane: functions, versions and aliases, page by page."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import platform
import sys
from typing import TYPE_CHECKING, Any

from lambda_invoke.local.faults import fails_constraint, invalid_parameter, not_found
from lambda_invoke.local.function import LATEST
from lambda_invoke.local.registry import revision_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lambda_invoke.local.registry import Deployment, Registry

MAX_PAGE_ITEMS = 50
"""AWS, ListFunctions, 2026-11: "returns a maximum of 50 items in each response"."""
_MAX_ITEMS = 10_000


class ControlPlane:
    """Answers the operations that read; ``deployed_at`` is ``LastModified``."""

    def __init__(self, registry: Registry, deployed_at: str) -> None:
        self._registry = registry
        self._deployed_at = deployed_at

    def list_functions(self, query: dict[str, str]) -> dict[str, Any]:
        """ListFunctions: ``$LATEST`` of each, or with ``FunctionVersion=ALL`` every version."""
        which = query.get("FunctionVersion")
        if which not in (None, "ALL"):
            raise fails_constraint(
                which or "", "functionVersion", "Member must satisfy enum value set: [ALL]"
            )
        every = [
            deployment
            for deployment in self._registry.deployments()
            if which == "ALL" or deployment.version == LATEST
        ]
        return _page("Functions", every, query, lambda item: self._listed(item, qualified=which == "ALL"))

    def list_versions(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        """ListVersionsByFunction."""
        plain = self._registry.resolve(name).deployment.function_name
        return _page(
            "Versions", self._registry.versions(plain), query, lambda item: self._listed(item, qualified=True)
        )

    def list_aliases(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        """ListAliases."""
        plain = self._registry.resolve(name).deployment.function_name
        version = query.get("FunctionVersion")
        aliases = sorted(self._registry.function(plain).aliases.items())
        chosen = [name for name, alias in aliases if version in (None, alias.version)]
        return _page("Aliases", chosen, query, lambda alias: self._alias(plain, alias))

    def get_alias(self, name: str, alias: str) -> dict[str, Any]:
        """GetAlias."""
        plain = self._registry.resolve(name).deployment.function_name
        if alias not in self._registry.function(plain).aliases:
            raise not_found("Alias", self._registry.arn(plain, alias))
        return self._alias(plain, alias)

    def get_configuration(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        """GetFunctionConfiguration: as listed, and the state, which is always Active."""
        target = self._registry.resolve(name, query.get("Qualifier"))
        return {
            **self._configuration(target.deployment, target.invoked_arn),
            "State": "Active",
            "LastUpdateStatus": "Successful",
        }

    def get_function(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        """GetFunction: the configuration, and where the code is (here)."""
        configuration = self.get_configuration(name, query)
        reserved = self._registry.function(configuration["FunctionName"]).reserved_concurrency
        concurrency = {} if reserved is None else {"Concurrency": {"ReservedConcurrentExecutions": reserved}}
        return {
            "Configuration": configuration,
            "Code": {"RepositoryType": "local"},
            "Tags": {},
            **concurrency,
        }

    def _listed(self, deployment: Deployment, *, qualified: bool) -> dict[str, Any]:
        arn = self._registry.arn(deployment.function_name, deployment.version if qualified else None)
        return self._configuration(deployment, arn)

    def _configuration(self, deployment: Deployment, arn: str) -> dict[str, Any]:
        function, name = deployment.function, deployment.function_name
        digest = hashlib.sha256(deployment.source.display.encode()).digest()
        return {
            "FunctionName": name,
            "FunctionArn": arn,
            "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
            "Role": f"arn:aws:iam::{self._registry.account_id}:role/local",
            "Handler": deployment.source.display,
            "CodeSize": 0,
            "Description": function.description,
            "Timeout": math.ceil(function.timeout),
            "MemorySize": function.memory_size,
            "LastModified": self._deployed_at,
            "CodeSha256": base64.b64encode(digest).decode("ascii"),
            "Version": deployment.version,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": revision_id(f"{deployment.arn}:{deployment.version}"),
            "PackageType": "Zip",
            "Architectures": ["arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        }

    def _alias(self, name: str, alias: str) -> dict[str, Any]:
        arn = self._registry.arn(name, alias)
        return {
            "AliasArn": arn,
            "Name": alias,
            "FunctionVersion": self._registry.function(name).aliases[alias].version,
            "Description": "",
            "RevisionId": revision_id(arn),
        }


def _page(
    member: str, items: Sequence[Any], query: dict[str, str], render: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    """One page of a listing; the marker is opaque to the caller."""
    text = query.get("MaxItems", str(MAX_PAGE_ITEMS))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_ITEMS):
        raise fails_constraint(text, "maxItems", f"Member must be between 1 and {_MAX_ITEMS}")
    first = _offset(member, query["Marker"]) if "Marker" in query else 0
    last = first + min(int(text), MAX_PAGE_ITEMS)
    page: dict[str, Any] = {member: [render(item) for item in items[first:last]]}
    if last < len(items):
        page["NextMarker"] = base64.b64encode(json.dumps([member, last]).encode()).decode("ascii")
    return page


def _offset(member: str, marker: str) -> int:
    try:
        of, offset = json.loads(base64.b64decode(marker, validate=True))
    except (ValueError, TypeError) as error:
        raise invalid_parameter("Invalid Pagination Token") from error
    if of != member or not isinstance(offset, int) or offset < 0:
        raise invalid_parameter("Invalid Pagination Token")
    return offset
