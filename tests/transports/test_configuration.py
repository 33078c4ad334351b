"""What boto3's session and environment say counts for the client that the library builds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import boto3
import pytest

from lambda_invoke import (
    ConnectError,
    Executed,
    LambdaClient,
    RequestError,
    ResponseTimeoutError,
    RetryPolicy,
)
from tests.support.aws import QUICK
from tests.support.patience import PATIENCE
from tests.support.server import ScriptedServer, hang

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA"])
def test_the_environments_endpoint(
    server: ScriptedServer, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables of botocore name the endpoint; nothing need be passed."""
    monkeypatch.setenv(variable, server.url)
    with LambdaClient() as client:
        assert client.invoke("f", 1).value == 1


def test_the_environments_region_and_credentials(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are signed for them."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
    with LambdaClient(endpoint_url=server.url) as client:
        client.invoke("f", 1)
    assert "Credential=AKIDOTHER/" in server.calls[0].headers["authorization"]
    assert "/sa-east-1/lambda/" in server.calls[0].headers["authorization"]


def test_a_region_that_is_passed(server: ScriptedServer) -> None:
    """It wins over the environment's."""
    with LambdaClient(endpoint_url=server.url, region_name="ap-south-1") as client:
        client.invoke("f", 1)
    assert "/ap-south-1/lambda/" in server.calls[0].headers["authorization"]


def test_a_profile(server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile of the configuration files brings region and credentials."""
    profile = "aws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\nregion = eu-north-1\n"
    config = tmp_path / "config"
    config.write_text(f"[profile other]\n{profile}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with LambdaClient(endpoint_url=server.url, profile_name="other") as client:
        client.invoke("f", 1)
    assert "Credential=AKIDPROFILE/" in server.calls[0].headers["authorization"]
    assert "/eu-north-1/lambda/" in server.calls[0].headers["authorization"]


def test_a_session(server: ScriptedServer) -> None:
    """A session that is passed is used: its credentials, its region, and handlers on its events."""
    session = boto3.Session("AKIDSESSION", "s", region_name="us-west-2")
    seen: list[str] = []
    session.events.register("before-send.lambda.Invoke", lambda request, **_: seen.append(request.url))
    with LambdaClient(session=session, endpoint_url=server.url) as client:
        client.invoke("f", 1)
        client.fan_out("f", range(3))
    assert len(seen) == server.requests == 4
    assert {call.headers["authorization"].split("/")[0][-11:] for call in server.calls} == {"AKIDSESSION"}
    assert all("/us-west-2/lambda/" in call.headers["authorization"] for call in server.calls)


def test_a_session_has_its_profile(server: ScriptedServer) -> None:
    """Both would be two answers to one question."""
    with pytest.raises(RequestError, match="profile_name"):
        LambdaClient(session=boto3.Session(), profile_name="other")


@pytest.fixture
def proxied(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaClient]:
    """A client of a host that cannot be resolved, behind the server as its proxy."""
    monkeypatch.setenv("HTTP_PROXY", server.url)
    with LambdaClient(endpoint_url="http://lambda.invalid", retry=QUICK) as client:
        yield client


def test_an_http_proxy(proxied: LambdaClient, server: ScriptedServer) -> None:
    """Requests go to the proxy, whole, on connections that are kept."""
    for number in range(3):
        assert proxied.invoke("f", number).value == number
    assert {call.target for call in server.calls} == {
        "http://lambda.invalid/2015-03-31/functions/f/invocations"
    }
    assert sorted(proxied.fan_out("f", range(10), concurrency=2).values()) == list(range(10))
    assert server.connections <= 2


def test_the_timeout_holds_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds are the same on the way through a proxy: one execution, in time."""
    with ScriptedServer([hang()]) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        with LambdaClient(endpoint_url="http://lambda.invalid", retry=QUICK) as client:
            began = time.monotonic()
            with pytest.raises(ResponseTimeoutError):
                client.invoke("f", 1, timeout=0.5)
            assert 0.5 <= time.monotonic() - began < PATIENCE
        assert server.executions == 1


def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection to the proxy is no connection: nothing was sent, and it is tried again."""
    with ScriptedServer(refusing=True) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        with LambdaClient(endpoint_url="http://lambda.invalid", retry=QUICK) as client:
            with pytest.raises(ConnectError) as caught:
                client.invoke("f", 1)
            assert caught.value.executed is Executed.NO
            assert len(caught.value.attempts) == 3


def test_a_host_that_no_proxy_is_for(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY is honoured."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with LambdaClient(endpoint_url=server.url, retry=RetryPolicy.never()) as client:
        assert client.invoke("f", 1).value == 1


@pytest.mark.parametrize("seconds", [1e10, 1e15, 10**30])
def test_bounds_too_long_to_mean_anything(server: ScriptedServer, seconds: float) -> None:
    """A timeout or deadline of ages is as good as none: the call succeeds."""
    with LambdaClient(endpoint_url=server.url, retry=RetryPolicy.never()) as client:
        assert client.invoke("f", 1, timeout=seconds).value == 1
        assert client.invoke("f", 1, deadline=seconds).value == 1
        assert client.fan_out("f", [1], deadline=seconds).values() == [1]
