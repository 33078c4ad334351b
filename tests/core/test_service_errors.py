"""The code → error table, and refusals read off the wire."""

from __future__ import annotations

import copy
import json
import math
import pickle

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.core.service_errors import (
    MAX_RETRY_AFTER,
    RetryKind,
    build_service_error,
    error_for_code,
    listed_codes,
    parse_refusal,
    retry_after_seconds,
    retry_kind,
)
from lambda_invoke.core.transport import Refusal
from lambda_invoke.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    CredentialsError,
    DeadlineExceededError,
    DurableExecutionConflictError,
    Executed,
    FunctionConfigurationError,
    FunctionNotFoundError,
    FunctionNotReadyError,
    FunctionTimeoutError,
    HandlerError,
    InvalidRequestError,
    InvalidTargetError,
    InvocationModeError,
    LambdaInvokeError,
    PayloadDecodingError,
    QuotaExceededError,
    RecursiveInvocationError,
    RequestTooLargeError,
    ResponseTimeoutError,
    ServiceError,
    ServiceFaultError,
    ThrottledError,
    TruncatedResponseError,
)

OPERATIONS = ("Invoke", "InvokeWithResponseStream")

# The design's table "Did it run?", row by row, in its own words where it has them.
TABLE = [
    ("TooManyRequestsException", ThrottledError),
    ("ThrottlingException", ThrottledError),
    ("Throttling", ThrottledError),
    ("RequestLimitExceeded", ThrottledError),
    ("ResourceNotReadyException", FunctionNotReadyError),
    ("ENINotReadyException", FunctionNotReadyError),
    ("EC2ThrottledException", FunctionNotReadyError),
    ("SnapStartNotReadyException", FunctionNotReadyError),
    ("SnapStartTimeoutException", FunctionNotReadyError),
    ("CodeArtifactUserPendingException", FunctionNotReadyError),
    ("EFSMountTimeoutException", FunctionNotReadyError),
    ("EFSMountConnectivityException", FunctionNotReadyError),
    ("S3FilesMountTimeoutException", FunctionNotReadyError),
    ("S3FilesMountConnectivityException", FunctionNotReadyError),
    ("ResourceConflictException", FunctionNotReadyError),
    ("ResourceNotFoundException", FunctionNotFoundError),
    ("AccessDeniedException", AccessDeniedError),
    ("AccessDenied", AccessDeniedError),
    ("UnrecognizedClientException", AccessDeniedError),
    ("InvalidClientTokenId", AccessDeniedError),
    ("InvalidSignatureException", AccessDeniedError),
    ("SignatureDoesNotMatch", AccessDeniedError),
    ("IncompleteSignature", AccessDeniedError),
    ("MissingAuthenticationToken", AccessDeniedError),
    ("ExpiredTokenException", AccessDeniedError),
    ("ExpiredToken", AccessDeniedError),
    ("OptInRequired", AccessDeniedError),
    ("RecursiveInvocationException", RecursiveInvocationError),
    ("InvalidParameterValueException", InvalidRequestError),
    ("InvalidRequestContentException", InvalidRequestError),
    ("UnsupportedMediaTypeException", InvalidRequestError),
    ("ValidationException", InvalidRequestError),
    ("UnknownOperationException", InvalidRequestError),
    ("InvalidAction", InvalidRequestError),
    ("RequestTooLargeException", RequestTooLargeError),
    ("RequestEntityTooLargeException", RequestTooLargeError),
    ("SerializedRequestEntityTooLargeException", RequestTooLargeError),
    ("KMSAccessDeniedException", FunctionConfigurationError),
    ("KMSDisabledException", FunctionConfigurationError),
    ("KMSInvalidStateException", FunctionConfigurationError),
    ("KMSNotFoundException", FunctionConfigurationError),
    ("InvalidZipFileException", FunctionConfigurationError),
    ("InvalidRuntimeException", FunctionConfigurationError),
    ("InvalidSubnetIDException", FunctionConfigurationError),
    ("InvalidSecurityGroupIDException", FunctionConfigurationError),
    ("SubnetIPAddressLimitReachedException", FunctionConfigurationError),
    ("ENILimitReachedException", FunctionConfigurationError),
    ("EC2AccessDeniedException", FunctionConfigurationError),
    ("EC2UnexpectedException", FunctionConfigurationError),
    ("EFSMountFailureException", FunctionConfigurationError),
    ("S3FilesMountFailureException", FunctionConfigurationError),
    ("NoPublishedVersionException", FunctionConfigurationError),
    ("RuntimeAliasDeletedException", FunctionConfigurationError),
    ("RuntimeVersionDeletedException", FunctionConfigurationError),
    ("CodeArtifactUserDeletedException", FunctionConfigurationError),
    ("CodeArtifactUserFailedException", FunctionConfigurationError),
    ("SnapStartRegenerationFailureException", FunctionConfigurationError),
    ("ServiceQuotaExceededException", QuotaExceededError),
    ("ModeNotSupportedException", InvocationModeError),
    ("DurableExecutionAlreadyStartedException", DurableExecutionConflictError),
    ("ServiceException", ServiceFaultError),
    ("EFSIOException", ServiceFaultError),
    ("SnapStartException", ServiceFaultError),
    ("InternalFailure", ServiceFaultError),
    ("InternalServerError", ServiceFaultError),
    ("ServiceUnavailable", ServiceFaultError),
    ("ServiceUnavailableException", ServiceFaultError),
    ("RequestTimeoutException", ServiceFaultError),
]

NOT_NOW = "The operation cannot be performed at this time."
ARN = "arn:aws:lambda:eu-west-1:111122223333:function"

SIGNED = (
    "The request signature we calculated does not match the signature you provided.\n\n"
    "The Canonical String for this request should have been\n'POST\n/\n\n"
    "x-amz-security-token:SECRET-TOKEN\n'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256'\n"
)


@pytest.mark.parametrize(("code", "error"), TABLE, ids=[code for code, _ in TABLE])
@pytest.mark.parametrize("status", [0, 400, 403, 429, 502])
def test_a_listed_code_decides_alone(code: str, error: type[ServiceError], status: int) -> None:
    """A listed code gives its class whatever the HTTP status is, and the class says whether it ran."""
    made = build_service_error(Refusal(status, code, "why"), function="f")
    assert type(made) is error
    assert made.executed is (Executed.UNKNOWN if error is ServiceFaultError else Executed.NO)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_declared_shape_is_listed(operation: str) -> None:
    """Each error shape that the installed service model declares for an operation stands in the table.

    A shape that AWS adds fails this test, so that somebody decides whether the function ran.
    """
    model = botocore.session.get_session().get_service_model("lambda").operation_model(operation)
    shapes = {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}
    assert len(shapes) > 25
    assert shapes - listed_codes() == set()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (f"{NOT_NOW} The function is currently in the following state: Pending", FunctionNotReadyError),
        (f"{NOT_NOW} An update is in progress for resource: {ARN}:f", FunctionNotReadyError),
        (f"{NOT_NOW} An update is in progress for resource: {ARN}:state:Failed", FunctionNotReadyError),
        ("An update failed to start", FunctionNotReadyError),
        ("", FunctionNotReadyError),
        (f"{NOT_NOW} The function is currently in the following state: Failed", FunctionConfigurationError),
        ("The function's state is 'Failed'.", FunctionConfigurationError),
    ],
)
def test_a_conflict_waits_unless_the_function_has_failed(message: str, error: type[ServiceError]) -> None:
    """ResourceConflictException is "try later" unless the message says that the state is Failed."""
    assert error_for_code("ResourceConflictException", 409, message) is error


@pytest.mark.parametrize("code", ["Unknown", "NobodyListedThisException"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AccessDeniedError),
        (403, AccessDeniedError),
        (413, RequestTooLargeError),
        (429, ThrottledError),
        *(
            (status, ServiceFaultError)
            for status in (0, 302, 400, 402, 404, 408, 409, 410, 500, 502, 503, 504)
        ),
    ],
)
def test_an_unlisted_code_is_no_only_where_the_status_proves_it(
    code: str, status: int, error: type[ServiceError]
) -> None:
    """A code that nobody listed is UNKNOWN, but for the statuses that are answered at the door."""
    made = build_service_error(Refusal(status, code), function="f")
    assert type(made) is error
    assert (made.executed is Executed.NO) is (status in {401, 403, 413, 429})


def test_a_throttle_carries_reason_and_wait() -> None:
    """ThrottledError has Lambda's Reason and the wait in seconds; every error has the plain facts."""
    refusal = Refusal(
        429, "TooManyRequestsException", "Rate Exceeded.", "id-1", "CallerRateLimitExceeded", 1.5
    )
    made = build_service_error(refusal, function="reports:prod")
    assert isinstance(made, ThrottledError)
    assert (made.reason, made.retry_after) == ("CallerRateLimitExceeded", 1.5)
    assert (made.code, made.status_code, made.message) == ("TooManyRequestsException", 429, "Rate Exceeded.")
    assert (made.function, made.request_id, made.attempts) == ("reports:prod", "id-1", ())


@pytest.mark.parametrize(("code", "error"), TABLE, ids=[code for code, _ in TABLE])
def test_built_errors_pickle_and_copy_whole(code: str, error: type[ServiceError]) -> None:
    """What was built survives pickling and copying with class, text and every attribute."""
    made = build_service_error(Refusal(400, code, "why", "id-1", "reason", 2.0), function="f")
    for twin in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
        assert type(twin) is error
        assert str(twin) == str(made)
        assert vars(twin) == vars(made)


def test_a_signature_mismatch_does_not_repeat_the_session_token() -> None:
    """AWS repeats the signed headers, the session token among them; no error or refusal of ours does."""
    body = json.dumps({"message": SIGNED}).encode()
    refusal = parse_refusal(403, {"x-amzn-errortype": "InvalidSignatureException"}, body)
    direct = build_service_error(refusal, function="f")
    handed = build_service_error(Refusal(403, "InvalidSignatureException", SIGNED), function="f")
    for shown in (repr(refusal), str(direct), repr(direct), str(handed), repr(handed)):
        assert "SECRET-TOKEN" not in shown
        assert "does not match the signature you provided." in shown


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ThrottledError("x"), RetryKind.THROTTLED),
        (FunctionNotReadyError("x"), RetryKind.NOT_READY),
        (ConnectError("x"), RetryKind.TRANSIENT),
        (CredentialsError("x"), RetryKind.NEVER),
        (ServiceFaultError("x"), RetryKind.UNKNOWN_OUTCOME),
        (ResponseTimeoutError("x"), RetryKind.UNKNOWN_OUTCOME),
        (ConnectionLostError("x"), RetryKind.UNKNOWN_OUTCOME),
        (TruncatedResponseError("x"), RetryKind.UNKNOWN_OUTCOME),
        (FunctionNotFoundError("x"), RetryKind.NEVER),
        (AccessDeniedError("x"), RetryKind.NEVER),
        (RecursiveInvocationError("x"), RetryKind.NEVER),
        (InvalidRequestError("x"), RetryKind.NEVER),
        (RequestTooLargeError("x"), RetryKind.NEVER),
        (FunctionConfigurationError("x"), RetryKind.NEVER),
        (QuotaExceededError("x"), RetryKind.NEVER),
        (InvocationModeError("x"), RetryKind.NEVER),
        (DurableExecutionConflictError("x"), RetryKind.NEVER),
        (ServiceError("x"), RetryKind.NEVER),
        (InvalidTargetError("x"), RetryKind.NEVER),
        (HandlerError("x"), RetryKind.NEVER),
        (FunctionTimeoutError("x"), RetryKind.NEVER),
        (PayloadDecodingError("x"), RetryKind.NEVER),
        (DeadlineExceededError("x"), RetryKind.NEVER),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LambdaInvokeError) else value.name,
)
def test_each_error_has_its_retry_rule(error: LambdaInvokeError, kind: RetryKind) -> None:
    """The rule for one more attempt follows from the error's class."""
    assert retry_kind(error) is kind


@pytest.mark.parametrize("code", sorted(listed_codes()))
def test_only_no_is_retried_unasked(code: str) -> None:
    """An error whose ``executed`` is not NO never has a rule that retries without idempotency."""
    made = build_service_error(Refusal(500, code), function="f")
    unasked = {RetryKind.THROTTLED, RetryKind.NOT_READY, RetryKind.TRANSIENT}
    assert made.executed is Executed.NO or retry_kind(made) not in unasked


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({"x-amzn-errortype": "ServiceException"}, b"", "ServiceException"),
        ({"X-Amzn-ErrorType": "ServiceException"}, b"", "ServiceException"),
        (
            {"x-amzn-errortype": "ServiceException:http://internal.amazon.com/coral/#x"},
            b"",
            "ServiceException",
        ),
        ({"x-amzn-errortype": "com.amazonaws.lambda#ServiceException"}, b"", "ServiceException"),
        ({"x-amzn-errortype": "a.b#ServiceException:http://internal/"}, b"", "ServiceException"),
        ({}, b'{"__type": "com.amazon.coral.service#AccessDeniedException"}', "AccessDeniedException"),
        ({}, b'{"code": "AccessDenied"}', "AccessDenied"),
        ({}, b'{"Code": "AccessDenied"}', "AccessDenied"),
        ({"x-amzn-errortype": "Real"}, b'{"__type": "Other"}', "Real"),
        ({"x-amzn-errortype": ""}, b'{"__type": "Other"}', "Other"),
        ({"x-amzn-errortype": "<html>"}, b'{"code": 7, "Code": "Other"}', "Other"),
        ({}, b'{"code": 7}', "Unknown"),
        ({}, b"<html>502 Bad Gateway</html>", "Unknown"),
        ({}, b"", "Unknown"),
        ({}, b"null", "Unknown"),
        ({}, b"[" * 100_000, "Unknown"),
        ({}, b"\xff\xfe", "Unknown"),
    ],
)
def test_the_code_is_bare(headers: dict[str, str], body: bytes, code: str) -> None:
    """The code comes from the header, else from the body, without namespace and URL."""
    assert parse_refusal(400, headers, body).code == code


@pytest.mark.parametrize(
    ("body", "message", "reason"),
    [
        (b'{"Message": "a", "Type": "User"}', "a", None),
        (b'{"message": "a", "Reason": "CallerRateLimitExceeded"}', "a", "CallerRateLimitExceeded"),
        (b'{"message": null, "Message": "b"}', "b", None),
        (b'{"message": null}', "", None),
        (b'{"message": {"a": 1}, "Reason": 3}', "", None),
        ('{"Message": "function\u2019s key", "Type": null}'.encode(), "function\u2019s key", None),
        (b"<html>secret page</html>", "", None),
    ],
)
def test_message_and_reason(body: bytes, message: str, reason: str | None) -> None:
    """Both spellings of the message are read; what is not text is not."""
    refusal = parse_refusal(400, {}, body)
    assert (refusal.status_code, refusal.message, refusal.reason) == (400, message, reason)


@pytest.mark.parametrize("header", ["x-amzn-requestid", "x-amzn-RequestId", "x-amz-request-id"])
def test_the_request_id_is_kept(header: str) -> None:
    """The request id is found under each of its names."""
    assert parse_refusal(500, {header: "id-1"}, b"").request_id == "id-1"
    assert parse_refusal(500, {header: ""}, b"").request_id is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"X-Amz-Retry-After": "250", "Retry-After": "2"}, 2.0),
        ({"x-amz-retry-after": "9000", "Retry-After": "2"}, 9.0),
        ({"x-amz-retry-after": "soon", "Retry-After": "2"}, 2.0),
        ({"Retry-After": str(int(MAX_RETRY_AFTER))}, MAX_RETRY_AFTER),
        *(
            ({"Retry-After": garbage}, None)
            for garbage in ("-1", "nan", "inf", "1e3", "1_0", "\u0663", "", "1,5", "86401", "9" * 400,
                            "Wed, 21 Oct 2026 07:28:00 GMT")
        ),
    ],
)  # fmt: skip
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds and milliseconds are honoured, the longer of both; garbage is no wait at all."""
    assert retry_after_seconds(headers) == seconds
    assert parse_refusal(429, headers, b"").retry_after == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", 2.0), ('"2"', 2.0), ("2.5", 2.5), ("-2", None), ("true", None), ("null", None), ("NaN", None),
     ("Infinity", None), ("9" * 5_000, None), ("[1]", None)],
)  # fmt: skip
def test_retry_after_in_the_body(value: str, seconds: float | None) -> None:
    """``retryAfterSeconds`` of the body counts as the header does."""
    body = f'{{"retryAfterSeconds": {value}}}'.encode()
    assert parse_refusal(429, {}, body).retry_after == seconds
    assert parse_refusal(429, {"Retry-After": "1"}, body).retry_after == max(seconds or 0.0, 1.0)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_BODIES = st.binary() | st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("__type", "code", "Code", "message", "Message", "Reason", "retryAfterSeconds"), _JSON
    ),
).map(lambda value: json.dumps(value).encode())
_HEADERS = st.dictionaries(
    st.sampled_from(["x-amzn-errortype", "Retry-After", "x-amz-retry-after", "x-amzn-requestid"]), st.text()
)


@given(status=st.integers(100, 599), headers=_HEADERS, body=_BODIES)
def test_any_answer_becomes_an_error(status: int, headers: dict[str, str], body: bytes) -> None:
    """No answer makes the decoder raise, and every wait is a finite number within bounds."""
    refusal = parse_refusal(status, headers, body)
    assert refusal.retry_after is None or 0 <= refusal.retry_after <= MAX_RETRY_AFTER
    assert refusal.retry_after is None or math.isfinite(refusal.retry_after)
    made = build_service_error(refusal, function="f")
    assert str(pickle.loads(pickle.dumps(made))) == str(made)
