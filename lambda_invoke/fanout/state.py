"""What the blocking and the asyncio ``map`` have in common: where a job stands."""

from __future__ import annotations

import contextvars
import functools
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import attrs

from lambda_invoke.core.plan import given_up
from lambda_invoke.errors import DeadlineExceededError
from lambda_invoke.fanout.engine import Engine, Item
from lambda_invoke.fanout.journaled import Sides
from lambda_invoke.fanout.report import CompletionReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from lambda_invoke.core.options import Stop
    from lambda_invoke.core.transport import AsyncTransport
    from lambda_invoke.errors import LambdaInvokeError
    from lambda_invoke.fanout.batches import Batches
    from lambda_invoke.fanout.journaled import Journaled, JournalPlan
    from lambda_invoke.results import Outcome
    from lambda_invoke.transports.admission import Admission
    from lambda_invoke.transports.drive import Clock

T = TypeVar("T")

_AHEAD = 16
"""At most so many items are pulled ahead beyond the concurrency, so that workers find work."""


class Box(Protocol[T]):
    """Where the engine leaves outcomes, and the items that have none yet."""

    outstanding: dict[int, Item[T]]

    def deliver(self, outcome: Outcome[T]) -> None:
        """Leave an outcome; on the loop."""

    def keep(self, outcome: Outcome[T]) -> None:
        """Leave an outcome of an item that was not sent; on the caller's side."""

    def wake(self) -> None:
        """Whoever waits looks around."""

    def take(self) -> Outcome[T] | None:
        """The oldest outcome, if there is one."""

    def __len__(self) -> int:
        """How many outcomes are there to be taken."""


@attrs.frozen
class Plans(Generic[T]):
    """How the items of a job are made into calls and sent, within which bounds, over which journal.

    ``prepare`` makes an item of its index, what the caller gave and when the job's deadline is; what
    cannot be sent is an outcome already. ``transport`` gives the transport when it is needed first;
    ``opened`` does so without holding an event loop up.
    ``deadline`` is seconds from the first item taken.
    """

    prepare: Callable[[int, Any, float | None], Item[T] | Outcome[T]]
    transport: Callable[[], AsyncTransport]
    opened: Callable[[], Awaitable[AsyncTransport]]
    admission: Admission
    concurrency: int
    ordered: bool
    raise_errors: bool
    deadline: float | None
    clock: Clock
    stop: Stop | None
    drain: bool
    journal: JournalPlan | None = None
    batches: Batches | None = None


class MapState(Generic[T]):
    """How far a job has come, from the side that pulls the input and takes the outcomes."""

    def __init__(self, plans: Plans[T], box: Box[T]) -> None:
        self._plans = plans
        self._box = box
        self._ahead = max(1, min(_AHEAD, plans.concurrency // 4))
        self._expires: float | None = None
        self._pulled = 0
        self._yielded = 0
        self._early: dict[int, Outcome[T]] = {}  # ordered: they wait for their turn
        self._split: deque[Outcome[T]] = deque()  # of a batch that was taken
        self._engine: Engine[T] | None = None
        self._journaled: Journaled[T] | None = None
        self._sides: Sides[T] | None = None
        self._closed = False
        self._settled = True  # whether the loop has said how far the items had come

        self.ended: CompletionReason | None = None
        """Why nothing more is taken from the input; None while it goes on."""
        self.input_error: BaseException | None = None
        """What the caller's iterable raised."""
        self.abandoned: tuple[Outcome[T], ...] = ()

    @property
    def in_flight(self) -> int:
        """How many items were pulled and have no outcome yet; those of a batch count as whole ones."""
        batches = self._plans.batches
        return self._under_way * (1 if batches is None else batches.size)

    @property
    def _under_way(self) -> int:
        return self._pulled - self._yielded - len(self._box) - len(self._early)

    def unaccounted(self) -> list[Outcome[T]]:
        """Outcomes of the items that have none: of a close that was itself interrupted."""
        now = self._plans.clock.now()
        missing = list(self._box.outstanding.values())
        doubt = not self._settled
        return self._items_of(item.failed(given_up(item.call, now, doubt=doubt)) for item in missing)

    def _items_of(self, outcomes: Iterable[Outcome[T]]) -> list[Outcome[T]]:
        batches = self._plans.batches
        if batches is None:
            return list(outcomes)
        return [one for outcome in outcomes for one in batches.split(outcome)]

    @property
    def overdue(self) -> bool:
        """Whether the job's deadline has passed."""
        return self._expires is not None and self._plans.clock.now() >= self._expires

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.in_flight} in flight"
        return f"<map: {self._pulled} items pulled, {self._yielded} outcomes yielded, {state}>"

    def end(self, reason: CompletionReason) -> None:
        """Take and send nothing more; what is in flight is given up, and its outcomes still come."""
        if self.ended in {None, CompletionReason.COMPLETED}:
            self.ended = reason
        self._give_up()

    def _give_up(self) -> None:
        """Have no attempt begin any more, from now on, and the engine close, on its loop."""
        if self._engine is not None:
            self._engine.halted = True
            self._caller()(self._engine.close)

    def _caller(self) -> Callable[..., object]:
        """What runs a function on the engine's loop, soon, from any thread; it does not hold this object."""
        raise NotImplementedError

    def __del__(self) -> None:
        # Dropped before its end: nothing waits for what is in flight.
        if getattr(self, "_engine", None) is not None and not self._closed:
            self._give_up()
            if self._journaled is not None:
                self._journaled.let_go(self._caller())

    @property
    def is_done(self) -> bool:
        """Whether every outcome that will come was yielded."""
        return self.ended is not None and self._yielded == self._pulled and not self._split

    def _begin(self) -> None:
        if self._plans.deadline is not None:
            self._expires = self._plans.clock.now() + self._plans.deadline

    @property
    def _full(self) -> bool:
        """Whether so much is under way that pulling may wait until something is done."""
        outstanding, concurrency = self._pulled - self._yielded, self._plans.concurrency
        return outstanding > concurrency and self._under_way >= concurrency

    @property
    def _room(self) -> bool:
        """Whether another item may be pulled."""
        return self.ended is None and self._pulled - self._yielded < self._plans.concurrency + self._ahead

    def _over(self) -> bool:
        """Whether the job's stop or deadline came."""
        stop = self._plans.stop
        if self.ended is None and stop is not None and stop.is_set():
            self.ended = CompletionReason.STOPPED
        elif self.ended is None and self.overdue:
            self.ended = CompletionReason.DEADLINE
        return self.ended is not None

    @staticmethod
    def _recorder(
        record: Callable[[Outcome[T]], None] | None, batches: Batches | None
    ) -> Callable[[Outcome[T]], None] | None:
        """What is told each item's outcome, where those of batches come."""
        if record is None or batches is None:
            return record

        def record_each(outcome: Outcome[T]) -> None:
            for one in batches.split(outcome):
                record(one)

        return record_each

    def _input_ended(self, error: Exception | None) -> None:
        """The input is at its end, or raised what is the caller's to see after what is in flight."""
        self.ended = CompletionReason.COMPLETED if error is None else CompletionReason.INPUT_FAILED
        self.input_error = error

    def _offer(self, payload: Any, start: Callable[[], Callable[..., object]]) -> None:
        """Hand one more item to the engine; ``start`` gives what runs a function on its loop.

        With a journal, the item goes there first.
        """
        plans = self._plans
        prepared = plans.prepare(self._pulled, payload, self._expires)
        self._pulled += 1
        if not isinstance(prepared, Item):
            self._box.keep(prepared)
            return
        self._box.outstanding[prepared.index] = prepared
        if self._engine is None:
            self._start(start())
        assert self._engine is not None
        if self._journaled is None or self._sides is None:
            self._engine.offer(prepared)
        else:
            self._journaled.begin(prepared, self._sides)

    def _start(self, call: Callable[..., object]) -> None:
        # Nothing here may hold this object: an iterator that is dropped is to be collected.
        plans, box, me = self._plans, self._box, weakref.ref(self)

        def fail(error: LambdaInvokeError) -> None:
            state = me()
            if state is not None:
                state._fail(error)  # noqa: SLF001 - this very class

        def offer(item: Item[T]) -> None:
            engine.offer(item)

        sides = Sides(call, offer, box.deliver, fail, plans.clock.now)
        deliver = box.deliver
        if self._journaled is not None:
            deliver = functools.partial(self._journaled.finish, sides)
        engine = self._engine = Engine(
            plans.transport(),
            plans.admission,
            concurrency=plans.concurrency,
            deliver=deliver,
            ended=box.wake,
            call=call,
            context=contextvars.copy_context(),
            clock=plans.clock,
            expires=self._expires,
            stop=plans.stop,
            drain=plans.drain,
        )
        self._sides = sides

    def _fail(self, error: LambdaInvokeError) -> None:
        """The journal failed: the job ends, and raises that. On the loop."""
        if self.ended is not CompletionReason.JOURNAL_FAILED:
            self.ended, self.input_error = CompletionReason.JOURNAL_FAILED, error
        if self._engine is not None:
            self._engine.halted = True
            self._engine.close()
        self._box.wake()

    def _take(self) -> Outcome[T] | None:
        if self._split:
            return self._split.popleft()
        outcome = self._take_any()
        if outcome is None:
            return None
        self._yielded += 1
        if self._plans.batches is None:
            return outcome
        self._split.extend(self._items_of([outcome]))
        return self._split.popleft()

    def _take_any(self) -> Outcome[T] | None:
        if not self._plans.ordered:
            return self._box.take()
        self._take_early()
        return self._early.pop(self._yielded, None)

    def _take_early(self) -> None:
        while (outcome := self._box.take()) is not None:
            self._early[outcome.index] = outcome

    def _abandon(self) -> None:
        """Leave what was not yielded in ``abandoned``. May be done again."""
        self._take_early()
        left = [self._early[index] for index in sorted(self._early)]
        lost = [] if self._settled else self.unaccounted()
        self.abandoned = (*self.abandoned, *self._split, *self._items_of(left), *lost)
        self._early.clear()
        self._split.clear()

    def _end(self, end: Exception) -> BaseException:
        """What the iteration ends with: the input's error, the deadline's, or ``end``."""
        if self.input_error is not None:
            return self.input_error
        if self.ended is CompletionReason.DEADLINE:
            return DeadlineExceededError(
                f"the job's deadline passed when {self._pulled:,} items had been taken from the input"
            )
        return end
