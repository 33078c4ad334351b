"""The endpoint's refusals, in Lambda's wire form and wording."""

from __future__ import annotations

import json
from http import HTTPStatus

from lambda_invoke.local.http import HttpResponse


class ServiceFault(Exception):  # noqa: N818 - AWS's word for it; it is an answer, not a defect
    """An error of the service: status, ``x-amzn-errortype`` and a JSON body."""

    def __init__(self, status: int, code: str, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.reason = reason

    def response(self, request_id: str) -> HttpResponse:
        """The reply that says so. Lambda writes ``Message`` in a 404 and ``message`` elsewhere."""
        body: dict[str, str] = {} if self.reason is None else {"Reason": self.reason}
        body["Type"] = "User"
        body["Message" if self.status == HTTPStatus.NOT_FOUND else "message"] = self.message
        headers = {
            "Content-Type": "application/json",
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": self.code,
        }
        return HttpResponse(self.status, headers, json.dumps(body).encode())


class Throttled(ServiceFault):
    """429: ``reason`` is one of Lambda's ``ThrottleReason``."""

    def __init__(self, reason: str) -> None:
        super().__init__(429, "TooManyRequestsException", "Rate Exceeded.", reason=reason)


def not_found(what: str, arn: str) -> ServiceFault:
    """No such thing: ``what`` is "Function" or "Alias"."""
    return ServiceFault(404, "ResourceNotFoundException", f"{what} not found: {arn}")


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
