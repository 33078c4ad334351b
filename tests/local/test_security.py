"""Nobody but the holder of the key drives the endpoint or a worker's Runtime API."""

import http.client
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from lambda_invoke.local import Function, LocalLambda
from tests.local.conftest import Serve, handler, invoke
from tests.support.patience import PATIENCE

PATH = "/2015-03-31/functions/echo/invocations"


def send(
    port: Any,
    headers: Any = None,
    *,
    host: Any = None,
    method: Any = "POST",
    path: Any = PATH,
    body: Any = b"{}",
    sign: Any = None,
) -> Any:
    """Send one request with exactly these headers: status, error code, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        all_headers = {
            "Host": host or f"127.0.0.1:{port}",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }
        if sign is not None:
            all_headers |= signature(sign, all_headers["Host"], body)
        for name, value in all_headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, response.getheader("x-amzn-errortype"), response.read()
    finally:
        connection.close()


def signature(local: Any, host: Any, body: Any) -> Any:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    key = local.credentials
    request = AWSRequest("POST", f"http://{host}{PATH}", headers={"Host": host}, data=body)
    SigV4Auth(Credentials(key.access_key_id, key.secret_access_key), "lambda", local.region_name).add_auth(
        request
    )
    return {name: request.headers[name] for name in ("Authorization", "X-Amz-Date")}


@pytest.fixture
def local(serve: Serve) -> Any:
    local, _ = serve({"echo": handler("echo"), "env": handler("environment"), "nap": handler("nap")})
    return local


@pytest.fixture
def port(local: Any) -> Any:
    return int(local.endpoint_url.rpartition(":")[2])


def test_a_signed_request_passes(local: Any, port: Any) -> None:
    """What the tests below refuse is refused for the one thing that differs from this."""
    assert send(port, sign=local)[0] == 200
    assert send(port, sign=local, host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_web_page_is_refused(local: Any, port: Any, header: Any) -> None:
    """Any Origin or Sec-Fetch-* is refused, signed or not, and nothing runs."""
    assert send(port, header, sign=local)[:2] == (403, "AccessDeniedException")
    assert send(port, header)[:2] == (403, "AccessDeniedException")
    assert local.stats("echo").started == 0


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}"]
)
def test_a_foreign_host_is_refused(local: Any, port: Any, host: Any) -> None:
    """A name that was rebound to loopback does not reach it, even signed."""
    assert send(port, sign=local, host=host.format(port=port))[:2] == (403, "AccessDeniedException")
    assert local.stats("echo").started == 0


def test_an_unsigned_request_is_refused(local: Any, port: Any) -> None:
    """Another user of the machine, who has the port but not the key, gets nothing."""
    assert send(port)[:2] == (403, "MissingAuthenticationTokenException")
    assert send(port, method="GET", path="/2015-03-31/functions/")[0] == 403
    assert local.stats("echo").started == 0


def test_the_key_of_another_endpoint_is_refused(local: Any, port: Any, serve: Serve) -> None:
    """Every endpoint has a key of its own."""
    other, _ = serve({"echo": handler("echo")})
    assert send(port, sign=other)[:2] == (403, "UnrecognizedClientException")


def test_it_listens_on_loopback_only(local: Any, port: Any) -> None:
    """The port is not open on any other address of the machine."""
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {fields[1] for fields in listening if fields[3] == "0A" and int(fields[1][-4:], 16) == port}
    assert addresses == {f"0100007F:{port:04X}"}


def test_the_repr_does_not_show_the_secret(local: Any) -> None:
    """The repr says what it serves and where."""
    assert repr(local) == f"LocalLambda(['echo', 'env', 'nap'], {local.endpoint_url})"
    assert local.credentials.secret_access_key not in repr(local) + repr(local.credentials)
    assert repr(LocalLambda({"echo": handler("echo")})) == "LocalLambda(['echo'], not running)"


def runtime_port(local: Any) -> Any:
    client = local.boto3_client()
    address = invoke(client, "env").value["AWS_LAMBDA_RUNTIME_API"]
    client.close()
    assert re.fullmatch(r"127\.0\.0\.1:\d+", address)
    return int(address.rpartition(":")[2])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/2018-06-01/runtime/invocation/next"),
        ("POST", "/2018-06-01/runtime/invocation/x/response"),
        ("POST", "/2018-06-01/runtime/init/error"),
    ],
)
@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://evil.example"}, {"Authorization": "Basic d29ya2VyOmd1ZXNz"}]
)
def test_the_runtime_api_is_the_workers_alone(local: Any, method: Any, path: Any, headers: Any) -> None:
    """Without the worker's token, which its environment does not show, nobody speaks to it."""
    assert send(runtime_port(local), headers, method=method, path=path, body=b"")[0] == 403


def test_the_developers_credentials_do_not_reach_a_worker(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key, profile or config file is inherited; the rest of the environment is."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONFIG_FILE",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.setenv(name, "the-developers-own")
    monkeypatch.setenv("MY_SETTING", "kept")
    local, client = serve({"env": Function(handler("environment"), environment={"STAGE": "test"})})
    seen = invoke(client, "env").value
    assert "the-developers-own" not in seen.values()
    assert not [name for name in seen if "KEY" in name or "TOKEN" in name or "PROFILE" in name]
    assert seen["AWS_CONFIG_FILE"] == seen["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"
    assert (seen["MY_SETTING"], seen["PATH"], seen["STAGE"]) == ("kept", os.environ["PATH"], "test")
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "us-east-1"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "env"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert seen["_HANDLER"] == "handlers.environment"
    assert json.dumps(local.credentials.secret_access_key) not in json.dumps(seen)


def test_a_proxy_or_a_broken_profile_of_this_machine_does_not_matter(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients of the endpoint go straight to it, whatever the environment says."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("AWS_PROFILE", "there-is-no-such-profile")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/no/such/file")
        local, client = serve({"echo": handler("echo")})
        assert invoke(client, "echo", 1).value == 1
        with local.client() as own:
            assert own.invoke("echo", 2).value == 2
        proxy.settimeout(0.05)
        with pytest.raises(TimeoutError):
            proxy.accept()


def raw(port: Any, data: bytes) -> bytes:
    """What the endpoint answers to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


@attrs.frozen
class OpenDoor:
    local: LocalLambda
    before: int

    @property
    def port(self) -> int:
        return int(self.local.endpoint_url.rpartition(":")[2])

    @property
    def started(self) -> int:
        return self.local.stats("echo").started - self.before


@pytest.fixture(scope="module")
def shared_door() -> Iterator[LocalLambda]:
    with LocalLambda({"echo": handler("echo")}, allow_any_credentials=True) as local:
        yield local


@pytest.fixture
def open_door(shared_door: LocalLambda) -> OpenDoor:
    """An endpoint that takes any credentials: what keeps strangers out there is not the signature."""
    return OpenDoor(shared_door, shared_door.stats("echo").started)


def test_any_credentials_are_let_in_where_it_was_asked_for(open_door: OpenDoor, local: Any) -> None:
    """Unsigned, signed with another key, or with a header that is no signature: all may invoke."""
    port = open_door.port
    assert send(port)[0] == 200
    assert send(port, sign=local)[0] == 200
    assert send(port, {"Authorization": "Bearer x"})[0] == 200
    assert open_door.started == 3


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({"Origin": "http://evil.example"}, None),
        ({"Sec-Fetch-Site": "none"}, None),
        ({}, "evil.example"),
        ({"Host": ""}, None),
    ],
)
def test_any_credentials_are_not_any_sender(open_door: OpenDoor, headers: Any, host: Any) -> None:
    """Web pages and foreign host names are refused there too."""
    port = open_door.port
    assert send(port, headers, host=host)[:2] == (403, "AccessDeniedException")
    assert open_door.started == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/2015-03-31/functions/../functions/echo/invocations", 501),
        ("POST", "/2015-03-31/functions/%2e%2e/invocations", 404),
        ("POST", "/2015-03-31/functions/echo%2Finvocations", 501),
        ("POST", "/2015-03-31/functions/echo%00/invocations", 400),
        ("POST", "/2015-03-31/functions/%ff%fe/invocations", 400),
        ("POST", "/2015-03-31/functionsx/echo/invocations", 501),
        ("POST", "/2021-11-15/functions/echo/response-streaming-invocations/x", 501),
        ("POST", "/2021-11-15/functions/../response-streaming-invocations", 404),
        ("GET", "/2021-11-15/functions/echo/response-streaming-invocations", 501),
        ("GET", "/2015-03-31/functions/echo/invocations", 501),
        ("DELETE", "/2015-03-31/functions/echo/invocations", 501),
        ("BREW", "/2015-03-31/functions/echo/invocations", 501),
        ("POST", "//", 501),
        ("GET", "/etc/passwd", 501),
    ],
)
def test_path_tricks_and_wrong_methods_run_nothing(
    open_door: OpenDoor, method: str, path: str, status: int
) -> None:
    """Each gets a clear refusal."""
    port = open_door.port
    assert send(port, method=method, path=path)[0] == status
    assert open_door.started == 0


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b"nul", b"[" * 200_000, b'"\xed\xa0\x80"', b"NaN", b"\xef\xbb\xbf{}", b"{} {}"]
)
def test_what_is_not_json_runs_nothing(open_door: OpenDoor, body: bytes) -> None:
    """400, with where it went wrong and not what stood there."""
    port = open_door.port
    status, code, answer = send(port, body=body)
    assert (status, code) == (400, "InvalidRequestContentException")
    assert len(answer) < 300
    assert open_door.started == 0


def test_the_server_stays_up_under_rubbish(open_door: OpenDoor) -> None:
    """Malformed, huge, cut off, idle and many: whatever came before, the next request is answered."""
    port = open_door.port
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for connection in idle[:25]:
        connection.sendall(b"POST /2015-03-31/fun")
    head = b"POST " + PATH.encode() + f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode()
    for data, expected in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b""),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 400 "),
        (head + b"X: " + b"y" * 100_000 + b"\r\n\r\n", b"HTTP/1.1 431 "),
        (head + b"a: b\r\n" * 20_000 + b"\r\n", b"HTTP/1.1 431 "),
        (head + b"Content-Length: 10\r\n\r\nabc", b""),
        (head + b"Content-Length: ten\r\n\r\n", b"HTTP/1.1 400 "),
        (head + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 400 "),
        (head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"HTTP/1.1 411 "),
        (head + b"X-Amzn-Trace-Id: a\nX-Evil: 1\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 400 "),
        (head + b"Content-Length: 7000000\r\n\r\n" + bytes(7_000_000), b"HTTP/1.1 413 "),
    ]:
        answer = raw(port, data)
        assert answer.startswith(expected)
        assert b"X-Evil" not in answer
    assert open_door.started == 0
    assert send(port)[0] == 200
    for connection in idle:
        connection.close()
    assert open_door.started == 1


def test_a_client_that_is_slow_with_its_request_is_left(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a request does not hold a connection for ever: 408, and closed."""
    monkeypatch.setattr("lambda_invoke.local.server._READ_SECONDS", 0.1)
    local, _ = serve({"echo": handler("echo")})
    port = int(local.endpoint_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408 ")
        assert connection.recv(1) == b""
