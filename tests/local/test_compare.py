"""docs/local-compared.md says of each emulator what it does, and ours has no empty cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.compare.behaviours import BEHAVIOURS
from tests.local.compare.table import WORLDS, failures

PAGE = Path(__file__).parents[2] / "docs" / "local-compared.md"
OURS = "lambda_invoke.local"


def documented() -> dict[str, set[str]]:
    """For each emulator the titles of what it does, as the page says."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    heads, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    return {
        head: {row[0] for row in rows if row[column] == "yes"}
        for column, head in enumerate(heads[1:], start=1)
    }


@pytest.mark.parametrize("name", WORLDS)
def test_what_the_page_says_is_so(name: str, tmp_path: Path) -> None:
    """Every cell of its column: what holds says yes, what does not is empty."""
    wrong: dict[str, str] | None = None
    holds = documented()[name]
    for _ in range(3):  # several of them hang on time, and another's emulator on more than that
        tried = {behaviour.title for behaviour in BEHAVIOURS} if wrong is None else wrong.keys()
        failed = failures(WORLDS[name], tmp_path, only=tried, hopeless=tried - holds)
        differs = (tried - failed.keys()) ^ (holds & tried)
        wrong = {title: repr(failed.get(title, "holds")) for title in differs}
        if not wrong:
            break
    assert not wrong


def test_ours_has_no_empty_cell() -> None:
    """The page lists every behaviour, and each is ours."""
    assert documented()[OURS] == {behaviour.title for behaviour in BEHAVIOURS}
