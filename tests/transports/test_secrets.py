"""Payloads, replies and credentials stand in no message, log record, repr or traceback."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from botocore.config import Config

from lambda_invoke import (
    FunctionError,
    HandlerError,
    Invocation,
    LambdaInvokeError,
    PayloadDecodingError,
    PayloadEncodingError,
    PayloadTooLargeError,
    RequestError,
    RetryPolicy,
)
from tests.support.aws import QUICK, SECRET_KEY, SESSION_TOKEN
from tests.support.server import (
    ScriptedServer,
    drop_after_executing,
    error,
    hang,
    ok,
    reset,
    throttle,
    truncate,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.aws import Clients
    from tests.support.server import Step

MARKER = "PAYLOADMARKER"
REPLY = "REPLYMARKER"
PAYLOAD = {"card": MARKER, MARKER: [MARKER]}
SECRETS = (MARKER, REPLY, SECRET_KEY, SESSION_TOKEN)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything our logger says, down to DEBUG, is looked at when the test is over."""
    caplog.set_level(logging.DEBUG, logger="lambda_invoke")
    yield caplog
    ours = [record for record in caplog.get_records("call") if record.name.startswith("lambda_invoke")]
    formatter = logging.Formatter("%(message)s")
    clean("\n".join(formatter.format(record) for record in ours))


def clean(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


def clean_error(error: BaseException) -> None:
    """Neither the error nor what is printed of it, its causes and its history included."""
    for one in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        clean(str(one))
        clean(repr(one))
        clean("".join(traceback.format_exception(one)))
    if isinstance(error, LambdaInvokeError):
        clean(repr(error.attempts))


FAILURES = {
    "throttled": throttle(),
    "fault": error(500, "ServiceException", "sorry"),
    "not found": error(404, "ResourceNotFoundException", "Function not found"),
    "lost": drop_after_executing(),
    "reset": reset(),
    "truncated": truncate(REPLY.encode() * 100, 600),
    "a page": attrs.evolve(
        error(503, "ServiceUnavailable"), body=f"<html>{REPLY}</html>".encode(), headers={}
    ),
}


@pytest.mark.parametrize("step", FAILURES.values(), ids=list(FAILURES))
@pytest.mark.parametrize("idempotent", [False, True], ids=["once", "idempotent"])
def test_failed_calls(clients: Clients, step: Step, idempotent: bool) -> None:
    """What fails on the way says nothing of what was to be sent, retries included."""
    policy = RetryPolicy(wait=QUICK.wait, throttle_timeout=0.02)
    with ScriptedServer([step]) as server:
        client = clients(server, retry=policy)
        with pytest.raises(LambdaInvokeError) as caught:
            client.invoke("f", PAYLOAD, idempotent=idempotent, client_context=PAYLOAD)
        clean_error(caught.value)
        if step is not FAILURES["truncated"]:  # a 202 has no body to truncate
            with pytest.raises(LambdaInvokeError) as caught:
                client.invoke_event("f", PAYLOAD, idempotent=idempotent)
            clean_error(caught.value)


def test_calls_that_time_out(clients: Clients) -> None:
    """Nor a call that was given up."""
    with ScriptedServer([hang()]) as server:
        config = Config(read_timeout=0.5)
        client = clients(server, config=config, timeout=0.5 if clients.built else None)
        with pytest.raises(LambdaInvokeError) as caught:
            client.invoke("f", PAYLOAD)
        clean_error(caught.value)


def test_calls_that_do_not_connect(clients: Clients) -> None:
    """Nor one that was never sent."""
    with ScriptedServer(refusing=True) as server:
        with pytest.raises(LambdaInvokeError) as caught:
            clients(server).invoke("f", PAYLOAD)
        clean_error(caught.value)


def test_calls_that_succeed(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    """A result's repr is that of its facts; a line per retry is logged, and it names no payload."""
    with ScriptedServer([throttle(), ok(f'"{REPLY}"'.encode(), log_result=REPLY)]) as server:
        client = clients(server)
        made: Invocation[Any] = client.invoke("f", PAYLOAD, log_tail=True)
        clean(repr(made))
        clean(repr(client))
        (outcome,) = client.map("f", [PAYLOAD])
        clean(repr(outcome))
        report = client.fan_out("f", [PAYLOAD])
        clean(repr(report))
        clean(str(report))
    lines = [record.getMessage() for record in caplog.records if record.name == "lambda_invoke"]
    assert len(lines) == 1
    assert "ThrottledError" in lines[0]
    assert "ConcurrentInvocationLimitExceeded" in lines[0]


def test_failed_items(clients: Clients) -> None:
    """The same in a job: outcomes, report and its error."""
    with ScriptedServer([error(404, "ResourceNotFoundException")]) as server:
        report = clients(server).fan_out("f", [PAYLOAD, {"a": [MARKER, object()]}], concurrency=1)
        assert len(report.failed) == 2
        for outcome in report.failed:
            assert outcome.error is not None
            clean(repr(outcome))
            clean_error(outcome.error)
        with pytest.raises(LambdaInvokeError) as caught:
            report.raise_for_failures()
        clean(str(caught.value))
        clean(repr(caught.value))


def test_parameters_that_botocore_refuses(clients: Clients) -> None:
    """The validation of botocore quotes values, payloads too; we do not, and neither does a traceback."""
    with ScriptedServer() as server:
        boto_client = clients.boto_client(server)

        def spoil(params: dict[str, Any], **_: Any) -> dict[str, Any]:
            return {**params, "Payload": {"was": params["Payload"].decode()}}

        boto_client.meta.events.register("provide-client-params.lambda.Invoke", spoil)
        from lambda_invoke import LambdaClient

        with pytest.raises(RequestError) as caught:
            LambdaClient(boto_client).invoke("f", PAYLOAD)
        clean_error(caught.value)
        assert server.connections == 0


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"a": [MARKER, object()]}, PayloadEncodingError),
        ({"a": object}, PayloadEncodingError),
        ({"a": float("nan"), "b": MARKER}, PayloadEncodingError),
        ({"a": [MARKER, "\ud800" + MARKER]}, PayloadEncodingError),
        ({"a": MARKER * 600_000}, PayloadTooLargeError),
    ],
    ids=["an object", "a class", "nan", "a lone surrogate", "too large"],
)
def test_payloads_that_cannot_be_sent(
    built: Clients, payload: object, expected: type[LambdaInvokeError]
) -> None:
    """What cannot be encoded is told by its place, not by its value; nothing is sent."""
    with ScriptedServer() as server:
        with pytest.raises(expected) as caught:
            built(server).invoke("f", payload)
        clean_error(caught.value)
        assert server.connections == 0


@pytest.mark.parametrize("reply", [f'"{REPLY}', f'{{"n": "{REPLY}"}}', f'["{REPLY}"]', REPLY])
def test_replies_that_do_not_fit(built: Clients, reply: str) -> None:
    """What came is in ``payload`` for who asks, and nowhere else."""
    with ScriptedServer([ok(reply.encode())]) as server:
        with pytest.raises(PayloadDecodingError) as caught:
            built(server).invoke("f", PAYLOAD, response=dict[str, int])
        assert caught.value.payload == reply.encode()
        clean_error(caught.value)


def test_a_function_error_shows_its_own_words_alone(built: Clients) -> None:
    """The remote message and stack are shown, unless redacted; the request never is."""
    failed = ok(b'{"errorType": "Boom", "errorMessage": "REMOTE WORDS"}', function_error="Unhandled")
    with ScriptedServer([failed]) as server:
        with pytest.raises(HandlerError, match="REMOTE WORDS") as caught:
            built(server).invoke("f", PAYLOAD)
        clean_error(caught.value)
        with pytest.raises(FunctionError) as redacted:
            built(server, redact_remote=True).invoke("f", PAYLOAD)
        error = redacted.value
        text = str(error) + repr(error) + "".join(traceback.format_exception(error))
        assert "REMOTE WORDS" not in text
        assert "Boom" in text


def test_a_hook_that_raises_is_logged_without_the_payload(
    built: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    """A metrics hook's exception goes to the log, and the invocation is not lost."""

    def broken(_attempt: object) -> None:
        raise LookupError("the hook's own")

    with ScriptedServer([ok(f'"{REPLY}"'.encode())]) as server:
        assert built(server, on_attempt=broken).invoke("f", PAYLOAD).value == REPLY
        assert server.executions == 1
    assert "the hook's own" in caplog.text
