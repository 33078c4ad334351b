"""Streamed replies: from a worker over the Runtime API to a caller that reads an event stream."""

import base64
import contextlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from lambda_invoke.local import Bootstrap, Fault, Function, LocalLambda
from tests.local.conftest import Serve, handler, invoke, until
from tests.support.patience import PATIENCE, soon

WORKER = Bootstrap([sys.executable, str(Path(__file__).parent / "streaming_worker.py")])


@pytest.fixture
def stream(serve: Serve) -> tuple[LocalLambda, Any]:
    """An endpoint whose worker streams what the event says."""
    return serve({"f": Function(WORKER, timeout=PATIENCE)}, reload=False)  # other tests write files too


def opened(client: Any, steps: Any, **options: Any) -> Any:
    return client.invoke_with_response_stream(
        FunctionName="f", Payload=json.dumps(steps).encode(), LogType="Tail", **options
    )


def read(client: Any, steps: Any, **options: Any) -> tuple[list[bytes], dict[str, str]]:
    """All of one reply: its chunks, and how it completed."""
    with contextlib.closing(opened(client, steps, **options)["EventStream"]) as stream:
        *chunks, last = list(stream)
    return [chunk["PayloadChunk"]["Payload"] for chunk in chunks], last["InvokeComplete"]


def test_chunks_arrive_as_they_are_made(stream: Any, tmp_path: Path) -> None:
    """The second chunk is made only after the first was read."""
    local, client = stream
    seen = tmp_path / "seen"
    answer = opened(client, [["write", "one"], ["wait", str(seen)], ["write", "two"]])
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    events = iter(answer["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"one"}}
    assert local.stats("f").in_flight == 1
    seen.touch()
    assert next(events) == {"PayloadChunk": {"Payload": b"two"}}
    complete = next(events)["InvokeComplete"]
    assert list(complete) == ["LogResult"]
    log = base64.b64decode(complete["LogResult"]).decode()
    assert "START RequestId: " in log
    assert "REPORT RequestId: " in log
    assert list(events) == []
    answer["EventStream"].close()
    assert (local.stats("f").succeeded, local.stats("f").failed) == (1, 0)


UNDECLARED = ["headers", {"Transfer-Encoding": "chunked", "Content-Type": "application/octet-stream"}]
"""What aws-lambda-go sends: chunks and trailers, without Lambda-Runtime-Function-Response-Mode."""


def test_chunks_are_a_stream_without_the_mode(stream: Any, tmp_path: Path) -> None:
    """The second chunk is made only after the first was read; an error in the trailers completes it."""
    _, client = stream
    seen = tmp_path / "seen"
    error = base64.b64encode(b'{"errorMessage": "late", "errorType": "QuotaError"}').decode()
    steps = [
        UNDECLARED,
        ["write", "one"],
        ["wait", str(seen)],
        ["write", "two"],
        ["fail", "QuotaError", error],
    ]
    with contextlib.closing(opened(client, steps)["EventStream"]) as answer:
        events = iter(answer)
        assert next(events) == {"PayloadChunk": {"Payload": b"one"}}
        seen.touch()
        *rest, complete = list(events)
    assert rest == [{"PayloadChunk": {"Payload": b"two"}}]
    assert json.loads(complete["InvokeComplete"]["ErrorDetails"])["errorMessage"] == "late"


def test_trailers_count_only_for_a_stream(stream: Any) -> None:
    """A caller that wants the reply whole gets what was written, as Lambda has it when nobody said stream."""
    local, client = stream
    reply = invoke(client, "f", [UNDECLARED, ["write", "one"], ["fail", "QuotaError", ""]])
    assert (reply.payload, reply.error) == (b"one", None)
    reply = invoke(client, "f", [["write", "one"], ["fail", "QuotaError", ""]])
    assert (reply.value, reply.error) == ({"errorType": "QuotaError"}, "Unhandled")
    assert (local.stats("f").succeeded, local.stats("f").failed) == (1, 1)


def test_what_is_streamed_passes_as_bytes(stream: Any) -> None:
    """The prelude of an HTTP integration and its eight zeros too; one worker serves many."""
    local, client = stream
    prelude = json.dumps({"statusCode": 201}) + "\0" * 8
    for _ in range(3):
        chunks, _ = read(client, [["write", prelude], ["write", "\xff\xfe"]])
        assert b"".join(chunks) == prelude.encode() + b"\xff\xfe"
    assert (local.stats("f").cold_starts, local.stats("f").succeeded) == (1, 3)


def test_an_empty_stream_is_only_completed(stream: Any) -> None:
    """No chunk, and no error."""
    _, client = stream
    chunks, complete = read(client, [])
    assert (chunks, list(complete)) == ([], ["LogResult"])


def test_a_buffered_reply_is_one_chunk(serve: Serve) -> None:
    """Awslambdaric does not stream; its reply comes whole, its failure as the end of the stream."""
    local, client = serve({"f": handler("echo"), "raises": handler("raises")})
    assert read(client, {"a": 1})[0] == [b'{"a": 1}']
    answer = client.invoke_with_response_stream(FunctionName="raises", Payload=b'{"key": "k"}')
    (last,) = answer["EventStream"]
    complete = last["InvokeComplete"]
    assert complete["ErrorCode"] == "Unhandled"
    assert json.loads(complete["ErrorDetails"])["errorType"] == "KeyError"
    assert local.stats("raises").failed == 1


def test_a_failure_before_the_stream_is_unhandled(stream: Any) -> None:
    """What the worker reports by /error stands in the end's details."""
    _, client = stream
    error = {"errorType": "Error", "errorMessage": "no", "trace": ["Error: no"]}
    chunks, complete = read(client, [["error", error]])
    assert (chunks, complete["ErrorCode"]) == ([], "Unhandled")
    assert json.loads(complete["ErrorDetails"]) == error


@pytest.mark.parametrize(
    ("error_type", "body", "code", "details"),
    [
        (
            "Runtime.Broke",
            base64.b64encode(b'{"errorType":"X"}').decode(),
            "Runtime.Broke",
            '{"errorType":"X"}',
        ),
        ("Function.Broke", "not base64!", "Function.Broke", ""),
        ("Error", base64.b64encode(b"{}").decode(), "Runtime.Unknown", "{}"),
    ],
)
def test_a_failure_in_mid_stream_comes_by_trailers(
    stream: Any, error_type: str, body: str, code: str, details: str
) -> None:
    """What was written is delivered, then the error; the worker goes on."""
    local, client = stream
    chunks, complete = read(client, [["write", "part"], ["fail", error_type, body]])
    assert (chunks, complete["ErrorCode"]) == ([b"part"], code)
    assert complete.get("ErrorDetails", "") == details
    assert f"Error Type: {code}" in base64.b64decode(complete["LogResult"]).decode()
    assert read(client, [["write", "next"]])[0] == [b"next"]
    assert (local.stats("f").failed, local.stats("f").cold_starts) == (1, 1)


def test_a_stream_that_breaks_off_is_truncated(stream: Any) -> None:
    """A reply without its end is a failure, and the worker is replaced."""
    local, client = stream
    chunks, complete = read(client, [["write", "part"], ["break"]])
    assert (chunks, complete["ErrorCode"]) == ([b"part"], "Runtime.TruncatedResponse")
    assert json.loads(complete["ErrorDetails"])["errorType"] == "Runtime.TruncatedResponse"
    assert read(client, [["write", "next"]])[0] == [b"next"]
    assert local.stats("f").cold_starts == 2


def test_a_malformed_chunk_is_truncated_too(stream: Any) -> None:
    """What is not chunked as HTTP has it ends the stream."""
    _, client = stream
    chunks, complete = read(client, [["write", "part"], ["whole", "zz\r\nxx\r\n"]])
    assert (chunks, complete["ErrorCode"]) == ([b"part"], "Runtime.TruncatedResponse")


def test_an_exit_in_mid_stream_is_told(stream: Any) -> None:
    """What was written is delivered, then how the process ended."""
    _, client = stream
    chunks, complete = read(client, [["write", "part"], ["exit", 3]])
    assert chunks == [b"part"]
    assert json.loads(complete["ErrorDetails"])["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in complete["ErrorDetails"]


def test_a_timeout_in_mid_stream_is_told(serve: Serve) -> None:
    """The function's time counts for the stream too."""
    _, client = serve({"f": Function(WORKER, timeout=3.0)}, reload=False)
    chunks, complete = read(client, [["write", "part"], ["wait", "/no/such/file"]])
    assert chunks == [b"part"]
    assert json.loads(complete["ErrorDetails"])["errorType"] == "Sandbox.Timedout"


def test_an_unknown_mode_is_an_error(stream: Any) -> None:
    """A response mode that is neither streaming nor absent fails the invocation."""
    _, client = stream
    _, complete = read(client, [["mode", "sideways"], ["write", "x"]])
    assert complete["ErrorCode"] == "Runtime.InvalidResponseModeHeader"


def test_a_plain_invoke_gets_the_stream_whole(stream: Any) -> None:
    """Pieces are joined; a failure in mid-stream is a function error with the trailers' body."""
    local, client = stream
    reply = invoke(client, "f", [["write", '{"a":'], ["write", "1}"]])
    assert (reply.value, reply.error) == ({"a": 1}, None)
    body = base64.b64encode(b'{"errorType":"Late","errorMessage":"m"}').decode()
    reply = invoke(client, "f", [["write", "part"], ["fail", "Function.Late", body]])
    assert (reply.value["errorType"], reply.error) == ("Late", "Unhandled")
    reply = invoke(client, "f", [["write", "part"], ["fail", "Function.Late", ""]])
    assert (reply.value, reply.error) == ({"errorType": "Function.Late"}, "Unhandled")
    assert invoke(client, "f", [["write", "x"], ["break"]]).value["errorType"] == "Runtime.TruncatedResponse"
    assert (local.stats("f").succeeded, local.stats("f").failed) == (1, 3)


def test_the_limit_is_that_of_the_way_it_was_asked_for(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """6 MB whole; streamed far more, up to a limit of its own."""
    _, client = stream
    steps = [["zeros", 8 * 1024 * 1024]]
    assert invoke(client, "f", steps).value["errorType"] == "Function.ResponseSizeTooLarge"
    chunks, complete = read(client, steps)
    assert (sum(map(len, chunks)), "ErrorCode" in complete) == (8 * 1024 * 1024, False)
    monkeypatch.setattr("lambda_invoke.local.outcome.MAX_STREAMED_BYTES", 1_000_000)
    monkeypatch.setattr("lambda_invoke.local.streamed_reply.MAX_STREAMED_BYTES", 1_000_000)
    chunks, complete = read(client, steps)
    assert sum(map(len, chunks)) == 1_000_000
    assert complete["ErrorCode"] == "Function.ResponseSizeTooLarge"
    assert read(client, [["write", "next"]])[0] == [b"next"]


def test_a_chunked_reply_without_the_mode_is_whole_for_a_plain_invoke(stream: Any) -> None:
    """Some runtimes send all replies chunked."""
    _, client = stream
    headers = {"Transfer-Encoding": "chunked"}
    assert invoke(client, "f", [["headers", headers], ["write", "a"], ["write", "b"]]).payload == b"ab"


def test_a_streamed_reply_may_have_a_length(stream: Any) -> None:
    """The mode alone, with a plain body, is one chunk."""
    _, client = stream
    headers = {"Lambda-Runtime-Function-Response-Mode": "streaming", "Content-Length": "2"}
    assert read(client, [["headers", headers], ["whole", "ab"]])[0] == [b"ab"]


def test_the_function_runs_on_when_the_caller_has_gone(stream: Any, tmp_path: Path) -> None:
    """As on Lambda: a closed connection does not interrupt it, and its worker is used again."""
    local, client = stream
    go, done = tmp_path / "go", tmp_path / "done"
    steps = [["write", "one"], ["wait", str(go)], ["zeros", 4_000_000], ["touch", str(done)]]
    answer = opened(client, steps)
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    go.touch()
    soon(done.exists)
    soon(lambda: local.stats("f").succeeded == 1)
    assert read(client, [["write", "next"]])[0] == [b"next"]
    assert local.stats("f").cold_starts == 1


def test_a_dropped_stream_is_made_to_its_end(stream: Any, tmp_path: Path) -> None:
    """A fault that drops the reply does not hold up the worker that makes it."""
    local, _ = stream
    done = tmp_path / "done"
    local.inject(Fault.drop(after_executing=True))
    once = local.boto3_client(config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(ConnectionClosedError):
        opened(once, [["zeros", 4_000_000], ["touch", str(done)]])
    once.close()
    assert done.exists()
    assert (local.stats("f").started, local.stats("f").succeeded) == (1, 1)


def test_a_slow_caller_holds_the_worker_up(stream: Any, tmp_path: Path) -> None:
    """What is not read is not made: the worker cannot write 64 MB until the caller takes them."""
    _, client = stream
    done = tmp_path / "done"
    answer = opened(client, [["zeros", 64 * 1024 * 1024], ["touch", str(done)]])
    with contextlib.closing(answer["EventStream"]) as held_up:
        events = iter(held_up)
        next(events)
        assert not until(done.exists, 0.3)
        taken = sum(len(event["PayloadChunk"]["Payload"]) for event in events if "PayloadChunk" in event)
    assert taken == 64 * 1024 * 1024 - 65_536
    assert done.exists()


def test_refusals_are_the_services_own(serve: Serve) -> None:
    """Dry runs, types, names and throttles answer as for Invoke; nothing runs."""
    local, client = serve({"f": Function(handler("echo"), reserved_concurrency=0)})
    dry = client.invoke_with_response_stream(FunctionName="f", InvocationType="DryRun")
    dry["EventStream"].close()
    assert dry["StatusCode"] == 204
    with pytest.raises(client.exceptions.TooManyRequestsException) as throttled:
        read(client, {})
    assert throttled.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke_with_response_stream(FunctionName="g")
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="RequestResponse, DryRun"):
        client.invoke_with_response_stream(FunctionName="f", InvocationType="Event")
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke_with_response_stream(FunctionName="f", Payload=b"{")
    assert local.stats("f").started == 0


def test_a_stop_ends_what_streams(stream: Any) -> None:
    """Stopping the endpoint breaks the stream off rather than waiting for the worker."""
    local, client = stream
    answer = opened(client, [["write", "one"], ["wait", "/no/such/file"]])
    with contextlib.closing(answer["EventStream"]) as broken_off:
        events = iter(broken_off)
        next(events)
        begun = time.monotonic()
        local.stop()
        assert time.monotonic() - begun < PATIENCE
        with pytest.raises(Exception, match=r"(?i)connection|incomplete|broken|ended"):
            list(events)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on the PATH")
def test_nodes_own_http_client_streams(serve: Serve) -> None:
    """Chunks and trailers as Node writes them, which is what aws-lambda-ric streams with."""
    node = Bootstrap([sys.executable, str(Path(__file__).parent / "streaming_node.py")])
    local, client = serve(
        {"f": Function(node, timeout=PATIENCE, memory_size=1024)}, init_timeout=PATIENCE, reload=False
    )
    chunks, complete = read(client, {"fail": False})
    assert (b"".join(chunks), "ErrorCode" in complete) == (b"one two", False)
    chunks, complete = read(client, {"fail": True})
    assert (b"".join(chunks), complete["ErrorCode"]) == (b"one ", "Runtime.Late")
    assert json.loads(complete["ErrorDetails"])["trace"] == ["Error: late"]
    assert local.stats("f").cold_starts == 1
