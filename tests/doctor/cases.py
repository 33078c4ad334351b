"""For each kind of finding: how a function is set up wrongly, and how rightly, mostly by a hair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doctor.world import ACCOUNT, LETTERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.doctor.world import World

    Setup = Callable[[World], object]

BUCKET = "arn:aws:s3:::bucket"


def url(principal: str, kind: str) -> Setup:
    """What Lambda's console adds for a function's URL."""
    via = {"Effect": "Allow", "Principal": principal, "Resource": "*"}
    auth = {"StringEquals": {"lambda:FunctionUrlAuthType": kind}}
    by_url = {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    return lambda world: world.policy(
        {"Sid": "url", "Action": "lambda:InvokeFunctionUrl", "Condition": auth, **via},
        {"Sid": "invoke", "Action": "lambda:InvokeFunction", "Condition": by_url, **via},
    )


def denied(world: World) -> None:
    world.hand_over(read_timeout=60)
    world.refuse("Invoke")


def state(**said: Any) -> Setup:
    return lambda world: world.configured(**said)


def client(timeout: int, /, **options: Any) -> Setup:
    def setup(world: World) -> None:
        world.function(Timeout=timeout)
        world.options = options

    return setup


def handed(timeout: int) -> Setup:
    def setup(world: World) -> None:
        world.function(Timeout=timeout)
        world.hand_over(read_timeout=1000, tcp_keepalive=True)

    return setup


def reserved(executions: int, concurrency: int) -> Setup:
    def setup(world: World) -> None:
        world.reserve(executions)
        world.asked = {"concurrency": concurrency}

    return setup


def account(unreserved: int) -> Setup:
    def setup(world: World) -> None:
        limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": unreserved}
        world.answer("GetAccountSettings", AccountLimit=limit)
        world.asked = {"concurrency": 100}

    return setup


def provisioned(qualifier: str, allocated: int = 10, /, **asked: Any) -> Setup:
    def setup(world: World) -> None:
        world.configured(Version="3")
        one = {
            "FunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{world.name}:{qualifier}",
            "RequestedProvisionedConcurrentExecutions": 10,
            "AllocatedProvisionedConcurrentExecutions": allocated,
            "Status": "READY" if allocated == 10 else "FAILED",
        }
        world.answer("ListProvisionedConcurrencyConfigs", ProvisionedConcurrencyConfigs=[one])
        world.asked = {"concurrency": 10, **asked}

    return setup


def events(**options: Any) -> Setup:
    def setup(world: World) -> None:
        world.function(bare=True)
        if options:
            world.events(**options)

    return setup


def queue(timeout: int = 30, /, mapping: dict[str, Any] | None = None, **options: Any) -> Setup:
    def setup(world: World) -> None:
        world.function(Timeout=timeout)
        world.read_queue(world.queue(**options), **(mapping or {}))

    return setup


def silent(*invocations: float) -> Setup:
    def setup(world: World) -> None:
        queue(waiting=3)(world)
        world.metric("Invocations", *invocations or [0])

    return setup


def bounded(most: int) -> Setup:
    def setup(world: World) -> None:
        world.reserve(10)
        world.asked = {"concurrency": 10}
        world.mapped(ScalingConfig={"MaximumConcurrency": most})

    return setup


def stream(**options: Any) -> Setup:
    return lambda world: world.read_stream(**options)


def mapped(**said: Any) -> Setup:
    return lambda world: world.mapped(**said)


def metric(name: str, *values: float) -> Setup:
    return lambda world: world.metric(name, *values)


def refused(world: World) -> None:
    world.refuse("GetPolicy")


def as_it_is(_: World) -> None:
    """As it should be."""


CASES: dict[str, tuple[Setup, Setup]] = {
    "could-not-look": (refused, as_it_is),
    "invoke-denied": (denied, lambda world: world.hand_over(read_timeout=60)),
    "public-invoke": (
        lambda world: world.permit("*"),
        lambda world: world.permit("*", PrincipalOrgID="o-1234567890"),
    ),
    "public-function-url": (url("*", "NONE"), url(ACCOUNT, "AWS_IAM")),
    "service-without-source": (
        lambda world: world.permit("sns.amazonaws.com"),
        lambda world: world.permit("sns.amazonaws.com", SourceArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:topic"),
    ),
    "s3-source-without-account": (
        lambda world: world.permit("s3.amazonaws.com", SourceArn=BUCKET),
        lambda world: world.permit("s3.amazonaws.com", SourceArn=BUCKET, SourceAccount=ACCOUNT),
    ),
    "other-account-may-invoke": (
        lambda world: world.permit("111111111111"),
        lambda world: world.permit(f"arn:aws:iam::{ACCOUNT}:role/caller"),
    ),
    "function-failed": (state(State="Failed"), state(State="Active")),
    "function-pending": (state(State="Pending"), state(State="Active")),
    "function-inactive": (state(State="Inactive"), state(State="Active")),
    "last-update-failed": (state(LastUpdateStatus="Failed"), state(LastUpdateStatus="InProgress")),
    "client-timeout-too-short": (client(30, timeout=30), client(30, timeout=31)),
    "client-deadline-too-short": (client(30, deadline=30), client(30, deadline=31)),
    "function-timeout-at-limit": (client(900), client(600)),
    "no-keep-alive": (handed(351), client(351)),
    "reserved-concurrency-zero": (reserved(0, 1), reserved(1, 1)),
    "reserved-concurrency-below-fan-out": (reserved(9, 10), reserved(10, 10)),
    "account-concurrency-below-fan-out": (account(99), account(100)),
    "provisioned-concurrency-not-ready": (
        provisioned("prod", 9, qualifier="prod"),
        provisioned("prod", qualifier="prod"),
    ),
    "provisioned-concurrency-elsewhere": (provisioned("prod"), provisioned("3")),
    "provisioned-concurrency-below-fan-out": (
        provisioned("prod", qualifier="prod", concurrency=11),
        provisioned("prod", qualifier="prod", concurrency=10),
    ),
    "events-without-failure-destination": (events(), events(on_failure=LETTERS)),
    "failure-destination-is-fifo": (events(on_failure=f"{LETTERS}.fifo"), events(on_failure=LETTERS)),
    "events-not-retried": (
        events(MaximumRetryAttempts=0),
        events(MaximumRetryAttempts=0, on_failure=LETTERS),
    ),
    "event-age-below-retries": (
        events(MaximumRetryAttempts=2, MaximumEventAgeInSeconds=180),
        events(MaximumRetryAttempts=1, MaximumEventAgeInSeconds=180),
    ),
    "mapping-disabled": (queue(mapping={"Enabled": False}), queue()),
    "mapping-failing": (
        mapped(LastProcessingResult="PROBLEM: Function call failed"),
        mapped(LastProcessingResult="OK"),
    ),
    "mapping-silent": (
        mapped(LastProcessingResult="No records processed"),
        mapped(LastProcessingResult="OK"),
    ),
    "mapping-without-batch-item-failures": (
        queue(mapping={"FunctionResponseTypes": []}),
        queue(mapping={"FunctionResponseTypes": [], "BatchSize": 1}),
    ),
    "mapping-concurrency-above-reserved": (bounded(11), bounded(10)),
    "stream-without-limits": (
        stream(MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=-1),
        stream(MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=3600),
    ),
    "stream-without-bisect": (
        stream(BisectBatchOnFunctionError=False),
        stream(BisectBatchOnFunctionError=False, BatchSize=1),
    ),
    "stream-without-failure-destination": (stream(DestinationConfig={}), stream()),
    "queue-visibility-below-timeout": (queue(31, visibility=30), queue(30, visibility=30)),
    "queue-visibility-short": (
        queue(30, visibility=184, mapping={"MaximumBatchingWindowInSeconds": 5}),
        queue(30, visibility=185, mapping={"MaximumBatchingWindowInSeconds": 5}),
    ),
    "queue-without-dead-letter-queue": (queue(receives=None), queue()),
    "queue-max-receives-low": (queue(receives=4), queue(receives=5)),
    "errors-seen": (metric("Errors", 1, 2), metric("Errors", 0)),
    "throttles-seen": (metric("Throttles", 1), metric("Throttles", 0)),
    "events-dropped": (metric("AsyncEventsDropped", 1), metric("AsyncEventsDropped", 0)),
    "events-waiting": (metric("AsyncEventAge", 5, 600_001), metric("AsyncEventAge", 5, 600_000)),
    "dead-letter-errors": (metric("DeadLetterErrors", 1), metric("DeadLetterErrors", 0)),
    "destination-delivery-failures": (
        metric("DestinationDeliveryFailures", 1),
        metric("DestinationDeliveryFailures", 0),
    ),
    "duration-near-timeout": (metric("Duration", 100, 27_000), metric("Duration", 100, 26_999)),
}
