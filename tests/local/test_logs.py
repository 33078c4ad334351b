"""Log formats: Lambda's own lines as text and as JSON, with figures that the client reads back."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke import FunctionExitError, FunctionTimeoutError, HandlerError
from lambda_invoke.core.log_tail import decode_log_tail
from lambda_invoke.local import Function, log
from lambda_invoke.local.json_log import JsonLines
from tests.local.conftest import Serve, handler, invoke

ORIGIN = log.Origin("f", "$LATEST", "arn:f", "python3.11", 256, "2026/11/21/[$LATEST]0")


def events(text: str) -> list[Any]:
    """The platform's events in a JSON log, in their order."""
    found = [json.loads(line) for line in text.splitlines()]
    return [event for event in found if str(event.get("type")).startswith("platform.")]


def kinds(text: str) -> list[str]:
    return [event["type"].removeprefix("platform.") for event in events(text)]


def test_a_json_log_has_lambdas_events(serve: Serve) -> None:
    """At the default level initStart, start and report, as recorded; the handler's logging is JSON too."""
    local, client = serve({"f": Function(handler("logs"), log_format="JSON", memory_size=256)})
    first, second = invoke(client, "f", "one"), invoke(client, "f", "two")
    assert kinds(first.log) == ["initStart", "start", "report"]
    assert kinds(second.log) == ["start", "report"]
    init, start, report = events(first.log)
    assert init["record"]["functionName"] == "f"
    assert init["record"]["instanceMaxMemory"] == 256 * 1024 * 1024
    request_id = first.headers["x-amzn-requestid"]
    assert start["record"] == {"requestId": request_id, "functionArn": local.arn("f"), "version": "$LATEST"}
    assert report["record"]["requestId"] == request_id
    assert report["record"]["status"] == "success"
    assert set(report["record"]["metrics"]) == {
        "durationMs",
        "billedDurationMs",
        "memorySizeMB",
        "maxMemoryUsedMB",
        "initDurationMs",
    }
    logged = [json.loads(line) for line in first.log.splitlines() if '"level"' in line]
    assert [(line["level"], line["message"], line["requestId"]) for line in logged] == [
        ("INFO", "info one", request_id),
        ("ERROR", "error one", request_id),
    ]


def test_the_levels_choose_what_is_written(serve: Serve) -> None:
    """DEBUG adds runtimeDone and the handler's debug lines; WARN leaves out what says of a success."""
    _, client = serve(
        {
            "much": Function(
                handler("logs"), log_format="JSON", system_log_level="DEBUG", application_log_level="DEBUG"
            ),
            "little": Function(
                handler("logs"), log_format="JSON", system_log_level="WARN", application_log_level="ERROR"
            ),
        }
    )
    much, little = invoke(client, "much", "x"), invoke(client, "little", "x")
    assert kinds(much.log) == ["initStart", "start", "runtimeDone", "report"]
    assert events(much.log)[2]["record"]["metrics"]["producedBytes"] == len(much.payload)
    assert '"debug x"' in much.log
    assert kinds(little.log) == []
    assert '"error x"' in little.log
    assert '"info x"' not in little.log


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_the_client_reads_the_same_figures_from_both(serve: Serve, log_format: Any) -> None:
    """Duration, billed, memory and init of the reply's report are those that the endpoint measured."""
    records: list[Any] = []
    local, _ = serve(
        {"f": Function(handler("nap"), log_format=log_format, memory_size=256)}, on_invocation=records.append
    )
    with local.client() as client:
        for _ in range(2):
            tail = client.invoke("f", {"seconds": 0.02}, log_tail=True).log
            record = records.pop()
            assert tail is not None
            report = tail.report
            assert report is not None
            assert report.duration is not None
            assert report.max_memory_used is not None
            assert report.request_id == record.request_id
            assert report.duration == pytest.approx(record.duration, abs=0.00001)
            assert report.duration >= 0.02
            assert report.memory_size == 256
            assert report.max_memory_used == record.max_memory_used
            assert report.max_memory_used > 5
            assert report.billed_duration is not None
            if record.init_duration is None:
                assert report.init_duration is None
                assert report.billed_duration == pytest.approx(report.duration, abs=0.00101)
            else:
                assert report.init_duration is not None
                assert report.init_duration == pytest.approx(record.init_duration, abs=0.00001)
                total = report.duration + report.init_duration
                assert report.billed_duration == pytest.approx(total, abs=0.00102)


def test_failures_have_their_status_and_type_in_json(serve: Serve) -> None:
    """A raise, an exit and a timeout each say so in runtimeDone and report, which our client reads."""
    functions = {
        "raises": Function(handler("raises"), log_format="JSON"),
        "exits": Function(handler("exits"), log_format="JSON"),
        "naps": Function(handler("nap"), log_format="JSON", timeout=0.5),
    }
    local, _ = serve(functions)
    with local.client() as client:
        for name, event, kind, status, error_type in (
            ("raises", {"key": "k"}, HandlerError, "error", None),
            ("exits", {"status": 2}, FunctionExitError, "error", "Runtime.ExitError"),
            ("naps", {"seconds": 60}, FunctionTimeoutError, "timeout", None),
        ):
            with pytest.raises(kind) as caught:
                client.invoke(name, event, log_tail=True)
            assert caught.value.log is not None
            report = caught.value.log.report
            assert report is not None
            assert (report.status, report.error_type) == (status, error_type)
            assert "runtimeDone" in kinds(local.logs(name))


def test_an_init_that_fails_is_reported_in_json(serve: Serve, tmp_path: Path) -> None:
    """Both tries have their initStart, initRuntimeDone and initReport, in the phases init and invoke."""
    file = tmp_path / "broken.py"
    file.write_text("raise ValueError('no')\ndef handler(event, context): ...\n")
    local, client = serve({"f": Function(f"{file}:handler", log_format="JSON")})
    invoke(client, "f")
    found = events(local.logs("f"))
    assert [(event["type"].removeprefix("platform."), event["record"].get("phase")) for event in found] == [
        *[(kind, "init") for kind in ("initStart", "initRuntimeDone", "initReport")],
        *[(kind, "invoke") for kind in ("initStart", "initRuntimeDone", "initReport")],
        ("start", None),
        ("runtimeDone", None),
        ("report", None),
    ]
    assert {event["record"]["errorType"] for event in found if "errorType" in event["record"]} == {
        "ValueError"
    }


def test_a_cut_inside_a_character_is_read(serve: Serve) -> None:
    """Over 4 KB of three-byte characters: the tail starts inside one, and its figures and text stand."""
    local, client = serve({"f": handler("prints_wide")})
    answer = client.invoke(FunctionName="f", Payload=b"0", LogType="Tail")
    assert len(base64.b64decode(answer["LogResult"])) == log.TAIL_BYTES
    with local.client() as ours:
        for narrow in range(3):  # a byte more or less moves the cut within a character
            tail = ours.invoke("f", narrow, log_tail=True).log
            assert tail is not None
            assert tail.report is not None
            assert "\ufffd" not in tail.text
            assert tail.text.startswith("€")


@given(
    duration=st.floats(0, 900),
    init=st.none() | st.floats(0, 10),
    used=st.integers(1, 256),
    failed=st.booleans(),
)
def test_what_is_written_is_what_is_read(duration: Any, init: Any, used: Any, failed: Any) -> None:
    """Whatever the figures, both formats read back to them within their own precision."""
    ended = log.Ended("id-1", duration, used, failed, init)
    for lines in (log.TextLines(ORIGIN), JsonLines(ORIGIN, "INFO")):
        text = "".join(f"{line}\n" for line in [*lines.start("id-1"), *lines.ended(ended)])
        report = decode_log_tail(log.tail(text.encode()), "id-1").report
        assert report is not None
        assert report.duration == pytest.approx(duration, abs=0.0000051)
        assert report.max_memory_used == used
        assert report.memory_size == 256
        assert report.billed_duration is not None
        assert report.billed_duration >= duration + (init or 0.0) - 0.00001
        assert (report.init_duration is None) == (init is None)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("log_format", "json", "log_format must be one of Text, JSON, not 'json'"),
        ("application_log_level", "LOUD", "application_log_level must be one of TRACE, DEBUG, INFO"),
        ("system_log_level", "ERROR", "system_log_level must be one of DEBUG, INFO, WARN"),
    ],
)
def test_a_format_or_level_that_lambda_has_not_is_refused(option: Any, value: Any, words: Any) -> None:
    """The message names the option and its values."""
    with pytest.raises(ValueError, match=words):
        Function("app.handler", **{option: value})
