"""The HTTP server under requests that no SDK sends, and values that have no server."""

import asyncio
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.local import log, memory
from lambda_invoke.local.http import HttpServer
from lambda_invoke.local.http_message import HttpResponse
from lambda_invoke.local.outcome import Exited, TimedOut, judge, remote_error_type


async def exchange(data: bytes, *, limit: int = 100) -> bytes:
    """What the server answers to raw bytes, until it closes or is asked to."""

    async def handle(request: Any) -> Any:
        text = f"{request.method} {request.path}?{request.query} {request.body_size} {request.body.decode()}"
        return HttpResponse(200, {"X-Seen": request.headers.get("x-many", "")}, text.encode())

    server = HttpServer(handle, body_limit=limit)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(data)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.transport.abort()
        await server.close()
        await asyncio.sleep(0)  # both sides close their sockets


def ask(data: bytes, **options: Any) -> bytes:
    return asyncio.run(exchange(data, **options))


def test_requests_follow_each_other_on_a_connection() -> None:
    """Keep-alive: two requests, two replies; values of a repeated header are joined."""
    answer = ask(
        b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Many: 1\r\nx-many: 2\r\nContent-Length: 2\r\n\r\nhi"
        b"GET /d HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 200 OK\r\nDate: ") == 2
    assert b"POST /a?b=c 2 hi" in answer
    assert b"X-Seen: 1,2\r\n" in answer
    assert answer.endswith(b"GET /d? 0 ")


def test_a_body_over_the_limit_is_thrown_away() -> None:
    """It is read to its end, and the next request is found behind it."""
    answer = ask(
        b"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + b"x" * 101 + b"GET /next HTTP/1.1\r\n\r\n"
    )
    assert b"POST /? 101 \r\n" not in answer
    assert b"POST /? 101 " in answer
    assert answer.endswith(b"GET /next? 0 ")


def test_close_is_honoured() -> None:
    """Connection: close ends the connection after the reply."""
    answer = ask(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close\r\n" in answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 400),
        (b"GET http://evil.example/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\rY: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: \0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX\xe9: a\r\n\r\n", 400),
        (b"G\xe9T / HTTP/1.1\r\n\r\n", 400),
        (b"\r\n\r\nnot a request\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nExpect: miracles\r\n\r\n", 417),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431),
    ],
)
def test_a_malformed_request_is_refused_and_the_connection_closed(data: Any, status: Any) -> None:
    """What could be read in two ways is not read at all."""
    answer = ask(data)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_headers_without_end_are_refused() -> None:
    """A client that sends 4 MB of headers is cut off, and gets to see why."""
    assert ask(b"GET / HTTP/1.1\r\nX: " + b"y" * 4_000_000).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"])
def test_a_connection_that_breaks_off_gets_nothing(data: Any) -> None:
    """Half a request is not answered."""
    assert ask(data) == b""


@given(st.binary(max_size=300))
def test_no_bytes_break_the_server(data: Any) -> None:
    """Whatever comes, the server answers or closes; it does not raise into the loop."""
    answer = ask(data)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "Runtime exited without providing a reason"),
        (1, "Runtime exited with error: exit status 1"),
        (-9, "Runtime exited with error: signal: killed"),
        (-11, "Runtime exited with error: signal: segmentation fault"),
        (-35, "Runtime exited with error: signal: signal 35"),
    ],
)
def test_an_exit_is_told_in_lambdas_words(code: Any, words: Any) -> None:
    """Exit statuses and signals as Lambda's supervisor names them."""
    assert words.encode() in judge(Exited(code), "id").payload


def test_a_timeout_is_told_with_two_decimals() -> None:
    """The seconds are the function's, as 3.00."""
    verdict = judge(TimedOut(3.0), "id")
    assert b'"RequestId: id Error: Task timed out after 3.00 seconds"' in verdict.payload
    assert (verdict.status, verdict.error_type) == ("timeout", None)


@given(st.binary(max_size=60))
def test_reading_an_error_type_never_raises(payload: Any) -> None:
    """Whatever a handler's error looks like."""
    assert remote_error_type(payload) is None or isinstance(remote_error_type(payload), str)


@pytest.mark.parametrize(
    ("duration", "init", "billed"),
    [
        (0.0, None, 0),
        (0.00101, None, 2),
        (0.003, None, 3),
        (3.0, 0.40204, 3403),
        (344.35622, 0.39933, 344756),
    ],
)
def test_the_billed_duration_is_rounded_up_and_holds_the_init(duration: Any, init: Any, billed: Any) -> None:
    """As Lambda bills since August 2025; the last two are figures of real REPORT lines."""
    assert log.billed_milliseconds(duration, init) == billed


def test_a_line_of_lambdas_own_starts_a_line() -> None:
    """Output without a line feed does not run into END."""
    written = log.EnvironmentLog()
    written.write(b"no line feed")
    written.line("END RequestId: id")
    assert written.take() == b"no line feed\nEND RequestId: id\n"
    assert written.take() == b""


def test_an_endless_log_is_bounded() -> None:
    """A worker that prints without end does not fill the parent's memory; the end is kept."""
    written = log.EnvironmentLog()
    for _ in range(50):
        written.write(b"x" * 100_000)
    written.write(b"end")
    kept = written.take()
    assert len(kept) < 3_000_000
    assert kept.endswith(b"xend")


def test_memory_of_a_tree_is_summed_from_ps() -> None:
    """Where there is no /proc: children of children count, others do not."""
    listing = "  1  0  100\n 10  1  200\n 11 10  300\n 12 11  400\n 20  1  999\n"
    assert memory.sum_trees(listing, [10, 20, 77]) == {10: 900 * 1024, 20: 999 * 1024, 77: 0}


def test_both_ways_to_read_memory_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ps and /proc say of this process is about the same."""
    pid = os.getpid()
    by_proc = memory.resident_bytes([pid])[pid]
    monkeypatch.setattr(memory, "HAS_PROC", False)
    by_ps = memory.resident_bytes([pid])[pid]
    assert 0.7 < by_proc / by_ps < 1.4
    assert memory.OwnFigures(pid).peak_bytes() == 0
    assert not memory.OwnFigures(pid).is_alone()
