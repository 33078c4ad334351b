"""What the other side of a transport does in the contract's tests."""

from __future__ import annotations

import contextlib
import enum
import time
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import attrs
import pytest

from lambda_invoke.core.transport import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds after which what a test waits for counts as never coming; a busy machine may stop for long."""

ERROR_TYPE = "ValueError"
ERROR_MESSAGE = "there is no such order"


class Case(enum.Enum):
    """What becomes of every call of the function, in one test."""

    ECHO = "echo"
    """The function answers with its payload; with no payload, with ``null`` or ``{}``."""
    HANDLER_ERROR = "handler error"
    """The function runs and raises ``ValueError("there is no such order")``."""
    THROTTLED = "throttled"
    """429 ``TooManyRequestsException``; :attr:`OtherSide.reason`, :attr:`OtherSide.retry_after`."""
    NOT_FOUND = "not found"
    """404 ``ResourceNotFoundException``."""
    DENIED = "denied"
    """403 ``AccessDeniedException``, of dry runs too."""
    BAD_REQUEST = "bad request"
    """400, with a code that names a bad request; :attr:`OtherSide.payload` may be what is bad."""
    FAULT = "fault"
    """500 ``ServiceException``."""
    UNREACHABLE = "unreachable"
    """Nobody accepts connections."""
    DROPPED_BEFORE = "dropped before executing"
    """The request is read, nothing runs, and the connection closes without a reply."""
    DROPPED_AFTER = "dropped after executing"
    """The function runs, and the connection closes without a reply."""
    TRUNCATED = "truncated"
    """The function runs, and its reply breaks off."""
    HANGS = "hangs"
    """The function is begun, and no reply comes, for far longer than a second."""
    HELD = "held"
    """As ECHO, once :attr:`OtherSide.release` was called; begun at once."""


def _nothing() -> None:
    """Nothing is held."""


@attrs.frozen
class OtherSide(Generic[T]):
    """A transport, and what there is at its other end.

    ``executions`` counts how often the function was begun, ``requests`` what came for it (None: the
    other side does not know). ``received`` is the last request as it came there, in the fields of a
    Request (None: it does not tell; the test that asks is skipped). ``reason`` and ``retry_after``
    (seconds) are what a 429 says. ``release`` lets go what is HELD. ``client_options`` are those of
    clients over the transport: the clock of one whose time is not real.
    """

    transport: T
    executions: Callable[[], int]
    requests: Callable[[], int] | None = None
    received: Callable[[], Request] | None = None
    function: str = "contract"
    payload: bytes = b'{"order": 17}'
    reason: str | None = "ReservedFunctionConcurrentInvocationLimitExceeded"
    retry_after: float | None = None
    release: Callable[[], object] = _nothing
    client_options: Mapping[str, Any] = attrs.field(factory=dict)

    def request(self, **options: Any) -> Request:
        """A request for the function."""
        return Request(self.function, self.function, **{"payload": self.payload, **options})


class Suite:
    """What the tests ask of the class that runs them."""

    unsupported: ClassVar[Mapping[Case, str]] = {}
    """What the implementation, or its other side, cannot bring about, and why."""

    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        """A transport of which the other side does what the case says, for as long as the block lasts."""
        raise NotImplementedError

    def sends(
        self,
        other: OtherSide[Any],
        *requests: Request,
        timeout: float | None = None,
        remaining: float | None = None,
    ) -> list[Answer]:
        """Send requests, all at once."""
        raise NotImplementedError

    def calls(self, other: OtherSide[Any], call: Callable[[Any], Any]) -> Any:
        """Make a call of a client over the transport."""
        raise NotImplementedError

    def closes(self, other: OtherSide[Any]) -> None:
        """Close the transport."""
        raise NotImplementedError

    @contextlib.contextmanager
    def made(self, case: Case) -> Iterator[OtherSide[Any]]:
        """As ``make``; a case that is not supported skips the test, and says why."""
        if case in self.unsupported:
            pytest.skip(f"{case.value}: {self.unsupported[case]}")
        with self.make(case) as other:
            yield other


def soon(holds: Callable[[], object]) -> None:
    """Wait until something holds that the other side brings about.

    Raises:
        AssertionError: it did not, within PATIENCE.
    """
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "it did not come about on the other side"
        time.sleep(0.002)
