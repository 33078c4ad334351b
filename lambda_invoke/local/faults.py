"""The endpoint's refusals, in Lambda's wire form and wording."""

from __future__ import annotations

import json
from http import HTTPStatus

from lambda_invoke.local.http_message import HttpResponse


class ServiceFault(Exception):  # noqa: N818 - AWS's word for it; it is an answer, not a defect
    """An error of the service: status, ``x-amzn-errortype`` and a JSON body; ``retry_after`` in seconds."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        reason: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.reason = reason
        self.retry_after = retry_after

    def response(self, request_id: str) -> HttpResponse:
        """The reply that says so. Lambda writes ``Message`` in a 403 or 404 and ``message`` elsewhere."""
        body: dict[str, str] = {} if self.reason is None else {"Reason": self.reason}
        body["Type"] = "User"
        capital = self.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
        body["Message" if capital else "message"] = self.message
        headers = {
            "Content-Type": "application/json",
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": self.code,
        }
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return HttpResponse(self.status, headers, json.dumps(body).encode())


class Throttled(ServiceFault):
    """429: ``reason`` is one of Lambda's ``ThrottleReason``."""

    def __init__(self, reason: str, retry_after: int | None = None) -> None:
        super().__init__(
            429, "TooManyRequestsException", "Rate Exceeded.", reason=reason, retry_after=retry_after
        )


def not_found(message: str) -> ServiceFault:
    """No such thing."""
    return ServiceFault(404, "ResourceNotFoundException", message)


def no_function(arn: str) -> ServiceFault:
    """No such function, or no such version or alias of it."""
    return not_found(f"Function not found: {arn}")


def not_authorized(account_id: str, resource: str, policy: str) -> ServiceFault:
    """The caller may not invoke it: no "identity" or no "resource" based policy lets them."""
    return ServiceFault(
        403,
        "AccessDeniedException",
        f"User: arn:aws:iam::{account_id}:user/local is not authorized to perform: lambda:InvokeFunction "
        f"on resource: {resource} because no {policy}-based policy allows the lambda:InvokeFunction action",
    )


def conflict(message: str) -> ServiceFault:
    """It clashes with the state of what it is about."""
    return ServiceFault(409, "ResourceConflictException", message)


def stale_revision() -> ServiceFault:
    """A ``RevisionId`` that was given is not the latest."""
    message = (
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API "
        "to retrieve the latest Revision Id"
    )
    return ServiceFault(412, "PreconditionFailedException", message)


def invalid_parameter(message: str) -> ServiceFault:
    """A parameter that Lambda itself refuses."""
    return ServiceFault(400, "InvalidParameterValueException", message)


def invalid_content(message: str) -> ServiceFault:
    """A body or client context that cannot be read."""
    return ServiceFault(400, "InvalidRequestContentException", message)


def fails_constraint(value: str, member: str, constraint: str) -> ServiceFault:
    """A parameter that the API's model refuses."""
    message = f"Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    return ServiceFault(400, "ValidationException", f"1 validation error detected: {message}")


def too_large(limit_bytes: int) -> ServiceFault:
    """A payload over the limit of its invocation type."""
    message = f"Request must be smaller than {limit_bytes} bytes for the InvokeFunction operation"
    return ServiceFault(413, "RequestEntityTooLargeException", message)
