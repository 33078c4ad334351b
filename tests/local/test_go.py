"""AWS's runtime library for Go, in a program that AWS's own people published (tests/support/go_program.py).

The program is CloudFormation's custom resource that copies images, which for these tests is any Go program
at all: it puts its outcome to the event's ``ResponseURL`` and returns the error of doing so; ``SrcCreds`` has
it ask Secrets Manager (here: ``Service``), and it panics when the answer has no secret in it.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lambda_invoke import FunctionTimeoutError, HandlerError
from lambda_invoke.local import Bootstrap, Function, peers
from tests.local.conftest import Serve, invoke, until, workers
from tests.support import go_program

REASON = go_program.missing() if peers.AVAILABLE else "a Bootstrap needs Linux"
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")


class Service(ThreadingHTTPServer):
    """What the program calls: it answers all with ``{}``, but what is put to ``/never``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.puts: list[Any] = []
        self.posted_headers: list[Any] = []
        self.stopping = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def function(self, **options: Any) -> Function:
        """The program, with this service for AWS's."""
        environment = {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
        defaults = {"memory_size": 512, "timeout": 30, "environment": environment}
        return Function(Bootstrap(go_program.PROGRAM), **{**defaults, **options})

    def order(self, kind: str, path: str = "", **properties: str) -> dict[str, Any]:
        """An event: ``Delete`` returns at once, ``Create`` looks at its properties."""
        return {"RequestType": kind, "ResponseURL": self.url + path, "ResourceProperties": properties}


class Exchange(BaseHTTPRequestHandler):
    server: Service

    def do_PUT(self) -> None:
        """An outcome of the custom resource."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/never":
            self.server.stopping.wait()
        else:
            self.server.puts.append(json.loads(body))
        self.answer()

    def do_POST(self) -> None:
        """A call of an AWS service."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted_headers.append(self.headers)
        self.answer()

    def answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Not into the tests' output."""


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    yield service
    service.stopping.set()
    service.shutdown()
    service.server_close()
    thread.join()


def test_a_go_program_answers(serve: Serve, service: Service) -> None:
    """It gets the event, is used again, logs between Lambda's lines; a stream's caller gets the same."""
    local, client = serve({"go": service.function()})
    order = service.order("Delete")
    first, second = (invoke(client, "go", {**order, "PhysicalResourceId": f"n{n}"}) for n in range(2))
    assert (first.value, first.error, second.value) == ("", None, "")
    assert [put["PhysicalResourceId"] for put in service.puts] == ["n0", "n1"]
    assert '"PhysicalResourceId": "n0"' in first.log
    assert "\nREPORT RequestId: " in first.log
    answer = client.invoke_with_response_stream(FunctionName="go", Payload=json.dumps(order).encode())
    assert list(answer["EventStream"]) == [{"PayloadChunk": {"Payload": b'""'}}, {"InvokeComplete": {}}]
    assert (local.stats("go").cold_starts, local.stats("go").succeeded) == (1, 3)


def test_a_go_programs_error_is_gos(serve: Serve, service: Service) -> None:
    """The type and the message that the library sends; the process lives on."""
    local, _ = serve({"go": service.function()})
    with local.client() as client:
        with pytest.raises(HandlerError) as caught:
            client.invoke("go", ["no event"])
        assert caught.value.error_type == "UnmarshalTypeError"
        assert "cannot unmarshal array into Go value" in str(caught.value.error_message)
        with pytest.raises(HandlerError) as caught:
            client.invoke("go", {"RequestType": "Delete", "ResponseURL": "no-scheme"})
        assert "unsupported protocol scheme" in str(caught.value.error_message)
    assert (local.stats("go").failed, local.stats("go").cold_starts) == (2, 1)


def test_a_panic_in_go_is_an_error_with_its_frames(serve: Serve, service: Service) -> None:
    """The library reports the panic and exits; the next call has a new process and is none the worse."""
    local, _ = serve({"go": service.function()})
    with local.client() as client:
        for _ in range(2):
            with pytest.raises(HandlerError) as caught:
                client.invoke("go", service.order("Create", SrcImage="a", DestImage="b", SrcCreds="name"))
            client.invoke("go", service.order("Delete"))
    assert caught.value.error_message == "runtime error: invalid memory address or nil pointer dereference"
    frames = [(frame.file, frame.function) for frame in caught.value.stack_trace]
    assert frames[0] == (f"{go_program.LIBRARY}/lambda/errors.go", "lambdaPanicResponse")
    assert ("ws/utils.go", "GetSecret") in frames
    assert (local.stats("go").failed, local.stats("go").succeeded) == (2, 2)
    assert local.stats("go").cold_starts == 3


def test_a_go_program_passes_the_trace_on(serve: Serve, service: Service) -> None:
    """The trace header of the invocation is in what AWS's Go SDK sends from inside the function."""
    _, client = serve({"go": service.function()})
    order = service.order("Create", SrcImage="a", DestImage="b", SrcCreds="name")
    reply = invoke(client, "go", order)
    (headers,) = service.posted_headers
    assert headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
    root = reply.headers["x-amzn-trace-id"].split(";")[0]
    assert headers["X-Amzn-Trace-Id"].split(";")[0] == root
    assert root.startswith("Root=1-")


def test_a_go_program_times_out(serve: Serve, service: Service) -> None:
    """As any runtime: a timeout for the caller, and no process stays."""
    local, _ = serve({"go": service.function(timeout=1)})
    with local.client() as client, pytest.raises(FunctionTimeoutError):
        client.invoke("go", service.order("Delete", "/never"))
    assert until(lambda: not workers())
    assert (local.stats("go").failed, service.puts) == (1, [])
