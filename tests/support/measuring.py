"""Coverage where it tells something: in this process, and in those that run what this one does not."""

from __future__ import annotations

import os
import sys

MEASURED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS_")}
"""What a process needs in its environment to be measured; empty where nothing is."""


def measure_no_processes() -> None:
    """Let the processes that tests start go unmeasured, but for those that are given ``MEASURED``.

    Most run what is measured in this process too, or are killed, so that nothing is kept: a fifth of a
    second for each would be spent for nothing.
    """
    for name in MEASURED:
        os.environ.pop(name, None)


def unmeasured() -> None:
    """Let this thread go unmeasured: it runs a server of another's, which is half as fast while traced."""
    sys.settrace(None)
