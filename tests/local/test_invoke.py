"""RequestResponse, DryRun and the log tail, through an unchanged boto3 client."""

import asyncio
import base64
import json
import re
import time
from typing import Any

import pytest

from lambda_invoke.local import Function
from tests.local.conftest import Serve, handler, invoke


@pytest.mark.parametrize(
    "event", [{"a": [1, None, "ü€𝄞"]}, [], "text", 0, None, True, {"nested": {"deep": [{}]}}]
)
def test_an_event_reaches_the_handler_and_its_result_comes_back(serve: Serve, event: Any) -> None:
    """Whatever JSON is sent is what the handler gets, and what it returns is the reply."""
    _, client = serve({"echo": handler("echo")})
    reply = invoke(client, "echo", event)
    assert reply.value == event
    assert (reply.status, reply.error, reply.version) == (200, None, "$LATEST")


def test_no_payload_is_an_empty_object(serve: Serve) -> None:
    """Invoke without a payload gives the handler {}."""
    _, client = serve({"echo": handler("echo")})
    assert client.invoke(FunctionName="echo")["Payload"].read() == b"{}"


def test_bytes_from_the_handler_are_the_reply_as_they_are(serve: Serve) -> None:
    """Bytes are sent unencoded by awslambdaric, and so by the endpoint."""
    _, client = serve({"raw": handler("raw_bytes")})
    assert invoke(client, "raw").payload == b"\x00not json"


def test_a_worker_is_used_again(serve: Serve) -> None:
    """Calls one after another run in one process, which is started once."""
    local, client = serve({"who": handler("whoami")})
    replies = [invoke(client, "who").value for _ in range(5)]
    assert len({reply["pid"] for reply in replies}) == 1
    assert [reply["calls"] for reply in replies] == [1, 2, 3, 4, 5]
    assert local.stats("who").cold_starts == 1
    assert local.stats("who").succeeded == 5


def test_the_context_is_lambdas(serve: Serve) -> None:
    """Request id, ARN, version, limits, client context, tenant and trace are the invocation's own."""
    _, client = serve({"describe": Function(handler("describe"), timeout=30, memory_size=256)})
    context = base64.b64encode(json.dumps({"custom": {"user": "ü"}}).encode()).decode()
    reply = invoke(client, "describe", {}, ClientContext=context, TenantId="blue")
    seen = reply.value
    assert seen["request_id"] == reply.headers["x-amzn-requestid"]
    assert seen["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:describe"
    assert (seen["name"], seen["version"], seen["memory"]) == ("describe", "$LATEST", "256")
    assert seen["log_group"] == "/aws/lambda/describe"
    assert seen["custom"] == {"user": "ü"}
    assert seen["tenant_id"] == "blue"
    assert 28_000 < seen["left"] <= 30_000
    root = re.search("Root=[0-9a-f-]+", seen["trace"], re.IGNORECASE)
    assert root is not None
    assert root[0] in reply.headers["x-amzn-trace-id"]


def test_tenants_do_not_share_a_worker(serve: Serve) -> None:
    """A worker serves one tenant only, as Lambda's tenant isolation has it."""
    _, client = serve({"who": handler("whoami")})
    pids = [invoke(client, "who", TenantId=tenant).value["pid"] for tenant in ("a", "b", "a", "b")]
    assert pids[0] == pids[2] != pids[1] == pids[3]


def test_a_dry_run_runs_nothing(serve: Serve) -> None:
    """DryRun answers 204 and starts no worker."""
    local, client = serve({"echo": handler("echo")})
    answer = client.invoke(FunctionName="echo", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert answer["Payload"].read() == b""
    assert local.stats("echo").started == local.stats("echo").cold_starts == 0


def test_the_log_tail_has_what_was_printed_between_lambdas_lines(serve: Serve) -> None:
    """Both streams in their order, START before, END and REPORT after; Init Duration only when cold."""
    _, client = serve({"prints": handler("prints")})
    cold, warm = invoke(client, "prints"), invoke(client, "prints")
    for reply, is_cold in ((cold, True), (warm, False)):
        request_id = reply.headers["x-amzn-requestid"]
        lines = reply.log.splitlines()
        assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
        assert lines[1:3] == ["to stdout", "to stderr"]
        assert re.fullmatch(rf"\[WARNING\]\t[0-9T:.-]+Z\t{request_id}\tto the log", lines[3])
        assert lines[4] == f"END RequestId: {request_id}"
        pattern = (
            rf"REPORT RequestId: {request_id}\tDuration: (\d+\.\d\d) ms\tBilled Duration: (\d+) ms"
            r"\tMemory Size: 128 MB\tMax Memory Used: (\d+) MB(\tInit Duration: (\d+\.\d\d) ms)?"
        )
        report = re.fullmatch(pattern, lines[5])
        assert report is not None
        assert 5 < int(report[3]) < 128
        assert (report[4] is not None) == is_cold
        spent = float(report[1]) + (float(report[5]) if is_cold else 0)
        assert spent <= int(report[2]) < spent + 1.02


def test_the_log_tail_is_the_last_4_kb(serve: Serve) -> None:
    """X-Amz-Log-Result holds 4,096 bytes at most, and the end of the log."""
    _, client = serve({"much": handler("prints_much")})
    reply = invoke(client, "much", {"lines": 20_000})
    assert len(reply.log.encode()) == 4096
    assert "line 019999" in reply.log
    assert "REPORT" in reply.log
    assert "START" not in reply.log


def test_durations_are_measured(serve: Serve) -> None:
    """REPORT's Duration is the time that the handler took."""
    _, client = serve({"nap": handler("nap")})
    invoke(client, "nap", {"seconds": 0})
    report = re.search(r"Duration: ([\d.]+) ms", invoke(client, "nap", {"seconds": 0.2}).log)
    assert report is not None
    assert 200 <= float(report[1]) < 400


def test_there_is_no_log_unless_asked(serve: Serve) -> None:
    """Without LogType the reply has no log; the endpoint keeps it for ``logs``."""
    local, client = serve({"prints": handler("prints")})
    assert "LogResult" not in client.invoke(FunctionName="prints")
    assert "to stdout" in local.logs("prints")


def test_a_warm_invoke_takes_milliseconds(serve: Serve) -> None:
    """Nothing polls, and no acknowledgement is delayed, which would take each to 40 ms."""
    _, client = serve({"echo": handler("echo")})
    invoke(client, "echo")
    times = []
    for _ in range(50):
        begun = time.perf_counter()
        invoke(client, "echo")
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.04


def test_the_lambda_invoke_client_talks_to_it(serve: Serve) -> None:
    """``local.client()`` is a LambdaClient that is ready to invoke."""
    local, _ = serve({"echo": handler("echo")})
    with local.client() as client:
        invocation = client.invoke("echo", {"a": 1}, log_tail=True)
        assert invocation.value == {"a": 1}
        assert invocation.log is not None
        assert invocation.log.report is not None
        assert invocation.log.report.cold_start
        assert client.invoke_event("echo", {}).status_code == 202
        assert client.dry_run("echo").allowed


def test_the_asyncio_client_talks_to_it(serve: Serve) -> None:
    """``local.async_client()`` is an AsyncLambdaClient that is ready to invoke."""
    local, _ = serve({"echo": handler("echo")})

    async def use() -> None:
        async with local.async_client() as client:
            assert (await client.invoke("echo", {"a": 1})).value == {"a": 1}
            assert (await client.fan_out("echo", range(3))).values() == [0, 1, 2]
            assert [function.name async for function in client.list_functions()] == ["echo"]

    asyncio.run(use())
