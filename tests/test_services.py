"""Where a client finds the other services."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from lambda_invoke import AsyncLambdaClient, LambdaClient, RequestError
from lambda_invoke.local import LocalLambda, LocalLambdaError


def session() -> Any:
    return boto3.Session("AKIAEXAMPLE", "secret", region_name="eu-north-1")


@pytest.mark.parametrize("kind", [LambdaClient, AsyncLambdaClient])
def test_of_the_same_session_and_region_but_not_at_lambdas_endpoint(kind: Any) -> None:
    """endpoint_url is Lambda's: a queue is looked for where boto3 finds it, with the same credentials."""
    client = kind(session=session(), endpoint_url="http://127.0.0.1:9")
    queues = client._sender.service("sqs")
    assert queues.meta.region_name == "eu-north-1"
    assert queues.meta.endpoint_url == "https://sqs.eu-north-1.amazonaws.com"
    assert client._sender.service("sqs") is queues
    assert client._sender.service("sns") is not queues


def test_given() -> None:
    """services= is asked by name, once for each, whatever the client is over."""
    asked = []

    def services(name: str) -> Any:
        asked.append(name)
        return session().client(name, endpoint_url="http://127.0.0.1:9")

    handed = LambdaClient(session().client("lambda"), services=services)
    assert handed._sender.service("sqs").meta.endpoint_url == "http://127.0.0.1:9"
    handed._sender.service("sqs")
    assert asked == ["sqs"]


def test_nowhere() -> None:
    """A client that was handed over says nothing of other services: it is refused, with the fix."""
    handed = LambdaClient(session().client("lambda"))
    with pytest.raises(RequestError, match="not say where sqs is: give the client services="):
        handed._sender.service("sqs")


def test_closed() -> None:
    """A closed client has none."""
    client = LambdaClient(session=session())
    client.close()
    with pytest.raises(RequestError, match="closed"):
        client._sender.service("sqs")


def test_the_local_endpoint_names_its_own() -> None:
    """A client of the local endpoint never turns to AWS by accident."""
    with (
        LocalLambda({"f": "tests/local/handlers.py:echo"}) as local,
        local.client() as client,
        pytest.raises(LocalLambdaError, match="there is no sqs here"),
    ):
        client._sender.service("sqs")
