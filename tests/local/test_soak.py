"""A mixed load with faults, after which every count must add up: the clients', the server's, the handlers'."""

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
from typing import Any, Literal

import attrs
import boto3
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
from lambda_invoke.local import EventInvokeConfig, Fault, Function, Injection, InvocationRecord, LocalLambda
from lambda_invoke.local import Outbox as Box
from tests.local.conftest import workers
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
RETRIES = {"plain": 2, "told": 2, "queued": 1, "lettered": 1, "narrow": 2, "exits": 1, "hangs": 0, "broken": 0}


@attrs.frozen
class Call:
    """What a client did, and what it saw of it."""

    kind: Kind
    function: str
    nonce: int
    seen: Seen
    request_id: str | None


@attrs.frozen
class Sinks:
    """Where the outcomes of one function's Events go."""

    success: Box | None = None
    failure: Box | None = None
    letters: Box | None = None


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
        kind = choose.choices(("sync", "event", "dry"), (6, 10, 1))[0]
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
        time.sleep(0.25)


def begin(load: Load, client: Any) -> None:
    """Everything once, so that no count is zero however short the run: each action, each kind, each fault."""
    load.inject(Fault.drop(), "plain", 2)
    load.inject(Fault.drop(after_executing=True), "told", 2)
    load.inject(Fault.truncate(3), "queued", 2)
    load.inject(Fault.status(503), "lettered", 2)
    load.inject(Fault.throttle(), "narrow", 2)
    load.inject(Fault.delay(0.02), "exits")
    kinds: tuple[Kind, ...] = ("event", "sync", "event", "dry")
    for kind in kinds:
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
def make_client(tmp_path: Path) -> Iterator[functools.partial[Any]]:
    """boto3's clients for moto's own server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    yield functools.partial(session.client, endpoint_url=f"http://{host}:{port}", config=Config(proxies={}))
    server.stop()


def received(sqs: Any, url: str) -> list[Any]:
    """Every message of the queue, which is emptied."""
    found = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        found += [json.loads(message["Body"]) for message in messages]
        entries = [
            {"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)
        ]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return found


@pytest.mark.parametrize("seconds", [3.0, pytest.param(SOAK_SECONDS, marks=pytest.mark.soak, id="long")])
def test_every_count_adds_up(
    tmp_path: Path, make_client: Any, caplog: pytest.LogCaptureFixture, seconds: float
) -> None:
    """Accepted, executed, retried, delivered and dead-lettered: by the clients, in files, in sinks, in stats."""
    caplog.set_level(logging.ERROR, "lambda_invoke.local")  # a line for each dropped Event is too many
    sqs = make_client("sqs")
    url = sqs.create_queue(QueueName="soak", Attributes={"VisibilityTimeout": "43200"})["QueueUrl"]
    queue = "arn:aws:sqs:us-east-1:123456789012:soak"
    told = Sinks(Box(), Box())
    lettered, narrow, dies, off = Sinks(letters=Box()), Sinks(failure=Box()), Sinks(failure=Box()), Box()

    def function(
        name: str, success: Any = None, failure: Any = None, timeout: float = 4 * PATIENCE, **more: Any
    ) -> Function:
        config = EventInvokeConfig(
            maximum_retry_attempts=RETRIES.get(name, 2), on_success=success, on_failure=failure
        )
        environment = {"LEDGER": str(tmp_path)}
        return Function(ACTS, events=config, environment=environment, timeout=timeout, **more)

    functions = {
        "plain": function("plain"),
        "told": function("told", told.success, told.failure),
        "queued": function("queued", None, queue),
        "lettered": function("lettered", dead_letter=lettered.letters),
        "narrow": function("narrow", "notified", narrow.failure, reserved_concurrency=1),
        "exits": function("exits", None, dies.failure),
        "hangs": function("hangs", timeout=1.5),
        "off": function("off", reserved_concurrency=0, dead_letter=off),
        "broken": attrs.evolve(function("broken"), handler=f"{HERE / 'failing_init.py'}:handler"),
        "notified": function("notified"),
    }
    observed: dict[str, Observed] = {name: Observed() for name in functions}
    before = workers()
    with LocalLambda(
        functions,
        time_scale=SCALE,
        concurrency_limit=10,
        init_timeout=4 * PATIENCE,
        services=make_client,
        on_invocation=lambda record: observed[record.function].take(record),
    ) as local:
        load = run_load(local, seconds)
        local.wait_for_events(4 * PATIENCE)
        local.clear_faults()
    assert workers() <= before
    messages = received(sqs, url)
    sqs.close()
    assert not [record for record in caplog.records if record.name == "lambda_invoke.local"]

    assert len({call.nonce for call in load.calls}) == len(load.calls)
    for name in functions:
        check_function(load, name, observed[name], lines(tmp_path / name))
    assert local.stats("notified").accepted_events == len(observed["narrow"].good_events) > 0

    queued = split(messages)
    sinks: dict[str, tuple[list[Any] | None, list[Any] | None, list[Any] | None]] = {
        "plain": (None, None, None),
        "told": (records(told.success), records(told.failure), None),
        "queued": (None, queued, None),
        "lettered": (None, None, records(lettered.letters)),
        "exits": (None, records(dies.failure), None),
        "hangs": (None, None, None),
        "off": (None, None, records(off)),
        "broken": (None, None, None),
        "notified": (None, None, None),
    }
    for name, (success, failure, letters) in sinks.items():
        check_sinks(load, name, observed[name], success, failure, letters)
    narrow_stats = local.stats("narrow")
    assert narrow_stats.delivered == len(observed["narrow"].good_events) + len(records(narrow.failure))
    assert narrow_stats.max_in_flight == 1
    report(load, functions)
