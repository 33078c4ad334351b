"""A Node handler under aws-lambda-ric, AWS's own runtime client for it."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke import FunctionExitError, FunctionInitError, FunctionTimeoutError, HandlerError
from lambda_invoke.local import Bootstrap, Function, peers
from tests.local.conftest import Serve, alive, invoke, until
from tests.local.test_runtimes import RUNTIMES
from tests.support import node

REASON = node.missing() if peers.AVAILABLE else "a Bootstrap needs Linux"
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")


def handler(name: str, **options: Any) -> Function:
    bootstrap = Bootstrap(["node", node.CLIENT], handler=name, task_root=RUNTIMES, runtime="nodejs20.x")
    return Function(bootstrap, **{"memory_size": 512, "timeout": 30, **options})


def test_a_node_handler_answers(serve: Serve) -> None:
    """It gets the event and the whole context, is used again, and prints into the log."""
    local, client = serve({"node": handler("app.handler")})
    context = "eyJjdXN0b20iOiB7ImEiOiAxfX0="  # {"custom": {"a": 1}}
    first = invoke(client, "node", {"n": 1}, ClientContext=context, TenantId="blue")
    second = invoke(client, "node", {"n": 2}, TenantId="blue")
    value = first.value
    assert value["event"] == {"n": 1}
    assert value["requestId"] == first.headers["x-amzn-requestid"]
    assert value["arn"] == local.arn("node")
    assert (str(value["memory"]), value["custom"], value["tenantId"]) == ("512", {"a": 1}, "blue")
    assert value["environment"] == "AWS_Lambda_nodejs20.x"
    assert value["left"]
    assert value["trace"].startswith("Root=1-")
    assert (second.value["calls"], second.value["pid"]) == (2, value["pid"])
    assert "call 1" in first.log
    assert "REPORT RequestId: " in first.log


def test_a_node_handlers_error_is_nodes(serve: Serve) -> None:
    """errorType, errorMessage and trace; our client raises it with the frames of the handler's file."""
    local, client = serve({"node": handler("app.fails")})
    reply = invoke(client, "node", {})
    assert set(reply.value) >= {"errorType", "errorMessage", "trace"}
    assert reply.value["trace"][0] == "QuotaError: no more than three"
    with local.client() as ours, pytest.raises(HandlerError) as caught:
        ours.invoke("node", {})
    assert (caught.value.error_type, caught.value.error_message) == ("QuotaError", "no more than three")
    frames = [frame for frame in caught.value.stack_trace if frame.file and frame.file.endswith("app.mjs")]
    assert frames
    assert frames[0].line == 11


def test_a_node_process_that_ends_is_lambdas_error(serve: Serve) -> None:
    """An exit and a timeout are what they are for any runtime, and the next call has a new process."""
    local, _ = serve({"exits": handler("app.exits"), "naps": handler("app.naps", timeout=1)})
    with local.client() as client:
        with pytest.raises(FunctionExitError) as caught:
            client.invoke("exits", {})
        assert "exit status 7" in str(caught.value)
        with pytest.raises(FunctionTimeoutError):
            client.invoke("naps", {})
    assert local.stats("exits").failed == local.stats("naps").failed == 1


def test_a_missing_node_handler_is_nodes_error(serve: Serve) -> None:
    """What cannot be imported is aws-lambda-ric's own init error."""
    local, _ = serve({"node": handler("no_such_module.handler")})
    with local.client() as client, pytest.raises(FunctionInitError) as caught:
        client.invoke("node", {})
    assert caught.value.error_type == "Runtime.ImportModuleError"


def test_a_node_process_ends_with_the_endpoint(serve: Serve) -> None:
    """Stopping leaves no process."""
    local, client = serve({"node": handler("app.handler")})
    pid = invoke(client, "node", {}).value["pid"]
    assert alive(pid)
    assert pid != os.getpid()
    local.stop()
    assert until(lambda: not alive(pid))


def test_a_node_handler_streams(serve: Serve, tmp_path: Path) -> None:
    """Chunk by chunk as it writes them; a plain invoke gets them joined."""
    local, client = serve({"node": handler("app.streams")})
    go = tmp_path / "go"
    answer = client.invoke_with_response_stream(
        FunctionName="node", Payload=json.dumps({"wait": str(go)}).encode()
    )
    with contextlib.closing(answer["EventStream"]) as stream:
        events = iter(stream)
        assert next(events)["PayloadChunk"]["Payload"] == b"one "
        assert local.stats("node").in_flight == 1
        go.touch()
        *rest, complete = list(events)
    assert b"".join(event["PayloadChunk"]["Payload"] for event in rest) == b"two"
    assert "ErrorCode" not in complete["InvokeComplete"]
    assert invoke(client, "node", {}).payload == b"one two"


def test_a_node_stream_that_fails_midway(serve: Serve) -> None:
    """What was written comes, and then the error in the trailers: its type, message and trace."""
    _, client = serve({"node": handler("app.streams")})
    answer = client.invoke_with_response_stream(FunctionName="node", Payload=b'{"fail": true}')
    with contextlib.closing(answer["EventStream"]) as stream:
        *chunks, complete = list(stream)
    assert b"".join(event["PayloadChunk"]["Payload"] for event in chunks) == b"one "
    details = json.loads(complete["InvokeComplete"]["ErrorDetails"])
    assert (details["errorType"], details["errorMessage"]) == ("Error", "late")
    assert complete["InvokeComplete"]["ErrorCode"]
