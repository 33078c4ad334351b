"""The scripted server misbehaves as told and counts what it saw."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.patience import PATIENCE
from tests.support.process import ServerProcess
from tests.support.server import (
    Accept,
    Certificate,
    ScriptedServer,
    by_function,
    close_idle,
    closing,
    delay,
    drop_after_executing,
    drop_before_executing,
    echo,
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
from tests.support.tls import authority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Call, Step

PATH = "/2015-03-31/functions/{}/invocations"


@contextlib.contextmanager
def connected(server: ScriptedServer, timeout: float = 5.0) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    connection.connect()
    try:
        yield connection
    finally:
        connection.close()


def invoke(
    connection: http.client.HTTPConnection, body: bytes = b"1", function: str = "f", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection.request("POST", PATH.format(function), body=body, headers=headers)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def exchange(port: int, data: bytes) -> bytes:
    """Everything that the server sends for these bytes until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        sock.sendall(data)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_echo_and_counts() -> None:
    """By default a function answers its payload, and calls are counted, in all and by function."""
    with ScriptedServer() as server, connected(server) as connection:
        status, headers, body = invoke(connection, b'{"a": 1}', "one")
        invoke(connection, b"2", "two")
    assert (status, body, headers["x-amzn-RequestId"]) == (200, b'{"a": 1}', server.calls[0].request_id)
    assert (server.requests, server.executions, server.connections, server.max_in_flight) == (2, 2, 1, 1)
    assert server.by_function["one"].executions == server.by_function["two"].requests == 1
    assert server.in_flight == server.open_connections == 0


def test_call_is_what_was_sent() -> None:
    """Function, qualifier, headers, body and target reach the script decoded."""
    name = "arn:aws:lambda:us-east-1:123456789012:function:f"
    with ScriptedServer() as server, connected(server) as connection:
        connection.request(
            "POST",
            PATH.format(name.replace(":", "%3A")) + "?Qualifier=pr%24od",
            body=b"[1]",
            headers={"X-Y": "z"},
        )
        connection.getresponse().read()
    (call,) = server.calls
    assert (call.function, call.qualifier, call.headers["x-y"], call.json) == (name, "pr$od", "z", [1])
    assert (call.number, call.connection, call.method) == (1, 1, "POST")
    assert call.target.endswith("function%3Af/invocations?Qualifier=pr%24od")


def test_list_scripts_advance_and_repeat() -> None:
    """A list's steps are used in order and the last one repeats."""
    with ScriptedServer([throttle(), ok(b"1"), ok(b"2")]) as server, connected(server) as connection:
        answers = [invoke(connection)[2] for _ in range(4)]
    assert answers[1:] == [b"1", b"2", b"2"]
    assert (server.requests, server.executions) == (4, 3)


def test_scripts_by_function() -> None:
    """A list for a function advances with that function's calls; the others take the default."""
    script = by_function({"a": [ok(b"1"), ok(b"2")]}, default=[ok(b"other")])
    with ScriptedServer(script) as server, connected(server) as connection:
        answers = [invoke(connection, function=name)[2] for name in "axaxa"]
    assert answers == [b"1", b"other", b"2", b"other", b"2"]


@pytest.mark.parametrize(
    ("kind", "status", "executions"), [("RequestResponse", 200, 1), ("Event", 202, 1), ("DryRun", 204, 0)]
)
def test_status_follows_the_invocation_type(kind: str, status: int, executions: int) -> None:
    """An Event gets an empty 202, a dry run an empty 204 that executes nothing."""
    with ScriptedServer() as server, connected(server) as connection:
        answer = invoke(connection, b"1", **{"X-Amz-Invocation-Type": kind})
        assert (answer[0], answer[2]) == (status, b"1" if status == 200 else b"")
        assert invoke(connection)[0] == 200
    assert server.calls[0].invocation_type == kind
    assert server.by_function["f"].executions == executions + 1


def test_ok_headers() -> None:
    """Function errors, log results and versions go out as Lambda's headers."""
    step = ok(b"{}", function_error="Unhandled", log_result="END", executed_version="7", headers={"X-Z": "z"})
    with ScriptedServer([step]) as server, connected(server) as connection:
        _, headers, _ = invoke(connection)
    assert headers["X-Amz-Function-Error"] == "Unhandled"
    assert headers["X-Amz-Log-Result"] == "RU5E"
    assert (headers["X-Amz-Executed-Version"], headers["X-Z"]) == ("7", "z")


def test_errors_have_the_service_s_shape() -> None:
    """A refusal has its code in x-amzn-ErrorType and its reason in the body, and runs nothing."""
    steps = [
        throttle("CallerRateLimitExceeded", retry_after=2),
        error(500, "ServiceException", executes=True),
    ]
    with ScriptedServer(steps) as server, connected(server) as connection:
        status, headers, body = invoke(connection)
        assert server.executions == 0
        assert invoke(connection)[0] == 500
    assert (status, headers["x-amzn-ErrorType"], headers["Retry-After"]) == (
        429,
        "TooManyRequestsException",
        "2",
    )
    assert json.loads(body)["Reason"] == "CallerRateLimitExceeded"
    assert server.executions == 1


def test_limits_throttle_and_spare_the_script() -> None:
    """Past a limit the answer is 429 with Lambda's reason, and no step of the script is used up."""
    opened = threading.Event()
    script = [gate(opened, ok(b"first")), ok(b"second")]
    with (
        ScriptedServer(script, limit=2, limits={"g": 0}) as server,
        connected(server) as slow,
        connected(server) as fast,
    ):
        server.limit = 1
        slow.request("POST", PATH.format("f"), body=b"1")
        server.wait_until(lambda s: s.in_flight == 1)
        refused = json.loads(invoke(fast)[2])
        reserved = json.loads(invoke(fast, function="g")[2])
        opened.set()
        assert slow.getresponse().read() == b"first"
        assert invoke(fast)[2] == b"second"
    assert refused["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert reserved["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert (server.requests, server.executions, server.throttled, server.max_in_flight) == (4, 2, 2, 1)


def test_max_in_flight_counts_concurrency() -> None:
    """Functions that execute at one time are counted as such."""
    opened = threading.Event()
    with ScriptedServer([gate(opened, ok())]) as server, ThreadPoolExecutor(5) as pool:

        def one() -> int:
            with connected(server) as connection:
                return invoke(connection)[0]

        answers = [pool.submit(one) for _ in range(5)]
        server.wait_until(lambda s: s.in_flight == 5)
        opened.set()
        assert [answer.result() for answer in answers] == [200] * 5
    assert (server.max_in_flight, server.in_flight, server.connections) == (5, 0, 5)


def test_delay_executes_at_once() -> None:
    """A delayed function executes, and is in flight until its reply, even when its client is gone."""
    with ScriptedServer([delay(0.05, ok())]) as server:
        with connected(server) as connection:
            connection.request("POST", PATH.format("f"), body=b"1")
            server.wait_until(lambda s: s.executions == 1)
        server.wait_until(lambda s: s.open_connections == 0)
        assert server.in_flight == 1
        server.wait_until(lambda s: s.in_flight == 0)


BROKEN: dict[str, tuple[Step, int, type[Exception]]] = {
    "drop before": (drop_before_executing(), 0, http.client.RemoteDisconnected),
    "drop after": (drop_after_executing(), 1, http.client.RemoteDisconnected),
    "reset after": (reset(), 1, ConnectionResetError),
    "reset before": (reset(executes=False), 0, ConnectionResetError),
    "late drop": (delay(0.01, drop_after_executing()), 1, http.client.RemoteDisconnected),
    "late reset": (delay(0.01, reset()), 1, ConnectionResetError),
    "truncate": (truncate(b"0123456789", 4), 1, http.client.IncompleteRead),
    "truncate chunked": (truncate_chunked(b"0" * 3000, 1500), 1, http.client.IncompleteRead),
    "hang after": (hang(), 1, TimeoutError),
    "hang before": (hang(executes=False), 0, TimeoutError),
    "stall": (stall(b"0123456789", 4), 1, TimeoutError),
    "raw": (raw(b"HTTP/1.1 junk\r\n\r\n"), 1, http.client.BadStatusLine),
}


@pytest.mark.parametrize(("step", "executions", "expected"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("tls", [False, True])
def test_broken_answers(step: Step, executions: int, expected: type[Exception], tls: bool) -> None:
    """Each broken answer breaks in its own way, and the server knows whether the function ran."""
    with ScriptedServer([step], tls=tls) as server:
        context = ssl.create_default_context(cafile=server.ca_bundle)
        connection = (
            http.client.HTTPSConnection("localhost", server.port, timeout=0.3, context=context)
            if tls
            else http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.3)
        )
        with contextlib.closing(connection), pytest.raises(expected) as caught:
            invoke(connection)
        # RemoteDisconnected is a ConnectionResetError too, and what Python 3.11's ssl makes of an RST
        assert caught.type is expected or (tls and expected is ConnectionResetError)
        server.wait_until(lambda s: s.requests == 1)
    assert server.executions == executions
    assert server.in_flight == 0


def test_truncated_bytes_arrive() -> None:
    """What goes out before a truncation does reach the client."""
    with (
        ScriptedServer([truncate(b"0123456789", 4)]) as server,
        connected(server) as connection,
        pytest.raises(http.client.IncompleteRead) as caught,
    ):
        invoke(connection)
    assert (caught.value.partial, caught.value.expected) == (b"0123", 6)


@pytest.mark.parametrize(
    ("step", "at_least"), [(trickle(b"12345", 0.01), 0.04), (trickle_headers(b"1", 0.001), 0.05)]
)
def test_trickle(step: Step, at_least: float) -> None:
    """A trickled reply is whole, and comes a byte at a time."""
    with ScriptedServer([step]) as server, connected(server) as connection:
        began = time.monotonic()
        assert invoke(connection)[2] == step.body
        assert time.monotonic() - began >= at_least
        assert invoke(connection)[0] == 200


def test_chunked_replies_and_requests() -> None:
    """Chunked encoding is spoken both ways."""
    with ScriptedServer(lambda call: ok(call.body, chunked=True)) as server, connected(server) as connection:
        connection.request("POST", PATH.format("f"), body=iter([b"a" * 3000, b"b"]), encode_chunked=True)
        response = connection.getresponse()
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.read() == b"a" * 3000 + b"b"
        assert invoke(connection, b"again")[2] == b"again"


def test_expect_continue() -> None:
    """A client that waits for 100 Continue gets it before its body is read."""
    head = f"POST {PATH.format('f')} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n".encode()
    with (
        ScriptedServer() as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as sock,
    ):
        sock.sendall(head)
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert server.requests == 0
        sock.sendall(b"[1]")
        assert sock.recv(1000).endswith(b"[1]")


@pytest.mark.parametrize("step", [close_idle(), close_idle(after=0.01), reset_idle(after=1.0)])
def test_connections_that_close_after_a_reply(step: Step) -> None:
    """The reply promises keep-alive, and the connection is closed all the same."""
    with ScriptedServer([step]) as server, connected(server) as connection:
        status, headers, _ = invoke(connection)
        assert (status, headers["Connection"]) == (200, None)
        server.wait_until(lambda s: s.open_connections == 0)


def test_closing_says_so() -> None:
    """An announced close has its header."""
    with ScriptedServer([closing(ok(b"1"))]) as server, connected(server) as connection:
        _, headers, body = invoke(connection)
        assert (headers["Connection"], body) == ("close", b"1")
        server.wait_until(lambda s: s.open_connections == 0)


@pytest.mark.parametrize("reset", [False, True])
def test_idle_connections_can_be_closed(reset: bool) -> None:
    """Idle connections are closed on demand; one that waits for its reply is not idle."""
    opened = threading.Event()
    with (
        ScriptedServer([ok(), gate(opened, ok(b"late"))]) as server,
        connected(server) as idle,
        connected(server) as busy,
    ):
        invoke(idle)
        busy.request("POST", PATH.format("f"), body=b"1")
        server.wait_until(lambda s: s.in_flight == 1)
        assert server.close_idle_connections(reset=reset) == 1
        assert idle.sock is not None
        if reset:
            with pytest.raises(ConnectionResetError):
                idle.sock.recv(1)
        else:
            assert idle.sock.recv(1) == b""
        opened.set()
        assert busy.getresponse().read() == b"late"


def test_refusing_then_accepting() -> None:
    """A refusing server refuses until it is told to accept, and again when told to refuse."""
    with ScriptedServer(refusing=True) as server:
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError), connected(server):
                pass
        server.accept_connections()
        with connected(server) as connection:
            assert invoke(connection)[0] == 200
            server.refuse_connections()
            assert invoke(connection)[0] == 200  # the open one stays
            with pytest.raises(ConnectionRefusedError), connected(server):
                pass
        server.accept_connections()
        with connected(server) as connection:
            assert invoke(connection)[0] == 200
    assert server.connections == 2


def test_accept_modes() -> None:
    """Connections may be closed, reset or left unread, in order; the last mode repeats."""
    modes = (Accept.CLOSE, Accept.RESET, Accept.NORMAL)
    with ScriptedServer(accept=modes) as server:
        with (
            pytest.raises((http.client.RemoteDisconnected, ConnectionError)),
            connected(server) as connection,
        ):
            invoke(connection)
        with pytest.raises(ConnectionResetError), connected(server) as connection:
            server.wait_until(lambda s: s.connections == 2 and s.open_connections == 0)
            invoke(connection)
        for _ in range(2):
            with connected(server) as connection:
                assert invoke(connection)[0] == 200
    assert (server.connections, server.requests) == (4, 2)


def test_no_read_blocks_the_writer() -> None:
    """A server that never reads lets a large write block until the client's own timeout."""
    with (
        ScriptedServer(accept=lambda _number: Accept.NO_READ, receive_buffer_bytes=4096) as server,
        connected(server, timeout=0.2) as connection,
        pytest.raises(TimeoutError),
    ):
        invoke(connection, b"x" * 16_000_000)
    assert server.requests == 0


def test_tls_is_verified_by_the_bundle() -> None:
    """The good certificate holds for address and name, under the bundle alone."""
    with ScriptedServer(tls=True) as server:
        context = ssl.create_default_context(cafile=server.ca_bundle)
        for host in ("127.0.0.1", "localhost"):
            connection = http.client.HTTPSConnection(host, server.port, context=context, timeout=PATIENCE)
            with contextlib.closing(connection):
                assert invoke(connection)[0] == 200
        strangers = http.client.HTTPSConnection("localhost", server.port, timeout=PATIENCE)
        with contextlib.closing(strangers), pytest.raises(ssl.SSLCertVerificationError):
            strangers.connect()
    assert server.url == f"https://127.0.0.1:{server.port}"
    assert (server.connections, server.requests) == (3, 2)


@pytest.mark.parametrize("certificate", [kind for kind in Certificate if kind is not Certificate.GOOD])
def test_bad_certificates_are_refused(certificate: Certificate) -> None:
    """Each bad certificate fails verification."""
    with ScriptedServer(tls=certificate) as server:
        context = ssl.create_default_context(cafile=server.ca_bundle)
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=PATIENCE)
        with contextlib.closing(connection), pytest.raises(ssl.SSLCertVerificationError):
            connection.connect()


def test_client_certificates() -> None:
    """A server that asks for a client's certificate takes the authority's own, and no connection without."""
    with ScriptedServer(tls=True, client_cert=True) as server:
        for chain in (None, authority().client_cert):
            context = ssl.create_default_context(cafile=server.ca_bundle)
            if chain is not None:
                context.load_cert_chain(chain)
            connection = http.client.HTTPSConnection(
                "127.0.0.1", server.port, context=context, timeout=PATIENCE
            )
            expected = pytest.raises(OSError) if chain is None else contextlib.nullcontext()
            with contextlib.closing(connection), expected:
                assert invoke(connection)[0] == 200
    assert server.requests == 1


def test_a_handshake_on_a_plain_port_fails() -> None:
    """TLS spoken to a plain server fails as TLS, at once."""
    with ScriptedServer() as server:
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=PATIENCE)
        with contextlib.closing(connection), pytest.raises(ssl.SSLError):
            connection.connect()


@pytest.mark.parametrize("data", [b"junk\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"])
def test_what_is_no_request_is_a_400(data: bytes) -> None:
    """Garbage is answered 400, and the connection closed."""
    with ScriptedServer() as server:
        assert exchange(server.port, data).startswith(b"HTTP/1.1 400 ")
    assert server.requests == 0


def test_absolute_form_is_understood() -> None:
    """A request as sent to an HTTP proxy is an invocation too, and its target shows the form."""
    target = f"http://lambda.example{PATH.format('f')}"
    with ScriptedServer([closing(ok(b"7"))]) as server:
        answer = exchange(server.port, f"POST {target} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode())
    assert answer.endswith(b"7")
    assert (server.calls[0].function, server.calls[0].target) == ("f", target)


def test_control_plane() -> None:
    """Other paths answer from the control plane, and are no invocations."""
    listing = "/2015-03-31/functions"
    answers = {
        f"{listing}/": {"Functions": []},
        f"{listing}/f/configuration": error(403, "AccessDeniedException"),
        f"{listing}/g": lambda call: ok(json.dumps(dict(call.query)).encode()),
    }
    with ScriptedServer(control_plane=answers) as server, connected(server) as connection:
        got = []
        for path in (listing, f"{listing}/f/configuration", f"{listing}/g?Qualifier=1", f"{listing}/h"):
            connection.request("GET", path)
            response = connection.getresponse()
            got.append((response.status, response.headers["x-amzn-ErrorType"], json.loads(response.read())))
    assert got[0] == (200, None, {"Functions": []})
    assert got[1][:2] == (403, "AccessDeniedException")
    assert got[2] == (200, None, {"Qualifier": "1"})
    assert got[3][:2] == (404, "ResourceNotFoundException")
    assert (server.requests, server.control_requests, len(server.control_calls)) == (0, 4, 4)


def test_unrecorded_calls_are_counted() -> None:
    """Without recording, nothing is kept and everything is counted."""
    with ScriptedServer(record=False) as server, connected(server) as connection:
        invoke(connection)
    assert (server.calls, server.requests) == ([], 1)


def test_a_script_that_raises_is_heard() -> None:
    """An exception of the script is a 500 for the client and is raised when the server stops."""

    def script(_call: Call) -> Step:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ScriptedServer(script) as server, connected(server) as connection:
        assert invoke(connection)[0] == 500


def test_a_test_s_own_error_comes_first() -> None:
    """What failed in the test is not hidden by what the script raised."""

    def script(_call: Call) -> Step:
        raise ZeroDivisionError

    with pytest.raises(KeyError), ScriptedServer(script) as server, connected(server) as connection:
        invoke(connection)
        raise KeyError


def test_stop_leaves_nothing_behind() -> None:
    """Stopping drops what hangs or waits at a gate, and leaves no thread."""
    before = threading.active_count()
    scripts = [hang(), gate(threading.Event(), ok()), delay(60, ok()), stall(b"12", 1)]
    with ScriptedServer(scripts, tls=False) as server, contextlib.ExitStack() as stack:
        for number in range(len(scripts)):
            connection = stack.enter_context(connected(server))
            connection.request("POST", PATH.format("f"), body=b"1")
            server.wait_until(lambda s, n=number: s.executions == n + 1)  # type: ignore[misc]
        server.stop()
        assert (server.open_connections, threading.active_count()) == (0, before)


def test_wait_until_gives_up() -> None:
    """A predicate that never holds fails the test."""
    with ScriptedServer() as server, pytest.raises(AssertionError, match="not so"):
        server.wait_until(lambda s: s.requests == 1, timeout=0.01)


def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests that come in one piece are answered one after another."""
    one = f"POST {PATH.format('f')} HTTP/1.1\r\nContent-Length: 1\r\n\r\n"
    script = [delay(0.01, ok(b"A")), closing(ok(b"B"))]
    with ScriptedServer(script) as server:
        answer = exchange(server.port, f"{one}1{one}2".encode())
    assert answer.index(b"A") < answer.index(b"B")
    assert [call.body for call in server.calls] == [b"1", b"2"]


def test_echo_of_nothing() -> None:
    """A call with no payload is echoed as null."""
    with ScriptedServer(echo) as server, connected(server) as connection:
        assert invoke(connection, b"")[2] == b"null"


@pytest.mark.parametrize("tls", [False, True])
def test_a_server_in_a_process_of_its_own(tls: bool) -> None:
    """The same server, elsewhere: it answers, counts and goes."""
    with ServerProcess([throttle(), ok(b"1")], tls=tls) as server:
        context = ssl.create_default_context(cafile=server.ca_bundle) if tls else None
        connection = (
            http.client.HTTPSConnection("127.0.0.1", server.port, timeout=PATIENCE, context=context)
            if tls
            else http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        )
        with contextlib.closing(connection):
            assert [invoke(connection)[0] for _ in range(3)] == [429, 200, 200]
            snapshot = server.snapshot()
    assert (snapshot.counts.requests, snapshot.counts.executions, snapshot.connections) == (3, 2, 1)
    assert snapshot.open_connections == 1
    assert snapshot.cpu_seconds > 0
    assert server.ca_bundle == "" or not Path(server.ca_bundle).exists()
