"""Functions in Go and Rust over the libraries that AWS has for them (tests/support/native.py)."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke import FunctionExitError, FunctionTimeoutError, HandlerError
from lambda_invoke.local import Bootstrap, Function, peers
from tests.local.conftest import Serve, invoke, until, workers
from tests.support.native import GO, NATIVES, RUST, Native

REASONS = {native: native.missing() if peers.AVAILABLE else "a Bootstrap needs Linux" for native in NATIVES}
PRELUDE_END = b"\0" * 8


def parameter(native: Native) -> Any:
    reason = REASONS[native]
    return pytest.param(
        native, id=native.language, marks=pytest.mark.skipif(reason is not None, reason=reason or "")
    )


natives = pytest.mark.parametrize("native", [parameter(native) for native in NATIVES])


def function(native: Native, handler: str = "handle", **options: Any) -> Function:
    return Function(Bootstrap(native.program, handler=handler), **{"timeout": 30, **options})


@natives
def test_a_native_function_answers(serve: Serve, native: Native) -> None:
    """It gets the event and the whole context, is used again, and prints into the log."""
    local, client = serve({"native": function(native, memory_size=256)})
    context = "eyJjdXN0b20iOiB7ImEiOiAiMSJ9fQ=="  # {"custom": {"a": "1"}}
    before = time.time()
    first = invoke(client, "native", {"n": 1}, ClientContext=context)
    second = invoke(client, "native", {"n": 2})
    value = first.value
    assert value["event"] == {"n": 1}
    assert value["requestId"] == first.headers["x-amzn-requestid"]
    assert value["arn"] == local.arn("native")
    assert (value["memory"], value["custom"]) == (256, {"a": "1"})
    assert before + 30 <= value["deadline"] / 1000 <= time.time() + 30
    assert value["trace"].split(";")[0] == first.headers["x-amzn-trace-id"].split(";")[0]
    assert (second.value["calls"], second.value["pid"]) == (2, value["pid"])
    assert "call 1" in first.log
    assert "REPORT RequestId: " in first.log


@natives
def test_a_native_functions_error_is_its_own(serve: Serve, native: Native) -> None:
    """The type and the message that the library sends; the process lives on."""
    local, client = serve({"native": function(native)})
    with local.client() as ours, pytest.raises(HandlerError) as caught:
        ours.invoke("native", {"do": "fail"})
    assert (caught.value.error_type, caught.value.error_message) == ("QuotaError", "no more than three")
    assert invoke(client, "native", {}).value["calls"] == 2


@natives
def test_a_native_panic_is_an_error(serve: Serve, native: Native) -> None:
    """As the library reports it, with Go's frames; Go's process is a new one then, Rust's the same."""
    local, client = serve({"native": function(native)})
    with local.client() as ours, pytest.raises(HandlerError) as caught:
        ours.invoke("native", {"do": "panic"})
    assert "kaboom" in str(caught.value.error_message)
    assert any(frame.function == "handle" for frame in caught.value.stack_trace) == (native is GO)
    assert invoke(client, "native", {}).value["calls"] == (1 if native is GO else 2)


@natives
def test_a_native_process_that_ends_is_lambdas_error(serve: Serve, native: Native) -> None:
    """An exit and a timeout are what they are for any runtime, and no process stays."""
    functions = {"exits": function(native), "naps": function(native, timeout=1)}
    local, client = serve(functions)
    with local.client() as ours:
        with pytest.raises(FunctionExitError) as caught:
            ours.invoke("exits", {"do": "exit"})
        assert "exit status 7" in str(caught.value)
        with pytest.raises(FunctionTimeoutError):
            ours.invoke("naps", {"do": "nap"})
    assert until(lambda: not workers())
    assert invoke(client, "exits", {}).value["calls"] == 1


@natives
def test_a_native_function_streams(serve: Serve, native: Native, tmp_path: Path) -> None:
    """Chunk by chunk as it writes them; Rust's library sends a prelude first."""
    local, client = serve({"native": function(native, "stream")})
    go = tmp_path / "go"
    order = {"do": "stream", "wait": str(go)}
    answer = client.invoke_with_response_stream(FunctionName="native", Payload=json.dumps(order).encode())
    with contextlib.closing(answer["EventStream"]) as stream:
        events = iter(stream)
        received = b""
        while not received.endswith(b"one "):
            received += next(events)["PayloadChunk"]["Payload"]
        assert local.stats("native").in_flight == 1
        go.touch()
        *rest, complete = list(events)
    received += b"".join(event["PayloadChunk"]["Payload"] for event in rest)
    prelude, end, body = received.rpartition(PRELUDE_END)
    assert (bool(end), body) == (native is RUST, b"one two")
    assert not prelude or json.loads(prelude)["statusCode"] == 200
    assert "ErrorCode" not in complete["InvokeComplete"]
    assert invoke(client, "native", order).payload == received


@pytest.mark.parametrize("native", [parameter(GO)])
def test_a_stream_that_fails_midway_in_go(serve: Serve, native: Native) -> None:
    """What was written comes, and then the reader's error in the trailers: its type and message."""
    _, client = serve({"native": function(native)})
    answer = client.invoke_with_response_stream(
        FunctionName="native", Payload=b'{"do": "stream", "fail": true}'
    )
    with contextlib.closing(answer["EventStream"]) as stream:
        *chunks, complete = list(stream)
    assert b"".join(event["PayloadChunk"]["Payload"] for event in chunks) == b"one "
    details = json.loads(complete["InvokeComplete"]["ErrorDetails"])
    assert (details["errorType"], details["errorMessage"]) == ("QuotaError", "late")
