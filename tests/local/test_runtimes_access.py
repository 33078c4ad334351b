"""Who may speak to a bootstrap's Runtime API: the processes of this user, and no web page."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke.local import peers
from tests.local.conftest import Serve, invoke, until
from tests.local.test_runtimes import program
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.skipif(not peers.AVAILABLE, reason="a Bootstrap needs Linux")


def ask(port: int, head: str, wait: float = PATIENCE) -> bytes:
    """What comes back for a request to the Runtime API; nothing if the connection is dropped."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        connection.sendall(head.encode())
        try:
            return connection.recv(65536)
        except ConnectionError:
            return b""


NEXT = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("evil.example", ""),
        ("evil.example:{port}", ""),
        ("localhost:{port}", ""),
        ("127.0.0.1:{port}", "Origin: http://evil.example\r\n"),
        ("127.0.0.1:{port}", "Sec-Fetch-Mode: no-cors\r\n"),
    ],
)
def test_a_web_page_cannot_speak_for_a_bootstrap(serve: Serve, host: str, more: str) -> None:
    """A page in the user's own browser is refused by its headers, or by the name it calls us."""
    _, client = serve({"fn": program()})
    address = invoke(client, "fn", {}).value["environment"]["AWS_LAMBDA_RUNTIME_API"]
    port = int(address.rpartition(":")[2])
    reply = ask(port, NEXT.format(host=host.format(port=port), more=more))
    assert reply.startswith(b"HTTP/1.1 403 ")
    assert invoke(client, "fn", {}).value["event"] == {}


AS_NOBODY = """
import os, socket, sys
"".encode("idna")  # what connecting imports is imported while that can be read
os.setgid(65534)
os.setuid(65534)
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30) as connection:
    connection.sendall(sys.argv[2].encode())
    try:
        print(connection.recv(65536)[:12])
    except ConnectionError:
        print(b"")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to try it")
def test_another_user_cannot_speak_for_a_bootstrap(serve: Serve) -> None:
    """Who has another uid is dropped without a word; what is under way is not disturbed."""
    _, client = serve({"fn": program()})
    address = invoke(client, "fn", {}).value["environment"]["AWS_LAMBDA_RUNTIME_API"]
    head = NEXT.format(host=address, more="")
    done = subprocess.run(
        [sys.executable, "-S", "-c", AS_NOBODY, address.rpartition(":")[2], head],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert done.stdout.strip() == "b''"
    assert invoke(client, "fn", {"still": 1}).value["event"] == {"still": 1}


@pytest.fixture(params=["netlink", "proc"])
def same_user(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``peers.same_user`` by each of the kernel's two answers."""
    if request.param == "proc":

        def refuse(local: Any, remote: Any) -> None:
            raise OSError("no netlink in this sandbox")

        monkeypatch.setattr(peers, "ask_kernel", refuse)
    return peers.same_user


def test_a_closed_end_is_nobodys(same_user: Any) -> None:
    """A connection whose other end is closed already has no owner: not even root's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        address = client.getsockname()
        accepted, _ = server.accept()
        with accepted:
            assert same_user(address, accepted.getsockname())
            client.close()
            assert until(lambda: not same_user(address, accepted.getsockname()))
            assert not same_user(("127.0.0.1", 1), accepted.getsockname())


def test_both_answers_are_the_same() -> None:
    """State, owner and inode are one truth, by netlink and by /proc."""
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    with server, client:
        ends = client.getsockname(), server.getsockname()
        inode = os.fstat(client.fileno()).st_ino
        assert peers.look_up(*ends) == peers.ask_kernel(*ends) == (1, os.geteuid(), inode)


DUAL_STACK = """
import socket, sys
client = socket.socket(socket.AF_INET6)
client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
client.connect(("::ffff:127.0.0.1", int(sys.argv[1])))
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="there is no IPv6 here")
def test_a_dual_stack_client_is_found(same_user: Any) -> None:
    """One that connects by an IPv6 socket, as Java does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        port = str(server.getsockname()[1])
        with subprocess.Popen([sys.executable, "-c", DUAL_STACK, port], stdin=subprocess.PIPE):
            accepted, address = server.accept()
            with accepted:
                assert same_user(address, accepted.getsockname())
