"""When a fan-out ends early for what its items came to."""

from __future__ import annotations

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.fanout.report import CompletionReason

_ENOUGH_TO_JUDGE = 100
"""Of an input without a length, the share of failures is looked at from so many outcomes on."""


@attrs.frozen
class Tolerance:
    """How many failures a job bears, and how many successes it wants; None: any number, all.

    ``failures`` is a count (int) or a share (float) of the items. ``total`` is how many there are, None
    when the input has no length: a share is then one of the outcomes so far.
    """

    failures: float | None
    successes: int | None
    total: int | None

    def verdict(self, succeeded: int, failed: int, *, at_end: bool) -> CompletionReason | None:
        """Why the job ends now; None: it goes on."""
        if self.failures is not None and self._exceeded(failed, succeeded + failed, at_end=at_end):
            return CompletionReason.TOLERANCE_EXCEEDED
        if self.successes is not None and succeeded >= self.successes and not at_end:
            return CompletionReason.ENOUGH_SUCCEEDED
        return None

    def _exceeded(self, failed: int, done: int, *, at_end: bool) -> bool:
        borne = self.failures
        assert borne is not None
        if isinstance(borne, int):
            return failed > borne
        if self.total is not None:
            return failed > 0 and failed / max(1, self.total) > borne
        return (at_end or done >= _ENOUGH_TO_JUDGE) and done > 0 and failed / done > borne


def tolerance(tolerate: object, first_successes: object, total: int | None) -> Tolerance:
    """What the arguments ``tolerate`` and ``first_successes`` say.

    Raises:
        RequestError: one of them says nothing.
    """
    failures: float | None
    if (
        tolerate is None
        or (isinstance(tolerate, int) and not isinstance(tolerate, bool) and tolerate >= 0)
        or (isinstance(tolerate, float) and 0 <= tolerate <= 1)
    ):
        failures = tolerate
    else:
        raise RequestError(f"tolerate is a count of items (int) or a share (float, 0 to 1), not {tolerate!r}")
    if first_successes is None:
        return Tolerance(failures, None, total)
    if not isinstance(first_successes, int) or isinstance(first_successes, bool) or first_successes < 1:
        raise RequestError(f"first_successes is an int of at least 1, not {first_successes!r}")
    return Tolerance(failures, first_successes, total)
