"""TLS is verified, and what fails before a byte is written was never sent."""

from __future__ import annotations

import gc

import pytest
from botocore.config import Config

from lambda_invoke import ConnectError, Executed, LambdaClient, RetryPolicy
from tests.support.aws import QUICK, Clients, session
from tests.support.server import Accept, Certificate, ScriptedServer
from tests.support.tls import authority

BAD = [Certificate.UNTRUSTED, Certificate.WRONG_HOST, Certificate.EXPIRED]


@pytest.mark.parametrize("certificate", BAD, ids=lambda certificate: certificate.value)
def test_a_bad_certificate_ends_it(
    clients: Clients, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verification is on with nothing said: ConnectError, and the server saw no request."""
    with ScriptedServer(tls=certificate) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        with pytest.raises(ConnectError) as caught:
            clients(server).invoke("f", 1)
        assert caught.value.executed is Executed.NO
        assert server.requests == 0


def test_the_systems_authorities_count_by_default(clients: Clients) -> None:
    """A certificate that only the tests' own CA signed is not accepted without its bundle."""
    with ScriptedServer(tls=True) as server:
        with pytest.raises(ConnectError) as caught:
            clients(server).invoke("f", 1)
        assert caught.value.executed is Executed.NO
        assert server.requests == 0


def test_the_ca_bundle_is_honoured(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_CA_BUNDLE names the authorities to trust."""
    with ScriptedServer(tls=True) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        assert clients(server).invoke("f", 1).value == 1


def test_a_handed_over_clients_verify_is_honoured(handed: Clients) -> None:
    """``verify=`` of the boto3 client that is handed over."""
    with ScriptedServer(tls=True) as server:
        boto_client = session().client("lambda", endpoint_url=server.url, verify=server.ca_bundle)
        with LambdaClient(boto_client) as client:
            assert client.invoke("f", 1).value == 1
        boto_client.close()


def test_a_handed_over_clients_certificate_is_shown() -> None:
    """A server that asks for a client's certificate gets that of the handed-over client's Config."""
    with ScriptedServer(tls=True, client_cert=True) as server:
        config = Config(client_cert=str(authority().client_cert))
        boto_client = session().client(
            "lambda", endpoint_url=server.url, verify=server.ca_bundle, config=config
        )
        with LambdaClient(boto_client) as client:
            assert client.invoke("f", 1).value == 1
        boto_client.close()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("accept", [Accept.CLOSE, Accept.RESET], ids=lambda accept: accept.value)
def test_a_handshake_that_breaks(accept: Accept) -> None:
    """A server that drops the connection during the handshake was sent nothing: tried again."""
    with (
        ScriptedServer(accept=[accept]) as server,
        LambdaClient(
            session=session(), endpoint_url=f"https://127.0.0.1:{server.port}", retry=QUICK
        ) as client,
    ):
        with pytest.raises(ConnectError) as caught:
            client.invoke("f", 1)
        assert caught.value.executed is Executed.NO
        assert server.connections == len(caught.value.attempts) == 3
        assert server.requests == 0
    # Python's ssl leaves a socket that was reset before its handshake to the garbage collector.
    del caught
    gc.collect()


def test_a_broken_handshake_is_tried_again(built: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first connection's certificate is bad, the next one's is good: the call succeeds."""
    with ScriptedServer(tls=Certificate.UNTRUSTED) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        with pytest.raises(ConnectError) as caught:
            built(server, retry=RetryPolicy(max_attempts=2, wait=QUICK.wait)).invoke("f", 1)
        assert [attempt.executed for attempt in caught.value.attempts] == [Executed.NO] * 2
        assert server.connections == 2
