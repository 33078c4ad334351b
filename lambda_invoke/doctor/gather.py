"""The doctor's only edge: asks Lambda, SQS and CloudWatch through boto3, and reads; it changes nothing."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import botocore.exceptions as be

from lambda_invoke.control_plane import get_configuration
from lambda_invoke.doctor import answers
from lambda_invoke.doctor.facts import LATEST, METRICS, Facts, Metrics, NotLooked, Queue, Reserved
from lambda_invoke.errors import FunctionNotFoundError, LambdaInvokeError, ServiceError
from lambda_invoke.events.config import EventConfig
from lambda_invoke.sources.mapping import mapping_of
from lambda_invoke.transports.failures import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from lambda_invoke.core.target import Target
    from lambda_invoke.doctor.facts import Intent, Statement
    from lambda_invoke.doctor.pacer import Pacer
    from lambda_invoke.results import DryRun, FunctionConfiguration
    from lambda_invoke.sources.mapping import EventSourceMapping
    from lambda_invoke.transports.protocols import BotoLambdaClient, Services

T = TypeVar("T")

_NO_POLICY = "ResourceNotFoundException"
_NOT_KNOWN = frozenset(
    {"404", "501", "NotImplementedException", "NotImplemented", "UnknownOperationException"}
)
"""Codes of endpoints that do not have an operation: emulators."""
_LONGEST_REASON = 300
_PERIOD_SECONDS = 3600
"""Of a metric's figures: CloudWatch keeps those of an hour for 15 months."""
_QUEUE_ATTRIBUTES = ["VisibilityTimeout", "RedrivePolicy", "ApproximateNumberOfMessages"]


class GivenUpError(Exception):
    """Whoever asked no longer waits: nothing more is asked."""


@attrs.frozen
class Gatherer:
    """Where to ask, how fast, and what about."""

    control: BotoLambdaClient
    service: Services
    pacer: Pacer
    target: Target
    intent: Intent
    hours: float

    def gather(
        self,
        permission: DryRun | NotLooked,
        *,
        now: datetime,
        given_up: Callable[[], bool] = lambda: False,
    ) -> Facts:
        """Ask for everything.

        ``now`` is where the last hours end; ``given_up`` is looked at before each question.

        Raises:
            FunctionNotFoundError: there is no such function or qualifier.
            ConnectError: Lambda cannot be reached.
            CredentialsError: there are no credentials.
            GivenUpError: ``given_up`` said so.
        """
        look = _Look(given_up)
        configuration = self._configuration(given_up)
        named: dict[str, Any] = {"FunctionName": self.target.function}
        mappings = look(
            "event source mappings",
            "lambda:ListEventSourceMappings",
            lambda: self._listed(
                "list_event_source_mappings",
                "EventSourceMappings",
                mapping_of,
                FunctionName=self._qualified(),
            ),
        )
        return Facts(
            target=self.target,
            intent=self.intent,
            hours=self.hours,
            permission=permission,
            configuration=configuration,
            policy=look("the resource policy", "lambda:GetPolicy", self._policy),
            reserved=look("reserved concurrency", "lambda:GetFunctionConcurrency", self._reserved),
            account=look(
                "the account's concurrency",
                "lambda:GetAccountSettings",
                lambda: answers.limits_of(self._paced(self.control.get_account_settings)),
            ),
            provisioned=look(
                "provisioned concurrency",
                "lambda:ListProvisionedConcurrencyConfigs",
                lambda: self._listed(
                    "list_provisioned_concurrency_configs",
                    "ProvisionedConcurrencyConfigs",
                    answers.provisioned_of,
                    **named,
                ),
            ),
            events=look(
                "the event invoke configuration",
                "lambda:ListFunctionEventInvokeConfigs",
                lambda: self._listed(
                    "list_function_event_invoke_configs",
                    "FunctionEventInvokeConfigs",
                    EventConfig.of,
                    **named,
                ),
            ),
            mappings=mappings,
            queues=self._queues(look, () if isinstance(mappings, NotLooked) else mappings),
            metrics=look(METRICS, "cloudwatch:GetMetricData", lambda: self._metrics(now)),
        )

    # Lambda.

    def _paced(self, operation: Callable[..., Mapping[str, Any]], **arguments: Any) -> Mapping[str, Any]:
        self.pacer.wait()
        return operation(**arguments)

    def _listed(
        self, operation: str, member: str, read: Callable[[Mapping[str, Any]], T], **arguments: Any
    ) -> tuple[T, ...]:
        pages: Iterator[Mapping[str, Any]] = iter(self.control.get_paginator(operation).paginate(**arguments))
        found: list[T] = []
        while True:
            self.pacer.wait()
            page = next(pages, None)
            if page is None:
                return tuple(found)
            found += [read(each) for each in page.get(member) or ()]

    def _configuration(self, given_up: Callable[[], bool]) -> FunctionConfiguration | NotLooked:
        """What is asked first: without the function there is nothing to say."""
        if given_up():
            raise GivenUpError
        self.pacer.wait()
        try:
            return get_configuration(self.control, self.target)
        except FunctionNotFoundError:
            raise
        except ServiceError as error:
            return NotLooked(
                "the configuration", "lambda:GetFunctionConfiguration", f"{error.code}: {error.message}"
            )

    def _policy(self) -> tuple[Statement, ...]:
        qualifier = {} if self._qualifier is None else {"Qualifier": self._qualifier}
        try:
            answer = self._paced(self.control.get_policy, FunctionName=self.target.function, **qualifier)
        except be.ClientError as error:
            if error.response.get("Error", {}).get("Code") == _NO_POLICY:
                return ()
            raise
        return answers.statements_of(answer)

    def _reserved(self) -> Reserved:
        answer = self._paced(self.control.get_function_concurrency, FunctionName=self.target.function)
        return Reserved(answer.get("ReservedConcurrentExecutions"))

    @property
    def _qualifier(self) -> str | None:
        """Of what has a policy, mappings and metrics of its own; those of $LATEST are the function's."""
        return None if self.target.qualifier == LATEST else self.target.qualifier

    def _qualified(self) -> str:
        return ":".join(filter(None, [self.target.function, self._qualifier]))

    # Other services.

    def _queues(self, look: _Look, mappings: tuple[EventSourceMapping, ...]) -> dict[str, Queue | NotLooked]:
        arns = dict.fromkeys(each.event_source_arn or "" for each in mappings if each.kind == "sqs")
        return {
            arn: look(
                f"queue {arn.rpartition(':')[2]}",
                "sqs:GetQueueAttributes",
                functools.partial(self._queue, arn),
            )
            for arn in arns
        }

    def _queue(self, arn: str) -> Queue:
        *_, account, name = arn.split(":")
        queues = self.service("sqs")
        url = queues.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        return answers.queue_of(queues.get_queue_attributes(QueueUrl=url, AttributeNames=_QUEUE_ATTRIBUTES))

    def _metrics(self, now: datetime) -> Metrics:
        dimensions = [{"Name": "FunctionName", "Value": self.target.name}]
        if self._qualifier is not None:
            dimensions.append({"Name": "Resource", "Value": f"{self.target.name}:{self._qualifier}"})
        queries = [
            {
                "Id": name.lower(),
                "MetricStat": {
                    "Metric": {"Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": dimensions},
                    "Period": _PERIOD_SECONDS,
                    "Stat": statistic,
                },
            }
            for name, statistic in answers.STATISTICS.items()
        ]
        answer = self.service("cloudwatch").get_metric_data(
            MetricDataQueries=queries, StartTime=now - timedelta(hours=self.hours), EndTime=now
        )
        return answers.metrics_of(answer)


@attrs.frozen
class _Look:
    """Asks one question; whatever comes in place of an answer is a NotLooked."""

    given_up: Callable[[], bool]

    def __call__(self, what: str, action: str, read: Callable[[], T]) -> T | NotLooked:
        if self.given_up():
            raise GivenUpError
        try:
            return read()
        except be.StubResponseError:
            raise  # the test's own failure
        except be.ClientError as error:
            # SQS asks for two permissions; the one that is missing is named.
            asked = f"sqs:{error.operation_name}" if action.startswith("sqs:") else action
            return NotLooked(what, asked, _refused(error))
        except be.BotoCoreError as error:
            return NotLooked(what, action, words(error)[:_LONGEST_REASON])
        except LambdaInvokeError as error:
            return NotLooked(what, action, error.message)
        except Exception as error:  # noqa: BLE001 - services= is the caller's, an emulator's answer anybody's
            return NotLooked(what, action, f"{type(error).__name__}: {error}"[:_LONGEST_REASON])


def _refused(error: be.ClientError) -> str:
    said = error.response.get("Error", {})
    code = str(said.get("Code", "Unknown"))
    if code in _NOT_KNOWN:
        return f"{code}: the endpoint does not know {error.operation_name}"
    return " ".join(f"{code}: {said.get('Message', '')}".split())[:_LONGEST_REASON]
