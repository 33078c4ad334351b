"""Credentials on a loop: refreshed once for all and off the loop; old tokens and wrong clocks put right."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import threading
import time
from typing import TYPE_CHECKING, Any

import attrs
import botocore.exceptions as be
import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials

from lambda_invoke import Executed, Failure, Refusal, Reply, Request
from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
from lambda_invoke.transports.botocore import BotocoreTransport
from lambda_invoke.transports.credentials import LoopCredentials
from lambda_invoke.transports.direct import DirectTransport
from lambda_invoke.transports.threads import DaemonThreads, was_unsent
from tests.support.aio import until
from tests.support.aws import session
from tests.support.server import Call, ScriptedServer, Step, echo, error, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambda_invoke.core.transport import Answer


class Provider:
    """What botocore's refreshable credentials fetch from: it counts, and can be made to wait or to fail.

    Each fetch gives another key, ``AKID1``, ``AKID2`` and so on, good for an hour.
    """

    def __init__(self) -> None:
        self.fetches = 0
        self.threads: list[threading.Thread] = []
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def __call__(self) -> dict[str, str]:
        self.fetches += 1
        self.threads.append(threading.current_thread())
        assert self.open.wait(10)
        if self.error is not None:
            raise self.error
        until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        return {
            "access_key": f"AKID{self.fetches}",
            "secret_key": "s",
            "token": f"token-{self.fetches}",
            "expiry_time": until.isoformat(),
        }


def refreshable(provider: Provider) -> RefreshableCredentials:
    """Credentials that have never been fetched: due at once."""
    past = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    return RefreshableCredentials("stale", "s", "t", past, provider, "test")


def a_request() -> Request:
    return Request("f", "f", payload=b"1")


@pytest.fixture
def built() -> Iterator[Callable[[ScriptedServer, Any], BuiltClients]]:
    """Makes the library's own clients with given credentials."""
    made: list[BuiltClients] = []

    def build(server: ScriptedServer, credentials: Any) -> BuiltClients:
        clients = BuiltClients(AwsConfig(session=session(), endpoint_url=server.url), max_concurrency=200)
        made.append(clients)
        signer: Any = clients.invoke()
        signer._request_signer._credentials = credentials
        return clients

    yield build
    for one in made:
        one.close()


def gathered(transport: DirectTransport, number: int) -> list[Answer]:
    async def run() -> list[Answer]:
        return await asyncio.gather(*(transport.send(a_request(), None, None) for _ in range(number)))

    return asyncio.run(run())


def test_a_hundred_callers_refresh_once_and_off_the_loop() -> None:
    """One fetch, in a thread of the library's; the loop turns meanwhile, and all get the same."""
    provider = Provider()
    provider.open.clear()

    async def run() -> list[Any]:
        loop_credentials = LoopCredentials(refreshable(provider), DaemonThreads(2))
        callers = [asyncio.create_task(loop_credentials.get()) for _ in range(100)]
        turns = 0
        while turns < 20 or not provider.fetches:
            await asyncio.sleep(0.001)
            turns += 1
        assert not any(caller.done() for caller in callers)
        provider.open.set()
        return await asyncio.gather(*callers)

    got = asyncio.run(run())
    assert provider.fetches == 1
    assert provider.threads != [threading.current_thread()]
    assert {one.access_key for one in got} == {"AKID1"}
    assert len({id(one) for one in got}) == 1


def test_a_refresh_that_fails_fails_all_who_wait_and_the_next_tries_again() -> None:
    """An error is not kept: credentials that come back are used."""
    provider = Provider()
    provider.error = be.CredentialRetrievalError(provider="test", error_msg="m")

    async def run() -> None:
        loop_credentials = LoopCredentials(refreshable(provider), DaemonThreads(2))
        failed = await asyncio.gather(*(loop_credentials.get() for _ in range(10)), return_exceptions=True)
        assert {type(one) for one in failed} == {be.CredentialRetrievalError}
        assert provider.fetches == 1
        provider.error = None
        assert (await loop_credentials.get()).access_key == "AKID2"

    asyncio.run(run())


def test_a_caller_that_gives_up_does_not_take_the_refresh_from_the_others() -> None:
    """The first to ask is cancelled; the second still gets what was fetched for both."""
    provider = Provider()
    provider.open.clear()

    async def run() -> None:
        loop_credentials = LoopCredentials(refreshable(provider), DaemonThreads(2))
        first, second = (asyncio.create_task(loop_credentials.get()) for _ in range(2))
        await until(lambda: provider.fetches)
        first.cancel()
        provider.open.set()
        assert (await second).access_key == "AKID1"
        assert first.cancelled()

    asyncio.run(run())
    assert provider.fetches == 1


def test_without_any() -> None:
    """There is nothing to sign with: NoCredentialsError."""

    async def run() -> None:
        with pytest.raises(be.NoCredentialsError):
            await LoopCredentials(None, DaemonThreads(1)).get()

    asyncio.run(run())


def test_static_ones_are_not_refused_anew() -> None:
    """There is nowhere to fetch others from."""

    async def run() -> bool:
        loop_credentials = LoopCredentials(Credentials("a", "s", "t"), DaemonThreads(1))
        return await loop_credentials.refused(await loop_credentials.get())

    assert not asyncio.run(run())


def test_refused_ones_are_fetched_once_for_all_who_used_them() -> None:
    """Ten refusals of one key bring one fetch; a late one of the old key brings none."""
    provider = Provider()

    async def run() -> None:
        loop_credentials = LoopCredentials(refreshable(provider), DaemonThreads(2))
        used = await loop_credentials.get()
        assert await asyncio.gather(*(loop_credentials.refused(used) for _ in range(10))) == [True] * 10
        assert provider.fetches == 2
        assert await loop_credentials.refused(used)
        assert provider.fetches == 2
        assert (await loop_credentials.get()).access_key == "AKID2"

    asyncio.run(run())


EXPIRED = error(403, "ExpiredTokenException", "The security token included in the request is expired")


def key_of(call: Call) -> str:
    return call.headers["authorization"].partition("Credential=")[2].partition("/")[0]


def good_key(*good: str) -> Callable[[Call], Step]:
    return lambda call: echo(call) if key_of(call) in good else EXPIRED


def test_an_expired_token_is_refreshed_and_sent_again(built: Any) -> None:
    """The service refused it, so nothing ran: one execution, and the caller sees the reply only."""
    provider = Provider()
    with ScriptedServer(good_key("AKID2")) as server:
        direct = DirectTransport(built(server, refreshable(provider)).invoke, slots=4)
        (answer,) = gathered(direct, 1)
        assert isinstance(answer, Reply)
        assert [key_of(call) for call in server.calls] == ["AKID1", "AKID2"]
        assert server.executions == 1
        assert server.calls[1].headers["x-amz-security-token"] == "token-2"
    assert provider.fetches == 2


def test_a_hundred_expired_at_once_refresh_once(built: Any) -> None:
    """Each is sent again with the one new key, and runs once."""
    provider = Provider()
    with ScriptedServer(good_key("AKID2")) as server:
        direct = DirectTransport(built(server, refreshable(provider)).invoke, slots=50)
        answers = gathered(direct, 100)
        assert [type(answer) for answer in answers] == [Reply] * 100, (provider.fetches, answers[-1])
        assert server.executions == 100
        assert server.requests <= 200
    assert provider.fetches == 2


def test_a_token_that_stays_expired_is_sent_again_once(built: Any) -> None:
    """New credentials that are refused too: the refusal is the answer, after two sends."""
    provider = Provider()
    with ScriptedServer([EXPIRED]) as server:
        direct = DirectTransport(built(server, refreshable(provider)).invoke, slots=4)
        (answer,) = gathered(direct, 1)
        assert isinstance(answer, Refusal)
        assert answer.code == "ExpiredTokenException"
        assert server.requests == 2


def test_a_static_token_that_expired(built: Any) -> None:
    """There is no other to send with: one send, and the refusal is the answer."""
    with ScriptedServer([EXPIRED]) as server:
        direct = DirectTransport(built(server, Credentials("a", "s", "t")).invoke, slots=4)
        (answer,) = gathered(direct, 1)
        assert isinstance(answer, Refusal)
        assert answer.status_code == 403
        assert server.requests == 1


def test_a_static_token_that_expired_is_access_denied() -> None:
    """To the caller of the client: AccessDeniedError, not executed."""
    from lambda_invoke import AccessDeniedError, LambdaClient

    with (
        ScriptedServer([EXPIRED]) as server,
        LambdaClient(session=session(), endpoint_url=server.url) as client,
    ):
        (outcome,) = client.map("f", [1])
        assert type(outcome.error) is AccessDeniedError
        assert outcome.error.executed is Executed.NO
        assert server.requests == 1


@attrs.frozen
class Failing:
    """Credentials of a provider that fails when it is asked, from the second time on if ``later``."""

    error: Exception
    later: bool = False
    asked: list[int] = attrs.field(factory=list)
    method = "test"

    def refresh_needed(self) -> bool:
        return True

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        self.asked.append(1)
        if self.later and len(self.asked) == 1:
            return ReadOnlyCredentials("a", "s", "t")
        raise self.error


STS = be.ClientError({"Error": {"Code": "AccessDenied", "Message": "m"}}, operation_name="AssumeRole")
REFUSED = {
    "STS refuses": STS,
    "a provider fails": be.CredentialRetrievalError(provider="test", error_msg="m"),
    "no partial ones": be.PartialCredentialsError(provider="test", cred_var="k"),
    "STS cannot be reached": be.EndpointConnectionError(endpoint_url="http://sts"),
    "its file cannot be read": PermissionError("m"),
}


@pytest.mark.parametrize("later", [False, True], ids=["at the first send", "when they are refreshed"])
@pytest.mark.parametrize("name", REFUSED)
def test_credentials_that_cannot_be_had(built: Any, name: str, later: bool) -> None:
    """Nothing is raised or sent: the Failure that botocore's transport says, and NO."""
    with ScriptedServer() as server:
        clients = built(server, Failing(REFUSED[name]))
        expected = BotocoreTransport(clients.invoke, slots=1, bounded=True).send(a_request(), None, None)
        assert isinstance(expected, Failure)
        clients.invoke()._request_signer._credentials = Failing(REFUSED[name], later)
        (answer,) = gathered(DirectTransport(clients.invoke, slots=1), 1)
        assert isinstance(answer, Failure)
        assert (answer.kind, answer.executed) == (expected.kind, Executed.NO)
        assert server.connections == 0


def test_the_deadline_is_kept_while_credentials_are_fetched(built: Any) -> None:
    """A provider that does not answer does not outlive the deadline, and nothing is sent after it."""
    provider = Provider()
    with ScriptedServer() as server:
        direct = DirectTransport(built(server, refreshable(provider)).invoke, slots=1)

        async def run() -> tuple[Answer, float]:
            await direct.configure()
            provider.open.clear()
            loop_credentials = refreshable(provider)
            assert direct._config is not None
            direct._config = attrs.evolve(direct._config, credentials=loop_credentials)
            threading.Timer(3.0, provider.open.set).start()
            began = time.monotonic()
            answer = await direct.send(a_request(), None, 0.1)
            return answer, time.monotonic() - began

        answer, took = asyncio.run(run())
        assert isinstance(answer, Failure), answer
        assert answer.executed is Executed.NO
        assert took < 1.9
        assert server.requests == 0


def test_given_up_while_credentials_are_fetched(built: Any) -> None:
    """Nothing was sent, and it is known."""
    provider = Provider()
    with ScriptedServer() as server:
        direct = DirectTransport(built(server, refreshable(provider)).invoke, slots=1)

        async def run() -> bool:
            await direct.configure()
            assert direct._config is not None
            provider.open.clear()
            direct._config = attrs.evolve(direct._config, credentials=refreshable(provider))
            task = asyncio.create_task(direct.send(a_request(), None, None))
            await until(lambda: provider.fetches >= 2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            provider.open.set()
            return was_unsent(caught.value)

        assert asyncio.run(run())
        assert server.connections == 0


# Clocks that differ


SKEW_CODES = ["InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed"]


def signed_at(call: Call) -> float:
    return dt.datetime.strptime(call.headers["x-amz-date"], "%Y%m%dT%H%M%S%z").timestamp()


def a_clock(offset: float, code: str = SKEW_CODES[0]) -> Callable[[Call], Step]:
    """A service whose clock is off from ours, and that minds."""

    def answer(call: Call) -> Step:
        now = time.time() + offset
        headers = {"Date": email.utils.formatdate(now, usegmt=True)}
        if abs(signed_at(call) - now) > 300:
            return error(403, code, "Signature expired", headers=headers)
        return attrs.evolve(echo(call), headers={**echo(call).headers, **headers})

    return answer


@pytest.mark.parametrize("code", SKEW_CODES)
@pytest.mark.parametrize("offset", [3600.0, -3600.0], ids=["behind", "ahead"])
def test_a_wrong_clock_is_corrected(built: Any, offset: float, code: str) -> None:
    """Refused by an hour: sent again with the service's time; the next call is right at once."""
    with ScriptedServer(a_clock(offset, code)) as server:
        direct = DirectTransport(built(server, Credentials("a", "s")).invoke, slots=1)

        async def run() -> list[Answer]:
            return [await direct.send(a_request(), None, None) for _ in range(2)]

        assert all(isinstance(answer, Reply) for answer in asyncio.run(run()))
        off = [round((signed_at(call) - time.time()) / 3600) for call in server.calls]
        assert off == [0, round(offset / 3600), round(offset / 3600)]
        assert server.executions == 2


def test_a_wrong_clock_is_corrected_for_all_who_were_refused(built: Any) -> None:
    """Calls in flight together with the wrong time are all sent again: none fails for it."""
    with ScriptedServer(a_clock(3600.0)) as server:
        direct = DirectTransport(built(server, Credentials("a", "s")).invoke, slots=20)
        answers = gathered(direct, 20)
        assert [type(answer) for answer in answers] == [Reply] * 20
        assert server.executions == 20


@pytest.mark.parametrize("date", [None, "yesterday", ""], ids=["none", "words", "empty"])
def test_a_refusal_that_does_not_tell_the_time(built: Any, date: str | None) -> None:
    """There is nothing to correct by: one send, and the refusal is the answer."""
    headers = {} if date is None else {"Date": date}
    with ScriptedServer([error(403, SKEW_CODES[0], "m", headers=headers)]) as server:
        direct = DirectTransport(built(server, Credentials("a", "s")).invoke, slots=1)
        (answer,) = gathered(direct, 1)
        assert isinstance(answer, Refusal)
        assert answer.code == SKEW_CODES[0]
        assert server.requests == 1


def test_a_bad_signature_with_the_right_time(built: Any) -> None:
    """A wrong secret is no matter of clocks: one send."""
    now = email.utils.formatdate(usegmt=True)
    with ScriptedServer([error(403, SKEW_CODES[0], "m", headers={"Date": now}), ok()]) as server:
        direct = DirectTransport(built(server, Credentials("a", "s")).invoke, slots=1)
        (answer,) = gathered(direct, 1)
        assert isinstance(answer, Refusal)
        assert server.requests == 1
