"""Functions in Go and Rust, over their AWS runtime libraries: where the tests have them, and their build.

``python -m tests.support.native`` builds them, which needs ``go`` and ``cargo`` and their registries, and
takes a minute or two; ``nox -s natives`` does so once, and runs what is tested with them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import attrs

SOURCES = Path(__file__).parents[1] / "local" / "runtimes"
DIRECTORY = Path(os.environ.get("TESTS_NATIVES") or Path(__file__).parents[2] / ".nox" / "native-functions")


@attrs.frozen
class Native:
    """A function in ``tests/local/runtimes/<language>``, and how it is built.

    ``tool`` and its arguments run in a copy of that directory, with ``environment`` besides the caller's;
    the program is then ``output`` there.
    """

    language: str
    library: str
    tool: str
    arguments: tuple[str, ...]
    output: str
    environment: tuple[tuple[str, str], ...]

    @property
    def directory(self) -> Path:
        """Where it is built: another one when a source has changed."""
        digest = hashlib.sha256()
        for file in sorted((SOURCES / self.language).rglob("*.*")):
            digest.update(file.read_bytes())
        return DIRECTORY / f"{self.language}-{digest.hexdigest()[:12]}"

    @property
    def program(self) -> Path:
        """The executable."""
        return self.directory / self.output

    @property
    def log(self) -> Path:
        """What the build said."""
        return self.directory / "build.log"

    def missing(self) -> str | None:
        """Why it cannot be tested; None: it can."""
        if self.program.exists():
            return None
        if self.log.exists():
            return f"{self.library} could not be built: {self.log} has {self.tool}'s words"
        if shutil.which(self.tool) is None:
            return f"{self.tool} is not installed, so {self.library} is not tested"
        return f"{self.library} is not built: nox -s natives does so, or python -m tests.support.native"

    def build(self) -> None:
        """Build it if that is not done; what goes wrong is in the log, and in what ``missing`` says."""
        tool = shutil.which(self.tool)
        if tool is None or self.program.exists():
            return
        shutil.copytree(SOURCES / self.language, self.directory, dirs_exist_ok=True)
        with self.log.open("wb") as log:
            subprocess.run(
                [tool, *self.arguments],
                cwd=self.directory,
                env={**os.environ, **dict(self.environment)},
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )


GO = Native(
    "go",
    "aws-lambda-go",
    "go",
    ("build", "-mod=mod", "-tags", "lambda.norpc", "-o", "bootstrap", "."),
    "bootstrap",
    (("CGO_ENABLED", "0"),),
)
RUST = Native(
    "rust",
    "lambda_runtime",
    "cargo",
    ("build", "--release", "--target-dir", "target"),
    "target/release/bootstrap",
    (("CARGO_NET_RETRY", "1"),),
)
NATIVES = (GO, RUST)


if __name__ == "__main__":
    for native in NATIVES:
        native.build()
        reason = native.missing()
        sys.stdout.write(f"{reason or f'a function over {native.library} is {native.program}'}\n")
