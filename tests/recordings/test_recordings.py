"""The decoders against recorded replies of real functions and the real service.

Run by ``nox -s recordings``. The recordings are not part of the repository: they are read from the
folder that ``LAMBDA_INVOKE_RECORDINGS`` names, by default ``../shared/recordings`` beside it.
"""

from __future__ import annotations

import base64
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke.core.function_errors import build_function_error
from lambda_invoke.core.log_tail import decode_log_tail
from lambda_invoke.core.service_errors import build_service_error, parse_refusal
from lambda_invoke.errors import (
    FunctionError,
    FunctionExitError,
    FunctionInitError,
    FunctionOutOfMemoryError,
    FunctionResponseError,
    FunctionTimeoutError,
    HandlerError,
)

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("LAMBDA_INVOKE_RECORDINGS") or ROOT.parent / "shared" / "recordings")

if not FOLDER.is_dir():
    pytest.skip(
        f"no recordings: {FOLDER} is not a folder; LAMBDA_INVOKE_RECORDINGS names it", allow_module_level=True
    )

CATEGORIES: dict[str, type[FunctionError]] = {
    "unhandled": HandlerError,
    "handled": HandlerError,
    "timeout": FunctionTimeoutError,
    "out_of_memory": FunctionOutOfMemoryError,
    "exit_error": FunctionExitError,
    "init_error": FunctionInitError,
    "bad_response": FunctionResponseError,
}


def recorded(name: str) -> pytest.MarkDecorator:
    """One test for each case of a file, under the case's id."""
    cases = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return pytest.mark.parametrize("case", cases, ids=[case["id"] for case in cases])


def seconds(milliseconds: float | None) -> float | None:
    """The duration that a decoder should give for recorded milliseconds."""
    return None if milliseconds is None else float(Decimal(str(milliseconds)) / 1000)


@recorded("function_errors.json")
def test_function_error(case: dict[str, Any]) -> None:
    """Type, message, frames, cause and class are those that were read off by hand."""
    error = build_function_error(
        function="recorded",
        payload=case["payload"].encode(),
        function_error=case["function_error"],
        request_id=None,
        log=None,
        executed_version="$LATEST",
    )
    expected = case["expected"]
    assert error.error_type == expected["error_type"]
    assert error.error_message == expected["error_message"]
    assert len(error.stack_trace) == (expected["n_frames"] or 0)
    assert all(frame.file or frame.function for frame in error.stack_trace)
    assert (error.cause_error.error_type if error.cause_error else None) == expected["cause_type"]
    assert type(error) is CATEGORIES[expected["category"]]


@recorded("log_tails.json")
@pytest.mark.parametrize("given_id", [False, True], ids=["last", "by id"])
def test_log_tail(case: dict[str, Any], given_id: bool) -> None:
    """Text and figures are those of the recording, with and without the request's id."""
    expected = case["expected"]
    encoded = case.get("log_result_b64") or base64.b64encode(case["text"].encode()).decode()
    tail = decode_log_tail(encoded, expected["request_id"] if given_id else None)
    assert tail.text == case["text"]
    assert tail.request_id == expected["request_id"]
    report = tail.report
    if report is None:
        assert {value for key, value in expected.items() if key != "request_id"} == {None}
        return
    assert report.request_id == expected["request_id"]
    assert report.duration == seconds(expected["duration_ms"])
    assert report.billed_duration == seconds(expected["billed_ms"])
    assert report.memory_size == expected["memory_mb"]
    assert report.max_memory_used == expected["max_memory_mb"]
    assert report.init_duration == seconds(expected["init_ms"])
    assert report.restore_duration == seconds(expected["restore_ms"])
    assert report.billed_restore_duration == seconds(expected["billed_restore_ms"])
    assert report.xray_trace_id == expected["xray_trace_id"]
    assert report.status == expected["status"]
    assert report.error_type == expected["error_type"]


@recorded("log_tails.json")
def test_log_tail_of_another_request(case: dict[str, Any]) -> None:
    """A tail that does not speak of the given request gives it no figures."""
    encoded = base64.b64encode(case["text"].encode()).decode()
    tail = decode_log_tail(encoded, "00000000-0000-4000-8000-000000000000")
    assert (tail.request_id, tail.report) == (None, None)


@recorded("service_errors.json")
def test_service_error(case: dict[str, Any]) -> None:
    """Code, message, reason and wait are those that were read off by hand."""
    expected = case["expected"]
    refusal = parse_refusal(case["http_status"], case["headers"], case["body"].encode())
    assert refusal.status_code == case["http_status"]
    assert refusal.code == expected["code"]
    assert refusal.message == (expected["message"] or "")
    assert refusal.reason == expected["reason"]
    assert refusal.retry_after == expected["retry_after"]
    assert refusal.request_id == case["headers"].get("x-amzn-requestid")
    error = build_service_error(refusal, function="recorded")
    assert (error.code, error.status_code, error.message) == (
        refusal.code,
        refusal.status_code,
        refusal.message,
    )


@recorded("invoke_responses.json")
def test_invoke_response(case: dict[str, Any]) -> None:
    """A reply fails by its header alone, and one that fails gives an error that says something."""
    header = case["headers"].get("x-amz-function-error")
    assert (header is None) is case["expected"]["ok"]
    if header is None:
        return
    error = build_function_error(
        function="recorded",
        payload=case["payload"].encode(),
        function_error=header,
        request_id=case["headers"].get("x-amzn-requestid"),
        log=None,
        executed_version=case["headers"].get("x-amz-executed-version"),
    )
    document = json.loads(case["payload"])
    assert error.function_error == case["expected"]["function_error"]
    assert error.executed_version == case["expected"]["executed_version"]
    assert (error.error_type, error.error_message) == (document.get("errorType"), document["errorMessage"])
