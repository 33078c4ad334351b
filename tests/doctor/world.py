"""A function and what is around it, set up in moto through real boto3; what moto has not is answered here."""

from __future__ import annotations

import importlib
import io
import itertools
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse

import lambda_invoke.doctor
from lambda_invoke import AsyncLambdaClient, LambdaClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke import Diagnosis
    from tests.support.moto import Moto

ACCOUNT = "123456789012"
LETTERS = f"arn:aws:sqs:us-east-1:{ACCOUNT}:letters"
SESSION = boto3.Session("test", "test", region_name="us-east-1")
"""One for all: it keeps the service models that it has read."""
SCHEMA = json.loads(
    (Path(lambda_invoke.doctor.__file__).parent / "diagnosis.schema.json").read_text(encoding="utf-8")
)
SECRET = "hunter2"
_NUMBERS = itertools.count()


def code() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): ...")
    return written.getvalue()


def validate(document: Any) -> None:
    """By the schema that is shipped."""
    jsonschema = importlib.import_module("jsonschema")  # without types
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


class World:
    """One function; by default everything about it is as it should be."""

    def __init__(self, moto: Moto) -> None:
        self.moto = moto
        self.name = f"function-{next(_NUMBERS)}"
        self.options: dict[str, Any] = {}
        """Of the client."""
        self.handed: Any = None
        """A boto3 client to hand over."""
        self.asked: dict[str, Any] = {}
        """Of ``diagnose``."""
        self._lambda = moto.client("lambda")
        self._made = False
        self._answers: dict[str, Mapping[str, Any]] = {}
        self.answer(
            "GetAccountSettings",
            AccountLimit={"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000},
        )
        self.answer("ListProvisionedConcurrencyConfigs", ProvisionedConcurrencyConfigs=[])

    # Setting up.

    def function(self, *, bare: bool = False, **configuration: Any) -> World:
        """Make it, unless it is there; ``bare`` is without a failure destination."""
        if self._made:
            assert not configuration
            return self
        self._made = True
        iam = self.moto.client("iam")
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        self._lambda.create_function(
            FunctionName=self.name,
            Role=role,
            Code={"ZipFile": code()},
            **{
                "Runtime": "python3.12",
                "Handler": "app.handler",
                "Timeout": 30,
                "Environment": {"Variables": {"PASSWORD": SECRET}},
                **configuration,
            },
        )
        if not bare:
            self.events(on_failure=LETTERS)
        return self

    def permit(self, principal: str, **options: Any) -> None:
        self.function()
        self._lambda.add_permission(
            FunctionName=self.name,
            StatementId="statement",
            Action="lambda:InvokeFunction",
            Principal=principal,
            **options,
        )

    def reserve(self, executions: int) -> None:
        self.function()
        self._lambda.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=executions)

    def events(self, *, on_failure: str | None = None, **options: Any) -> None:
        self.function()
        if on_failure is not None:
            options["DestinationConfig"] = {"OnFailure": {"Destination": on_failure}}
        self._lambda.put_function_event_invoke_config(FunctionName=self.name, **options)

    def queue(self, *, visibility: int = 180, receives: int | None = 5, waiting: int = 0) -> str:
        """Make an SQS queue; its ARN."""
        queues = self.moto.client("sqs")
        attributes = {"VisibilityTimeout": str(visibility)}
        if receives is not None:
            queues.create_queue(QueueName=f"{self.name}-dead")
            attributes["RedrivePolicy"] = json.dumps(
                {
                    "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.name}-dead",
                    "maxReceiveCount": receives,
                }
            )
        url = queues.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        for number in range(waiting):
            queues.send_message(QueueUrl=url, MessageBody=str(number))
        return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.name}"

    def read_queue(self, queue: str, **options: Any) -> None:
        """Map the queue to the function; as it should be, unless ``options`` say otherwise."""
        self.function()
        self._lambda.create_event_source_mapping(
            FunctionName=self.name,
            EventSourceArn=queue,
            **{"FunctionResponseTypes": ["ReportBatchItemFailures"], **options},
        )

    def read_stream(self, **options: Any) -> None:
        """The same, of a Kinesis stream."""
        self.function()
        self.moto.client("kinesis").create_stream(StreamName=self.name, ShardCount=1)
        self._lambda.create_event_source_mapping(
            FunctionName=self.name,
            EventSourceArn=f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{self.name}",
            StartingPosition="LATEST",
            **{
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "BisectBatchOnFunctionError": True,
                "MaximumRetryAttempts": 5,
                "DestinationConfig": {"OnFailure": {"Destination": LETTERS}},
                **options,
            },
        )

    def metric(self, name: str, *values: float) -> None:
        """Have CloudWatch know values of the last hour."""
        self.moto.client("cloudwatch").put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "FunctionName", "Value": self.name}],
                    "Timestamp": datetime.now(UTC) - timedelta(minutes=5),
                    "Value": value,
                }
                for value in values
            ],
        )

    def policy(self, *statements: Mapping[str, Any]) -> None:
        """Have GetPolicy answer with these."""
        self.answer("GetPolicy", Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))

    def answer(self, operation: str, **document: Any) -> None:
        """Answer an operation of Lambda's in moto's place."""
        self._answers[operation] = document

    def refuse(self, operation: str, code: str = "AccessDeniedException", status: int = 403) -> None:
        self._answers[operation] = {
            "Error": {"Code": code, "Message": f"not authorized to perform: lambda:{operation}"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }

    def configured(self, **said: Any) -> None:
        """Have GetFunctionConfiguration say more than moto does."""
        known = self.function()._lambda.get_function_configuration(FunctionName=self.name)
        self.answer("GetFunctionConfiguration", **{**known, **said})

    def mapped(self, **said: Any) -> None:
        """Have ListEventSourceMappings say of a stream what moto cannot."""
        known = {
            "UUID": "uuid-1",
            "EventSourceArn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s",
            "BatchSize": 1,
            "State": "Enabled",
            "StateTransitionReason": "USER_INITIATED",
            "MaximumRetryAttempts": 5,
            "DestinationConfig": {"OnFailure": {"Destination": LETTERS}},
        }
        self.answer("ListEventSourceMappings", EventSourceMappings=[{**known, **said}])

    # Looking.

    def hand_over(self, **config: Any) -> None:
        """Use a boto3 client that is handed over."""
        from botocore.config import Config

        self.handed = SESSION.client(
            "lambda",
            endpoint_url=self.moto.url,
            config=Config(proxies={}, max_pool_connections=256, **config),
        )

    def client(self) -> LambdaClient:
        self.function()
        client = LambdaClient(**self._made_of())
        self._prepare(client)
        return client

    def async_client(self) -> AsyncLambdaClient:
        self.function()
        client = AsyncLambdaClient(**self._made_of())
        self._prepare(client)
        return client

    def _made_of(self) -> dict[str, Any]:
        if self.handed is not None:
            return {"boto_client": self.handed, "services": self.moto.client, **self.options}
        where = {"session": SESSION, "endpoint_url": self.moto.url, "services": self.moto.client}
        return {**where, **self.options}

    def _prepare(self, client: LambdaClient | AsyncLambdaClient) -> None:
        events = client._sender.control().meta.events
        for operation, document in self._answers.items():

            def answering(*, document: Mapping[str, Any] = document, **_: Any) -> Any:
                status = document.get("ResponseMetadata", {}).get("HTTPStatusCode", 200)
                return AWSResponse("", status, {}, io.BytesIO()), {"ResponseMetadata": {}, **document}

            events.register_first(f"before-call.lambda.{operation}", answering)

    def diagnose(self) -> Diagnosis:
        with self.client() as client:
            diagnosis = client.diagnose(self.name, **self.asked)
        validate(diagnosis.to_dict())
        for text in (str(diagnosis), repr(diagnosis), diagnosis.to_json()):
            assert SECRET not in text
        return diagnosis
