"""The functions of an endpoint: which one a request names, and how they change while it runs."""

from __future__ import annotations

import random
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.local.event_settings import DestinationArns, EventSettings
from lambda_invoke.local.faults import no_function, not_authorized
from lambda_invoke.local.function import LATEST, EventInvokeConfig, Function
from lambda_invoke.local.handlers import HandlerSource, locate
from lambda_invoke.local.names import Names
from lambda_invoke.local.states import FunctionStates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lambda_invoke.local.function import Alias, Handler

_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")


@attrs.frozen(eq=False)
class Deployment:
    """One version of a function: what a worker is started for. ``modified_at`` in seconds since the epoch."""

    function_name: str
    version: str
    arn: str
    function: Function
    source: HandlerSource
    description: str = ""
    modified_at: float = 0.0
    revision_id: str = ""


@attrs.frozen
class Target:
    """What a request named: the version that runs, and the ARN as it was invoked."""

    deployment: Deployment
    invoked_arn: str
    qualifier: str | None = None


@attrs.frozen
class NamedAlias:
    """An alias as it is now."""

    alias: Alias
    revision_id: str


@attrs.frozen
class _Entry:
    """All that is known of one function at a time; ``function`` is what ``$LATEST`` has."""

    function: Function
    deployments: Mapping[str, Deployment]
    aliases: Mapping[str, NamedAlias]
    events: Mapping[str, EventSettings]
    next_version: int


class Registry:
    """The functions of one endpoint. Changed on its event loop, read from any thread.

    There are always the same functions; a change replaces all that is known of one at once, so that a reader
    sees it before the change or after. ``reserved`` is the concurrency that all of them reserve. ``draw``
    gives numbers from 0 to 1, by which aliases with weights are routed, ``now`` seconds since the epoch.

    Raises:
        LocalLambdaError: a handler that no worker could find.
        ValueError: a name that Lambda would not accept.
    """

    def __init__(
        self,
        functions: Mapping[str, Function | Handler],
        region_name: str,
        account_id: str,
        *,
        draw: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.names = Names(region_name, account_id)
        self._draw = draw
        self._now = now
        self._entries: dict[str, _Entry] = {}
        for name, given in functions.items():
            if not _FUNCTION_NAME.fullmatch(name):
                raise ValueError(f"a function name is 1 to 64 letters, digits, '-' and '_', not {name!r}")
            self._entries[name] = self._entry(name, given if isinstance(given, Function) else Function(given))
        self.reserved = 0
        self._sum_reserved()
        known = [entry.function for entry in self._entries.values()]
        self.states = FunctionStates({name: entry.function for name, entry in self._entries.items()})
        self.destinations = DestinationArns(
            self.names,
            [to for f in known for to in (f.events.on_success, f.events.on_failure, f.dead_letter)],
        )

    def _entry(self, name: str, function: Function) -> _Entry:
        now = self._now()
        handlers = {LATEST: function.handler, **function.versions}
        qualifiers = [] if function.events == EventInvokeConfig() else [*handlers, *function.aliases]
        return _Entry(
            function,
            {
                version: Deployment(
                    name,
                    version,
                    self.arn(name),
                    function,
                    locate(handler, function.task_root),
                    function.description,
                    now,
                    _first_revision(self.arn(name, version)),
                )
                for version, handler in handlers.items()
            },
            {
                alias: NamedAlias(to, _first_revision(self.arn(name, alias)))
                for alias, to in function.aliases.items()
            },
            {qualifier: EventSettings.of(function.events, now) for qualifier in qualifiers},
            max((int(version) for version in function.versions), default=0) + 1,
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    @property
    def region_name(self) -> str:
        """The region that its ARNs name."""
        return self.names.region_name

    @property
    def account_id(self) -> str:
        """The account that its ARNs name."""
        return self.names.account_id

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of a function, with its qualifier if there is one."""
        return self.names.arn(name, qualifier)

    def function(self, name: str) -> Function:
        """The function of that plain name, as ``$LATEST`` has it now, with its reserved concurrency.

        Raises:
            KeyError: there is none; it names those that there are.
        """
        if name not in self._entries:
            raise KeyError(f"there is no function {name!r} here, but {', '.join(self._entries)}")
        return self._entries[name].function

    def versions(self, name: str) -> list[Deployment]:
        """``$LATEST``, then the published versions in their order."""
        latest, *published = self._entries[name].deployments.values()
        return [latest, *sorted(published, key=lambda deployment: int(deployment.version))]

    def deployments(self) -> list[Deployment]:
        """Every version of every function."""
        return [deployment for name in self for deployment in self.versions(name)]

    def serves(self, deployment: Deployment) -> bool:
        """Whether that is what its version is still; a change of ``$LATEST`` replaces it."""
        return self._entries[deployment.function_name].deployments.get(deployment.version) is deployment

    def aliases(self, name: str) -> Mapping[str, NamedAlias]:
        """The aliases of a function."""
        return self._entries[name].aliases

    def find(self, text: str, qualifier: str | None = None) -> Target:
        """Find what a name, partial ARN or ARN with an optional qualifier names; of an alias its own version.

        Raises:
            ServiceFault: it is malformed, or names nothing here.
        """
        name, qualifier = self.names.split(text, qualifier)
        arn = self.arn(name, qualifier)
        entry = self._entries.get(name)
        if entry is None:
            raise no_function(arn)
        named = entry.aliases.get(qualifier or "")
        version = qualifier or LATEST if named is None else named.alias.version
        if version not in entry.deployments:
            raise no_function(arn)
        return Target(entry.deployments[version], arn, qualifier)

    def resolve(self, text: str, qualifier: str | None = None) -> Target:
        """Find what an invocation is to run: as ``find``, and an alias with weights is routed.

        Raises:
            ServiceFault: it is malformed, names nothing here, is denied, or is not in a state to be invoked.
        """
        target = self.find(text, qualifier)
        name = target.deployment.function_name
        entry = self._entries[name]
        if entry.function.denied:
            raise not_authorized(self.account_id, target.invoked_arn, "identity")
        self.states.check_invocable(name)
        named = entry.aliases.get(target.qualifier or "")
        for other, weight in {} if named is None else named.alias.weights.items():
            if self._draw() < weight:
                return attrs.evolve(target, deployment=entry.deployments[other])
        return target

    def event_config(self, name: str, qualifier: str | None) -> EventInvokeConfig:
        """What becomes of Events that were sent to the function with that qualifier (None: unqualified).

        A configuration belongs to one qualifier, and an unqualified call to ``$LATEST``: a version or alias
        without one of its own has Lambda's defaults.
        Source: PutFunctionEventInvokeConfig, AWS Lambda API reference, 2026-11, which keeps each "on a
        function, version, or alias" and answers with the ARN of ``$LATEST`` when there is no qualifier.
        """
        settings = self._entries[name].events.get(qualifier or LATEST)
        return EventInvokeConfig() if settings is None else settings.config()

    def event_settings(self, name: str) -> Mapping[str, EventSettings]:
        """What was said of Events, by qualifier."""
        return self._entries[name].events

    def publish(self, name: str, description: str | None = None) -> Deployment:
        """Make ``$LATEST`` the next version, unless the last one is the same."""
        entry = self._entries[name]
        latest = entry.deployments[LATEST]
        last = entry.deployments.get(str(entry.next_version - 1))
        if last is not None and last.source == latest.source and last.function == latest.function:
            return last
        number = str(entry.next_version)
        published = attrs.evolve(
            latest,
            version=number,
            description=latest.description if description is None else description,
            modified_at=self._now(),
            revision_id=_next_revision(),
        )
        deployments = {**entry.deployments, number: published}
        self._entries[name] = attrs.evolve(entry, deployments=deployments, next_version=int(number) + 1)
        return published

    def configure(self, name: str, changes: Mapping[str, Any]) -> Deployment:
        """Change fields of ``$LATEST``; published versions stay.

        Raises:
            ValueError: Lambda would not accept that.
        """
        entry = self._entries[name]
        latest = entry.deployments[LATEST]
        function = attrs.evolve(latest.function, **changes)
        changed = attrs.evolve(
            latest,
            function=function,
            description=function.description,
            modified_at=self._now(),
            revision_id=_next_revision(),
        )
        self._entries[name] = attrs.evolve(
            entry,
            function=attrs.evolve(entry.function, **changes),
            deployments={**entry.deployments, LATEST: changed},
        )
        return changed

    def reserve(self, name: str, concurrency: int | None) -> None:
        """Set the function's reserved concurrency, or take it away."""
        entry = self._entries[name]
        function = attrs.evolve(entry.function, reserved_concurrency=concurrency)
        self._entries[name] = attrs.evolve(entry, function=function)
        self._sum_reserved()

    def _sum_reserved(self) -> None:
        self.reserved = sum(entry.function.reserved_concurrency or 0 for entry in self._entries.values())

    def put_alias(self, name: str, alias: str, to: Alias) -> None:
        """Make an alias, or change where it points to."""
        entry = self._entries[name]
        aliases = {**entry.aliases, alias: NamedAlias(to, _next_revision())}
        self._entries[name] = attrs.evolve(entry, aliases=aliases)

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias away; what was said of its Events stays, as it does on Lambda."""
        entry = self._entries[name]
        aliases = {key: value for key, value in entry.aliases.items() if key != alias}
        self._entries[name] = attrs.evolve(entry, aliases=aliases)

    def put_event_settings(self, name: str, qualifier: str, settings: EventSettings | None) -> None:
        """Say what becomes of Events of a qualifier, or with None nothing any more."""
        entry = self._entries[name]
        events = {key: value for key, value in entry.events.items() if key != qualifier}
        if settings is not None:
            events[qualifier] = attrs.evolve(settings, last_modified=self._now())
        self._entries[name] = attrs.evolve(entry, events=events)


def _first_revision(arn: str) -> str:
    """A revision id that is the same at each start."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, arn))


def _next_revision() -> str:
    return str(uuid.uuid4())
