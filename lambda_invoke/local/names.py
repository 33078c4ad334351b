"""How requests name functions: plain names, partial and whole ARNs, qualifiers."""

from __future__ import annotations

import re

import attrs

from lambda_invoke.local.faults import ServiceFault, fails_constraint, invalid_parameter, not_authorized

_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?"
    r"(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
"""``NamespacedFunctionName`` of Lambda's service model, botocore 1.44.5."""
_MAX_NAME = 256
"""The same shape's length."""
_NAME = re.compile(
    r"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER = re.compile(r"[a-zA-Z0-9$_-]{1,128}")


@attrs.frozen
class Names:
    """Function names and ARNs in one region of one account."""

    region_name: str
    account_id: str

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of a function, with its qualifier if there is one."""
        arn = f"arn:aws:lambda:{self.region_name}:{self.account_id}:function:{name}"
        return arn if qualifier is None else f"{arn}:{qualifier}"

    def split(self, text: str, qualifier: str | None = None) -> tuple[str, str | None]:
        """The plain name and the qualifier, whichever of the two places it stands in.

        Raises:
            ServiceFault: malformed, another region or account, or two qualifiers that differ.
        """
        if len(text) > _MAX_NAME:
            raise fails_constraint(
                text, "functionName", f"Member must have length less than or equal to {_MAX_NAME}"
            )
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
            raise not_authorized(self.account_id, text, "resource")
        if qualifier is not None and not _QUALIFIER.fullmatch(qualifier):
            raise fails_constraint(
                qualifier, "qualifier", "Member must satisfy regular expression pattern: (|[a-zA-Z0-9$_-]+)"
            )
        if qualifier is not None and parts["qualifier"] not in (None, qualifier):
            raise invalid_parameter(
                "The derived qualifier from the function name does not match the specified qualifier."
            )
        return parts["name"], qualifier or parts["qualifier"]
