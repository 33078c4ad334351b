"""How many calls of one scope (a function, an account) the service lets run at once, as found out.

Nothing is limited until the service says so. Then:

- The first throttle sets the limit to what was accepted in flight, which the throttles of the same
  round trip go on to tell.
- A later one takes it to 0.7 of what was in flight, once per round trip: the throttles of calls that
  were sent before the cut say nothing new.
- A window is clean when a call was accepted that was sent when the limit was full. The first clean one
  after a cut takes the limit back to where the last clean one was. Past that it grows by a step that
  doubles per clean window and is 1 again after a throttle, and the first step waits for a second clean
  window, and longer where a window is a few calls: it is a throttle, most of the time.
"""

from __future__ import annotations

import attrs

CUT = 0.7
"""What is left of the limit after a throttle that is not the first."""
WINDOWS = 2
"""Clean windows at the proven limit before the first step past it,"""
CALLS = 10
"""and calls accepted in them,"""
MOST_WINDOWS = 4
"""or so many windows."""
NONE_YET = -1


@attrs.define(eq=False)
class Concurrency:
    """Calls in flight and the limit on them; None: no limit is known.

    ``most`` is what would ever be sent: a limit that has grown so far is none. Calls are told apart by
    their ``number``, which counts up as they are sent; ``newest`` is the number of the last.
    """

    most: int
    in_flight: int = 0
    limit: float | None = None
    _step: float = 1.0
    _proven: float = 0.0
    _windows: int = 0
    _calls: int = 0
    _recovered: bool = False
    _learning: bool = False
    _cut_at: int = NONE_YET
    _filled_by: int | None = None

    def full(self) -> bool:
        """Whether one more call would be too many."""
        return self.limit is not None and self.in_flight + 1 > self.limit

    def sent(self, number: int) -> None:
        """Call ``number`` is in flight."""
        self.in_flight += 1
        if self.limit is not None and self._filled_by is None and self.full():
            self._filled_by = number

    def accepted(self, number: int) -> None:
        """Call ``number`` ended: the service took it."""
        self.in_flight -= 1
        if self.limit is not None:
            self._calls += 1
            if number > self._cut_at:
                self._learning = False
            if self._filled_by is not None and number >= self._filled_by:
                self._clean(self.limit)

    def throttled(self, number: int, newest: int) -> None:
        """Call ``number`` ended, one too many."""
        self.in_flight -= 1
        if self.limit is None:
            self._cut(self.in_flight, newest)
            self._learning = True
        elif self._learning:
            self.limit = max(1.0, self.limit - 1)
        elif number > self._cut_at:
            if self._recovered:
                self._proven = (self._proven + self.limit) / 2
            self._cut(CUT * min(self.limit, self.in_flight + 1), newest)

    def left(self) -> None:
        """A call ended in a way that says nothing about the limit."""
        self.in_flight -= 1

    def forget(self) -> None:
        """Know of no limit again."""
        self.limit = None
        self._proven = 0.0
        self._cut_at = NONE_YET

    def _cut(self, limit: float, newest: int) -> None:
        self._step = 1.0
        self._cut_at = newest
        self._set(max(1.0, limit))

    def _clean(self, limit: float) -> None:
        """A window was clean at this limit."""
        self._filled_by = None
        self._windows += 1
        self._recovered = False
        proven, self._proven = self._proven, limit
        enough = self._calls >= CALLS or self._windows >= MOST_WINDOWS
        if limit < proven:
            self._set(proven)
            self._recovered = True
        elif self._step > 1 or (self._windows >= WINDOWS and enough):
            if limit + self._step >= self.most:
                self.forget()
            else:
                self._set(limit + self._step)
                self._step *= 2

    def _set(self, limit: float) -> None:
        self.limit = limit
        self._windows = self._calls = 0
        self._recovered = False
        self._filled_by = None
