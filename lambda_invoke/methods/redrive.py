"""The clients' ``redrive``: what is in a dead-letter queue, and sending it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast, overload

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from datetime import timedelta
    from typing import Unpack

    from lambda_invoke.base import ClientBase
    from lambda_invoke.core.options import Stop
    from lambda_invoke.core.retry import RetryPolicy
    from lambda_invoke.events.outcome import EventOutcome
    from lambda_invoke.events.redrive_journal import MayHaveRun
    from lambda_invoke.events.redrive_plan import RedrivePlan
    from lambda_invoke.events.redrive_report import RedriveReport
    from lambda_invoke.fanout.progress import Progress


class RedriveOptions(TypedDict, total=False):
    """The keyword arguments of ``redrive``, for its overloads."""

    as_events: bool
    error_type: str | Iterable[str] | None
    older_than: float | timedelta | None
    newer_than: float | timedelta | None
    from_function: str | Iterable[str] | None
    request_ids: str | Iterable[str] | None
    where: Callable[[EventOutcome[Any]], bool] | None
    limit: int | None
    idempotent: bool
    may_have_run: MayHaveRun
    journal: str | os.PathLike[str] | None
    durable: bool
    visibility_timeout: int
    concurrency: int | None
    qualifier: str | None
    timeout: float | None
    deadline: float | None
    retry: RetryPolicy | None
    progress: bool | Callable[[Progress], object] | None
    stop: Stop | None
    drain: bool


class RedriveMethods:
    """``redrive`` of the blocking client."""

    @overload
    def redrive(
        self,
        queue_url: str,
        function: str | None = None,
        *,
        send: Literal[False] = False,
        **options: Unpack[RedriveOptions],
    ) -> RedrivePlan: ...
    @overload
    def redrive(
        self,
        queue_url: str,
        function: str | None = None,
        *,
        send: Literal[True],
        **options: Unpack[RedriveOptions],
    ) -> RedriveReport: ...
    @overload
    def redrive(
        self,
        queue_url: str,
        function: str | None = None,
        *,
        send: bool,
        **options: Unpack[RedriveOptions],
    ) -> RedrivePlan | RedriveReport: ...
    def redrive(
        self,
        queue_url: str,
        function: str | None = None,
        *,
        send: bool = False,
        as_events: bool = False,
        error_type: str | Iterable[str] | None = None,
        older_than: float | timedelta | None = None,
        newer_than: float | timedelta | None = None,
        from_function: str | Iterable[str] | None = None,
        request_ids: str | Iterable[str] | None = None,
        where: Callable[[EventOutcome[Any]], bool] | None = None,
        limit: int | None = None,
        idempotent: bool = False,
        may_have_run: MayHaveRun = "keep",
        journal: str | os.PathLike[str] | None = None,
        durable: bool = False,
        visibility_timeout: int = 300,
        concurrency: int | None = None,
        qualifier: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
        stop: Stop | None = None,
        drain: bool = False,
    ) -> RedrivePlan | RedriveReport:
        """Look at a dead-letter queue or failure destination on SQS, or send what is in it again.

        Without ``send`` this is the dry run: it counts what is there by error type, function and age, and
        says what would be sent. It hides messages from other readers while it looks, and each look
        counts as a receive. With ``send``, each chosen message goes to ``function``, or to the function
        that its record names, and is deleted once its outcome is known good: it succeeded, or with
        ``as_events`` was accepted, which is all that is known then (where the queue is that function's
        failure destination, what fails again comes back by itself, as a new message). What fails again
        stays in the queue.

        A journal knows what was sent, by message id. What was sent by a run that was killed before it
        learned of the outcome may have run: it stays in the queue, is reported, and is not sent again
        unless ``idempotent`` or ``may_have_run`` says so. It knows of the runs with that journal alone.

        Never sent: records of successes, of batches of event source mappings, messages that SQS itself
        moved here from another queue, what cannot be read, and what came after the run began.

        Args:
            queue_url: the queue.
            function: where to send, a name or ARN; default: the function that each record names. The
                messages of a function's own dead-letter queue name none, and need it.
            send: send and delete; default: only look.
            as_events: hand over as Events, and do not wait for results.
            error_type: only what failed so: a remote error type, a condition (EventAgeExceeded), or
                a class of the library's; or several.
            older_than: only what Lambda gave up so long ago, in seconds or a timedelta.
            newer_than: only what it gave up since.
            from_function: only what is of this function, by name or ARN; or of several.
            request_ids: only these Events.
            where: only what this function of an :class:`EventOutcome` says True of. It is called in
                another thread.
            limit: messages to send at most; to look at, without ``send`` (default 10,000 then).
            idempotent: running a message twice does no harm: what may have run is sent again.
            may_have_run: what becomes of messages that an earlier redrive sent without learning of the
                outcome: "keep" leaves them, "send" sends them again, "delete" deletes them.
            journal: the file that knows what was sent; default: one for this queue in the user's state
                directory, which the plan and the report name.
            durable: have the journal survive a power cut, at an fsync for each commit.
            visibility_timeout: seconds, 3 to 43,200, for which a message is hidden from others, and
                again as long as it is in work: what a killed run had comes back after that long.
            concurrency: in flight at most; default 64, or ``max_concurrency`` if that is less.
            qualifier: of ``function``.
            timeout: seconds per attempt.
            deadline: seconds for the whole run, from the first message. Throttles are waited out until
                then.
            retry: another policy for this run.
            progress: as of ``fan_out``.
            stop: an event that ends the run from any thread.
            drain: at a stop, wait for what is in flight; else it is given up, and may have run.

        Returns:
            A :class:`RedrivePlan`; with ``send`` a :class:`RedriveReport`, which does not raise for what
            failed: ``report.raise_for_failures()`` does.

        Raises:
            RequestError: an argument, messages that name no function where none was given, a journal
                that is in use or another queue's: nothing was sent.
            QueueError: the queue cannot be read.
            RedriveError: the queue or the journal failed on the way; its ``report`` has what is known.
            RedriveInterrupted: Ctrl-C; its ``report`` has what is known.
        """
        from lambda_invoke.events import redrive

        order = redrive.order_of(
            cast("ClientBase", self),
            queue_url,
            function,
            as_events=as_events,
            error_type=error_type,
            older_than=older_than,
            newer_than=newer_than,
            from_function=from_function,
            request_ids=request_ids,
            where=where,
            limit=limit,
            idempotent=idempotent,
            may_have_run=may_have_run,
            journal=journal,
            durable=durable,
            visibility_timeout=visibility_timeout,
            concurrency=concurrency,
            qualifier=qualifier,
            timeout=timeout,
            deadline=deadline,
            retry=retry,
            stop=stop,
            drain=drain,
        )
        if not send:
            return redrive.look(order)
        return redrive.send(order, progress)


class AsyncRedriveMethods:
    """``redrive`` of the asyncio client."""

    @overload
    async def redrive(
        self,
        queue_url: str,
        function: str | None = None,
        *,
        send: Literal[False] = False,
        **options: Unpack[RedriveOptions],
    ) -> RedrivePlan: ...
    @overload
    async def redrive(
        self,
        queue_url: str,
        function: str | None = None,
        *,
        send: Literal[True],
        **options: Unpack[RedriveOptions],
    ) -> RedriveReport: ...
    @overload
    async def redrive(
        self,
        queue_url: str,
        function: str | None = None,
        *,
        send: bool,
        **options: Unpack[RedriveOptions],
    ) -> RedrivePlan | RedriveReport: ...
    async def redrive(
        self,
        queue_url: str,
        function: str | None = None,
        *,
        send: bool = False,
        as_events: bool = False,
        error_type: str | Iterable[str] | None = None,
        older_than: float | timedelta | None = None,
        newer_than: float | timedelta | None = None,
        from_function: str | Iterable[str] | None = None,
        request_ids: str | Iterable[str] | None = None,
        where: Callable[[EventOutcome[Any]], bool] | None = None,
        limit: int | None = None,
        idempotent: bool = False,
        may_have_run: MayHaveRun = "keep",
        journal: str | os.PathLike[str] | None = None,
        durable: bool = False,
        visibility_timeout: int = 300,
        concurrency: int | None = None,
        qualifier: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
        stop: Stop | None = None,
        drain: bool = False,
    ) -> RedrivePlan | RedriveReport:
        """Look at a dead-letter queue or failure destination on SQS, or send what is in it again.

        Without ``send`` this is the dry run: it counts what is there by error type, function and age, and
        says what would be sent. It hides messages from other readers while it looks, and each look
        counts as a receive. With ``send``, each chosen message goes to ``function``, or to the function
        that its record names, and is deleted once its outcome is known good: it succeeded, or with
        ``as_events`` was accepted, which is all that is known then (where the queue is that function's
        failure destination, what fails again comes back by itself, as a new message). What fails again
        stays in the queue.

        A journal knows what was sent, by message id. What was sent by a run that was killed before it
        learned of the outcome may have run: it stays in the queue, is reported, and is not sent again
        unless ``idempotent`` or ``may_have_run`` says so. It knows of the runs with that journal alone.

        Never sent: records of successes, of batches of event source mappings, messages that SQS itself
        moved here from another queue, what cannot be read, and what came after the run began.

        Args:
            queue_url: the queue.
            function: where to send, a name or ARN; default: the function that each record names. The
                messages of a function's own dead-letter queue name none, and need it.
            send: send and delete; default: only look.
            as_events: hand over as Events, and do not wait for results.
            error_type: only what failed so: a remote error type, a condition (EventAgeExceeded), or
                a class of the library's; or several.
            older_than: only what Lambda gave up so long ago, in seconds or a timedelta.
            newer_than: only what it gave up since.
            from_function: only what is of this function, by name or ARN; or of several.
            request_ids: only these Events.
            where: only what this function of an :class:`EventOutcome` says True of. It is called in
                another thread.
            limit: messages to send at most; to look at, without ``send`` (default 10,000 then).
            idempotent: running a message twice does no harm: what may have run is sent again.
            may_have_run: what becomes of messages that an earlier redrive sent without learning of the
                outcome: "keep" leaves them, "send" sends them again, "delete" deletes them.
            journal: the file that knows what was sent; default: one for this queue in the user's state
                directory, which the plan and the report name.
            durable: have the journal survive a power cut, at an fsync for each commit.
            visibility_timeout: seconds, 3 to 43,200, for which a message is hidden from others, and
                again as long as it is in work: what a killed run had comes back after that long.
            concurrency: in flight at most; default 64, or ``max_concurrency`` if that is less.
            qualifier: of ``function``.
            timeout: seconds per attempt.
            deadline: seconds for the whole run, from the first message. Throttles are waited out until
                then.
            retry: another policy for this run.
            progress: as of ``fan_out``.
            stop: an event that ends the run from any thread.
            drain: at a stop, wait for what is in flight; else it is given up, and may have run.

        Returns:
            A :class:`RedrivePlan`; with ``send`` a :class:`RedriveReport`, which does not raise for what
            failed: ``report.raise_for_failures()`` does.

        Raises:
            RequestError: an argument, messages that name no function where none was given, a journal
                that is in use or another queue's: nothing was sent.
            QueueError: the queue cannot be read.
            RedriveError: the queue or the journal failed on the way; its ``report`` has what is known.
            CancelledError: it was cancelled; :func:`cancelled_redrive` has its report.
        """
        from lambda_invoke.events import redrive

        order = redrive.order_of(
            cast("ClientBase", self),
            queue_url,
            function,
            as_events=as_events,
            error_type=error_type,
            older_than=older_than,
            newer_than=newer_than,
            from_function=from_function,
            request_ids=request_ids,
            where=where,
            limit=limit,
            idempotent=idempotent,
            may_have_run=may_have_run,
            journal=journal,
            durable=durable,
            visibility_timeout=visibility_timeout,
            concurrency=concurrency,
            qualifier=qualifier,
            timeout=timeout,
            deadline=deadline,
            retry=retry,
            stop=stop,
            drain=drain,
        )
        if not send:
            return await redrive.look_async(order)
        return await redrive.send_async(order, progress)
