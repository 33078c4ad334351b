"""What stands between botocore and the wire is never bypassed: its calls go over botocore, visibly."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import URLLib3Session

from lambda_invoke import Executed, LambdaClient
from lambda_invoke.transports.interceptors import Interceptors
from tests.support.aws import QUICK, dummy_environment, own_session, session
from tests.support.server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.aws import Clients

ROOT = Path(__file__).parents[2]
ITEMS = list(range(6))


class Seen:
    """Counts what an interceptor saw."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, *_args: Any, **_kwargs: Any) -> None:
        self.count += 1


def over(server: ScriptedServer) -> str:
    """Which transport the server's calls came over: botocore numbers its sends, direct does not."""
    found = {"botocore" if "amz-sdk-invocation-id" in call.headers else "direct" for call in server.calls}
    assert len(found) == 1
    return found.pop()


def fan_out(client: LambdaClient, server: ScriptedServer) -> str:
    """Fan six items out; which transport carried them."""
    server.calls.clear()
    assert client.fan_out("f", ITEMS, concurrency=3).values() == ITEMS
    assert len(server.calls) == len(ITEMS)
    return over(server)


class Proxy:
    """What wrapt puts in a method's place: it passes for the very function that it wraps."""

    def __init__(self, wrapped: Any, before: Callable[[], None]) -> None:
        self._wrapped = wrapped
        self._before = before

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._wrapped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def __get__(self, instance: Any, owner: Any) -> Proxy:
        return Proxy(self._wrapped.__get__(instance, owner), self._before)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._before()
        return self._wrapped(*args, **kwargs)


def proxied(original: Any, seen: Seen) -> Any:
    """OpenTelemetry's way and X-Ray's: wrapt's function wrapper."""
    return Proxy(original, seen.add)


def plain(original: Any, seen: Seen) -> Any:
    """A plain function."""

    def instead(*args: Any, **kwargs: Any) -> Any:
        seen.add()
        return original(*args, **kwargs)

    return instead


def wrapped(original: Any, seen: Seen) -> Any:
    """A function that says it is the one it wraps."""
    return functools.wraps(original)(plain(original, seen))


def mocked(original: Any, seen: Seen) -> Any:
    """``mock.patch`` with ``autospec=True``."""

    def effect(*args: Any, **kwargs: Any) -> Any:
        seen.add()
        return original(*args, **kwargs)

    return mock.create_autospec(original, side_effect=effect)


def partial(original: Any, seen: Seen) -> Any:
    """A ``functools.partialmethod`` of a function of the user's."""
    return functools.partialmethod(plain(original, seen))


WAYS = {"wrapt": proxied, "function": plain, "wraps": wrapped, "autospec": mocked, "partialmethod": partial}
PLACES = {
    "_make_api_call": (BaseClient, "_make_api_call"),
    "prepare_request": (Endpoint, "prepare_request"),
    "send": (URLLib3Session, "send"),
}


def test_a_client_that_the_library_builds_goes_direct(built: Clients) -> None:
    """Nothing is in the way: fan-out goes direct, blocking calls over botocore, and ``transport`` says so."""
    with ScriptedServer() as server:
        client = built(server)
        assert (client.transport.blocking, client.transport.asyncio, client.transport.reason) == (
            "botocore",
            "direct",
            None,
        )
        assert fan_out(client, server) == "direct"
        server.calls.clear()
        client.invoke("f", 1)
        assert over(server) == "botocore"


def test_a_client_that_is_handed_over_is_used_for_everything(handed: Clients) -> None:
    """Its own handlers see every item."""
    with ScriptedServer() as server:
        boto_client = handed.boto_client(server)
        seen = Seen()
        boto_client.meta.events.register("before-send.lambda.Invoke", seen.add)
        with LambdaClient(boto_client, retry=QUICK) as client:
            assert client.transport.asyncio == "botocore"
            assert client.transport.reason == "the boto3 client was handed over"
            assert fan_out(client, server) == "botocore"
        assert seen.count == len(ITEMS)


def test_a_proxy_is_left_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """With HTTP_PROXY every item goes through the proxy, and ``transport`` says why before one is sent."""
    with ScriptedServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with LambdaClient(endpoint_url="http://lambda.test.invalid", retry=QUICK) as client:
            choice = client.transport
            assert (choice.asyncio, choice.reason) == ("botocore", "an HTTP proxy is configured")
            assert fan_out(client, proxy) == "botocore"
        assert {call.target.partition("/2015")[0] for call in proxy.calls} == {"http://lambda.test.invalid"}


def test_a_proxy_that_no_one_asked_before_the_first_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where ``transport`` was not asked first: not one item goes around the proxy."""
    with ScriptedServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with LambdaClient(endpoint_url="http://lambda.test.invalid", retry=QUICK) as client:
            assert fan_out(client, proxy) == "botocore"
            assert client.transport.asyncio == "botocore"


def test_no_proxy_for_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host in NO_PROXY is not proxied, and goes direct."""
    with ScriptedServer() as server, ScriptedServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with LambdaClient(endpoint_url=server.url, retry=QUICK) as client:
            assert client.transport.asyncio == "direct"
            assert fan_out(client, server) == "direct"
        assert proxy.connections == 0


EVENTS = [
    "before-send.lambda.Invoke",
    "before-send.lambda",
    "before-send",
    "before-send.*.Invoke",
    "before-sign.lambda.Invoke",
    "request-created.lambda",
    "provide-client-params.lambda.Invoke",
    "before-parameter-build.*.*",
    "needs-retry.lambda.Invoke",
    "after-call.lambda.Invoke",
    "*.lambda.Invoke",
]


@pytest.mark.parametrize("event", EVENTS)
def test_a_handler_on_the_session_sees_every_item(event: str) -> None:
    """Registered before the client was built, whatever the event: botocore carries, the handler is called."""
    own = own_session()
    seen = Seen()
    own.events.register(event, seen.add)
    with (
        ScriptedServer() as server,
        LambdaClient(session=own, endpoint_url=server.url, retry=QUICK) as client,
    ):
        choice = client.transport
        assert choice.asyncio == "botocore"
        assert choice.reason == "the handler Seen.add is registered"
        before = seen.count
        assert fan_out(client, server) == "botocore"
        assert seen.count >= before + len(ITEMS)


def test_a_handler_for_another_service_is_none_of_ours() -> None:
    """What is registered for S3 does not see a Lambda call over botocore either."""
    own = own_session()
    seen = Seen()
    own.events.register("before-send.s3", seen.add)
    with (
        ScriptedServer() as server,
        LambdaClient(session=own, endpoint_url=server.url, retry=QUICK) as client,
    ):
        assert client.transport.asyncio == "direct"
        assert fan_out(client, server) == "direct"
        assert seen.count == 0


class Switch:
    """A handler that can be switched off, as moto's."""

    def __init__(self) -> None:
        self.enabled = False
        self.count = 0

    def __call__(self, **_: Any) -> None:
        self.count += self.enabled


def test_a_handler_that_is_switched_off_does_not_count() -> None:
    """Off: direct; on: botocore from the next item on; off again: direct again."""
    own = own_session()
    switch = Switch()
    own.events.register("before-send", switch)
    with (
        ScriptedServer() as server,
        LambdaClient(session=own, endpoint_url=server.url, retry=QUICK) as client,
    ):
        assert fan_out(client, server) == "direct"
        switch.enabled = True
        assert client.transport.reason == "the handler Switch is enabled"
        assert fan_out(client, server) == "botocore"
        assert switch.count == len(ITEMS)
        switch.enabled = False
        assert client.transport.asyncio == "direct"
        assert fan_out(client, server) == "direct"


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_a_patch_sees_every_item(
    built: Clients, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str], way: Callable[[Any, Seen], Any]
) -> None:
    """Patched before the first send: botocore carries every item through the patch, and says which it was."""
    owner, name = place
    seen = Seen()
    monkeypatch.setattr(owner, name, way(getattr(owner, name), seen))
    with ScriptedServer() as server:
        client = built(server)
        choice = client.transport
        assert choice.asyncio == "botocore"
        assert f"{owner.__name__}.{name} is patched" in str(choice.reason)
        before = seen.count
        assert fan_out(client, server) == "botocore"
        assert seen.count - before == len(ITEMS)


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_a_patch_after_the_first_direct_send_is_noticed(
    built: Clients, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str], way: Callable[[Any, Seen], Any]
) -> None:
    """The next item goes over botocore and through the patch; with the patch gone, direct again."""
    owner, name = place
    seen = Seen()
    with ScriptedServer() as server:
        client = built(server)
        assert fan_out(client, server) == "direct"
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, way(getattr(owner, name), seen))
            assert fan_out(client, server) == "botocore"
            assert seen.count == len(ITEMS)
        assert fan_out(client, server) == "direct"
        assert seen.count == len(ITEMS)


def test_a_patch_in_the_middle_of_a_job(built: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items sent after the patch go through it, within one map."""
    seen = Seen()

    def items() -> Iterator[int]:
        yield from range(4)
        yielded.wait_until(lambda s: s.executions == 4)
        monkeypatch.setattr(BaseClient, "_make_api_call", plain(BaseClient._make_api_call, seen))
        yield from range(4, 8)

    with ScriptedServer() as yielded:
        report = built(yielded).fan_out("f", items(), concurrency=4)
        assert report.values() == list(range(8))
        assert yielded.executions == 8
    assert seen.count == 4


def run(program: str, *arguments: str) -> str:
    """Run a program of its own, warnings being errors; what it printed."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        cwd=ROOT,
        env=os.environ | dummy_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout.strip()


MOCK_PATCH = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (6, 6))
from unittest import mock
from lambda_invoke import LambdaClient

with LambdaClient(endpoint_url=sys.argv[1]) as client:
    with mock.patch("botocore.client.BaseClient._make_api_call") as call:
        call.side_effect = lambda *_: {"StatusCode": 200, "Payload": b"7"}
        print(client.fan_out("f", [1, 2, 3]).values(), call.call_count, client.transport.asyncio)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on a process")
def test_mock_patch_without_more() -> None:
    """A MagicMock in the place of ``_make_api_call``, with every attribute: it is called, nothing sent."""
    with ScriptedServer() as server:
        assert run(MOCK_PATCH, server.url) == "[7, 7, 7] 3 botocore"
        assert server.requests == 0


MOTO_AFTER = """
import sys, warnings
import boto3
from lambda_invoke import LambdaClient

session = boto3.Session(region_name="eu-west-1")
client = LambdaClient(session=session, endpoint_url=sys.argv[1])
if sys.argv[2] == "used":
    assert client.fan_out("f", [1, 2]).values() == [1, 2]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from moto import mock_aws
with mock_aws():
    outcomes = list(client.map("f", [1, 2]))
    for outcome in outcomes:
        print(type(outcome.error).__name__, outcome.error.executed.name, "moto" in str(outcome.error))
if sys.argv[2] == "used":
    assert client.fan_out("f", [1, 2]).values() == [1, 2]
client.close()
"""


@pytest.mark.parametrize("used", ["used", "unused"])
def test_a_session_older_than_the_import_of_moto(used: str) -> None:
    """Calls that moto does not see would reach AWS: inside ``mock_aws`` each item fails, nothing leaves."""
    with ScriptedServer() as server:
        lines = run(MOTO_AFTER, server.url, used).splitlines()
        assert lines == ["RequestError NO True"] * 2
        assert server.requests == (4 if used == "used" else 0)


MOTO_BEFORE = """
import sys, warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from moto import mock_aws
from lambda_invoke import LambdaClient

with LambdaClient(region_name="eu-west-1") as mocked, mock_aws():
    print(mocked.transport.asyncio, mocked.transport.reason)
    for outcome in mocked.map("f", [{"item": 1}, {"item": 2}]):
        print(type(outcome.error).__name__, outcome.error.code)
with LambdaClient(endpoint_url=sys.argv[1]) as client:
    print(client.transport.asyncio, client.fan_out("f", [1, 2]).values())
"""


def test_a_session_made_after_the_import_of_moto() -> None:
    """Inside ``mock_aws`` moto answers every item; outside of it moto's handler is no hindrance."""
    with ScriptedServer() as server:
        lines = run(MOTO_BEFORE, server.url).splitlines()
        assert lines == [
            "botocore the handler BotocoreStubber is enabled",
            "FunctionNotFoundError ResourceNotFoundException",
            "FunctionNotFoundError ResourceNotFoundException",
            "direct [1, 2]",
        ]
        assert server.requests == 2


def test_that_moto_is_active_without_the_clients_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words say what to do about it; with moto off, or its handler registered, there are none."""
    boto_client = session().client("lambda")
    models = mock.Mock()
    monkeypatch.setitem(sys.modules, "moto.core.models", models)
    stubber = models.botocore_stubber = Switch()
    assert Interceptors(boto_client).missed_mock() is None
    stubber.enabled = True
    words = Interceptors(boto_client).missed_mock()
    assert words is not None
    assert "mock_aws" in words
    boto_client.meta.events.register("before-send", stubber)
    assert Interceptors(boto_client).missed_mock() is None
    boto_client.close()


POWERTOOLS = """
import sys
import aws_lambda_powertools
from lambda_invoke import LambdaClient

with LambdaClient(endpoint_url=sys.argv[1]) as client:
    print(client.transport.asyncio, client.fan_out("f", [1, 2]).values())
"""


def test_the_user_agent_of_powertools_is_no_interceptor() -> None:
    """What its import registers in every session only adds to the User-Agent: items still go direct."""
    with ScriptedServer() as server:
        assert run(POWERTOOLS, server.url).splitlines() == ["direct [1, 2]"]


def test_what_a_client_of_botocores_own_has_is_no_interceptor() -> None:
    """The dozens of handlers that botocore registers are its own: there is no reason against direct."""
    boto_client = session().client("lambda")
    assert Interceptors(boto_client).reason() is None
    boto_client.close()


def test_why_is_part_of_what_is_printed(built: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """``str(client.transport)`` names both ways and the reason."""
    with ScriptedServer() as server:
        client = built(server)
        assert str(client.transport) == "blocking calls: botocore; asyncio and fan-out: direct"
        monkeypatch.setattr(Endpoint, "prepare_request", plain(Endpoint.prepare_request, Seen()))
        assert str(client.transport) == (
            "blocking calls: botocore; asyncio and fan-out: botocore "
            f"(Endpoint.prepare_request is patched by {__name__})"
        )


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_an_item_over_either_has_the_same_outcome(
    built: Clients, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    """The way to the wire shows in nothing that a caller sees of a refused item."""
    from tests.support.server import error

    with ScriptedServer([error(404, "ResourceNotFoundException", "no such thing")], tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        client = built(server)
        (direct,) = client.map("f", [1])
        monkeypatch.setattr(BaseClient, "_make_api_call", plain(BaseClient._make_api_call, Seen()))
        (other,) = client.map("f", [1])
        assert type(direct.error) is type(other.error)
        assert direct.error is not None
        assert other.error is not None
        assert direct.error.executed is other.error.executed is Executed.NO
        assert str(direct.error).replace(server.calls[0].request_id, "") == str(other.error).replace(
            server.calls[1].request_id, ""
        )
