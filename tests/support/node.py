"""AWS's runtime client for Node, ``aws-lambda-ric``: where the tests have it, and its installation.

``python -m tests.support.node`` installs it, which compiles curl and takes a minute or two; ``nox -s tests``
does so once. The latest 3.x needs autoconf to compile; 4.x says that it wants Node 22, and works on 20.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "4.0.2"
DIRECTORY = Path(
    os.environ.get("TESTS_NODE") or Path(__file__).parents[2] / ".nox" / f"aws-lambda-ric-{VERSION}"
)
_LOG = DIRECTORY / "npm.log"
_DONE = DIRECTORY / "done"
CLIENT = DIRECTORY / "node_modules" / "aws-lambda-ric" / "index.mjs"


def missing() -> str | None:
    """Why there is no runtime client to test with; None: there is one."""
    if shutil.which("node") is None:
        return "node is not installed"
    if _DONE.exists():
        return None
    if _LOG.exists():
        return f"aws-lambda-ric could not be installed: {_LOG} has npm's words"
    return "aws-lambda-ric is not installed: nox -s tests does so, or python -m tests.support.node"


def install() -> None:
    """Install it if that is not done; what goes wrong is in npm's log, and in what ``missing`` says."""
    npm = shutil.which("npm")
    if npm is None or _DONE.exists():
        return
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with _LOG.open("wb") as log:
        done = subprocess.run(
            [
                npm,
                "install",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(DIRECTORY),
                f"aws-lambda-ric@{VERSION}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode == 0 and CLIENT.exists() and any(CLIENT.parent.glob("*.node")):
        _DONE.touch()


if __name__ == "__main__":
    install()
    reason = missing()
    sys.stdout.write(f"{reason or f'aws-lambda-ric {VERSION} is in {DIRECTORY}'}\n")
