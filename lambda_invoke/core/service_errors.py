"""What Lambda's refusals mean: the code → error table, and how a refusal is read off the wire.

An error is classified by its code. The HTTP status decides only for codes that nobody knows, and
only where the status alone shows that the function was never reached, see :func:`error_for_code`.
Whether the function ran (``executed``) is a property of the error's class: NO for all of them but
:class:`~lambda_invoke.ServiceFaultError`, which is UNKNOWN.
"""

from __future__ import annotations

import enum
import json
import re
from typing import TYPE_CHECKING, Any

from lambda_invoke.core.transport import Refusal
from lambda_invoke.errors import (
    AccessDeniedError,
    ConnectError,
    CredentialsError,
    DurableExecutionConflictError,
    FunctionConfigurationError,
    FunctionNotFoundError,
    FunctionNotReadyError,
    InvalidRequestError,
    InvocationModeError,
    LambdaInvokeError,
    OutcomeUnknownError,
    QuotaExceededError,
    RecursiveInvocationError,
    RequestTooLargeError,
    ServiceError,
    ServiceFaultError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN_CODE = "Unknown"
"""The code of a refusal that names none."""

MAX_RETRY_AFTER = 86_400.0
"""Seconds. A longer wait asked for is taken for garbage: Lambda's own are of seconds."""


class RetryKind(enum.Enum):
    """Which rule decides whether a failed attempt is followed by another."""

    THROTTLED = "throttled"
    """Bounded by time alone; never draws on the retry budget."""
    NOT_READY = "not_ready"
    """Bounded by time alone."""
    TRANSIENT = "transient"
    """Nothing was sent: bounded by attempts, draws on the budget."""
    UNKNOWN_OUTCOME = "unknown_outcome"
    """It may have run: as TRANSIENT, and only if the call is idempotent."""
    NEVER = "never"


# The shapes that the service model declares for Invoke and InvokeWithResponseStream (botocore 1.42.1
# to 1.44.5), and what AWS's front door answers without declaring it ("Common errors" in the API
# reference). Codes that stand for "may have run" are listed too: that they are UNKNOWN is a decision,
# not an omission, and a test fails for a declared shape that is missing here.
_CODES: dict[type[ServiceError], str] = {
    ThrottledError: """
        TooManyRequestsException
        ThrottlingException Throttling ThrottledException RequestThrottled RequestThrottledException
        RequestLimitExceeded""",
    FunctionNotReadyError: """
        ResourceNotReadyException ENINotReadyException EC2ThrottledException ResourceConflictException
        SnapStartNotReadyException SnapStartTimeoutException CodeArtifactUserPendingException
        EFSMountTimeoutException EFSMountConnectivityException
        S3FilesMountTimeoutException S3FilesMountConnectivityException""",
    FunctionNotFoundError: "ResourceNotFoundException",
    AccessDeniedError: """
        AccessDeniedException AccessDenied NotAuthorized OptInRequired
        UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId
        InvalidSignatureException SignatureDoesNotMatch IncompleteSignature IncompleteSignatureException
        MissingAuthenticationToken MissingAuthenticationTokenException
        ExpiredTokenException ExpiredToken RequestExpired RequestTimeTooSkewed""",
    RecursiveInvocationError: "RecursiveInvocationException",
    InvalidRequestError: """
        InvalidParameterValueException InvalidRequestContentException UnsupportedMediaTypeException
        ValidationException ValidationError SerializationException MalformedHttpRequestException
        InvalidAction UnknownOperationException InvalidParameterValue InvalidParameterCombination
        MissingAction MissingParameter InvalidQueryParameter MalformedQueryString""",
    RequestTooLargeError: """
        RequestTooLargeException RequestEntityTooLargeException SerializedRequestEntityTooLargeException""",
    FunctionConfigurationError: """
        KMSAccessDeniedException KMSDisabledException KMSInvalidStateException KMSNotFoundException
        InvalidZipFileException InvalidRuntimeException NoPublishedVersionException
        InvalidSubnetIDException InvalidSecurityGroupIDException SubnetIPAddressLimitReachedException
        ENILimitReachedException EC2AccessDeniedException EC2UnexpectedException
        EFSMountFailureException S3FilesMountFailureException
        RuntimeAliasDeletedException RuntimeVersionDeletedException
        CodeArtifactUserDeletedException CodeArtifactUserFailedException
        SnapStartRegenerationFailureException""",
    QuotaExceededError: "ServiceQuotaExceededException",
    InvocationModeError: "ModeNotSupportedException",
    # The model has the first; the documentation of durable functions speaks of "AlreadyExists".
    DurableExecutionConflictError: """
        DurableExecutionAlreadyStartedException AlreadyExists AlreadyExistsException""",
    # EFSIO: the function was running when it read the file system. SnapStart: its restore hook ran.
    ServiceFaultError: """
        ServiceException EFSIOException SnapStartException
        InternalFailure InternalServerError InternalServerException InternalError
        ServiceUnavailable ServiceUnavailableException
        RequestTimeout RequestTimeoutException RequestAbortedException""",
}

_ERRORS: dict[str, type[ServiceError]] = {
    code: error for error, codes in _CODES.items() for code in codes.split()
}

# Statuses that show, whatever the code, that the request was turned away at the door.
_STATUSES: dict[int, type[ServiceError]] = {
    401: AccessDeniedError,
    403: AccessDeniedError,
    413: RequestTooLargeError,
    429: ThrottledError,
}

# The first that fits counts.
_RETRY_KINDS: tuple[tuple[type[LambdaInvokeError], RetryKind], ...] = (
    (ThrottledError, RetryKind.THROTTLED),
    (FunctionNotReadyError, RetryKind.NOT_READY),
    (ServiceFaultError, RetryKind.UNKNOWN_OUTCOME),
    (OutcomeUnknownError, RetryKind.UNKNOWN_OUTCOME),
    (CredentialsError, RetryKind.NEVER),
    (ConnectError, RetryKind.TRANSIENT),
)

# "The function is currently in the following state: Failed". The blank is what tells it from an ARN.
_FAILED_STATE = re.compile(r"\bstate(?::| is) ['\"]?failed\b", re.IGNORECASE)
# A signature that does not match is answered with the request as the service saw it, headers and
# with them the session token included.
_SIGNED_REQUEST = "The Canonical String for this request should have been"
_CODE = re.compile(r"[A-Za-z][\w.-]{0,127}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def listed_codes() -> frozenset[str]:
    """The codes of the table; every other one is classified by its status or as a fault."""
    return frozenset(_ERRORS)


def error_for_code(code: str, status_code: int = 0, message: str = "") -> type[ServiceError]:
    """The error class for a code of the service.

    A listed code decides alone, but for ResourceConflictException: it means "try later" unless the
    message says that the function's state is Failed, which waiting does not mend.

    For a code that nobody listed, ``status_code`` decides only where it is proof enough: 401 and 403
    (the caller was not let in), 413 (the body was not taken) and 429 (RFC 6585: too many requests).
    All of these are decided before a function is reached, and a function's own answer never has
    them, since Invoke answers for the function with 200. Every other status is a
    :class:`~lambda_invoke.ServiceFaultError`, UNKNOWN, 400 and 404 included: SnapStartException (400)
    and EFSIOException (410) are answers of functions whose code had begun to run, so a 4xx does not
    show that nothing ran.
    """
    error = _ERRORS.get(code)
    if error is None:
        return _STATUSES.get(status_code, ServiceFaultError)
    if code == "ResourceConflictException" and _FAILED_STATE.search(message):
        return FunctionConfigurationError
    return error


def build_service_error(refusal: Refusal, *, function: str) -> ServiceError:
    """The error that the caller sees for a refusal.

    ``function`` is the target as the caller named it. What a message says of the signed request is
    left out, for it holds the session token.
    """
    error = error_for_code(refusal.code, refusal.status_code, refusal.message)
    facts: dict[str, Any] = {
        "code": refusal.code,
        "status_code": refusal.status_code,
        "function": function,
        "request_id": refusal.request_id,
    }
    if issubclass(error, ThrottledError):
        facts.update(reason=refusal.reason, retry_after=refusal.retry_after)
    return error(_without_signed_request(refusal.message), **facts)


def retry_kind(error: LambdaInvokeError) -> RetryKind:
    """Which retry rule applies to an error of one attempt."""
    return next((kind for cls, kind in _RETRY_KINDS if isinstance(error, cls)), RetryKind.NEVER)


def parse_refusal(status_code: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Read a refusal off an HTTP answer, as REST-JSON services of AWS send it. Never raises.

    The code is that of ``x-amzn-errortype``, else of the body's ``__type``, ``code`` or ``Code``,
    without the namespace before ``#`` and the URL behind ``:``; ``"Unknown"`` when there is none.
    The text of a body that is not a JSON object is dropped: it is a proxy's page.
    """
    lowered = _lowered(headers)
    document = _json_object(body)
    codes = (lowered.get("x-amzn-errortype"), *(document.get(key) for key in ("__type", "code", "Code")))
    asked = [retry_after_seconds(headers), _seconds(document.get("retryAfterSeconds"))]
    return Refusal(
        status_code=status_code,
        code=next(filter(None, map(_bare_code, codes)), UNKNOWN_CODE),
        message=_without_signed_request(_text(document, "message", "Message") or ""),
        request_id=_text(lowered, "x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"),
        reason=_text(document, "Reason", "reason"),
        retry_after=max((wait for wait in asked if wait is not None), default=None),
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The wait in seconds that the service asks for, or None.

    Reads ``Retry-After`` (seconds; Lambda's model) and ``x-amz-retry-after`` (milliseconds;
    botocore's); of both, the longer. What is not a plain number of at most :data:`MAX_RETRY_AFTER`
    seconds is ignored, a date included: Lambda sends none.
    """
    lowered = _lowered(headers)
    asked = (
        _seconds(lowered.get("retry-after")),
        _seconds(lowered.get("x-amz-retry-after"), per_second=1_000),
    )
    return max((wait for wait in asked if wait is not None), default=None)


def _seconds(value: object, *, per_second: int = 1) -> float | None:
    text = str(value).strip() if isinstance(value, (str, float)) else ""
    if not _NUMBER.fullmatch(text):
        return None
    seconds = float(text) / per_second
    return seconds if seconds <= MAX_RETRY_AFTER else None


def _lowered(headers: Mapping[str, str]) -> dict[str, object]:
    return {str(name).lower(): value for name, value in headers.items()}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        # As floats, no integers are too long to read.
        document = json.loads(body.decode("utf-8", "replace"), parse_int=float)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _bare_code(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    code = value.partition(":")[0].rpartition("#")[2].strip()
    return code if _CODE.fullmatch(code) else None


def _text(document: Mapping[str, object], *keys: str) -> str | None:
    for key in keys:
        value = document.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def _without_signed_request(message: str) -> str:
    text, found, _ = message.partition(_SIGNED_REQUEST)
    return text.rstrip() if found else message
