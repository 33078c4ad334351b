"""The clients' ``outcomes``: a tracker of what becomes of their Events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

if TYPE_CHECKING:
    from typing_extensions import TypeForm

    from lambda_invoke.base import ClientBase
    from lambda_invoke.events.aio_tracker import AsyncOutcomeTracker
    from lambda_invoke.events.tracker import OutcomeTracker

T = TypeVar("T")


class OutcomeMethods:
    """``outcomes`` of the blocking client."""

    @overload
    def outcomes(
        self, queue_url: str, *, response: None = None, keep: bool = False, visibility_timeout: int = 30
    ) -> OutcomeTracker[Any]: ...
    @overload
    def outcomes(
        self, queue_url: str, *, response: TypeForm[T], keep: bool = False, visibility_timeout: int = 30
    ) -> OutcomeTracker[T]: ...
    def outcomes(
        self, queue_url: str, *, response: Any = None, keep: bool = False, visibility_timeout: int = 30
    ) -> OutcomeTracker[Any]:
        """A tracker that resolves Events by the records on a queue that their functions send them to.

        While it is the only one open, the handles of ``fn.event(x)`` find it by themselves; those of
        ``invoke_event`` are given to its ``track``. Close it, or use it as a context manager.

        Args:
            queue_url: the URL of a standard SQS queue: the functions' destination on success and on
                failure (or their dead-letter queue), over ``services`` of the client.
            response: the type of the results of Events that do not come with one.
            keep: leave records of ours in the queue too.
            visibility_timeout: seconds, 1 to 43,200: what a killed process had received comes again
                after that long.

        Raises:
            RequestError: that is no URL of a queue, or a FIFO queue's, which Lambda sends no outcomes to;
                no reply could be decoded to ``response``; or SQS has no such visibility timeout.
        """
        from lambda_invoke.events.tracker import OutcomeTracker

        client = cast("ClientBase", self)
        return OutcomeTracker(
            client, queue_url, response=response, keep=keep, visibility_timeout=visibility_timeout
        )


class AsyncOutcomeMethods:
    """``outcomes`` of the asyncio client."""

    @overload
    def outcomes(
        self, queue_url: str, *, response: None = None, keep: bool = False, visibility_timeout: int = 30
    ) -> AsyncOutcomeTracker[Any]: ...
    @overload
    def outcomes(
        self, queue_url: str, *, response: TypeForm[T], keep: bool = False, visibility_timeout: int = 30
    ) -> AsyncOutcomeTracker[T]: ...
    def outcomes(
        self, queue_url: str, *, response: Any = None, keep: bool = False, visibility_timeout: int = 30
    ) -> AsyncOutcomeTracker[Any]:
        """A tracker of Events; as :meth:`LambdaClient.outcomes`. Not awaited; its waits are."""
        from lambda_invoke.events.aio_tracker import AsyncOutcomeTracker

        client = cast("ClientBase", self)
        return AsyncOutcomeTracker(
            client, queue_url, response=response, keep=keep, visibility_timeout=visibility_timeout
        )
