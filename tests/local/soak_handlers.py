"""The handler of the soak: every execution leaves a line that the test counts, then goes as it was told."""

import json
import os
import time
from pathlib import Path
from typing import Any


def acts(event: Any, context: Any) -> Any:
    """Leave a line, then do what the event says."""
    ledger = Path(os.environ["LEDGER"])
    _append(ledger / context.function_name, f"{context.aws_request_id}\n")
    if "requestContext" in event:  # the record of another function's Event
        _append(ledger / f"{context.function_name}.records", json.dumps(event) + "\n")
    told = event.get("act")
    if told == "flaky":
        tries = ledger / f"tries-{context.aws_request_id}"
        _append(tries, "x")
        if tries.stat().st_size <= event["failures"]:
            raise RuntimeError("not yet")
    elif told == "fail":
        raise RuntimeError("never")
    elif told == "exit":
        os._exit(3)
    elif told == "hang":
        time.sleep(3600)
    return {"nonce": event.get("nonce"), "id": context.aws_request_id}


def _append(file: Path, text: str) -> None:
    """In one write, so that lines of several workers do not mix."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
