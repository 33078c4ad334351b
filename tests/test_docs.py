"""README and docs run: what they show is what happens."""

from __future__ import annotations

import fnmatch
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.cli.command import run_program

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = [
    *(
        "README.md",
        "docs/quickstart.md",
        "docs/errors.md",
        "docs/retries.md",
        "docs/asyncio.md",
        "docs/fanout.md",
        "docs/batches.md",
        "docs/events.md",
        "docs/once.md",
    ),
    "docs/outcomes.md",
    *("docs/local.md", "docs/testing.md", "docs/cli.md", "docs/typing.md"),
    "docs/doctor.md",
    *("docs/contract-synchronous.md", "docs/contract-event.md", "docs/contract-mapping.md"),
    "docs/redrive.md",
]
NOT_RUN = re.compile(r"<!-- not run: .+ -->")
FILE = re.compile(r"<!-- file: (\S+) -->")
SHOWN = re.compile(r"^\s*print\(.*\)  # (.+)$")
"""A print and what it prints; ``...`` stands for anything."""
EXIT_CODE = re.compile(r"  # exit code (\d+)$")


@attrs.frozen
class Block:
    """A fenced block: its language, the comment before it, and its lines from ``line`` (from 1) on."""

    language: str
    marker: str
    line: int
    lines: tuple[str, ...]

    @property
    def runs(self) -> bool:
        return NOT_RUN.fullmatch(self.marker) is None

    @property
    def file(self) -> str | None:
        found = FILE.fullmatch(self.marker)
        return found[1] if found else None


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    lines = page.split("\n")
    start: int | None = None
    for index, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = index
        else:
            marker = lines[start - 1] if start else ""
            yield Block(lines[start][3:], marker, start + 2, tuple(lines[start + 1 : index]))
            start = None


def script(page: list[Block]) -> str:
    """A page's Python as one script, in which each line has the number that it has in the page."""
    text: list[str] = []
    for block in page:
        if block.language == "python" and block.runs and block.file is None:
            text += [""] * (block.line - 1 - len(text))
            text += block.lines
    return "\n".join(text) + "\n"


def read(name: str) -> list[Block]:
    return list(blocks((ROOT / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", [name for name in PAGES if name != "docs/cli.md"])
def test_the_python_of_a_page_runs(name: str, tmp_path: Path) -> None:
    """The blocks run in order as one script, and print what the comments behind ``print`` say."""
    page = read(name)
    for block in page:
        if block.file is not None:
            (tmp_path / block.file).write_text("\n".join(block.lines), encoding="utf-8")
    path = tmp_path / f"{Path(name).stem.lower()}_page.py"
    path.write_text(script(page), encoding="utf-8")
    done = run_program([sys.executable, "-X", "faulthandler", str(path)], cwd=tmp_path)
    assert done.code == 0, done.err
    printed = iter(done.out.splitlines())
    expected = [found[1] for line in script(page).splitlines() if (found := SHOWN.match(line))]
    assert expected, "a page that shows nothing"
    for one in expected:
        assert any(matches(line, one) for line in printed), f"{one!r} was not printed:\n{done.out}"


def matches(line: str, expected: str) -> bool:
    """Whether a printed line is the one that is shown."""
    pattern = "*".join(re.sub(r"([\[*?])", r"[\1]", part) for part in expected.split("..."))
    return fnmatch.fnmatchcase(line, pattern)


@pytest.mark.parametrize(
    ("line", "expected", "found"),
    [
        ("[1, 2]", "[1, 2]", True),
        ("[1, 2]", "[1]", False),
        ("a 17 b", "a ... b", True),
        ("a 17 c", "a ... b", False),
        ("x*", "x*", True),
        ("xy", "x*", False),
    ],
)
def test_what_is_shown_is_compared(line: str, expected: str, found: bool) -> None:
    """Brackets and stars mean themselves, three dots mean anything."""
    assert matches(line, expected) is found


def commands(name: str) -> list[tuple[str, int]]:
    """The commands of this package in a page's shell blocks, and the exit codes that it shows."""
    found = []
    for block in read(name):
        for line in block.lines if block.language == "bash" and block.runs else ():
            if "python -m lambda_invoke" in line:
                code = EXIT_CODE.search(line)
                found.append((EXIT_CODE.sub("", line), int(code[1]) if code else 0))
    return found


@pytest.mark.parametrize(("name", "place"), [("README.md", "."), ("docs/cli.md", "examples")])
def test_the_commands_of_a_page_run(name: str, place: str, tmp_path: Path) -> None:
    """They end with the exit codes that the page shows, 0 where it shows none, and with no traceback."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    assert commands(name)
    for line, code in commands(name):
        shown = line.replace("python -m", f"'{sys.executable}' -X faulthandler -m")
        done = run_program(["/bin/sh", "-c", shown], cwd=tmp_path / place)
        assert done.code == code, f"{line}\n{done.err}"
        assert "Traceback" not in done.err, done.err


def test_every_page_is_run() -> None:
    """A page with Python or commands of this package cannot be left out by forgetting it."""
    there = ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
    with_code = {
        name for name in there if any(block.language == "python" for block in read(name)) or commands(name)
    }
    assert with_code == set(PAGES)


def test_what_does_not_run_says_why() -> None:
    """Blocks that are not run are few, and all of them for want of an AWS account."""
    markers = [block.marker for name in PAGES for block in read(name) if not block.runs]
    assert markers == ["<!-- not run: needs an AWS account -->"] * 4


def test_links_between_pages_lead_somewhere() -> None:
    """A relative link names a file that is there."""
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / name).parent / link).exists(), f"{name}: {link}"
