"""FakeLambda: Lambda in this process, for tests of code that calls it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from lambda_invoke.testing.checks import Wanted, check_invoked, check_not_invoked
from lambda_invoke.testing.choosing import MAX_TIMEOUT, Script
from lambda_invoke.testing.clock import VirtualClock
from lambda_invoke.testing.matching import ANYTHING
from lambda_invoke.testing.records import CallRecord, Ledger
from lambda_invoke.testing.service import Service
from lambda_invoke.testing.transports import FakeAsyncTransport, FakeTransport
from lambda_invoke.transports.stand_in import stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lambda_invoke.aio import AsyncLambdaClient
    from lambda_invoke.client import LambdaClient
    from lambda_invoke.core.transport import InvocationType
    from lambda_invoke.testing.errors import UnscriptedCallError
    from lambda_invoke.testing.rules import Rule


class FakeLambda:
    """Lambda in this process: no sockets, no processes, no time.

    ::

        fake = FakeLambda({"resize": lambda event: {"width": event["width"] // 2}})
        fake.on("resize", {"width": 0}).raises("ValueError", "no width")
        assert fake.client().invoke("resize", {"width": 8}).value == {"width": 4}
        fake.assert_invoked("resize", payload={"width": 8}, times=1)

    Calls are answered by the newest rule (:meth:`on`) that matches function and payload, else by the
    function's handler (:meth:`function`), which runs in the thread (or on the loop) of the call. A
    call that nothing is scripted for raises :class:`UnscriptedCallError` where it is made. Latency,
    backoff, timeouts and deadlines pass on :attr:`clock` and take no real time. It serves any number
    of clients, threads and event loops at once.

    Args:
        functions: names and handlers, as for :meth:`function`.
        defer_events: Events wait for :meth:`run_events`; otherwise they run as soon as they are
            accepted, before the call returns.
        event_retries: how often a failing Event is run again (Lambda's default: 2).
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        *,
        defer_events: bool = False,
        event_retries: int = 2,
    ) -> None:
        self.clock = VirtualClock()
        self._script = Script()
        self._ledger = Ledger()
        self._service = Service(
            self._script, self._ledger, self.clock, defer_events=defer_events, event_retries=event_retries
        )
        for name, handler in (functions or {}).items():
            self.function(name, handler)

    # What it is to do.

    def function(
        self,
        name: str,
        handler: Callable[..., Any],
        *,
        timeout: float = MAX_TIMEOUT,
        takes: float = 0.0,
        version: str | None = None,
    ) -> None:
        """Have a function: ``handler(event)`` or ``handler(event, context)``.

        Args:
            name: a name or ARN; with a qualifier ("resize:prod") for that version or alias alone,
                without one for all of them.
            handler: what it returns, or raises, comes to the caller as from awslambdaric.
            timeout: seconds of the fake's clock that it may run.
            takes: seconds that each run takes, at least.
            version: the executed version; default: a qualifier that is a number, else ``$LATEST``.

        Raises:
            InvalidTargetError: no function can have that name.
            TypeError: the handler is no plain callable.
            ValueError: a timeout that Lambda would not accept.
        """
        self._script.add_function(name, handler, timeout, takes, version)

    def on(self, function: str, payload: object = ANYTHING, *, qualifier: str | None = None) -> Rule:
        """Script what becomes of calls of a function; see :class:`Rule`. The newest rule that matches counts.

        Args:
            function: a name or ARN, with or without a qualifier.
            payload: what the payload equals (as JSON), :func:`having` for a part of it, a predicate of
                the decoded payload, ``NO_PAYLOAD``. Default: any.
            qualifier: a version or alias; default: any.
        """
        return self._script.add_rule(function, payload, qualifier)

    def run_events(self) -> int:
        """Run the Events that wait, and those that they send in turn; how many there were."""
        return self._service.run_events()

    # Who calls it.

    def client(self, **options: Any) -> LambdaClient:
        """A :class:`~lambda_invoke.LambdaClient` over it; ``options`` as of ``LambdaClient.over``."""
        from lambda_invoke.client import LambdaClient

        return LambdaClient.over(self.transport(), **{"clock": self.clock, **options})

    def async_client(self, **options: Any) -> AsyncLambdaClient:
        """An :class:`~lambda_invoke.AsyncLambdaClient` over it; ``options`` as of its ``over``."""
        from lambda_invoke.aio import AsyncLambdaClient

        return AsyncLambdaClient.over(self.async_transport(), **{"clock": self.clock, **options})

    def boto3_client(self, **options: Any) -> Any:
        """A plain ``boto3.client("lambda")`` whose ``invoke`` it answers; ``options`` as boto3's own.

        boto3's own retries are off unless ``options`` has a ``config``: they wait in real time.
        Operations other than Invoke raise :class:`FakeLambdaError`.
        """
        from lambda_invoke.testing.boto import boto3_client

        return boto3_client(self._service, options)

    def transport(self) -> FakeTransport:
        """Its :class:`~lambda_invoke.Transport`."""
        return FakeTransport(self._service)

    def async_transport(self) -> FakeAsyncTransport:
        """Its :class:`~lambda_invoke.AsyncTransport`."""
        return FakeAsyncTransport(self._service)

    @contextlib.contextmanager
    def patch(self) -> Iterator[FakeLambda]:
        """Have every client that is made in this block, in any thread, send here.

        ``LambdaClient()`` and ``AsyncLambdaClient()`` with whatever arguments, a boto3 client that is
        handed over included: nothing reaches AWS. Their own ``retry``, ``timeout`` and ``deadline``
        hold, on the fake's clock. Clients that were made before, those of ``LocalLambda.client()``, and
        plain boto3 clients are not touched. They have no control plane.
        """
        with stand_in(self):
            yield self

    # What it has seen.

    @property
    def calls(self) -> list[CallRecord]:
        """Every call so far, each with its attempts, in the order in which they came."""
        return self._ledger.calls()

    def calls_to(self, function: str, payload: object = ANYTHING) -> list[CallRecord]:
        """The calls of a function, ``payload`` as of :meth:`on`."""
        return Wanted.of(function, payload=payload).among(self.calls)

    @property
    def requests(self) -> int:
        """How many requests came: every attempt of every call."""
        return self._ledger.requests

    def executions(self, function: str | None = None) -> int:
        """How often a function ran (default: all of them), runs of Events included."""
        calls = self.calls if function is None else Wanted.of(function).among(self.calls)
        return sum(call.executions for call in calls)

    @property
    def max_in_flight(self) -> int:
        """The most requests that were in flight at once."""
        return self._ledger.max_in_flight

    @property
    def unscripted(self) -> list[UnscriptedCallError]:
        """The errors of calls that nothing was scripted for, those included that somebody caught."""
        return list(self._script.unscripted)

    # What a test checks.

    def assert_invoked(
        self,
        function: str,
        *,
        payload: object = ANYTHING,
        times: int | None = None,
        qualifier: str | None = None,
        invocation_type: InvocationType | str | None = None,
        client_context: object = ANYTHING,
        tenant_id: str | None = None,
    ) -> list[CallRecord]:
        """Check that a function was called so, and return those calls.

        A call counts once, however many attempts it took. On failure the message lists the calls of
        the function, says in what they were others and shows how the nearest payload differs: that is
        its purpose, so here payloads are shown, of large ones a part.

        Args:
            function: a name or ARN, with or without a qualifier.
            payload: as of :meth:`on`.
            times: exactly so many calls; default: at least one.
            qualifier: a version or alias; default: any.
            invocation_type: "RequestResponse", "Event" or "DryRun"; default: any.
            client_context: what the client context equals, decoded; default: any.
            tenant_id: default: any.

        Raises:
            AssertionError: it was not.
        """
        wanted = Wanted.of(
            function,
            payload=payload,
            qualifier=qualifier,
            invocation_type=invocation_type,
            client_context=client_context,
            tenant_id=tenant_id,
        )
        calls = self.calls
        found = wanted.among(calls)
        check_invoked(calls, found, wanted, times)
        return found

    def assert_not_invoked(self, function: str | None = None, *, payload: object = ANYTHING) -> None:
        """Check that a function was not called (so); None: that none was.

        Raises:
            AssertionError: it was; the message lists the calls.
        """
        check_not_invoked(self.calls, function, payload)

    def assert_all_used(self) -> None:
        """Check that every step of every rule was used, as often as its ``times`` says.

        Raises:
            AssertionError: something was scripted that did not happen, or the reverse.
        """
        self.assert_nothing_unscripted()
        unused = self._script.unused()
        if unused:
            raise AssertionError("\n".join(["scripted, and not used:", *(f"  {one}" for one in unused)]))

    def assert_nothing_unscripted(self) -> None:
        """Check that no call came that nothing was scripted for, even if its error was caught.

        Raises:
            UnscriptedCallError: the first of them.
        """
        for error in self._script.unscripted[:1]:
            raise error

    def __repr__(self) -> str:
        names = ", ".join(self._script.names) or "nothing scripted"
        return f"<FakeLambda: {names}; {len(self.calls)} calls>"
