"""Which function, version and alias a request names."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.local.faults import ServiceFault, fails_constraint, invalid_parameter, not_found
from lambda_invoke.local.function import LATEST, Function
from lambda_invoke.local.handlers import HandlerSource, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lambda_invoke.local.function import EventInvokeConfig

_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?"
    r"(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
"""``NamespacedFunctionName`` of Lambda's service model, botocore 1.44.5."""
_NAME = re.compile(
    r"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
_QUALIFIER = re.compile(r"[a-zA-Z0-9$_-]{1,128}")


@attrs.frozen(eq=False)
class Deployment:
    """One version of a function: what a worker is started for."""

    function_name: str
    version: str
    arn: str
    function: Function
    source: HandlerSource


@attrs.frozen
class Target:
    """What a request named: the version that runs, and the ARN as it was invoked."""

    deployment: Deployment
    invoked_arn: str
    qualifier: str | None = None


class Registry:
    """The functions of one endpoint, fixed when it is made.

    Raises:
        LocalLambdaError: a handler that no worker could find.
        ValueError: a name that Lambda would not accept.
    """

    def __init__(
        self, functions: Mapping[str, Function | str | Callable[..., Any]], region_name: str, account_id: str
    ) -> None:
        self.region_name = region_name
        self.account_id = account_id
        self._functions: dict[str, Function] = {}
        self._deployments: dict[str, dict[str, Deployment]] = {}
        for name, given in functions.items():
            if not _FUNCTION_NAME.fullmatch(name):
                raise ValueError(f"a function name is 1 to 64 letters, digits, '-' and '_', not {name!r}")
            function = given if isinstance(given, Function) else Function(given)
            self._functions[name] = function
            handlers = {LATEST: function.handler, **function.versions}
            self._deployments[name] = {
                version: Deployment(name, version, self.arn(name), function, locate(handler))
                for version, handler in handlers.items()
            }

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of a function, with its qualifier if there is one."""
        arn = f"arn:aws:lambda:{self.region_name}:{self.account_id}:function:{name}"
        return arn if qualifier is None else f"{arn}:{qualifier}"

    def function(self, name: str) -> Function:
        """The function of that plain name."""
        return self._functions[name]

    def versions(self, name: str) -> list[Deployment]:
        """``$LATEST``, then the published versions in their order."""
        latest, *published = self._deployments[name].values()
        return [latest, *sorted(published, key=lambda deployment: int(deployment.version))]

    def deployments(self) -> list[Deployment]:
        """Every version of every function."""
        return [deployment for name in self for deployment in self.versions(name)]

    def resolve(self, text: str, qualifier: str | None = None) -> Target:
        """Find what a name, partial ARN or ARN with an optional qualifier names.

        Raises:
            ServiceFault: it is malformed, or names nothing here.
        """
        name, qualifier = self.split(text, qualifier)
        arn = self.arn(name, qualifier)
        versions = self._deployments.get(name)
        if versions is None:
            raise not_found("Function", arn)
        alias = self._functions[name].aliases.get(qualifier or "")
        version = qualifier or LATEST if alias is None else alias.version
        if version not in versions:
            raise not_found("Function", arn)
        return Target(versions[version], arn, qualifier)

    def event_config(self, name: str, qualifier: str | None) -> EventInvokeConfig:  # noqa: ARG002 - each has its own
        """What becomes of Events that were sent to the function with that qualifier (None: unqualified)."""
        return self._functions[name].events

    def split(self, text: str, qualifier: str | None = None) -> tuple[str, str | None]:
        """The plain name and the qualifier, whichever of the two places it stands in.

        Raises:
            ServiceFault: malformed, another region or account, or two qualifiers that differ.
        """
        parts = _NAME.fullmatch(text)
        if parts is None:
            raise fails_constraint(
                text, "functionName", f"Member must satisfy regular expression pattern: {_PATTERN}"
            )
        if parts["region"] is not None and parts["region"] != self.region_name:
            message = (
                f"Functions from '{parts['region']}' are not reachable in this region ('{self.region_name}')"
            )
            raise ServiceFault(404, "ResourceNotFoundException", message)
        if parts["account"] is not None and parts["account"] != self.account_id:
            raise ServiceFault(
                403,
                "AccessDeniedException",
                f"User: arn:aws:iam::{self.account_id}:user/local is not authorized to perform: "
                f"lambda:InvokeFunction on resource: {text} because no resource-based policy allows the "
                "lambda:InvokeFunction action",
            )
        if qualifier is not None and not _QUALIFIER.fullmatch(qualifier):
            raise fails_constraint(
                qualifier, "qualifier", "Member must satisfy regular expression pattern: (|[a-zA-Z0-9$_-]+)"
            )
        if qualifier is not None and parts["qualifier"] not in (None, qualifier):
            raise invalid_parameter(
                "The derived qualifier from the function name does not match the specified qualifier."
            )
        return parts["name"], qualifier or parts["qualifier"]


def revision_id(arn: str) -> str:
    """A revision id that stays the same for the same ARN."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, arn))
