"""A diagnosis in a terminal, drawn with rich; it heeds NO_COLOR and the terminal's width itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from lambda_invoke.doctor.findings import Severity
from lambda_invoke.doctor.table import evidence_text, heading, looked_at

if TYPE_CHECKING:
    from lambda_invoke.doctor.findings import Diagnosis, Finding

_STYLES = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "bold yellow",
    Severity.UNKNOWN: "bold magenta",
    Severity.INFO: "bold blue",
}


_TWO_COLUMNS = 110
"""Characters from which on two of them hold the longest option of a command."""


def print_table(diagnosis: Diagnosis) -> None:
    """Print it on standard output."""
    console = Console()
    style = "bold green" if diagnosis.worst is None else _STYLES[diagnosis.worst]
    console.print(Text(heading(diagnosis), style))
    if diagnosis.findings:
        table = Table(box=box.ROUNDED, show_lines=True, expand=False)
        table.add_column("", no_wrap=True)
        if wide := console.width >= _TWO_COLUMNS:
            table.add_column("Finding", ratio=5, overflow="fold")
            table.add_column("Why, and the fix", ratio=6, overflow="fold")
        else:
            table.add_column("Finding, why, and the fix", overflow="fold")
        for finding in diagnosis.findings:
            told = (_found(finding), _mend(finding))
            severity = Text(finding.severity.value.upper(), _STYLES[finding.severity])
            table.add_row(severity, *(told if wide else [Group(*told)]))
        console.print(table)
    console.print(Text(looked_at(diagnosis), "dim"))


# Text, not markup: a name may hold brackets.
def _found(finding: Finding) -> Group:
    return Group(Text(finding.title, "bold"), Text(finding.id, "cyan"), Text(evidence_text(finding), "dim"))


def _mend(finding: Finding) -> Group:
    return Group(
        Text(finding.why),
        Text.assemble(("fix: ", "bold green"), finding.fix),
        Text(finding.source, "dim italic"),
    )
