"""The contract's tests of what a transport answers: a Reply, a Refusal or a Failure, once."""

from __future__ import annotations

import base64
import json

import attrs
import pytest

from lambda_invoke.core.target import parse_target
from lambda_invoke.core.transport import Failure, FailureKind, InvocationType, Refusal, Reply
from lambda_invoke.errors import Executed
from lambda_invoke.testing.contract_cases import PATIENCE, Case, Suite, soon

SHORT = 0.5
"""Seconds of a timeout that is to pass."""
LONG = 60.0
"""Seconds of a timeout that is not."""

PAYLOADS = {
    "object": b'{"a": [1, 2.5, null, true]}',
    "null": b"null",
    "empty text": b'""',
    "unicode": '{"gr\u00fc\u00dfe": "\u4f60\u597d \U0001f600 \u0000"}'.replace("\x00", "\\u0000").encode(),
    "a megabyte": json.dumps("x" * 1_000_000).encode(),
    "as much as Lambda takes": b'"' + b"y" * (6_291_456 - 2) + b'"',
}


class AnswerTests(Suite):
    """Part of the contract."""

    @pytest.mark.parametrize("name", list(PAYLOADS))
    def test_a_reply_is_brought_whole(self, name: str) -> None:
        """Whatever the payload, its bytes come and go unchanged, and the function runs once."""
        with self.made(Case.ECHO) as other:
            (reply,) = self.sends(other, other.request(payload=PAYLOADS[name]), timeout=LONG)
            assert isinstance(reply, Reply)
            assert json.loads(reply.body) == json.loads(PAYLOADS[name])
            assert (reply.status_code, reply.function_error) == (200, None)
            assert reply.request_id
            assert reply.executed_version
            assert other.executions() == 1

    def test_no_payload_is_a_request_without_a_body(self) -> None:
        """It is sent, and answered, as any other."""
        with self.made(Case.ECHO) as other:
            (reply,) = self.sends(other, other.request(payload=None), timeout=LONG)
            assert isinstance(reply, Reply)
            assert json.loads(reply.body) in (None, {})
            assert other.executions() == 1

    def test_a_request_arrives_whole(self) -> None:
        """Its qualifier, type and payload, and whatever else it may say."""
        with self.made(Case.ECHO) as other:
            if other.received is None:
                pytest.skip("the other side does not tell what it received")
            context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
            said = {"log_tail": True, "client_context": context, "tenant_id": "blue"}
            for request in (
                other.request(qualifier="live", **said),
                other.request(qualifier="1", durable_execution_name="order-17"),
                other.request(invocation_type=InvocationType.EVENT),
            ):
                self.sends(other, request, timeout=LONG)
                came = other.received()
                assert parse_target(came.function).name == other.function
                assert attrs.evolve(came, function=request.function, display=request.display) == request
                assert came.payload == request.payload

    def test_a_log_comes_only_if_it_was_asked_for(self) -> None:
        """Without ``log_tail`` there is none."""
        with self.made(Case.ECHO) as other:
            (reply,) = self.sends(other, other.request(), timeout=LONG)
            assert isinstance(reply, Reply)
            assert reply.log_result is None

    def test_request_ids_differ(self) -> None:
        """Each request has one of its own."""
        with self.made(Case.ECHO) as other:
            replies = self.sends(other, other.request(), other.request(), other.request(), timeout=LONG)
            ids = {reply.request_id for reply in replies if isinstance(reply, Reply)}
            assert len(ids) == len(replies)

    def test_calls_at_once_get_their_own_answers(self) -> None:
        """Threads, or tasks, that share the transport do not get each other's replies."""
        count = 24
        with self.made(Case.ECHO) as other:
            requests = [other.request(payload=b'{"n": %d}' % number) for number in range(count)]
            replies = self.sends(other, *requests, timeout=LONG)
            bodies = [json.loads(reply.body) for reply in replies if isinstance(reply, Reply)]
            assert bodies == [{"n": number} for number in range(count)]
            assert other.executions() == count

    def test_a_function_error_is_a_reply(self) -> None:
        """200 with ``function_error`` and the error document; the function ran."""
        with self.made(Case.HANDLER_ERROR) as other:
            (reply,) = self.sends(other, other.request(), timeout=LONG)
            assert isinstance(reply, Reply)
            assert reply.status_code == 200  # noqa: PLR2004 - of HTTP
            assert reply.function_error
            assert "errorMessage" in json.loads(reply.body)
            assert other.executions() == 1

    def test_an_event_is_accepted(self) -> None:
        """202 with a request id and no payload; it runs by itself."""
        with self.made(Case.ECHO) as other:
            (reply,) = self.sends(other, other.request(invocation_type=InvocationType.EVENT), timeout=LONG)
            assert isinstance(reply, Reply)
            assert (reply.status_code, reply.body) == (202, b"")
            assert reply.request_id
            soon(lambda: other.executions() == 1)

    def test_a_dry_run_runs_nothing(self) -> None:
        """204 for a function that may be invoked."""
        with self.made(Case.ECHO) as other:
            (reply,) = self.sends(other, other.request(invocation_type=InvocationType.DRY_RUN), timeout=LONG)
            assert isinstance(reply, Reply)
            assert (reply.status_code, reply.body) == (204, b"")
            assert other.executions() == 0

    @pytest.mark.parametrize(
        ("case", "status_code", "code"),
        [
            (Case.THROTTLED, 429, "TooManyRequestsException"),
            (Case.NOT_FOUND, 404, "ResourceNotFoundException"),
            (Case.DENIED, 403, "AccessDeniedException"),
            (Case.BAD_REQUEST, 400, None),
            (Case.FAULT, 500, "ServiceException"),
        ],
    )
    def test_a_refusal_is_an_answer(self, case: Case, status_code: int, code: str | None) -> None:
        """Status and code as they came, a request id, what a 429 says; sent once, and nothing ran."""
        with self.made(case) as other:
            (refusal,) = self.sends(other, other.request(), timeout=LONG)
            assert isinstance(refusal, Refusal)
            assert refusal.status_code == status_code
            assert code in {None, refusal.code}
            assert refusal.request_id
            if case is Case.THROTTLED:
                assert refusal.reason == other.reason
                assert refusal.retry_after == other.retry_after
            assert other.executions() == 0
            assert other.requests is None or other.requests() == 1

    def test_no_connection_is_known_to_have_run_nothing(self) -> None:
        """CONNECT, and NO."""
        with self.made(Case.UNREACHABLE) as other:
            (failure,) = self.sends(other, other.request(), timeout=LONG)
            assert isinstance(failure, Failure)
            assert (failure.kind, failure.executed) == (FailureKind.CONNECT, Executed.NO)
            assert failure.message
            assert other.executions() == 0

    @pytest.mark.parametrize(
        ("case", "kind", "executions"),
        [
            (Case.DROPPED_BEFORE, FailureKind.LOST, 0),
            (Case.DROPPED_AFTER, FailureKind.LOST, 1),
            (Case.TRUNCATED, FailureKind.TRUNCATED, 1),
        ],
    )
    def test_a_lost_reply_leaves_it_open_whether_it_ran(
        self, case: Case, kind: FailureKind, executions: int
    ) -> None:
        """UNKNOWN; sent once, whatever the layers below would rather do."""
        with self.made(case) as other:
            (failure,) = self.sends(other, other.request(), timeout=LONG)
            assert isinstance(failure, Failure)
            assert (failure.kind, failure.executed) == (kind, Executed.UNKNOWN)
            assert failure.message
            assert other.executions() == executions
            assert other.requests is None or other.requests() == 1

    @pytest.mark.parametrize("which", ["timeout", "remaining"])
    def test_no_reply_in_time_is_a_timeout(self, which: str) -> None:
        """The nearer of timeout and deadline bounds the attempt; UNKNOWN, for the function was begun."""
        with self.made(Case.HANGS) as other:
            short = SHORT
            while True:
                bounds = {"timeout": LONG, "remaining": LONG} | {which: short}
                (failure,) = self.sends(other, other.request(), **bounds)
                assert isinstance(failure, Failure)
                if failure.executed is not Executed.NO or short > PATIENCE:
                    break
                short *= 2  # a busy machine: the time had passed before anything was sent, and it says so
            assert (failure.kind, failure.executed) == (FailureKind.TIMEOUT, Executed.UNKNOWN)
            soon(lambda: other.executions() == 1)

    def test_closing_twice_is_no_error(self) -> None:
        """A transport that was used is closed, and closed again."""
        with self.made(Case.ECHO) as other:
            self.sends(other, other.request(), timeout=LONG)
            self.closes(other)
            self.closes(other)
