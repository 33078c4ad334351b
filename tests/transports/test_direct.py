"""The direct transport against the scripted server: what is known of each way an attempt can end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke import Executed, Failure, FailureKind, Refusal, Reply, Request
from lambda_invoke.core.transport import InvocationType
from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
from lambda_invoke.transports.botocore import BotocoreTransport
from lambda_invoke.transports.choice import ChosenTransport
from lambda_invoke.transports.direct import DirectTransport
from lambda_invoke.transports.threads import was_unsent
from tests.support.aio import until
from tests.support.aws import session
from tests.support.patience import PATIENCE
from tests.support.server import (
    Accept,
    Certificate,
    Ending,
    ScriptedServer,
    Step,
    close_idle,
    closing,
    delay,
    drop_after_executing,
    drop_before_executing,
    error,
    gate,
    hang,
    ok,
    raw,
    reset,
    reset_idle,
    stall,
    throttle,
    trickle,
    trickle_headers,
    truncate,
    truncate_chunked,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from lambda_invoke.core.transport import Answer

"""Seconds that a busy machine may add."""


@attrs.frozen
class Opened:
    """Both transports over one client of the library's own."""

    built: BuiltClients
    direct: DirectTransport
    blocking: BotocoreTransport
    chosen: ChosenTransport


class Opener:
    """Opens both transports for a server or a URL, and closes what they stand on."""

    def __init__(self) -> None:
        self._built: list[BuiltClients] = []

    def __call__(self, url: str, *, slots: int = 4) -> Opened:
        built = BuiltClients(AwsConfig(session=session(), endpoint_url=url), max_concurrency=slots)
        self._built.append(built)
        blocking = BotocoreTransport(built.invoke, slots=slots, bounded=True)
        return Opened(
            built,
            DirectTransport(built.invoke, slots=slots),
            blocking,
            ChosenTransport(built, blocking, slots=slots),
        )

    def close(self) -> None:
        for built in self._built:
            built.close()


@pytest.fixture
def opened() -> Iterator[Opener]:
    opener = Opener()
    yield opener
    opener.close()


def a_request(payload: bytes | None = b"1", **fields: Any) -> Request:
    return Request("f", "f", payload=payload, **fields)


def send(
    transport: DirectTransport | ChosenTransport,
    request: Request | None = None,
    *,
    timeout: float | None = None,
    remaining: float | None = None,
    times: int = 1,
) -> list[Answer]:
    """Send on a loop of its own, one after another."""

    async def all_of_them() -> list[Answer]:
        return [await transport.send(request or a_request(), timeout, remaining) for _ in range(times)]

    return asyncio.run(all_of_them())


# The same over both transports


BODY = b'"' + b"0123456789" * 300 + b'"'
NOT_FOUND = error(404, "ResourceNotFoundException", "a message long enough to be cut " * 100)
FAULT = error(500, "ServiceException", "a message long enough to be cut " * 100)


def cut(step: Step, after_bytes: int, *, chunked: bool = False) -> Step:
    framing = ok(chunked=True).framing if chunked else step.framing
    return attrs.evolve(step, framing=framing, sent_bytes=after_bytes, ending=Ending.CLOSE, executes=True)


def http(*lines: str, body: str = "", ending: Ending = Ending.CLOSE) -> Step:
    return raw(("".join(f"{line}\r\n" for line in lines) + "\r\n" + body).encode(), ending=ending)


ANSWERED: dict[str, tuple[Step, type[Reply | Refusal]]] = {
    "ok": (ok(BODY), Reply),
    "empty": (ok(b""), Reply),
    "chunked": (ok(BODY, chunked=True), Reply),
    "large": (ok(b'"' + b"x" * 3_000_000 + b'"'), Reply),
    "a log": (ok(BODY, log_result="END RequestId: 1", executed_version="7"), Reply),
    "a function error": (ok(b'{"errorMessage": "m"}', function_error="Unhandled"), Reply),
    "closing": (closing(ok(BODY)), Reply),
    "closed when idle": (close_idle(ok(BODY)), Reply),
    "100 Continue": (
        http("HTTP/1.1 100 Continue", "", "HTTP/1.1 200 OK", "Content-Length: 1", body="7"),
        Reply,
    ),
    "surplus bytes": (http("HTTP/1.1 200 OK", "Content-Length: 1", body="7HTTP/1.1"), Reply),
    "HTTP/1.0": (http("HTTP/1.0 200 OK", "Content-Length: 1", body="7"), Reply),
    "throttled": (throttle(retry_after=3), Refusal),
    "throttled without a wait": (throttle("CallerRateLimitExceeded"), Refusal),
    "a 404": (NOT_FOUND, Refusal),
    "a 500": (FAULT, Refusal),
    "a chunked 500": (attrs.evolve(FAULT, framing=ok(chunked=True).framing), Refusal),
}
LOST, TRUNCATED, TIMEOUT = FailureKind.LOST, FailureKind.TRUNCATED, FailureKind.TIMEOUT
BROKEN: dict[str, tuple[Step, FailureKind]] = {
    "dropped before it ran": (drop_before_executing(), LOST),
    "dropped after it ran": (drop_after_executing(), LOST),
    "reset": (reset(), LOST),
    "reset before it ran": (reset(executes=False), LOST),
    "no byte of the body": (truncate(BODY, 0), TRUNCATED),
    "half the body": (truncate(BODY, 1500), TRUNCATED),
    "all but one byte": (truncate(BODY, len(BODY) - 1), TRUNCATED),
    "a body that is JSON where it is cut": (truncate(b"12345", 2), TRUNCATED),
    "a function error": (cut(ok(BODY, function_error="Unhandled"), 1500), TRUNCATED),
    "inside a chunk": (truncate_chunked(BODY, 1500), TRUNCATED),
    "between chunks": (truncate_chunked(BODY, 1024 + len("400\r\n\r\n")), TRUNCATED),
    "before the last chunk": (truncate_chunked(b'"abc"', 10), TRUNCATED),
    "a 404": (cut(NOT_FOUND, 50), TRUNCATED),
    "a 404 without its body": (cut(NOT_FOUND, 0), TRUNCATED),
    "a chunked 404": (cut(NOT_FOUND, 50, chunked=True), TRUNCATED),
    "a 429": (cut(throttle(), 5), TRUNCATED),
    "a chunked 429": (cut(throttle(), 5, chunked=True), TRUNCATED),
    "a 500": (cut(FAULT, 50), TRUNCATED),
    "inside the status line": (raw(b"HTTP/1.1 2"), TRUNCATED),
    "inside the headers": (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), TRUNCATED),
    "after the headers": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"), TRUNCATED),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), TRUNCATED),
    "garbage": (raw(bytes(range(256))), TRUNCATED),
}
SLOW: dict[str, Step] = {
    "no answer": hang(),
    "late answer": delay(5.0, ok(BODY)),
    "body stalls": stall(BODY, 5),
    "body trickles": trickle(BODY, 0.05),
    "head trickles": trickle_headers(BODY, 0.05),
    "chunks trickle": attrs.evolve(ok(BODY, chunked=True), interval=0.05),
    "refusal trickles": attrs.evolve(NOT_FOUND, interval=0.05, executes=True),
}
PLAIN_AND_TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


def over_both(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, step: Step, *, tls: bool, timeout: float | None = None
) -> tuple[Answer, Answer, tuple[int, int], tuple[int, int]]:
    """Send once over direct and once over botocore: the answers, and what each server counted."""
    counted = []
    answers: list[Answer] = []
    for over in ("direct", "botocore"):
        with ScriptedServer([step], tls=tls) as server:
            monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
            both = opened(server.url)
            if over == "direct":
                answers += send(both.direct, timeout=timeout)
            else:
                answers.append(both.blocking.send(a_request(), timeout, None))
            counted.append((server.requests, server.executions))
    return answers[0], answers[1], counted[0], counted[1]


def nameless(answer: Answer) -> Answer:
    """Without the request's id, which is never the same twice."""
    return answer if isinstance(answer, Failure) else attrs.evolve(answer, request_id=None)


@PLAIN_AND_TLS
@pytest.mark.parametrize("name", ANSWERED)
def test_a_whole_answer_is_the_same_over_both(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, name: str, tls: bool
) -> None:
    """Status, body, headers, code, reason and wait: direct reads what botocore reads."""
    step, kind = ANSWERED[name]
    direct, botocore, counted, counted_there = over_both(opened, monkeypatch, step, tls=tls)
    assert type(direct) is kind
    assert nameless(direct) == nameless(botocore)
    assert counted == counted_there


def test_a_refusal_that_is_no_json(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something between answers in HTML: a Refusal with its status over both, whatever its code is called."""
    step = attrs.evolve(ok(b"<html>Bad Gateway</html>"), status=502)
    direct, botocore, *_ = over_both(opened, monkeypatch, step, tls=False)
    assert isinstance(direct, Refusal)
    assert isinstance(botocore, Refusal)
    assert direct.status_code == botocore.status_code == 502


@PLAIN_AND_TLS
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_the_same_over_both(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, name: str, tls: bool
) -> None:
    """It may have run; which kind of failure it is does not hang on the transport either."""
    step, kind = BROKEN[name]
    direct, botocore, counted, counted_there = over_both(opened, monkeypatch, step, tls=tls)
    assert isinstance(direct, Failure)
    assert isinstance(botocore, Failure)
    assert (direct.kind, direct.executed) == (kind, Executed.UNKNOWN)
    assert (botocore.kind, botocore.executed) == (kind, Executed.UNKNOWN)
    assert direct.message
    assert direct.cause is not None
    assert counted == counted_there
    assert counted[0] == 1


@PLAIN_AND_TLS
@pytest.mark.parametrize("name", SLOW)
def test_an_attempt_ends_at_its_timeout(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, name: str, tls: bool
) -> None:
    """Whatever of the reply is late, trickled bytes included: TIMEOUT in time, one execution, UNKNOWN."""
    with ScriptedServer([SLOW[name]], tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        direct = opened(server.url).direct
        began = time.monotonic()
        (answer,) = send(direct, timeout=0.5)
        assert 0.5 <= time.monotonic() - began < 0.5 + PATIENCE
        assert isinstance(answer, Failure)
        assert (answer.kind, answer.executed) == (TIMEOUT, Executed.UNKNOWN)
        assert server.requests == server.executions == 1
        server.wait_until(lambda s: s.open_connections == 0)  # it is not used again


@PLAIN_AND_TLS
@pytest.mark.parametrize("accept", [Accept.CLOSE, Accept.RESET], ids=lambda accept: accept.name)
def test_a_connection_that_ends_as_soon_as_it_is_there(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, accept: Accept, tls: bool
) -> None:
    """Nothing ran. Direct may know it; it never says so more boldly than the server can bear out."""
    with ScriptedServer(accept=[accept], tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        for answer in send(opened(server.url).direct, times=5):
            assert isinstance(answer, Failure)
            assert answer.kind in {FailureKind.CONNECT, LOST}
            assert (answer.executed is Executed.NO) == (answer.kind is FailureKind.CONNECT)
        assert server.executions == 0


def test_a_port_that_refuses(opened: Opener) -> None:
    """No connection: CONNECT and NO, as over botocore; when the port opens, the next one is served."""
    with ScriptedServer(refusing=True) as server:
        both = opened(server.url)
        answers = [*send(both.direct), both.blocking.send(a_request(), None, None)]
        for answer in answers:
            assert isinstance(answer, Failure)
            assert (answer.kind, answer.executed) == (FailureKind.CONNECT, Executed.NO)
        server.accept_connections()
        assert isinstance(send(both.direct)[0], Reply)


def test_a_name_that_does_not_resolve(opened: Opener) -> None:
    """That is no connection either."""
    (answer,) = send(opened("http://lambda.invalid").direct)
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.executed) == (FailureKind.CONNECT, Executed.NO)


@pytest.mark.parametrize(
    "certificate", [Certificate.WRONG_HOST, Certificate.EXPIRED, Certificate.UNTRUSTED], ids=lambda c: c.name
)
def test_a_bad_certificate(opened: Opener, monkeypatch: pytest.MonkeyPatch, certificate: Certificate) -> None:
    """Nothing is sent to whom the certificate does not speak for."""
    with ScriptedServer(tls=certificate) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        (answer,) = send(opened(server.url).direct)
        assert isinstance(answer, Failure)
        assert (answer.kind, answer.executed) == (FailureKind.CONNECT, Executed.NO)
        assert server.requests == 0


@pytest.mark.parametrize(
    ("request_", "status", "told"),
    [
        (a_request(), 200, {"x-amz-log-type": None, "x-amz-invocation-type": None}),
        (a_request(None), 200, {"content-length": "0"}),
        (a_request(log_tail=True), 200, {"x-amz-log-type": "Tail"}),
        (a_request(invocation_type=InvocationType.EVENT), 202, {"x-amz-invocation-type": "Event"}),
        (a_request(invocation_type=InvocationType.DRY_RUN), 204, {"x-amz-invocation-type": "DryRun"}),
        (a_request(qualifier="a/b"), 200, {}),
        (a_request(tenant_id="t 1"), 200, {"x-amz-tenant-id": "t 1"}),
    ],
    ids=["plain", "no payload", "log", "event", "dry run", "qualifier", "tenant"],
)
def test_what_is_asked_for_arrives(
    opened: Opener, request_: Request, status: int, told: dict[str, str | None]
) -> None:
    """Type, qualifier and options are those of the request, and equal what botocore sends."""
    with ScriptedServer() as server:
        both = opened(server.url)
        (answer,) = send(both.direct, request_)
        both.blocking.send(request_, None, None)
        assert isinstance(answer, Reply)
        assert answer.status_code == status
        direct, botocore = server.calls
        assert {name: direct.headers.get(name) for name in told} == told
        assert (direct.target, direct.body) == (botocore.target, botocore.body)
        own = {"amz-sdk-invocation-id", "amz-sdk-request", "authorization", "x-amz-date", "user-agent"}
        assert {k: v for k, v in direct.headers.items() if k not in own} == {
            k: v for k, v in botocore.headers.items() if k not in own
        }


def test_what_cannot_be_sent_is_refused_here(opened: Opener) -> None:
    """A line break in a header: REQUEST and NO; the connection goes on to serve the next."""
    with ScriptedServer() as server:
        direct = opened(server.url, slots=1).direct

        async def both() -> tuple[Answer, Answer]:
            bad = await direct.send(a_request(tenant_id="a\r\nb"), None, None)
            return bad, await direct.send(a_request(), None, 5)

        bad, good = asyncio.run(both())
        assert isinstance(bad, Failure)
        assert (bad.kind, bad.executed) == (FailureKind.REQUEST, Executed.NO)
        assert isinstance(good, Reply)
        assert server.requests == server.connections == 1


# Connections


@PLAIN_AND_TLS
def test_a_connection_is_used_again(opened: Opener, monkeypatch: pytest.MonkeyPatch, tls: bool) -> None:
    """Twenty calls, one connection; results, refusals and events alike."""
    with ScriptedServer([ok(BODY), NOT_FOUND, throttle(), FAULT, ok(chunked=True)] * 4, tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        assert len(send(opened(server.url).direct, times=20)) == 20
        assert server.connections == 1


@PLAIN_AND_TLS
@pytest.mark.parametrize(
    "ending",
    # A reset takes with it what of the reply the client has not read yet, which a busy machine keeps waiting.
    [close_idle, functools.partial(reset_idle, after=1.0), closing],
    ids=["close_idle", "reset_idle", "closing"],
)
def test_a_connection_that_ends_after_its_reply(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, ending: Callable[[Step], Step], tls: bool
) -> None:
    """Each of the next calls has one of its own, and succeeds: each ran once."""
    with ScriptedServer([ending(ok(BODY))], tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        direct = opened(server.url).direct

        async def three() -> None:
            for number in range(1, 4):
                assert isinstance(await direct.send(a_request(), None, 5), Reply)
                await until(lambda: not server.open_connections)
                assert server.connections == number

        asyncio.run(three())
        assert server.executions == 3


@PLAIN_AND_TLS
@pytest.mark.parametrize("hard", [False, True], ids=["closed", "reset"])
def test_a_connection_that_ended_while_the_loop_was_busy(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, hard: bool, tls: bool
) -> None:
    """The system knows of the FIN, the loop not yet: the request is not written to a dead connection."""
    with ScriptedServer(tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        direct = opened(server.url).direct

        async def two() -> Answer:
            await direct.send(a_request(), None, 5)
            assert server.close_idle_connections(reset=hard) == 1  # blocks the loop until it is done
            time.sleep(0.05)  # noqa: ASYNC251 - over loopback the FIN needs far less
            return await direct.send(a_request(b"2"), None, 5)

        answer = asyncio.run(two())
        assert isinstance(answer, Reply), answer
        assert answer.body == b"2"
        assert (server.connections, server.executions) == (2, 2)


def test_a_stuck_call_does_not_wedge_the_pool(opened: Opener) -> None:
    """With one connection and a stuck handler the next call's deadline is kept, and it was not sent."""
    open_ = threading.Event()
    with ScriptedServer([gate(open_, ok(b"1"))]) as server:
        direct = opened(server.url, slots=1).direct

        async def stuck() -> None:
            first = asyncio.create_task(direct.send(a_request(), None, None))
            await until(lambda: server.executions)
            began = time.monotonic()
            late = await direct.send(a_request(), None, 0.1)
            assert time.monotonic() - began < 0.1 + PATIENCE
            assert isinstance(late, Failure)
            assert (late.kind, late.executed) == (FailureKind.QUEUE, Executed.NO)
            assert server.requests == 1
            open_.set()
            assert isinstance(await first, Reply)
            assert isinstance(await direct.send(a_request(), None, 5), Reply)  # its turn was given back

        asyncio.run(stuck())
        assert server.connections == 1


@contextlib.contextmanager
def full_backlog() -> Iterator[str]:
    """A URL whose queue of connections is full: connecting to it takes for ever."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def silent_handshake() -> Iterator[str]:
    """A URL behind which connections are accepted, and nothing is said of TLS."""
    with ScriptedServer(accept=[Accept.NO_READ]) as server:
        yield f"https://127.0.0.1:{server.port}"


UNREACHABLE = pytest.mark.parametrize("place", [full_backlog, silent_handshake], ids=["connect", "handshake"])


@UNREACHABLE
def test_the_deadline_is_kept_while_connecting(opened: Opener, place: Any) -> None:
    """In the connect and in the handshake: it ends in time, with nothing sent."""
    with place() as url:
        direct = opened(url).direct

        async def once() -> tuple[Answer, float]:
            began = time.monotonic()
            answer = await direct.send(a_request(), None, 0.2)
            return answer, time.monotonic() - began

        answer, took = asyncio.run(once())
        assert took < 0.2 + PATIENCE
        assert isinstance(answer, Failure)
        assert answer.executed is Executed.NO


@UNREACHABLE
def test_connecting_has_a_timeout_of_its_own(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, place: Any
) -> None:
    """Without a deadline too it ends, and it counts apart from the reply's: CONNECT and NO."""
    monkeypatch.setattr("lambda_invoke.transports.direct.CONNECT_TIMEOUT", 0.2)
    with place() as url:
        (answer,) = send(opened(url).direct, timeout=0.01)
        assert isinstance(answer, Failure)
        assert (answer.kind, answer.executed) == (FailureKind.CONNECT, Executed.NO)


@UNREACHABLE
def test_closing_does_not_wait_for_a_connection(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, place: Any
) -> None:
    """``aclose`` while one is being opened returns at once, not after its connect time-out."""
    monkeypatch.setattr("lambda_invoke.transports.direct.CONNECT_TIMEOUT", PATIENCE + 1.5)
    with place() as url:
        direct = opened(url).direct

        async def close() -> float:
            task = asyncio.create_task(direct.send(a_request(), None, None))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            began = time.monotonic()
            await direct.aclose()
            return time.monotonic() - began

        assert asyncio.run(close()) < PATIENCE


@PLAIN_AND_TLS
def test_a_server_that_does_not_read(opened: Opener, monkeypatch: pytest.MonkeyPatch, tls: bool) -> None:
    """A payload that cannot be written in time ends at the timeout; it may have arrived: UNKNOWN."""
    with ScriptedServer(tls=tls, accept=[Accept.NO_READ], receive_buffer_bytes=4096) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        (answer,) = send(opened(server.url).direct, a_request(b"1" * 5_000_000), timeout=0.8)
        assert isinstance(answer, Failure)
        assert (answer.kind, answer.executed) == (TIMEOUT, Executed.UNKNOWN)


@PLAIN_AND_TLS
def test_a_large_payload_arrives_whole(opened: Opener, monkeypatch: pytest.MonkeyPatch, tls: bool) -> None:
    """Hashed off the loop and written in slices, what arrives is what was given, and so is the echo."""
    payload = b'"' + bytes(range(35, 91)) * 90_000 + b'"'
    with ScriptedServer(tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        (answer,) = send(opened(server.url).direct, a_request(payload), timeout=10)
        assert isinstance(answer, Reply)
        assert answer.body == payload
        assert server.calls[0].body == payload


# Deadlines that are over, and calls that are given up


@pytest.mark.parametrize("idle", [False, True], ids=["no connection", "an idle connection"])
def test_nothing_is_sent_after_the_deadline(opened: Opener, idle: bool) -> None:
    """A call whose deadline is over when it is its turn is not sent, also where a connection is at hand."""
    with ScriptedServer() as server:
        direct = opened(server.url).direct

        async def late() -> Answer:
            if idle:
                await direct.send(a_request(), None, 5)
            return await direct.send(a_request(), None, 0.0)

        answer = asyncio.run(late())
        assert isinstance(answer, Failure), answer
        assert (answer.kind, answer.executed) == (FailureKind.QUEUE, Executed.NO)
        assert server.requests == (1 if idle else 0)


@pytest.mark.parametrize("over", ["direct", "chosen"])
def test_making_the_client_counts_against_the_deadline(opened: Opener, over: str) -> None:
    """The first call finds its deadline over once the client is made: nothing of it is sent."""
    with ScriptedServer() as server:
        both = opened(server.url)
        make = both.built.invoke

        def slow() -> Any:
            time.sleep(0.3)
            return make()

        both.built.invoke = slow  # type: ignore[method-assign]
        transport = DirectTransport(both.built.invoke, slots=1) if over == "direct" else both.chosen
        (answer,) = send(transport, remaining=0.1)
        assert isinstance(answer, Failure), answer
        assert answer.executed is Executed.NO
        assert server.requests == 0


def give_up(
    start: Callable[[], Awaitable[Answer]], when: Callable[[], bool], then: Callable[[], Awaitable[None]]
) -> bool:
    """Cancel a send at a moment; whether it says that nothing was sent."""

    async def run() -> bool:
        task = asyncio.ensure_future(start())
        await until(when)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        await then()
        return was_unsent(caught.value)

    return asyncio.run(run())


async def nothing() -> None:
    pass


@pytest.mark.parametrize("over", ["direct", "chosen"])
def test_given_up_while_the_client_is_made(opened: Opener, over: str) -> None:
    """Nothing was sent, and it is known."""
    making, made = threading.Event(), threading.Event()
    with ScriptedServer() as server:
        both = opened(server.url)
        make = both.built.invoke

        def slow() -> Any:
            making.set()
            made.wait(5)
            return make()

        both.built.invoke = slow  # type: ignore[method-assign]
        transport = DirectTransport(slow, slots=1) if over == "direct" else both.chosen
        unsent = give_up(lambda: transport.send(a_request(), None, None), making.is_set, nothing)
        made.set()
        assert unsent
        assert server.requests == 0


@UNREACHABLE
def test_given_up_while_connecting(opened: Opener, monkeypatch: pytest.MonkeyPatch, place: Any) -> None:
    """Nothing was sent, and it is known; the slot comes back when the connection fails."""
    monkeypatch.setattr("lambda_invoke.transports.direct.CONNECT_TIMEOUT", 0.3)
    with place() as url:
        direct = opened(url, slots=1).direct
        began = time.monotonic()

        async def afterwards() -> None:
            answer = await direct.send(a_request(), None, 5)
            assert isinstance(answer, Failure)
            assert answer.kind is FailureKind.CONNECT

        assert give_up(
            lambda: direct.send(a_request(), None, None), lambda: time.monotonic() > began + 0.2, afterwards
        )


@PLAIN_AND_TLS
def test_given_up_while_it_runs(opened: Opener, monkeypatch: pytest.MonkeyPatch, tls: bool) -> None:
    """It was sent; its connection is closed and not used again, and the next call has one of its own."""
    with ScriptedServer([hang(), ok(b"2")], tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        direct = opened(server.url, slots=1).direct

        async def afterwards() -> None:
            answer = await direct.send(a_request(), None, 5)
            assert isinstance(answer, Reply)
            assert answer.body == b"2"
            await until(lambda: server.open_connections <= 1)

        assert not give_up(
            lambda: direct.send(a_request(), None, None), lambda: server.executions == 1, afterwards
        )
        assert (server.connections, server.executions) == (2, 2)


def test_given_up_in_the_queue(opened: Opener) -> None:
    """Nothing was sent, it is known, and the turn goes to the next in line."""
    open_ = threading.Event()
    with ScriptedServer([gate(open_, ok(b"1"))]) as server:
        direct = opened(server.url, slots=1).direct

        async def run() -> None:
            first = asyncio.create_task(direct.send(a_request(), None, None))
            await until(lambda: server.executions)
            second = asyncio.create_task(direct.send(a_request(), None, None))
            third = asyncio.create_task(direct.send(a_request(), None, 10))
            await asyncio.sleep(0.01)
            second.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await second
            assert was_unsent(caught.value)
            open_.set()
            assert isinstance(await first, Reply)
            assert isinstance(await third, Reply)

        asyncio.run(run())
        assert server.requests == 2


def test_closed_from_another_thread(opened: Opener) -> None:
    """What is in flight ends with an unknown outcome; the connections are gone."""
    with ScriptedServer([hang()]) as server:
        direct = opened(server.url).direct

        async def run() -> Answer:
            task = asyncio.create_task(direct.send(a_request(), None, None))
            await until(lambda: server.executions)
            thread = threading.Thread(target=direct.close)
            thread.start()
            answer = await task
            thread.join()
            return answer

        answer = asyncio.run(run())
        assert isinstance(answer, Failure)
        assert (answer.kind, answer.executed) == (LOST, Executed.UNKNOWN)
        server.wait_until(lambda s: s.open_connections == 0)
