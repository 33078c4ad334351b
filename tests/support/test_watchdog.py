"""The watchdog of the tests' processes: a hang explains itself."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.patience import PATIENCE
from tests.support.watchdog import Watchdog

STUCK = """
import threading
def wait_for_nobody():
    threading.Event().wait()
threading.Thread(target=wait_for_nobody, daemon=True).start()
print("up", flush=True)
wait_for_nobody()
"""
PYTHON = [sys.executable, "-X", "faulthandler", "-c", STUCK]


@pytest.mark.parametrize(
    "command", [PYTHON, ["/bin/sh", "-c", '"$@"; true', "sh", *PYTHON]], ids=["it", "its child"]
)
def test_what_does_not_end_says_what_it_was_doing(command: list[str]) -> None:
    """The stacks of all threads, and what the system knows of them."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        with Watchdog(process, 0.0) as watchdog:
            _, said = process.communicate(timeout=PATIENCE)
    with pytest.raises(AssertionError) as failure:
        watchdog.check(said)
    text = str(failure.value)
    assert "did not end within 0 s" in text
    assert text.count("most recent call first") >= 2
    assert 'File "<string>"' in text
    if sys.platform == "linux":
        assert text.count("  thread ") >= 2
        assert re.search(r": [A-Z] \([\w ]+\) in ", text)  # asleep, or on a busy machine not yet


def test_what_ends_in_time_is_left_alone() -> None:
    """And nothing fails."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process, Watchdog(process) as watchdog:
        assert process.wait(PATIENCE) == 0
    watchdog.check()
