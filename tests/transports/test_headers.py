"""What is asked for arrives at the service as its model says."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from lambda_invoke import LambdaClient
from tests.support.aws import ACCESS_KEY, REGION, SESSION_TOKEN
from tests.support.server import ScriptedServer, ok

if TYPE_CHECKING:
    from tests.support.aws import Clients

CONTEXT = {"custom": {"k": "v"}, "env": {"x": "y"}}


def test_every_option_of_invoke_arrives(clients: Clients) -> None:
    """Log tail, client context, tenant, durable name, qualifier and payload, each in its place."""
    with ScriptedServer([ok(b"1", log_result="START\n", executed_version="42")]) as server:
        made = clients(server).invoke(
            "reports",
            {"n": 1},
            qualifier="prod",
            log_tail=True,
            client_context=CONTEXT,
            tenant_id="tenant-7",
            durable_execution_name="once-1",
        )
        (call,) = server.calls
        assert call.method == "POST"
        assert call.path == "/2015-03-31/functions/reports/invocations"
        assert call.qualifier == "prod"
        assert call.invocation_type == "RequestResponse"
        assert call.headers["x-amz-log-type"] == "Tail"
        assert json.loads(base64.b64decode(call.headers["x-amz-client-context"])) == CONTEXT
        assert call.headers["x-amz-tenant-id"] == "tenant-7"
        assert call.headers["x-amz-durable-execution-name"] == "once-1"
        assert call.json == {"n": 1}
        assert made.executed_version == "42"
        assert made.request_id == call.request_id
        assert made.log is not None
        assert made.log.text == "START\n"


def test_what_is_not_asked_for_is_not_sent(clients: Clients) -> None:
    """A plain call has no log type, context, tenant, durable name or qualifier."""
    with ScriptedServer() as server:
        clients(server).invoke("f", 1)
        (call,) = server.calls
        assert call.qualifier is None
        for header in ("client-context", "tenant-id", "durable-execution-name"):
            assert f"x-amz-{header}" not in call.headers
        assert call.headers.get("x-amz-log-type", "None") == "None"


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ((), b""),
        ((None,), b"null"),
        ((b"\x00\xffraw",), b"\x00\xffraw"),
        (("text",), b'"text"'),
        ((0,), b"0"),
        (([],), b"[]"),
        (({"ä": "€"},), None),
    ],
    ids=["none at all", "None", "bytes", "str", "zero", "empty list", "not ASCII"],
)
def test_the_payload_arrives_as_given(
    clients: Clients, payload: tuple[object, ...], body: bytes | None
) -> None:
    """No payload is no body, None is null, bytes are themselves, the rest is JSON in UTF-8."""
    with ScriptedServer([ok(b"1")]) as server:
        clients(server).invoke("f", *payload)
        (call,) = server.calls
        assert int(call.headers["content-length"]) == len(call.body)
        if body is None:
            assert (call.json,) == payload
        else:
            assert call.body == body


def test_events_and_dry_runs(clients: Clients) -> None:
    """Each says its type; nothing executes for a dry run, and an event has no log type."""
    with ScriptedServer() as server:
        client = clients(server)
        accepted = client.invoke_event("f", 1, tenant_id="t", qualifier="7")
        allowed = client.dry_run("f", qualifier="8")
        event, dry = server.calls
        assert (event.invocation_type, event.qualifier) == ("Event", "7")
        assert event.headers["x-amz-tenant-id"] == "t"
        assert event.headers.get("x-amz-log-type", "None") == "None"
        assert (dry.invocation_type, dry.qualifier) == ("DryRun", "8")
        assert (accepted.status_code, allowed.status_code) == (202, 204)
        assert accepted.request_id == event.request_id
        assert server.executions == 1


@pytest.mark.parametrize(
    ("function", "named", "qualifier"),
    [
        ("reports", "reports", None),
        ("reports:prod", "reports", "prod"),
        ("reports:$LATEST", "reports", "$LATEST"),
        ("123456789012:function:reports", "123456789012:function:reports", None),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:reports:7",
            "arn:aws:lambda:eu-west-1:123456789012:function:reports",
            "7",
        ),
    ],
)
def test_the_target_arrives(clients: Clients, function: str, named: str, qualifier: str | None) -> None:
    """Names and ARNs reach the service whole, in the path and in ``Qualifier``."""
    with ScriptedServer() as server:
        made = clients(server).invoke(function, 1)
        (call,) = server.calls
        arrived = call.function if call.qualifier is None else f"{call.function}:{call.qualifier}"
        assert arrived == (named if qualifier is None else f"{named}:{qualifier}")
        assert made.function == function


def test_it_is_signed(clients: Clients) -> None:
    """SigV4 for Lambda in the client's region, with the session's token."""
    with ScriptedServer() as server:
        clients(server).invoke("f", 1)
        headers = server.calls[0].headers
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=" + ACCESS_KEY)
        assert f"/{REGION}/lambda/aws4_request" in headers["authorization"]
        assert headers["x-amz-security-token"] == SESSION_TOKEN


def test_the_user_agent_names_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that the library builds adds itself to botocore's user agent."""
    with ScriptedServer() as server, LambdaClient(endpoint_url=server.url) as client:
        client.invoke("f", 1)
        agent = server.calls[0].headers["user-agent"]
        assert agent.startswith("Boto3/")
        assert any(word.startswith("lambda_invoke") for word in agent.split())  # Powertools adds its own


def test_inside_lambda_the_trace_goes_on(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recursion detection lives on this header, so it goes out with every invocation from a function."""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "caller")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    with ScriptedServer() as server:
        client = clients(server)
        client.invoke("f", 1)
        client.invoke_event("f", 1)
        assert all(outcome.ok for outcome in client.map("f", [1, 2]))
        assert [call.headers["x-amzn-trace-id"] for call in server.calls] == [trace] * 4


def test_outside_lambda_there_is_no_trace(clients: Clients) -> None:
    """No header that nobody asked for."""
    with ScriptedServer() as server:
        clients(server).invoke("f", 1)
        assert "x-amzn-trace-id" not in server.calls[0].headers
