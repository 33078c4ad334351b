"""The log tail: its text, and the figures of its REPORT."""

from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.core.log_tail import decode_log_tail
from lambda_invoke.results import LogTail, Report

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
FIGURES = "Duration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB"
PLAIN = Report(ID, duration=0.00123, billed_duration=0.002, memory_size=128, max_memory_used=40)


def tail(text: str | bytes, request_id: str | None = None) -> LogTail:
    """The log tail of a text."""
    data = text if isinstance(text, bytes) else text.encode()
    return decode_log_tail(base64.b64encode(data).decode(), request_id)


def report_line(request_id: str = ID, figures: str = FIGURES) -> str:
    """A REPORT line, as Lambda writes it."""
    return f"REPORT RequestId: {request_id}\t{figures}\t\n"


def log(body: str = "", request_id: str = ID, figures: str = FIGURES) -> str:
    """A whole log of one invocation."""
    start = f"START RequestId: {request_id} Version: $LATEST\n"
    return f"{start}{body}END RequestId: {request_id}\n{report_line(request_id, figures)}"


def platform(kind: str, **record: Any) -> str:
    """A line of the JSON log format."""
    return json.dumps({"time": "2026-10-08T07:30:27.768Z", "type": f"platform.{kind}", "record": record})


@pytest.mark.parametrize(
    ("label", "changes"),
    [
        ("Init Duration: 524.75 ms", {"init_duration": 0.52475}),
        ("Restore Duration: 511.56 ms", {"restore_duration": 0.51156}),
        ("Billed Restore Duration: 136 ms", {"billed_restore_duration": 0.136}),
        ("Status: timeout", {"status": "timeout"}),
        ("Status: error\tError Type: Runtime.X", {"status": "error", "error_type": "Runtime.X"}),
        ("XRAY TraceId: 1-5e34\tSegmentId: 454\tSampled: true", {"xray_trace_id": "1-5e34"}),
        ("\nXRAY TraceId: 1-5e34\tSegmentId: 454\tSampled: true", {"xray_trace_id": "1-5e34"}),
        ("Something New: 17 lightyears", {}),
        ("Init Duration: soon", {}),
        ("Init Duration: -5 ms", {}),
        ("Init Duration: 5 s", {}),
    ],
)  # fmt: skip
def test_each_figure_is_found_by_its_label(label: str, changes: dict[str, Any]) -> None:
    """A field counts wherever it stands in the line; one that is unknown or garbled changes nothing."""
    after = tail(log(figures=f"{FIGURES}\t{label}")).report
    assert after == attrs.evolve(PLAIN, **changes)
    if "\n" not in label:
        assert tail(log(figures=f"{label}\t{FIGURES}")).report == after


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [
        ("1.23", 0.00123),
        ("0.1", 0.0001),
        ("3000.00", 3.0),
        ("344356.22", 344.35622),
        ("1.0", 0.001),
        ("2", 0.002),
        ("1.5E-4", 1.5e-7),
    ],
)
def test_durations_are_exact(milliseconds: str, seconds: float) -> None:
    """Milliseconds become the float that is written as their thousandth, in text and in JSON."""
    line = f"REPORT RequestId: {ID}\tDuration: {milliseconds} ms \tBilled Duration: 2 ms \t\n"
    report = tail(line).report
    assert report is not None
    assert report.duration == seconds
    text = platform("report", requestId=ID, metrics={"durationMs": 0}).replace(": 0}", f": {milliseconds}}}")
    report = tail(text).report
    assert report is not None
    assert report.duration == seconds


def test_a_cold_start_shows() -> None:
    """A report with an init or a restore duration is that of a cold start."""
    for label, cold in (
        ("Init Duration: 5 ms", True),
        ("Restore Duration: 5 ms", True),
        ("Status: error", False),
    ):
        report = tail(log(figures=f"{FIGURES}\t{label}")).report
        assert report is not None
        assert report.cold_start is cold


@pytest.mark.parametrize(
    "text",
    [
        f"INIT_REPORT Init Duration: 9.00 ms\tPhase: init\tError Type: Runtime.ExitError\n{log()}",
        f"RESTORE_REPORT Restore Duration: 789.64 ms\n{log()}",
        f"{log()}INIT_REPORT Init Duration: 9.00 ms\tPhase: invoke\tStatus: error\n",
        log("Status is  done\nDuration: 99 ms\tStatus: timeout\n"),
        log(f"REPORT RequestId: {ID} is what I am\nREPORT: Duration: 9 ms\n"),
        log(f"  REPORT RequestId: {ID}\tDuration: 9 ms\n"),
        log(f"I say REPORT RequestId: {ID}\tDuration: 9 ms\n"),
        log(f"\rREPORT RequestId: {ID}\tDuration: 9 ms\n"),
        log(report_line(figures="Duration: 9 ms")),
        log("Traceback (most recent call last):\r\u00a0\u00a0File x\r    raise X()"),
        log('{"requestId": "x", "message": "done"}\n200\n'),
        log(platform("report", requestId=OTHER_ID, metrics={"durationMs": 9}) + "\n"),
        "T RequestId: " + OTHER_ID + "\tDuration: 9 ms\n" + log(),
        log().rstrip(),
        log() + f"RequestId: {ID} Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n",
    ],
)
def test_only_the_platform_s_line_is_a_report(text: str) -> None:
    """Neither the handler's lines nor Lambda's other reports change the figures, wherever they stand."""
    assert tail(text, ID) == LogTail(text, request_id=ID, report=PLAIN)


def test_the_report_of_the_request_is_picked() -> None:
    """Of several requests in a tail the given one counts, else the last; another's never stands in."""
    other = log(request_id=OTHER_ID, figures="Duration: 9 ms")
    nine = Report(OTHER_ID, duration=0.009)
    assert tail(log() + other, ID).report == PLAIN
    assert tail(other + log(), ID).report == PLAIN
    assert tail(log() + other).report == nine
    assert tail(log() + other).request_id == OTHER_ID
    assert tail(other + f"START RequestId: {ID} Version: 3\n", ID) == LogTail(
        other + f"START RequestId: {ID} Version: 3\n", request_id=ID
    )
    assert tail(other, ID) == LogTail(other)


@pytest.mark.parametrize(
    ("text", "request_id"),
    [
        (f"START RequestId: {ID} Version: $LATEST\nhello\n", ID),
        (f"hello\nEND RequestId: {ID}\n", ID),
        (f"helloEND RequestId: {ID}\n", ID),
        (f"init outputSTART RequestId: {ID} Version: 7\n", ID),
        (platform("start", requestId=ID, version="8"), ID),
        ("plain output" + platform("start", requestId=ID, version="8"), ID),
        (f"RequestId: {ID}\n", None),
        (f"Request ID: {ID} failed\n", None),
        ("", None),
    ],
)
def test_without_a_report_the_id_comes_from_start_and_end(text: str, request_id: str | None) -> None:
    """The id is Lambda's own, never one that the function wrote; the report is None."""
    assert tail(text) == LogTail(text, request_id=request_id)


METRICS = {"durationMs": 1.23, "billedDurationMs": 2, "memorySizeMB": 128, "maxMemoryUsedMB": 40}


@pytest.mark.parametrize(
    ("record", "report"),
    [
        ({"status": "success", "metrics": METRICS}, Report(ID, 0.00123, 0.002, 128, 40, status="success")),
        ({"metrics": {**METRICS, "initDurationMs": 463.512}}, Report(ID, 0.00123, 0.002, 128, 40, 0.463512)),
        ({"metrics": {"durationMs": 5, "restoreDurationMs": 7, "billedRestoreDurationMs": 8}},
         Report(ID, 0.005, restore_duration=0.007, billed_restore_duration=0.008)),
        ({"metrics": {"durationMs": 1.148}, "status": "success"}, Report(ID, 0.001148, status="success")),
        ({"metrics": {"durationMs": 1e-4}, "status": "error", "errorType": "Runtime.ExitError"},
         Report(ID, 1e-7, status="error", error_type="Runtime.ExitError")),
        ({"metrics": {}, "tracing": {"value": "Root=1-6352a70e-1e2c;Parent=35465b3a;Sampled=1"}},
         Report(ID, xray_trace_id="1-6352a70e-1e2c")),
        ({"metrics": {"durationMs": None, "memorySizeMB": -1, "maxMemoryUsedMB": "x"}}, Report(ID)),
        ({"metrics": {}, "tracing": 7, "status": 7, "errorType": None}, Report(ID)),
        ({"metrics": None}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_json_format(record: dict[str, Any], report: Report | None) -> None:
    """The figures of ``platform.report``; what is missing or no figure is None."""
    text = "\n".join(
        [
            platform("start", requestId=ID, version="8"),
            json.dumps({"level": "ERROR", "requestId": ID, "message": '{"type":"platform.report"}'}),
            platform("report", requestId=ID, **record),
            "",
        ]
    )
    assert tail(text, ID) == LogTail(text, request_id=ID, report=report)


def test_json_glued_and_nested() -> None:
    """An object glued to unfinished output is Lambda's; one inside another object is the function's."""
    line = platform("report", requestId=ID, metrics={"durationMs": 5})
    assert tail(f"unfinished output{line}\n", ID).report == Report(ID, duration=0.005)
    assert tail(f'{{"event": {line}}}\n', ID).report is None


def test_the_text_is_decoded_leniently() -> None:
    """A character cut off at the start is dropped; broken UTF-8 elsewhere is replaced; figures stay."""
    data = "\u00e9\u20ac".encode()[4:] + b"caf\xe9\n" + log().encode()
    found = tail(data, ID)
    assert found.text == "caf\ufffd\n" + log()
    assert found.report == PLAIN
    assert found.lines[0] == "caf\ufffd"


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_base64_that_was_cut_off_is_read_as_far_as_it_goes(cut: int) -> None:
    """Missing padding or letters at the end lose at most the end of the text."""
    encoded = base64.b64encode(("x" + log()).encode()).decode()
    assert encoded.endswith("=")
    found = decode_log_tail(encoded[:-cut], ID)
    assert ("x" + log()).startswith(found.text)
    assert len(found.text) >= len("x" + log()) - cut


def test_wrapped_base64_and_plain_text() -> None:
    """Line breaks in base64 do not matter; what is not base64 is the text itself."""
    assert decode_log_tail(base64.encodebytes(log().encode()).decode(), ID).report == PLAIN
    assert decode_log_tail(log(), ID).report == PLAIN
    assert decode_log_tail("!") == LogTail("!")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"logGroup": "/aws/lambda/f", "logStreamName": "1/[1]ab"}', ("/aws/lambda/f", "1/[1]ab")),
        (' {"logStreamName": "s", "logGroup": "g", "more": 1}\n', ("g", "s")),
        ('{"logGroup": "g"}', None),
        ('{"logGroup": "g", "logStreamName": 7}', None),
        ('{"logGroup": "g", "logStreamName": "s"}\nEND', None),
    ],
)
def test_the_place_of_the_log_instead_of_its_text(text: str, place: tuple[str, str] | None) -> None:
    """An answer that names log group and stream has no text; anything else is text."""
    found = tail(text)
    assert (found.log_group, found.log_stream) == (place or (None, None))
    assert found.text == ("" if place else text)
    assert (found.report, found.request_id) == (None, None)


_HUGE = '{"type":"platform.report","record":{"requestId":"i","metrics":{"durationMs":' + "9" * 5_000 + "}}}"
_LINES = st.text() | st.sampled_from(
    [
        log(),
        report_line(),
        report_line(OTHER_ID),
        "REPORT RequestId: \tDuration: 1 ms",
        "XRAY TraceId: 1-2",
        platform("report", requestId=ID, metrics=METRICS),
        '{"time":' * 50,
        '{"time":' + "[" * 100_000 + '"platform.report"',
        '{"time":"x","type":"platform.report"}',
        _HUGE,
    ]
)


@given(
    data=st.binary() | st.lists(_LINES).map(lambda lines: "\n".join(lines).encode()),
    request_id=st.none() | st.sampled_from([ID, OTHER_ID]),
)
def test_any_tail_is_read(data: bytes, request_id: str | None) -> None:
    """No bytes make the decoder raise, and a report is never that of another request."""
    found = tail(data, request_id)
    assert request_id is None or found.report is None or found.report.request_id == request_id
    assert request_id is None or found.request_id in {None, request_id}
    assert pickle.loads(pickle.dumps(found)) == found


@given(log_result=st.text())
def test_any_header_is_read(log_result: str) -> None:
    """No header value makes the decoder raise."""
    assert isinstance(decode_log_tail(log_result), LogTail)
