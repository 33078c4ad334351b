"""Every client method over botocore's own Stubber."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import attrs
import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

import lambda_invoke as li
from lambda_invoke.core.transport import Answer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

ARN = "arn:aws:lambda:us-east-1:123456789012:function:reports"


@pytest.fixture
def boto() -> Any:
    """A boto3 client that no test lets reach anything."""
    return boto3.client(
        "lambda", region_name="us-east-1", aws_access_key_id="AKID", aws_secret_access_key="SECRET"
    )


@pytest.fixture
def stub(boto: Any) -> Iterator[Stubber]:
    """The stubber of that client; at the end every stubbed answer must have been used."""
    with Stubber(boto) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def client(boto: Any, stub: Stubber) -> li.LambdaClient:
    """A client over the stubbed one."""
    return li.LambdaClient(boto, retry=li.RetryPolicy(wait=li.FullJitter(0, 0)))


def answer(body: bytes = b"{}", status: int = 200, **more: Any) -> dict[str, Any]:
    """An Invoke answer as botocore parses it."""
    return {"StatusCode": status, "Payload": StreamingBody(io.BytesIO(body), len(body)), **more}


@attrs.frozen
class ReportRequest:
    day: dt.date
    pages: int = 1


@attrs.frozen
class Report:
    title: str
    made_at: dt.datetime


def test_invoke_sends_what_was_asked_and_reads_what_came(client: li.LambdaClient, stub: Stubber) -> None:
    """Every option arrives under the service's name; every part of the answer is on the result."""
    stub.add_response(
        "invoke",
        answer(
            b'{"title": "Q3", "made_at": "2026-11-21T09:00:00+00:00"}',
            ExecutedVersion="7",
            LogResult="U1RBUlQgUmVxdWVzdElkOiBhIFZlcnNpb246IDcK",
            DurableExecutionArn=ARN + ":7/durable-execution/n/i",
        ),
        {
            "FunctionName": "reports",
            "Qualifier": "prod",
            "Payload": b'{"day":"2026-11-21","pages":2}',
            "LogType": "Tail",
            "ClientContext": "eyJjdXN0b20iOnsiYSI6MX19",
            "TenantId": "blue",
            "DurableExecutionName": "job-1",
        },
    )
    made = client.invoke(
        "reports:prod",
        ReportRequest(dt.date(2026, 11, 21), 2),
        response=Report,
        log_tail=True,
        client_context={"custom": {"a": 1}},
        tenant_id="blue",
        durable_execution_name="job-1",
    )
    assert made.value == Report("Q3", dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC))
    assert made.executed_version == "7"
    assert made.function == "reports:prod"
    assert made.log is not None
    assert made.log.text.startswith("START")
    assert made.durable_execution_arn == ARN + ":7/durable-execution/n/i"
    assert made.executed is li.Executed.YES
    assert [attempt.outcome for attempt in made.attempts] == ["ok"]
    assert "Q3" not in repr(made)


@pytest.mark.parametrize(
    ("payload", "sent"), [(li.NO_PAYLOAD, None), (None, b"null"), (b"raw", b"raw"), ("é", '"é"'.encode())]
)
def test_payload_kinds(client: li.LambdaClient, stub: Stubber, payload: object, sent: bytes | None) -> None:
    """No payload sends no body, None sends null, bytes go as they are, text is a JSON string."""
    expected: dict[str, Any] = {"FunctionName": "f"}
    if sent is not None:
        expected["Payload"] = sent
    stub.add_response("invoke", answer(), expected)
    client.invoke("f", payload)


def test_a_function_error_raises(client: li.LambdaClient, stub: Stubber) -> None:
    """A 200 with FunctionError is a failure, with the remote type, message and stack, sent once."""
    body = json.dumps(
        {"errorType": "OrderNotFound", "errorMessage": "no order 17", "stackTrace": []}
    ).encode()
    stub.add_response("invoke", answer(body, FunctionError="Unhandled", ExecutedVersion="3"), ANY_CALL)
    with pytest.raises(li.HandlerError, match="OrderNotFound: no order 17") as caught:
        client.invoke("orders", {})
    assert caught.value.executed is li.Executed.YES
    assert caught.value.executed_version == "3"
    assert caught.value.function == "orders"
    assert len(caught.value.attempts) == 1


ANY_CALL = {"FunctionName": ANY, "Payload": ANY}


class OrderNotFound(li.FunctionError):
    """The caller's own class for a remote type."""


def test_error_types_raise_the_callers_own_class(boto: Any, stub: Stubber) -> None:
    """Mapped on the client or on the handle (which wins); it is a FunctionError and pickles."""
    body = b'{"errorType": "OrderNotFound", "errorMessage": "no order 17"}'
    for _ in range(3):
        stub.add_response("invoke", answer(body, FunctionError="Unhandled"), ANY_CALL)
    client = li.LambdaClient(boto, error_types={"OrderNotFound": OrderNotFound})
    with pytest.raises(OrderNotFound) as caught:
        client.invoke("orders", {})
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (type(copied), copied.error_message, copied.function) == (OrderNotFound, "no order 17", "orders")
    handle = li.LambdaClient(boto).function("orders", error_types={"OrderNotFound": OrderNotFound})
    with pytest.raises(OrderNotFound):
        handle({})
    with pytest.raises(li.HandlerError):
        client.function("orders", error_types={})({})


def test_error_types_must_be_function_errors(boto: Any) -> None:
    """Refused when registered, so that `except FunctionError` always holds."""
    with pytest.raises(TypeError, match="OrderNotFound"):
        li.LambdaClient(boto, error_types={"OrderNotFound": ValueError})  # type: ignore[dict-item]


def test_redact_remote_keeps_the_message_out(boto: Any, stub: Stubber) -> None:
    """str(error) has the type, and neither message nor stack; the attributes still have them."""
    body = b'{"errorType": "Oops", "errorMessage": "card 4111", "stackTrace": ["card 4111"]}'
    stub.add_response("invoke", answer(body, FunctionError="Unhandled"), ANY_CALL)
    with pytest.raises(li.HandlerError) as caught:
        li.LambdaClient(boto, redact_remote=True).invoke("orders", {})
    assert "4111" not in str(caught.value) + repr(caught.value)
    assert caught.value.error_message == "card 4111"


@pytest.mark.parametrize(
    ("code", "status", "error", "executed"),
    [
        ("ResourceNotFoundException", 404, li.FunctionNotFoundError, li.Executed.NO),
        ("InvalidZipFileException", 502, li.FunctionConfigurationError, li.Executed.NO),
        ("ServiceException", 500, li.ServiceFaultError, li.Executed.UNKNOWN),
        ("NobodyListedThis", 500, li.ServiceFaultError, li.Executed.UNKNOWN),
    ],
)
def test_service_errors_are_classified_by_code(
    client: li.LambdaClient,
    stub: Stubber,
    code: str,
    status: int,
    error: type[li.ServiceError],
    executed: li.Executed,
) -> None:
    """One send each; the error carries code, status and whether it ran."""
    stub.add_client_error("invoke", code, "why", status)
    with pytest.raises(error, match=f"{status} {code}: why") as caught:
        client.invoke("f", {})
    assert (caught.value.code, caught.value.status_code) == (code, status)
    assert caught.value.executed is executed


def test_throttles_are_retried_and_told(boto: Any, stub: Stubber, caplog: pytest.LogCaptureFixture) -> None:
    """Two 429s, then success: one result, three attempts, a log line per retry, the hook called."""
    stub.add_client_error(
        "invoke",
        "TooManyRequestsException",
        "Rate Exceeded.",
        429,
        modeled_fields={"Reason": "CallerRateLimitExceeded"},
    )
    stub.add_client_error("invoke", "TooManyRequestsException", "Rate Exceeded.", 429)
    stub.add_response("invoke", answer(b"1"), ANY_CALL)
    seen: list[li.Attempt] = []
    client = li.LambdaClient(boto, retry=li.RetryPolicy(wait=li.FullJitter(0, 0)), on_attempt=seen.append)
    with caplog.at_level(logging.INFO, "lambda_invoke"):
        made = client.invoke("f", {"secret": "MARKER"})
    assert made.value == 1
    assert list(made.attempts) == seen
    assert [(a.outcome, a.reason) for a in seen] == [
        ("ThrottledError", "CallerRateLimitExceeded"),
        ("ThrottledError", None),
        ("ok", None),
    ]
    lines = [record.getMessage() for record in caplog.records if record.name == "lambda_invoke"]
    assert len(lines) == 2
    assert "ThrottledError TooManyRequestsException CallerRateLimitExceeded" in lines[0]
    assert "MARKER" not in caplog.text


def test_a_hook_that_raises_loses_no_invocation(
    boto: Any, stub: Stubber, caplog: pytest.LogCaptureFixture
) -> None:
    """What on_attempt raises is logged, and the result still comes."""
    stub.add_response("invoke", answer(b"1"), ANY_CALL)

    def hook(attempt: li.Attempt) -> None:
        raise RuntimeError("metrics are down")

    assert li.LambdaClient(boto, on_attempt=hook).invoke("f", {}).value == 1
    assert "on_attempt raised for f" in caplog.text


def test_invoke_event(client: li.LambdaClient, stub: Stubber) -> None:
    """A 202 is acceptance: Accepted, executed UNKNOWN; a client context is refused."""
    stub.add_response(
        "invoke",
        answer(b"", 202),
        {"FunctionName": "f", "InvocationType": "Event", "Payload": b"{}", "Qualifier": "1"},
    )
    accepted = client.invoke_event("f", {}, qualifier="1")
    assert (accepted.status_code, accepted.executed) == (202, li.Executed.UNKNOWN)
    with pytest.raises(li.RequestError, match="client context"):
        client.invoke_event("f", {}, client_context={})


def test_dry_run(client: li.LambdaClient, stub: Stubber) -> None:
    """Allowed is true; denied is a DryRun that says why; bad credentials and 404 raise."""
    stub.add_response("invoke", answer(b"", 204), {"FunctionName": "f", "InvocationType": "DryRun"})
    assert client.dry_run("f")
    stub.add_client_error("invoke", "AccessDeniedException", "not authorized to perform", 403)
    denied = client.dry_run("f")
    assert not denied
    assert denied.reason == "not authorized to perform"
    stub.add_client_error("invoke", "UnrecognizedClientException", "token invalid", 403)
    with pytest.raises(li.AccessDeniedError, match="token invalid"):
        client.dry_run("f")
    stub.add_client_error("invoke", "ResourceNotFoundException", "no f", 404)
    with pytest.raises(li.FunctionNotFoundError):
        client.dry_run("f")


def test_a_reply_that_does_not_fit_ran(client: li.LambdaClient, stub: Stubber) -> None:
    """PayloadDecodingError with path and raw payload; executed YES; sent once; no value in its text."""
    stub.add_response("invoke", answer(b'{"title": "SECRET", "made_at": 5}'), ANY_CALL)
    with pytest.raises(li.PayloadDecodingError) as caught:
        client.invoke("f", {}, response=Report)
    assert caught.value.executed is li.Executed.YES
    assert caught.value.path == "$.made_at"
    assert caught.value.payload == b'{"title": "SECRET", "made_at": 5}'
    assert caught.value.function == "f"
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": ""}, "function"),
        ({"function": "f:1", "qualifier": "2"}, "qualifier"),
        ({"function": "f", "timeout": 1.0}, "timeout cannot be enforced"),
        ({"function": "f", "retry": li.RetryPolicy(timeout=1.0)}, "timeout cannot be enforced"),
        ({"function": "f", "deadline": 0}, "deadline"),
        ({"function": "f", "tenant_id": "tab\t"}, "tenant_id"),
        ({"function": "f:1", "durable_execution_name": "a b"}, "durable_execution_name"),
        ({"function": "f", "durable_execution_name": "job"}, "qualifier"),
        ({"function": "f", "payload": float("nan")}, "NaN"),
        ({"function": "f", "payload": b"x" * 6_291_457}, "6,291,456"),
        ({"function": "f", "client_context": "x" * 3000}, "client context"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    client: li.LambdaClient, arguments: dict[str, Any], message: str
) -> None:
    """RequestError naming what is wrong, executed NO; the stubber would fail on any call."""
    with pytest.raises(li.RequestError, match=f"(?i){message}") as caught:
        client.invoke(**arguments)
    assert caught.value.executed is li.Executed.NO


def test_a_call_on_the_stubber_that_was_not_expected_fails_the_test(client: li.LambdaClient) -> None:
    """The test's own failure comes through as what it is."""
    with pytest.raises(Exception, match="Unexpected API Call"):
        client.invoke("f", {})


def test_the_handle(client: li.LambdaClient, stub: Stubber) -> None:
    """fn(x) gives the value; invoke, event, dry_run carry the handle's qualifier and options."""
    fn = client.function("reports:prod", request=ReportRequest, response=Report, log_tail=True, tenant_id="t")
    body = b'{"title": "Q3", "made_at": "2026-11-21T09:00:00+00:00"}'
    expected = {
        "FunctionName": "reports",
        "Qualifier": "prod",
        "Payload": b'{"day":"2026-11-21","pages":1}',
        "LogType": "Tail",
        "TenantId": "t",
    }
    asked = ReportRequest(dt.date(2026, 11, 21))
    stub.add_response("invoke", answer(body), expected)
    assert fn(asked).title == "Q3"
    stub.add_response("invoke", answer(body), {**expected, "TenantId": "u"})
    assert fn.invoke(asked, tenant_id="u").value.title == "Q3"
    stub.add_response(
        "invoke",
        answer(b"", 202),
        {
            "FunctionName": "reports",
            "Qualifier": "prod",
            "InvocationType": "Event",
            "Payload": b'{"day":"2026-11-21","pages":1}',
            "TenantId": "t",
        },
    )
    assert fn.event(asked).function == "reports:prod"
    stub.add_response(
        "invoke",
        answer(b"", 204),
        {"FunctionName": "reports", "Qualifier": "prod", "InvocationType": "DryRun"},
    )
    assert fn.dry_run()
    assert repr(fn) == "<LambdaFunction reports:prod: request=ReportRequest, response=Report>"
    quiet = fn.with_options(log_tail=False)
    stub.add_response("invoke", answer(body), {key: v for key, v in expected.items() if key != "LogType"})
    quiet(asked)


def test_from_env(client: li.LambdaClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable names the function; unset is an error that names the variable."""
    monkeypatch.setenv("REPORTS", ARN + ":prod")
    assert li.LambdaFunction.from_env("REPORTS", client).target.qualifier == "prod"
    monkeypatch.delenv("REPORTS")
    with pytest.raises(li.InvalidTargetError, match="REPORTS"):
        li.LambdaFunction.from_env("REPORTS", client)


def test_map_and_fan_out_over_a_stubbed_client(boto: Any, stub: Stubber) -> None:
    """Items go through the same stubber, in the order they were taken at concurrency 1."""
    client = li.LambdaClient(boto)
    for body in (b"1", b"2"):
        stub.add_response("invoke", answer(body), ANY_CALL)
    stub.add_client_error("invoke", "ResourceNotFoundException", "gone", 404)
    outcomes = list(client.map("f", ["a", "b", "c"], concurrency=1, response=int, ordered=True))
    assert [(o.index, o.payload, o.ok) for o in outcomes] == [(0, "a", True), (1, "b", True), (2, "c", False)]
    assert outcomes[1].value == 2
    with pytest.raises(li.FunctionNotFoundError):
        _ = outcomes[2].value
    stub.add_response("invoke", answer(b"3"), ANY_CALL)
    report = client.fan_out("f", ["d"], concurrency=1, response=int)
    assert report.values() == [3]
    assert report.completion_reason is li.CompletionReason.COMPLETED


def configuration(name: str, **more: Any) -> dict[str, Any]:
    """A function's configuration as listed."""
    return {"FunctionName": name, "FunctionArn": ARN.replace("reports", name), "Version": "$LATEST", **more}


def test_list_functions_is_typed_paginated_and_lazy(client: li.LambdaClient, stub: Stubber) -> None:
    """The second page is asked for only when it is reached."""
    stub.add_response(
        "list_functions",
        {
            "Functions": [
                configuration(
                    "a",
                    Runtime="python3.13",
                    Timeout=30,
                    MemorySize=256,
                    Architectures=["arm64"],
                    Layers=[{"Arn": "layer"}],
                    Environment={"Variables": {"PASSWORD": "hunter2"}},
                    LoggingConfig={"LogFormat": "JSON", "LogGroup": "g"},
                )
            ],
            "NextMarker": "m",
        },
        {},
    )
    listing = client.list_functions()
    first = next(listing)
    assert (first.name, first.runtime, first.timeout, first.memory_size) == ("a", "python3.13", 30.0, 256)
    assert (first.architectures, first.layers, first.log_format) == (("arm64",), ("layer",), "JSON")
    assert "hunter2" not in repr(first)
    stub.assert_no_pending_responses()
    stub.add_response("list_functions", {"Functions": [configuration("b")]}, {"Marker": "m"})
    assert [function.name for function in listing] == ["b"]
    stub.add_response("list_functions", {"Functions": []}, {"FunctionVersion": "ALL"})
    assert list(client.list_functions(all_versions=True)) == []


def test_list_versions_and_aliases(client: li.LambdaClient, stub: Stubber) -> None:
    """Typed, with the alias's routing weights."""
    stub.add_response(
        "list_versions_by_function",
        {"Versions": [configuration("f"), {**configuration("f"), "Version": "1"}]},
        {"FunctionName": "f"},
    )
    assert [version.version for version in client.list_versions("f")] == ["$LATEST", "1"]
    stub.add_response(
        "list_aliases",
        {
            "Aliases": [
                {
                    "Name": "prod",
                    "AliasArn": ARN + ":prod",
                    "FunctionVersion": "1",
                    "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}},
                }
            ]
        },
        {"FunctionName": "f"},
    )
    assert list(client.list_aliases("f")) == [
        li.Alias("prod", ARN + ":prod", "1", routing={"2": 0.1}),
    ]


def test_control_plane_errors_are_ours(client: li.LambdaClient, stub: Stubber) -> None:
    """Reading runs nothing: executed NO, whatever the code."""
    stub.add_client_error("list_functions", "ServiceException", "down", 500)
    with pytest.raises(li.ServiceFaultError) as fault:
        next(client.list_functions())
    assert fault.value.executed is li.Executed.NO
    stub.add_client_error("list_aliases", "ResourceNotFoundException", "no f", 404)
    with pytest.raises(li.FunctionNotFoundError, match="f: 404"):
        list(client.list_aliases("f"))


@attrs.define
class Time:
    """A clock that moves when it is slept on."""

    seconds: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def test_wait_until_active(client: li.LambdaClient, stub: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls until Active and not being updated; Failed and the deadline end it."""
    time = Time()
    monkeypatch.setattr(client, "_clock", li.Clock(now=lambda: time.seconds, sleep=time.sleep))
    states: list[dict[str, Any]] = [
        {"State": "Pending"},
        {"State": "Active", "LastUpdateStatus": "InProgress"},
        {"State": "Active", "LastUpdateStatus": "Successful"},
    ]
    for state in states:
        stub.add_response(
            "get_function_configuration",
            configuration("f", **state),
            {"FunctionName": "f", "Qualifier": "prod"},
        )
    assert client.wait_until_active("f:prod").state == "Active"
    assert time.seconds == 2.0
    stub.add_response(
        "get_function_configuration",
        configuration("f", State="Failed", StateReason="no such subnet", StateReasonCode="InvalidSubnet"),
        {"FunctionName": "f"},
    )
    with pytest.raises(li.FunctionConfigurationError, match="InvalidSubnet: no such subnet"):
        client.wait_until_active("f")
    for _ in range(4):
        stub.add_response(
            "get_function_configuration", configuration("f", State="Pending"), {"FunctionName": "f"}
        )
    with pytest.raises(li.DeadlineExceededError, match="still Pending"):
        client.wait_until_active("f", deadline=3.5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"region_name": "eu-west-1"},
        {"endpoint_url": "http://127.0.0.1:1"},
        {"timeout": 3.0},
        {"retry": li.RetryPolicy(timeout=3.0)},
        {"max_concurrency": 0},
        {"deadline": -1.0},
    ],
)
def test_arguments_that_contradict_each_other_are_refused(boto: Any, arguments: dict[str, Any]) -> None:
    """A handed-over client says where and how; numbers must make sense."""
    with pytest.raises(li.RequestError):
        li.LambdaClient(boto, **arguments)


def test_reprs_and_closing(boto: Any) -> None:
    """A repr says what the client stands on; a closed client refuses, the handed-over one stays open."""
    assert repr(li.LambdaClient(boto)) == "<LambdaClient: a boto3 client that was handed over>"
    assert "region_name='eu-west-1'" in repr(li.LambdaClient(region_name="eu-west-1"))
    with li.LambdaClient(boto) as client:
        pass
    assert "closed" in repr(client)
    with pytest.raises(li.RequestError, match="closed"):
        client.invoke("f")


class Scripted:
    """A transport whose answers are given; it remembers the terms it was sent with."""

    def __init__(self, reply: Answer) -> None:
        self.reply = reply
        self.terms: list[tuple[float | None, float | None]] = []

    def send(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        self.terms.append((timeout, remaining))
        return self.reply

    def close(self) -> None:
        pass


def test_the_nearest_terms_win() -> None:
    """Call over handle over client; at each level an argument over its policy's."""
    transport = Scripted(Reply(200, b"1"))
    clock = li.Clock(now=lambda: 0.0)
    client = li.LambdaClient.over(
        transport, clock=clock, timeout=10.0, retry=li.RetryPolicy(timeout=11.0, deadline=100.0)
    )
    handle = client.function("f", timeout=5.0)
    client.invoke("f")
    client.invoke("f", timeout=9.0, deadline=90.0)
    client.invoke("f", retry=li.RetryPolicy(timeout=8.0))
    handle.invoke()
    handle.invoke(timeout=4.0)
    handle.invoke(retry=li.RetryPolicy(deadline=3.0))
    handle.with_options(deadline=7.0).invoke()
    assert transport.terms == [
        (10.0, 100.0),
        (9.0, 90.0),
        (8.0, 100.0),
        (5.0, 100.0),
        (4.0, 100.0),
        (5.0, 3.0),
        (5.0, 7.0),
    ]
    plain = li.LambdaClient.over(transport, clock=clock)
    plain.invoke("f")
    assert transport.terms[-1] == (915.0, None)
