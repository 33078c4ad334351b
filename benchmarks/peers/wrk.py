"""What ``wrk`` reaches on the same server: the most that a client could, with nothing of a library's work."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers.protocol import FUNCTION

if TYPE_CHECKING:
    from benchmarks.peers.server import Server

SECONDS = 2
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [=[{body}]=]
"""


def requests_per_second(server: Server, *, in_flight: int, payload: Any) -> float | None:
    """Of one thread; None where wrk is not on PATH."""
    if shutil.which("wrk") is None:
        return None
    with tempfile.TemporaryDirectory() as home:
        script = Path(home) / "post.lua"
        script.write_text(SCRIPT.format(body=json.dumps(payload)))
        done = subprocess.run(
            [
                *("wrk", "-t", "1", "-c", str(in_flight), "-d", f"{SECONDS}s", "-s", str(script)),
                f"{server.url}/2015-03-31/functions/{FUNCTION}/invocations",
            ],
            capture_output=True,
            check=True,
            text=True,
        )
    found = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise RuntimeError(f"wrk said: {done.stdout}")
    return float(found[1])
