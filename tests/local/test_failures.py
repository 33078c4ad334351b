"""How functions fail: each way has AWS's payload, and the worker is replaced where Lambda replaces it."""

import re
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke.local import Function
from tests.local.conftest import Serve, alive, handler, invoke, until

INIT = str(Path(__file__).parent / "failing_init.py")


def _text(reply: Any, message: Any) -> Any:
    return f"RequestId: {reply.headers['x-amzn-requestid']} Error: {message}"


def test_an_exception_has_awslambdarics_payload(serve: Serve) -> None:
    """Type, message, request id and a stack that starts in the handler; the worker stays."""
    local, client = serve({"raises": handler("raises")})
    for _ in range(2):
        reply = invoke(client, "raises", {"key": "k"})
        assert (reply.status, reply.error) == (200, "Unhandled")
        assert reply.value["errorType"] == "KeyError"
        assert reply.value["errorMessage"] == "'k'"
        assert reply.value["requestId"] == reply.headers["x-amzn-requestid"]
        (frame,) = reply.value["stackTrace"]
        assert re.match(r'  File ".*handlers\.py", line \d+, in raises\n', frame)
        assert "[ERROR] KeyError: 'k'\nTraceback (most recent call last):\n" in reply.log
        assert "Status:" not in reply.log
    assert local.stats("raises").cold_starts == 1
    assert local.stats("raises").failed == 2


def test_a_stack_has_every_frame_of_the_handler(serve: Serve) -> None:
    """Frames are outermost first, and none is awslambdaric's."""
    _, client = serve({"deep": handler("raises_itself_deep")})
    stack = invoke(client, "deep").value["stackTrace"]
    names = [re.findall("in ([a-z_]+)", frame)[0] for frame in stack]
    assert names == ["raises_itself_deep", "inner"]


def test_an_unserialisable_result_is_a_marshal_error(serve: Serve) -> None:
    """What awslambdaric cannot encode is Runtime.MarshalError."""
    _, client = serve({"bad": handler("unserialisable")})
    reply = invoke(client, "bad")
    assert reply.value["errorType"] == "Runtime.MarshalError"
    assert reply.value["errorMessage"].startswith("Unable to marshal response: ")


def test_an_oversized_result_is_replaced(serve: Serve) -> None:
    """Over 6,291,556 bytes the reply is Function.ResponseSizeTooLarge; at the limit it is whole."""
    local, client = serve({"big": Function(handler("big"), timeout=30, memory_size=512)})
    limit = 6_291_556
    assert len(invoke(client, "big", {"size": limit - 2}).payload) == limit
    reply = invoke(client, "big", {"size": limit - 1})
    assert reply.value == {
        "errorMessage": f"Response payload size exceeded maximum allowed payload size ({limit} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert reply.error == "Unhandled"
    assert local.stats("big").cold_starts == 1


def test_a_timeout_kills_the_whole_process_tree(serve: Serve, tmp_path: Path) -> None:
    """The worker, its child and a child that left the process group are gone when the reply comes."""
    file = tmp_path / "pids"
    _, client = serve({"slow": Function(handler("starts_grandchildren"), timeout=3.0)})
    reply = invoke(client, "slow", {"file": str(file), "seconds": 30})
    assert reply.payload.decode() == (
        '{"errorType":"Sandbox.Timedout","errorMessage":"'
        + _text(reply, "Task timed out after 3.00 seconds")
        + '"}'
    )
    assert re.search(r"REPORT .*\tDuration: 3000\.00 ms\t.*\tStatus: timeout\n", reply.log)
    pids = list(map(int, file.read_text().split()))
    assert len(pids) == 3
    assert until(lambda: not any(map(alive, pids)))


def test_after_a_timeout_the_next_call_starts_anew(serve: Serve) -> None:
    """A killed worker is replaced: the next invocation is cold and succeeds."""
    local, client = serve({"nap": Function(handler("nap"), timeout=1.5)})
    assert invoke(client, "nap", {"seconds": 9}).error == "Unhandled"
    assert invoke(client, "nap", {"seconds": 0}).error is None
    assert local.stats("nap").cold_starts == 2


@pytest.mark.parametrize("which", ["allocate", "child_allocates"])
def test_too_much_resident_memory_kills(serve: Serve, which: Any) -> None:
    """Over memory_size, children included, the worker is killed: signal: killed, OutOfMemory in REPORT."""
    _, client = serve({"eats": Function(handler(which), timeout=20)})
    reply = invoke(client, "eats", {"bytes": 300_000_000, "seconds": 20})
    assert reply.value == {
        "errorType": "Runtime.ExitError",
        "errorMessage": _text(reply, "Runtime exited with error: signal: killed"),
    }
    report = reply.log.splitlines()[-1]
    assert "\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t" in report
    assert report.endswith("\tStatus: error\tError Type: Runtime.OutOfMemory")


def test_a_peak_between_two_looks_is_seen(serve: Serve) -> None:
    """A handler that returns before the watch comes round cannot have used more than it has."""
    _, client = serve({"eats": Function(handler("allocate"), timeout=20)})
    reply = invoke(client, "eats", {"bytes": 140_000_000})
    assert reply.value["errorMessage"].endswith("signal: killed")


def test_memory_within_the_limit_is_reported(serve: Serve) -> None:
    """Max Memory Used is the resident memory that the handler had."""
    _, client = serve({"eats": Function(handler("allocate"), memory_size=256, timeout=20)})
    report = re.search(r"Max Memory Used: (\d+) MB", invoke(client, "eats", {"bytes": 100_000_000}).log)
    assert report is not None
    assert 96 < int(report[1]) < 160


@pytest.mark.parametrize(
    ("which", "event", "message"),
    [
        ("exits", {"status": 0}, "Runtime exited without providing a reason"),
        ("exits", {"status": 3}, "Runtime exited with error: exit status 3"),
        ("exits_hard", {"status": 9}, "Runtime exited with error: exit status 9"),
        ("segfault", {}, "Runtime exited with error: signal: segmentation fault"),
        ("signals_itself", {"signal": 15}, "Runtime exited with error: signal: terminated"),
        ("signals_itself", {"signal": 6}, "Runtime exited with error: signal: aborted"),
    ],
)
def test_a_worker_that_ends_is_an_exit_error(serve: Serve, which: Any, event: Any, message: Any) -> None:
    """Exit and crash are Runtime.ExitError in Lambda's words, and the next call gets a new worker."""
    local, client = serve({"ends": handler(which), "echo": handler("echo")})
    reply = invoke(client, "ends", event)
    assert reply.value == {"errorType": "Runtime.ExitError", "errorMessage": _text(reply, message)}
    assert f"{_text(reply, message)}\nRuntime.ExitError\nEND RequestId" in reply.log
    assert reply.log.splitlines()[-1].endswith("\tStatus: error\tError Type: Runtime.ExitError")
    invoke(client, "ends", event)
    assert local.stats("ends").cold_starts == 2


def test_an_idle_worker_that_ended_costs_no_invocation(serve: Serve) -> None:
    """When a worker dies between two calls, the next call runs once, in another."""
    local, client = serve({"dies": handler("dies_after_the_answer")})
    first = invoke(client, "dies", {"seconds": 0.05}).value
    assert until(lambda: not alive(first))
    reply = invoke(client, "dies", {"seconds": 5})
    assert reply.error is None
    assert reply.value != first
    assert local.stats("dies").started == 2


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("no.such.module.handler", "Runtime.ImportModuleError", "Unable to import module 'no.such.module': "),
        (
            "json.no_such_handler",
            "Runtime.HandlerNotFound",
            "Handler 'no_such_handler' missing on module 'json'",
        ),
    ],
)
def test_a_handler_that_cannot_be_found_is_awslambdarics_error(
    serve: Serve, text: Any, kind: Any, message: Any
) -> None:
    """Import and lookup fail in the worker, with AWS's types and words."""
    _, client = serve({"lost": text})
    reply = invoke(client, "lost")
    assert reply.error == "Unhandled"
    assert reply.value["errorType"] == kind
    assert reply.value["errorMessage"].startswith(message)
    assert reply.value["requestId"] == ""
    assert reply.log.splitlines()[-1].endswith(f"\tStatus: error\tError Type: {kind}")


def test_a_syntax_error_is_awslambdarics_error(serve: Serve, tmp_path: Path) -> None:
    """A file that does not compile is Runtime.UserCodeSyntaxError."""
    file = tmp_path / "broken.py"
    file.write_text("def handler(event, context:\n")
    _, client = serve({"broken": f"{file}:handler"})
    reply = invoke(client, "broken")
    assert reply.value["errorType"] == "Runtime.UserCodeSyntaxError"
    assert reply.value["errorMessage"].startswith("Syntax error in module 'broken': ")


def _failing(tmp_path: Path, what: Any, **variables: Any) -> Any:
    file = tmp_path / "inits"
    environment = {"INIT_FILE": str(file), "INIT_WHAT": what, **variables}
    return file, environment


def test_an_init_that_raises_is_tried_twice(serve: Serve, tmp_path: Path) -> None:
    """As on Lambda: once in the init phase, again at the invocation; the error is the exception's."""
    file, environment = _failing(tmp_path, "raise")
    local, client = serve({"init": Function(f"{INIT}:handler", environment=environment)})
    reply = invoke(client, "init")
    assert reply.value["errorType"] == "ZeroDivisionError"
    assert reply.value["errorMessage"] == "at import"
    assert reply.value["requestId"] == ""
    assert any("failing_init.py" in frame for frame in reply.value["stackTrace"])
    assert file.read_text().count("init") == 2
    phases = re.findall(r"INIT_REPORT Init Duration: [\d.]+ ms\t(.*)", local.logs("init"))
    assert phases == [
        f"Phase: {phase}\tStatus: error\tError Type: ZeroDivisionError" for phase in ("init", "invoke")
    ]


def test_an_init_that_exits_is_an_exit_error(serve: Serve, tmp_path: Path) -> None:
    """sys.exit at import time is Runtime.ExitError, as in the handler."""
    _, environment = _failing(tmp_path, "exit")
    _, client = serve({"init": Function(f"{INIT}:handler", environment=environment)})
    reply = invoke(client, "init")
    assert reply.value["errorType"] == "Runtime.ExitError"
    assert reply.value["errorMessage"] == _text(reply, "Runtime exited with error: exit status 7")


def test_an_init_over_its_time_goes_on_within_the_functions(serve: Serve, tmp_path: Path) -> None:
    """A slow init is cut off, begun again at the invocation, and may then take the function's time."""
    file, environment = _failing(tmp_path, "slow", INIT_SECONDS="2.5")
    local, client = serve(
        {"init": Function(f"{INIT}:handler", environment=environment, timeout=20)}, init_timeout=1.5
    )
    reply = invoke(client, "init")
    assert reply.value == "initialised"
    assert file.read_text().count("init") == 2
    assert "Phase: init\tStatus: timeout" in local.logs("init")
    duration = re.search(r"REPORT .*\tDuration: ([\d.]+) ms", local.logs("init"))
    assert duration is not None
    assert float(duration[1]) >= 2500


def test_an_init_over_the_functions_time_is_a_timeout(serve: Serve, tmp_path: Path) -> None:
    """When the second init takes longer than the function may, it timed out."""
    _, environment = _failing(tmp_path, "slow", INIT_SECONDS="30")
    _, client = serve(
        {"init": Function(f"{INIT}:handler", environment=environment, timeout=0.4)}, init_timeout=0.2
    )
    reply = invoke(client, "init")
    assert reply.value["errorType"] == "Sandbox.Timedout"
    assert reply.value["errorMessage"] == _text(reply, "Task timed out after 0.40 seconds")
