"""What the doctor says: a Diagnosis, which is a sorted tuple of Findings. Frozen values."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Plain = str | int | float | bool | None | tuple[str, ...]
    """What evidence is made of."""

FORMAT = 1
"""Of :meth:`Diagnosis.to_dict`; ``diagnosis.schema.json`` beside this file describes it."""


class Severity(enum.StrEnum):
    """How much a finding matters, the worst first.

    ``UNKNOWN`` is of what could not be looked at: it may be well or not.
    """

    ERROR = "error"
    WARNING = "warning"
    UNKNOWN = "unknown"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return tuple(Severity).index(self)


@attrs.frozen
class Finding:
    """One thing that is set up wrongly, or that could not be looked at.

    ``id`` is stable: a script may compare it. ``evidence`` is what was seen, as plain values; ``why`` is
    why it matters, ``fix`` a command or a setting, ``source`` the AWS page that says so.
    """

    id: str
    severity: Severity
    title: str
    evidence: Mapping[str, Plain]
    why: str = attrs.field(repr=False)
    fix: str = attrs.field(repr=False)
    source: str = attrs.field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON values."""
        evidence = {
            name: list(value) if isinstance(value, tuple) else value for name, value in self.evidence.items()
        }
        return {
            "id": self.id,
            "severity": self.severity.value,
            "title": self.title,
            "evidence": evidence,
            "why": self.why,
            "fix": self.fix,
            "source": self.source,
        }


@attrs.frozen(repr=False, str=False)
class Diagnosis:
    """What was found about one function, the worst first.

    ``function`` is the target as it was asked for, ``function_arn`` the ARN where it could be read;
    ``looked_at`` names what could be looked at, sound or not. ``hours`` is how far back the metrics go.
    """

    function: str
    function_arn: str | None
    hours: float
    looked_at: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding; None where there is none."""
        return self.findings[0].severity if self.findings else None

    @property
    def could_not_look(self) -> tuple[Finding, ...]:
        """What could not be looked at; its evidence names the IAM action that would allow it."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.UNKNOWN)

    def count(self, severity: Severity) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as JSON values, as ``diagnosis.schema.json`` describes them."""
        return {
            "format": FORMAT,
            "function": self.function,
            "function_arn": self.function_arn,
            "hours": self.hours,
            "worst": None if self.worst is None else self.worst.value,
            "looked_at": list(self.looked_at),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """:meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    @property
    def summary(self) -> str:
        """The counts in words: "1 error, 2 warnings"; "nothing found" for none."""
        said = [
            f"{number} {words if number != 1 else word}"
            for severity, word, words in (
                (Severity.ERROR, "error", "errors"),
                (Severity.WARNING, "warning", "warnings"),
                (Severity.UNKNOWN, "could not be looked at", "could not be looked at"),
                (Severity.INFO, "remark", "remarks"),
            )
            if (number := self.count(severity))
        ]
        return ", ".join(said) or "nothing found"

    def __repr__(self) -> str:
        return f"<Diagnosis of {self.function}: {self.summary}>"

    def __str__(self) -> str:
        from lambda_invoke.doctor.table import plain_table

        return plain_table(self)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first; those of one severity as they were found."""
    return tuple(sorted(findings, key=lambda finding: finding.severity.rank))
