"""Every kind of finding: its id, how much it matters, why, and the AWS page that says so.

Source of each: the page that it names, as of 2026-11. ``docs/doctor.md`` has the same list for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from lambda_invoke.doctor.findings import Finding, Severity

if TYPE_CHECKING:
    from lambda_invoke.doctor.findings import Plain

_GUIDE = "AWS Lambda developer guide: "
_ACCESS = f"{_GUIDE}Granting Lambda function access to AWS services"
_STATES = f"{_GUIDE}Lambda function states"
_CONFIGURE = f"{_GUIDE}Configure Lambda function timeout"
_RESERVED = f"{_GUIDE}Configuring reserved concurrency for a function"
_PROVISIONED = f"{_GUIDE}Configuring provisioned concurrency for a function"
_QUOTAS = f"{_GUIDE}Lambda quotas"
_RECORDS = f"{_GUIDE}Capturing records of Lambda asynchronous invocations"
_ASYNC = f"{_GUIDE}How Lambda handles errors and retries with asynchronous invocation"
_BATCH = f"{_GUIDE}Lambda event source mappings"
_STREAM = f"{_GUIDE}Retain discarded batch records for a Kinesis Data Streams event source in Lambda"
_QUEUE = f"{_GUIDE}Creating and configuring an Amazon SQS event source mapping"
_SQS_SCALING = f"{_GUIDE}Configuring scaling behavior for SQS event source mappings"
_METRICS = f"{_GUIDE}Types of metrics for Lambda functions"
_NAT = "Amazon VPC user guide: Troubleshoot NAT gateways"

KINDS: dict[str, Kind] = {}
"""Every kind by its id, in the order in which they are looked for."""


@attrs.frozen
class Kind:
    """A kind of finding; calling it makes one."""

    id: str
    severity: Severity
    why: str
    source: str

    def __call__(self, title: str, fix: str, /, **evidence: Plain) -> Finding:
        """A finding of this kind."""
        return Finding(self.id, self.severity, title, evidence, self.why, fix, self.source)


def _kind(kind_id: str, severity: Severity, why: str, source: str) -> Kind:
    assert kind_id not in KINDS
    KINDS[kind_id] = Kind(kind_id, severity, why, source)
    return KINDS[kind_id]


COULD_NOT_LOOK = _kind(
    "could-not-look",
    Severity.UNKNOWN,
    "What was not looked at may be well or not: no finding about it is no good sign.",
    "Service authorization reference: Actions, resources, and condition keys for AWS Lambda",
)

# Who may invoke it.
INVOKE_DENIED = _kind(
    "invoke-denied",
    Severity.ERROR,
    "Every invocation with these credentials is refused; nothing runs.",
    f"{_GUIDE}Identity-based IAM policies for Lambda",
)
PUBLIC_INVOKE = _kind(
    "public-invoke",
    Severity.ERROR,
    "Anybody with an AWS account may run the function, at your cost and with its permissions.",
    f"{_GUIDE}Viewing resource-based IAM policies in Lambda",
)
PUBLIC_URL = _kind(
    "public-function-url",
    Severity.WARNING,
    "Anybody who has the URL may run the function; it has to tell callers apart itself.",
    f"{_GUIDE}Control access to Lambda function URLs",
)
SERVICE_WITHOUT_SOURCE = _kind(
    "service-without-source",
    Severity.WARNING,
    "Anybody's resource of that service, of other accounts too, may have it invoke the function: the "
    "confused deputy.",
    _ACCESS,
)
S3_WITHOUT_ACCOUNT = _kind(
    "s3-source-without-account",
    Severity.WARNING,
    "A bucket's ARN names no account: who makes a deleted bucket anew, in another account, may invoke the "
    "function.",
    _ACCESS,
)
OTHER_ACCOUNT = _kind(
    "other-account-may-invoke",
    Severity.INFO,
    "Whoever that account lets in may run the function; know that it is meant.",
    f"{_GUIDE}Granting Lambda function access to other accounts",
)

# Whether it can run.
FUNCTION_FAILED = _kind(
    "function-failed", Severity.ERROR, "A function in this state is not invoked at all.", _STATES
)
FUNCTION_PENDING = _kind(
    "function-pending", Severity.WARNING, "Invocations fail until the function is Active.", _STATES
)
FUNCTION_INACTIVE = _kind(
    "function-inactive",
    Severity.WARNING,
    "It was idle for long and its resources are gone: the first invocation fails, and has them made anew.",
    _STATES,
)
UPDATE_FAILED = _kind(
    "last-update-failed",
    Severity.WARNING,
    "What runs is the code and configuration from before that update.",
    _STATES,
)

# Time.
CLIENT_TIMEOUT = _kind(
    "client-timeout-too-short",
    Severity.WARNING,
    "The client gives a call up that still runs: whether it succeeded is then unknown, and it cannot safely "
    "be sent again.",
    _CONFIGURE,
)
CLIENT_DEADLINE = _kind(
    "client-deadline-too-short",
    Severity.WARNING,
    "A call that takes as long as the function may is given up while it runs, and has no time for a retry.",
    _CONFIGURE,
)
TIMEOUT_AT_LIMIT = _kind(
    "function-timeout-at-limit",
    Severity.INFO,
    "There is no room left: work that comes to need more than 900 s cannot be done in one invocation.",
    _QUOTAS,
)
NO_KEEP_ALIVE = _kind(
    "no-keep-alive",
    Severity.WARNING,
    "A NAT gateway forgets a connection that is idle for 350 s, and a call that waits is idle: its reply "
    "never comes.",
    _NAT,
)

# Concurrency.
RESERVED_ZERO = _kind(
    "reserved-concurrency-zero",
    Severity.ERROR,
    "Every invocation is throttled; Events go straight to the failure destination, or are lost.",
    _RESERVED,
)
RESERVED_BELOW = _kind(
    "reserved-concurrency-below-fan-out",
    Severity.WARNING,
    "What is beyond the reserved concurrency is throttled and tried again: the job takes longer.",
    _RESERVED,
)
UNRESERVED_BELOW = _kind(
    "account-concurrency-below-fan-out",
    Severity.WARNING,
    "The fan-out takes all that the account has left: it is throttled, and so is every other function.",
    _QUOTAS,
)
PROVISIONED_NOT_READY = _kind(
    "provisioned-concurrency-not-ready",
    Severity.WARNING,
    "What is not allocated starts cold, and is paid for all the same once it is.",
    _PROVISIONED,
)
PROVISIONED_ELSEWHERE = _kind(
    "provisioned-concurrency-elsewhere",
    Severity.WARNING,
    "Provisioned concurrency serves only calls to the version or alias that has it; these start cold, and "
    "it is paid for.",
    _PROVISIONED,
)
PROVISIONED_BELOW = _kind(
    "provisioned-concurrency-below-fan-out",
    Severity.INFO,
    "What is beyond it runs on environments that start cold.",
    _PROVISIONED,
)

# Events.
EVENTS_WITHOUT_DESTINATION = _kind(
    "events-without-failure-destination",
    Severity.WARNING,
    "An Event that fails for good, or grows too old, is dropped: nobody is told, it cannot be sent again.",
    _RECORDS,
)
FIFO_DESTINATION = _kind(
    "failure-destination-is-fifo",
    Severity.ERROR,
    "Lambda does not deliver to FIFO queues and topics: every record of a failure is lost.",
    _METRICS,
)
EVENTS_NOT_RETRIED = _kind(
    "events-not-retried",
    Severity.WARNING,
    "An Event that fails once, for a passing reason too, is dropped and nobody is told.",
    _ASYNC,
)
EVENT_AGE_BELOW_RETRIES = _kind(
    "event-age-below-retries",
    Severity.WARNING,
    "Lambda waits one minute before the first retry and two before the second: an Event is too old before "
    "its retries are used up.",
    _ASYNC,
)

# Event source mappings.
MAPPING_DISABLED = _kind("mapping-disabled", Severity.WARNING, "Nothing of that source is processed.", _BATCH)
MAPPING_FAILING = _kind(
    "mapping-failing",
    Severity.ERROR,
    "The last batch was not processed; a stream's shard waits for it, a queue's messages come again.",
    _BATCH,
)
MAPPING_SILENT = _kind(
    "mapping-silent", Severity.WARNING, "It is enabled, and nothing has come through it.", _BATCH
)
MAPPING_WHOLE_BATCHES = _kind(
    "mapping-without-batch-item-failures",
    Severity.WARNING,
    "One bad record has the whole batch run again, those that succeeded included.",
    _BATCH,
)
MAPPING_ABOVE_RESERVED = _kind(
    "mapping-concurrency-above-reserved",
    Severity.WARNING,
    "The mapping calls the function more often than it may run: throttled batches use up receives and end "
    "in the dead-letter queue.",
    _SQS_SCALING,
)
STREAM_WITHOUT_LIMITS = _kind(
    "stream-without-limits",
    Severity.WARNING,
    "A record that always fails blocks its shard until it expires: a day by default, up to a week or more.",
    _STREAM,
)
STREAM_WITHOUT_BISECT = _kind(
    "stream-without-bisect",
    Severity.WARNING,
    "A batch that fails as a whole is retried as a whole, and is given up as a whole: good records with the "
    "bad one.",
    _STREAM,
)
STREAM_WITHOUT_DESTINATION = _kind(
    "stream-without-failure-destination",
    Severity.WARNING,
    "What is given up is skipped, and nothing says where in the stream it stood.",
    _STREAM,
)

# Queues.
VISIBILITY_BELOW_TIMEOUT = _kind(
    "queue-visibility-below-timeout",
    Severity.ERROR,
    "A message comes back while the function still works on it: it is processed twice.",
    _QUEUE,
)
VISIBILITY_SHORT = _kind(
    "queue-visibility-short",
    Severity.WARNING,
    "When a batch is throttled, Lambda has no time to try again before its messages come back, and are "
    "processed twice.",
    _QUEUE,
)
QUEUE_WITHOUT_REDRIVE = _kind(
    "queue-without-dead-letter-queue",
    Severity.WARNING,
    "A message that always fails comes back until it expires, and is then lost. (The function's own "
    "dead-letter queue is for Events only.)",
    _QUEUE,
)
QUEUE_FEW_RECEIVES = _kind(
    "queue-max-receives-low",
    Severity.WARNING,
    "Throttled batches count as receives: good messages end in the dead-letter queue. AWS advises 5 or more.",
    _QUEUE,
)

# What has happened.
ERRORS = _kind("errors-seen", Severity.WARNING, "Invocations ran and failed.", _METRICS)
THROTTLES = _kind(
    "throttles-seen",
    Severity.WARNING,
    "Invocations were refused for want of concurrency: the function's, or the account's.",
    _METRICS,
)
EVENTS_DROPPED = _kind(
    "events-dropped",
    Severity.ERROR,
    "Events were given up without success; those that no destination got are lost.",
    _METRICS,
)
EVENTS_OLD = _kind(
    "events-waiting",
    Severity.WARNING,
    "Events wait long for their turn, for want of concurrency or behind retries; when too old they are "
    "dropped.",
    _METRICS,
)
DEAD_LETTER_ERRORS = _kind(
    "dead-letter-errors",
    Severity.ERROR,
    "Lambda could not send failed Events to the dead-letter queue: they are lost.",
    _METRICS,
)
DESTINATION_FAILURES = _kind(
    "destination-delivery-failures",
    Severity.ERROR,
    "Lambda could not deliver records to a destination: what became of those Events is lost.",
    _METRICS,
)
DURATION_NEAR_TIMEOUT = _kind(
    "duration-near-timeout",
    Severity.WARNING,
    "Invocations take nearly as long as they may, or were cut off: what they had begun is left half done.",
    _CONFIGURE,
)
