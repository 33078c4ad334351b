"""A mixed load with faults, after which all counts add up: the clients', the server's, the handlers'."""

import asyncio
import concurrent.futures
import functools
import itertools
import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import attrs
import pytest
import urllib3.exceptions
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from lambda_invoke import RetryPolicy
from lambda_invoke.errors import (
    FunctionError,
    LambdaInvokeError,
    OutcomeUnknownError,
    ServiceFaultError,
    ThrottledError,
)
from lambda_invoke.local import (
    EventInvokeConfig,
    Fault,
    Function,
    Injection,
    InvocationRecord,
    LocalLambda,
    Outbox,
)
from tests.local.conftest import workers
from tests.support.moto import serving
from tests.support.patience import PATIENCE

HERE = Path(__file__).parent
ACTS = f"{HERE / 'soak_handlers.py'}:acts"
SCALE = 0.001
"""Retries after 0.06 and 0.12 seconds, the maximum age is 21.6."""
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
MOST_QUEUED = 40
"""Callers wait while more Events than this are queued: they come faster than two cores execute them."""

Kind = Literal["sync", "event", "dry"]
Seen = Literal["accepted", "replied", "allowed", "throttled", "refused", "unknown"]
Outcome = tuple[Seen, str | None]

ACTIONS: dict[str, tuple[str, ...]] = {
    "plain": ("succeed", "fail", "flaky"),
    "told": ("succeed", "succeed", "fail", "flaky"),
    "queued": ("succeed", "fail", "fail"),
    "lettered": ("succeed", "fail", "flaky"),
    "narrow": ("succeed", "succeed", "flaky"),
    "exits": ("exit",),
    "hangs": ("hang",),
    "off": ("succeed",),
    "broken": ("succeed",),
}
OFTEN = ("plain", "told", "queued", "lettered", "narrow")
"""The others cost a process, or seconds, each time."""
DRY = ("exits", "hangs", "off", "broken")
"""Dry runs go where no reply is lost: of one that is nobody could say whether it was answered."""
RETRIES = {
    "plain": 2,
    "told": 2,
    "queued": 1,
    "lettered": 1,
    "narrow": 2,
    "exits": 1,
    "hangs": 0,
    "broken": 0,
}


@attrs.frozen
class Call:
    """What a client did, and what it saw of it."""

    kind: Kind
    function: str
    nonce: int
    seen: Seen
    request_id: str | None


@attrs.define
class Load:
    """The load of one run, and what everyone saw. Used from all threads."""

    local: LocalLambda
    until: float
    calls: list[Call] = attrs.field(factory=list)
    faults: list[Injection] = attrs.field(factory=list)
    nonces: Iterator[int] = attrs.field(factory=functools.partial(itertools.count, 1))

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.until

    @property
    def is_full(self) -> bool:
        return sum(self.local.stats(name).queued_events for name in ACTIONS) > MOST_QUEUED

    def pick(self, choose: random.Random) -> tuple[Kind, str, dict[str, Any]]:
        """The next call: mostly of the cheap functions."""
        kinds: tuple[Kind, ...] = ("sync", "event", "dry")
        kind = choose.choices(kinds, (6, 10, 1))[0]
        rare = choose.random() < 0.04
        function = choose.choice(DRY if rare or kind == "dry" else OFTEN)
        return kind, function, self.payload(choose.choice(ACTIONS[function]), choose.choice((1, 2)))

    def payload(self, action: str, failures: int = 1) -> dict[str, Any]:
        return {"nonce": next(self.nonces), "act": action, "failures": failures}

    def note(self, kind: Kind, function: str, payload: dict[str, Any], outcome: Outcome) -> None:
        self.calls.append(Call(kind, function, payload["nonce"], *outcome))

    def inject(self, fault: Fault, function: str, times: int = 1) -> None:
        self.faults.append(self.local.inject(fault, function=function, times=times))

    def met(self, function: str, text: str = "") -> int:
        """How many calls of the function met a fault whose text begins so."""
        return sum(
            each.used
            for each in self.faults
            if each.function == function and repr(each.fault).startswith(f"Fault.{text}")
        )


def seen_in(error: LambdaInvokeError) -> Outcome:
    """What an error of our clients says of the call."""
    match error:
        case FunctionError():
            return "replied", error.request_id
        case ThrottledError():
            return "throttled", error.request_id
        case ServiceFaultError():
            return "refused", error.request_id
        case OutcomeUnknownError():
            return "unknown", None
        case _:
            raise error


def call_blocking(client: Any, kind: Kind, name: str, payload: Any) -> Outcome:
    try:
        if kind == "dry":
            assert client.dry_run(name, payload).allowed
            return "allowed", None
        if kind == "event":
            return "accepted", client.invoke_event(name, payload).request_id
        invocation = client.invoke(name, payload)
    except LambdaInvokeError as error:
        return seen_in(error)
    assert invocation.value == {"nonce": payload["nonce"], "id": invocation.request_id}
    return "replied", invocation.request_id


async def call_async(client: Any, kind: Kind, name: str, payload: Any) -> Outcome:
    try:
        if kind == "dry":
            assert (await client.dry_run(name, payload)).allowed
            return "allowed", None
        if kind == "event":
            return "accepted", (await client.invoke_event(name, payload)).request_id
        invocation = await client.invoke(name, payload)
    except LambdaInvokeError as error:
        return seen_in(error)
    assert invocation.value == {"nonce": payload["nonce"], "id": invocation.request_id}
    return "replied", invocation.request_id


BOTO_TYPES = {"sync": "RequestResponse", "event": "Event", "dry": "DryRun"}
BOTO_STATUSES: dict[int, Seen] = {200: "replied", 202: "accepted", 204: "allowed"}


def call_boto3(client: Any, kind: Kind, name: str, payload: Any) -> Outcome:
    body = json.dumps(payload).encode()
    try:
        answer = client.invoke(FunctionName=name, Payload=body, InvocationType=BOTO_TYPES[kind])
        answer["Payload"].read()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return ("throttled" if status == 429 else "refused"), error.response["ResponseMetadata"]["RequestId"]
    except (HTTPClientError, IncompleteReadError, urllib3.exceptions.ProtocolError):
        return "unknown", None
    return BOTO_STATUSES[answer["StatusCode"]], answer["ResponseMetadata"]["RequestId"]


def keep_calling(load: Load, call: Callable[..., Outcome], client: Any, seed: int) -> None:
    choose = random.Random(seed)
    while load.goes_on:
        if load.is_full:
            time.sleep(0.02)
            continue
        kind, name, payload = load.pick(choose)
        load.note(kind, name, payload, call(client, kind, name, payload))


def keep_calling_async(load: Load, seed: int) -> None:
    async def calls(client: Any, choose: random.Random) -> None:
        while load.goes_on:
            if load.is_full:
                await asyncio.sleep(0.02)
                continue
            kind, name, payload = load.pick(choose)
            load.note(kind, name, payload, await call_async(client, kind, name, payload))

    async def run() -> None:
        options: Any = {"retry": RetryPolicy.never(), "timeout": 4 * PATIENCE}
        async with load.local.async_client(**options) as client, asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(calls(client, random.Random(seed + number)))

    asyncio.run(run())


def keep_injecting(load: Load, seed: int) -> None:
    """Order faults, and look at the counts meanwhile."""
    choose = random.Random(seed)
    anywhere = [
        Fault.throttle(),
        Fault.status(503),
        Fault.delay(0.02),
        Fault.delay(0.02, after_executing=True),
        Fault.slow(2000),
    ]
    lossy = [Fault.drop(), Fault.drop(after_executing=True), Fault.truncate(3)]
    while load.goes_on:
        load.inject(choose.choice([*anywhere, *lossy]), choose.choice(OFTEN), choose.randint(1, 3))
        load.inject(choose.choice(anywhere), choose.choice(DRY))
        for name in ACTIONS:  # at any moment, not only at the end
            stats = load.local.stats(name)
            done = stats.succeeded_events + stats.failed_events
            assert stats.accepted_events + stats.resumed_events == done + stats.queued_events
        time.sleep(0.25)


def begin(load: Load, client: Any) -> None:
    """Everything once, so that no count is zero however short the run: each action, each kind, each fault."""
    kinds: tuple[Kind, ...] = ("event", "sync", "event", "dry")
    for kind in kinds:
        load.inject(Fault.drop(), "plain")
        load.inject(Fault.drop(after_executing=True), "told")
        load.inject(Fault.truncate(3), "queued")
        load.inject(Fault.status(503), "lettered")
        load.inject(Fault.throttle(), "narrow")
        load.inject(Fault.delay(0.02), "exits")
        for name, actions in ACTIONS.items():
            for action in actions:
                if (kind == "dry") <= (name in DRY):
                    payload = load.payload(action)
                    load.note(kind, name, payload, call_blocking(client, kind, name, payload))


def run_load(local: LocalLambda, seconds: float) -> Load:
    """Let everyone call for so long; all their calls have ended when this returns."""
    options: Any = {"retry": RetryPolicy.never(), "timeout": 4 * PATIENCE}
    config = Config(retries={"total_max_attempts": 1}, read_timeout=4 * PATIENCE, proxies={})
    boto3_client = local.boto3_client(config=config)
    with local.client(**options) as client, concurrent.futures.ThreadPoolExecutor(5) as threads:
        load = Load(local, time.monotonic() + seconds)
        begin(load, client)
        load.until = time.monotonic() + seconds
        running = [
            threads.submit(keep_calling, load, call_blocking, client, 1),
            threads.submit(keep_calling, load, call_blocking, client, 2),
            threads.submit(keep_calling, load, call_boto3, boto3_client, 3),
            threads.submit(keep_calling_async, load, 4),
            threads.submit(keep_injecting, load, 5),
        ]
        for each in running:
            each.result()
    boto3_client.close()
    return load


@attrs.define
class Observed:
    """What ``on_invocation`` told of one function: executions and throttles, each by request id."""

    events: Counter[str] = attrs.field(factory=Counter)
    syncs: Counter[str] = attrs.field(factory=Counter)
    throttled_events: Counter[str] = attrs.field(factory=Counter)
    throttled_syncs: Counter[str] = attrs.field(factory=Counter)
    good_events: set[str] = attrs.field(factory=set)

    @property
    def event_ids(self) -> set[str]:
        return {*self.events, *self.throttled_events}

    @property
    def sync_ids(self) -> set[str]:
        return {*self.syncs, *self.throttled_syncs}

    def take(self, record: InvocationRecord) -> None:
        is_event = record.invocation_type == "Event"
        if record.outcome == "throttled":
            (self.throttled_events if is_event else self.throttled_syncs)[record.request_id] += 1
            return
        (self.events if is_event else self.syncs)[record.request_id] += 1
        if is_event:
            assert record.attempt == self.events[record.request_id]
        if is_event and record.outcome == "succeeded":
            self.good_events.add(record.request_id)


def lines(file: Path) -> Counter[str]:
    return Counter(file.read_text().splitlines()) if file.exists() else Counter()


@pytest.fixture
def make_client() -> Iterator[Callable[[str], Any]]:
    """boto3's clients for moto's own server."""
    with serving() as moto:
        yield moto.client


def received(sqs: Any, url: str) -> list[Any]:
    """Every message of the queue, which is emptied."""
    found = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        found += [json.loads(message["Body"]) for message in messages]
        entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return found


def check_calls(load: Load, name: str, observed: Observed) -> None:
    """What the clients saw of one function the server did; what they did not see is accounted for."""
    calls = [call for call in load.calls if call.function == name]

    def ids(seen: Seen) -> set[str]:
        found = [call.request_id for call in calls if call.seen == seen]
        assert len(set(found)) == len(found)
        return {str(each) for each in found}

    def count(seen: Seen) -> int:
        return sum(call.seen == seen for call in calls)

    accepted, replied, throttled = ids("accepted"), ids("replied"), ids("throttled")
    assert accepted <= observed.event_ids
    assert replied <= set(observed.syncs)
    assert len(throttled) == len(throttled & set(observed.throttled_syncs)) + load.met(name, "throttle")
    assert len(ids("refused")) == load.met(name, "status")
    # Of each lost reply the server did exactly one thing, but for the drops before it did any.
    unseen = len(observed.event_ids - accepted) + len(observed.sync_ids - replied - throttled)
    assert unseen == count("unknown") - load.met(name, "drop(after_executing=False)")


def check_stats(load: Load, name: str, observed: Observed, written: Counter[str]) -> None:
    """The endpoint's counts of one function are those of its executions and of its handler's own lines."""
    stats = load.local.stats(name)
    executions = observed.events + observed.syncs
    assert stats.started == executions.total() == stats.succeeded + stats.failed
    if name == "hangs":
        assert written <= executions  # on a busy machine its timeout may pass before its first line
    else:
        assert written == (Counter() if name == "broken" else executions)
    assert stats.accepted_events == len(observed.event_ids) > 0
    assert stats.succeeded_events == len(observed.good_events)
    assert stats.failed_events == len(observed.event_ids - observed.good_events)
    assert (stats.queued_events, stats.in_flight, stats.resumed_events) == (0, 0, 0)
    assert stats.retried == observed.events.total() - len(observed.events)
    throttles = observed.throttled_events.total() + observed.throttled_syncs.total()
    assert stats.throttled == throttles + load.met(name, "throttle")
    assert stats.injected_faults == load.met(name)
    assert stats.delivery_failures == 0


@attrs.frozen
class Told:
    """What came of the Events of one function; None where it has no such destination."""

    successes: list[Any] | None = None
    failures: list[Any] | None = None
    letters: list[Any] | None = None


def check_told(load: Load, name: str, observed: Observed, told: Told) -> None:
    """Each ended Event was told of once, wherever it was to be, with the right id, payload and count."""
    stats = load.local.stats(name)
    calls = [call for call in load.calls if call.function == name and call.kind == "event"]
    nonces = {call.request_id: call.nonce for call in calls if call.seen == "accepted"}
    lost = {call.nonce for call in calls if call.seen == "unknown"}
    bad = observed.event_ids - observed.good_events

    def check(identities: list[tuple[str, int]], expected: set[str]) -> None:
        assert Counter(request_id for request_id, _ in identities) == Counter(expected)
        without = [nonce for request_id, nonce in identities if request_id not in nonces]
        assert all(nonces.get(request_id, nonce) == nonce for request_id, nonce in identities)
        assert len(set(without)) == len(without)
        assert set(without) <= lost

    for records, expected in ((told.successes, observed.good_events), (told.failures, bad)):
        if records is None:
            continue
        contexts = [record["requestContext"] for record in records]
        check([(r["requestContext"]["requestId"], r["requestPayload"]["nonce"]) for r in records], expected)
        for context in contexts:
            attempts = context["approximateInvokeCount"]
            assert attempts == observed.events[context["requestId"]] <= RETRIES[name] + 1
            match context["condition"]:
                case "Success":
                    assert expected is observed.good_events
                case "RetriesExhausted":
                    assert expected is bad
                    assert attempts == RETRIES[name] + 1
                case other:  # it waited for a place, or for its next retry, until it was too old
                    assert (other, expected is bad) == ("EventAgeExceeded", True)
    if told.letters is not None:
        letters = [
            (letter["MessageAttributes"]["RequestID"]["StringValue"], json.loads(letter["Body"])["nonce"])
            for letter in told.letters
        ]
        check(letters, bad)
    assert stats.delivered == len(told.successes or ()) + len(told.failures or ())
    assert stats.dead_lettered == len(told.letters or ())
    nobody = told.failures is None and told.letters is None
    assert stats.dropped_events == (stats.failed_events if nobody else 0)


def serve(functions: dict[str, Function], make_client: Any, observed: dict[str, Observed]) -> LocalLambda:
    return LocalLambda(
        functions,
        time_scale=SCALE,
        concurrency_limit=10,
        init_timeout=4 * PATIENCE,
        services=make_client,
        on_invocation=lambda record: observed[record.function].take(record),
    )


def report(load: Load) -> str:
    """What was counted, in one line: pytest -rP shows it."""
    fields = ["accepted_events", "started", "retried", "throttled", "delivered", "dead_lettered"]
    fields += ["succeeded_events", "failed_events", "dropped_events", "cold_starts", "injected_faults"]
    stats = [load.local.stats(name) for name in (*ACTIONS, "notified")]
    seen = Counter(f"{call.kind} {call.seen}" for call in load.calls)
    return f"{dict(seen)} { ({field: sum(getattr(each, field) for each in stats) for field in fields}) }"


@pytest.mark.parametrize("seconds", [3.0, pytest.param(SOAK_SECONDS, marks=pytest.mark.soak, id="long")])
def test_every_count_adds_up(
    tmp_path: Path, make_client: Any, caplog: pytest.LogCaptureFixture, seconds: float
) -> None:
    """Accepted, executed, retried, delivered, dead-lettered: clients, files, sinks and stats agree."""
    caplog.set_level(logging.ERROR, "lambda_invoke.local")  # a line for each dropped Event is too many
    sqs = make_client("sqs")
    url = sqs.create_queue(QueueName="soak", Attributes={"VisibilityTimeout": "43200"})["QueueUrl"]
    good, bad, letters, narrow, dead, off, unheard = (Outbox() for _ in range(7))

    def function(name: str, handler: str = ACTS, timeout: float = 4 * PATIENCE, **more: Any) -> Function:
        destinations = {key: more.pop(key) for key in ("on_success", "on_failure") if key in more}
        events = EventInvokeConfig(maximum_retry_attempts=RETRIES.get(name, 2), **destinations)
        init = {"INIT_FILE": str(tmp_path / "inits"), "INIT_WHAT": "raise"}
        environment = {"LEDGER": str(tmp_path), **init}
        return Function(handler, events=events, environment=environment, timeout=timeout, **more)

    functions = {
        "plain": function("plain"),
        "told": function("told", on_success=good, on_failure=bad),
        "queued": function("queued", on_failure="arn:aws:sqs:us-east-1:123456789012:soak"),
        "lettered": function("lettered", dead_letter=letters),
        "narrow": function("narrow", on_success="notified", on_failure=narrow, reserved_concurrency=1),
        "exits": function("exits", on_failure=dead),
        "hangs": function("hangs", timeout=1.5),
        "off": function("off", reserved_concurrency=0, dead_letter=off),
        "broken": function("broken", f"{HERE / 'failing_init.py'}:handler"),
        "notified": function("notified", on_failure=unheard),
    }
    observed = {name: Observed() for name in functions}
    before = workers()
    with serve(functions, make_client, observed) as local:
        load = run_load(local, seconds)
        local.wait_for_events(8 * PATIENCE)
    assert workers() <= before
    assert not [record for record in caplog.records if record.name == "lambda_invoke.local"]
    print(report(load), "too old to be notified:", len(unheard))

    assert len({call.nonce for call in load.calls}) == len(load.calls)
    for name in ACTIONS:
        check_calls(load, name, observed[name])
    for name in functions:
        check_stats(load, name, observed[name], lines(tmp_path / name))
    assert local.stats("broken").cold_starts == lines(tmp_path / "inits").total()
    assert local.stats("narrow").max_in_flight == 1

    notified = [json.loads(line) for line in (tmp_path / "notified.records").read_text().splitlines()]
    # On a busy machine a record may find no place until it is too old; it is told of then, whole.
    assert {record["requestContext"]["condition"] for record in unheard.records} <= {"EventAgeExceeded"}
    notified += [record["requestPayload"] for record in unheard.records]
    told = {
        "told": Told(good.records, bad.records),
        "queued": Told(failures=received(sqs, url)),
        "lettered": Told(letters=letters.records),
        "narrow": Told(notified, narrow.records),
        "exits": Told(failures=dead.records),
        "off": Told(letters=off.records),
    }
    for name in ACTIONS:
        check_told(load, name, observed[name], told.get(name, Told()))
    assert local.stats("notified").accepted_events == len(notified)
    assert local.stats("notified").delivered == local.stats("notified").failed_events == len(unheard)
    sqs.close()
    kinds = {(call.kind, call.seen) for call in load.calls}
    assert {kind for kind, seen in kinds if seen == "unknown"} == {"event", "sync"}
    assert {seen for _, seen in kinds} == set(get_args(Seen))
