"""A module whose import fails, and counts how often it was tried."""

import os
import sys
import time
from pathlib import Path
from typing import Any

with Path(os.environ["INIT_FILE"]).open("a") as file:
    file.write("init\n")

what = os.environ["INIT_WHAT"]
if what == "raise":
    raise ZeroDivisionError("at import")
if what == "exit":
    sys.exit(7)
if what == "slow":
    time.sleep(float(os.environ["INIT_SECONDS"]))


def handler(event: Any, context: Any) -> Any:
    return "initialised"
