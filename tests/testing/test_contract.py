"""Everything of the library's own that answers to Transport passes the contract."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from lambda_invoke.core.transport import InvocationType, Request
from lambda_invoke.local import Fault, Function, LocalLambda
from lambda_invoke.testing import FakeLambda
from lambda_invoke.testing.contract import AsyncTransportContract, Case, OtherSide, TransportContract
from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
from lambda_invoke.transports.botocore import BotocoreTransport, over_handed
from lambda_invoke.transports.direct import DirectTransport
from lambda_invoke.transports.threads import ThreadedTransport
from tests.support.aws import session
from tests.support.server import (
    Call,
    Script,
    ScriptedServer,
    drop_after_executing,
    drop_before_executing,
    echo,
    error,
    gate,
    hang,
    ok,
    throttle,
    truncate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FAILED = (
    b'{"errorMessage": "there is no such order", "errorType": "ValueError", '
    b'"stackTrace": ["  File \\"/var/task/app.py\\", line 3, in handler\\n"]}'
)
RETRY_AFTER = 0.05
SLOTS = 32


def scripts(released: threading.Event) -> dict[Case, Script]:
    return {
        Case.ECHO: echo,
        Case.HANDLER_ERROR: [ok(FAILED, function_error="Unhandled")],
        Case.THROTTLED: [
            throttle("ReservedFunctionConcurrentInvocationLimitExceeded", retry_after=RETRY_AFTER)
        ],
        Case.NOT_FOUND: [error(404, "ResourceNotFoundException")],
        Case.DENIED: [error(403, "AccessDeniedException")],
        Case.BAD_REQUEST: [error(400, "InvalidParameterValueException")],
        Case.FAULT: [error(500, "ServiceException")],
        Case.UNREACHABLE: echo,
        Case.DROPPED_BEFORE: [drop_before_executing()],
        Case.DROPPED_AFTER: [drop_after_executing()],
        Case.TRUNCATED: [truncate(b'"0123456789"', 4)],
        Case.HANGS: [hang()],
        Case.HELD: lambda call: gate(released, echo(call)),
    }


def came(call: Call) -> Request:
    """What came over the wire, in the fields of a request."""
    headers = call.headers
    return Request(
        call.function,
        call.function,
        call.qualifier,
        call.body or None,
        InvocationType(headers.get("x-amz-invocation-type", "RequestResponse")),
        headers.get("x-amz-log-type") == "Tail",
        headers.get("x-amz-client-context"),
        headers.get("x-amz-tenant-id"),
        headers.get("x-amz-durable-execution-name"),
    )


@contextlib.contextmanager
def scripted(
    case: Case, made: Callable[[ScriptedServer, contextlib.ExitStack], Any]
) -> Iterator[OtherSide[Any]]:
    """A transport to the scripted server."""
    released = threading.Event()
    with (
        ScriptedServer(scripts(released)[case], refusing=case is Case.UNREACHABLE) as server,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(released.set)
        yield OtherSide(
            made(server, stack),
            executions=lambda: server.executions,
            requests=lambda: server.requests,
            received=lambda: came(server.calls[-1]),
            retry_after=RETRY_AFTER,
            release=released.set,
        )


def built(server: ScriptedServer, stack: contextlib.ExitStack) -> BuiltClients:
    clients = BuiltClients(AwsConfig(session=session(), endpoint_url=server.url), max_concurrency=SLOTS)
    stack.callback(clients.close)
    return clients


def botocore(server: ScriptedServer, stack: contextlib.ExitStack) -> BotocoreTransport:
    return BotocoreTransport(built(server, stack).invoke, slots=SLOTS, bounded=True)


class TestBotocore(TransportContract):
    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        return scripted(case, botocore)


HANDED_OVER = {Case.HANGS: "a timeout cannot be enforced on a client that was handed over"}


class TestHandedOver(TransportContract):
    unsupported: ClassVar[Mapping[Case, str]] = HANDED_OVER

    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        def made(server: ScriptedServer, stack: contextlib.ExitStack) -> BotocoreTransport:
            client = session().client("lambda", endpoint_url=server.url)
            stack.callback(client.close)
            return over_handed(client, concurrency=10)

        return scripted(case, made)


class TestThreaded(AsyncTransportContract):
    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        return scripted(case, lambda *given: ThreadedTransport(botocore(*given), most=SLOTS))


class TestDirect(AsyncTransportContract):
    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        return scripted(case, lambda *given: DirectTransport(built(*given).invoke, slots=SLOTS))


@contextlib.contextmanager
def faked(case: Case, transport: Callable[[FakeLambda], Any]) -> Iterator[OtherSide[Any]]:
    """A transport of a FakeLambda's."""
    fake = FakeLambda({"contract": lambda event: event})
    rule = fake.on("contract")
    release: Callable[[], object] = lambda: None  # noqa: E731
    match case:
        case Case.ECHO:
            rule.takes(0.01)
        case Case.HANDLER_ERROR:
            rule.raises(ValueError("there is no such order"))
        case Case.THROTTLED:
            rule.throttles(retry_after=7)
        case Case.NOT_FOUND:
            rule.fails(404, "ResourceNotFoundException")
        case Case.DENIED:
            rule.fails(403, "AccessDeniedException")
        case Case.BAD_REQUEST:
            rule.fails(400, "InvalidParameterValueException")
        case Case.FAULT:
            rule.fails(500, "ServiceException")
        case Case.UNREACHABLE:
            rule.refuses_connections()
        case Case.DROPPED_BEFORE:
            rule.drops(after_executing=False)
        case Case.DROPPED_AFTER:
            rule.drops()
        case Case.TRUNCATED:
            rule.truncates()
        case Case.HANGS:
            rule.hangs()
        case Case.HELD:
            release = rule.holds().release
    yield OtherSide(
        transport(fake),
        executions=lambda: fake.executions("contract"),
        requests=lambda: fake.requests,
        received=lambda: fake.calls[-1].request,
        retry_after=7,
        release=release,
        client_options={"clock": fake.clock},
    )


class TestFake(TransportContract):
    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        return faked(case, FakeLambda.transport)


class TestFakeAsync(AsyncTransportContract):
    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        return faked(case, FakeLambda.async_transport)


class TestFakeUnderBoto3(TransportContract):
    """The library over ``fake.boto3_client()``, as over any boto3 client that is handed over."""

    unsupported: ClassVar[Mapping[Case, str]] = HANDED_OVER

    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        return faked(case, lambda fake: over_handed(fake.boto3_client(), concurrency=SLOTS))


HANDLERS = Path(__file__).parent / "contract_handlers.py"
LOCAL_FAULTS: Mapping[Case, Fault] = {
    Case.FAULT: Fault.status(500),
    Case.DROPPED_BEFORE: Fault.drop(),
    Case.DROPPED_AFTER: Fault.drop(after_executing=True),
    Case.TRUNCATED: Fault.truncate(1),
}


@contextlib.contextmanager
def local(case: Case, made: Callable[..., Any]) -> Iterator[OtherSide[Any]]:
    """A transport to a LocalLambda that runs real handlers."""
    names = {Case.HANDLER_ERROR: "fail", Case.HANGS: "hang", Case.HELD: "held"}
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        released = Path(place) / "released"
        function = Function(
            f"{HANDLERS}:{names.get(case, 'echo')}",
            environment={"RELEASED": str(released)},
            timeout=900,
            reserved_concurrency=0 if case is Case.THROTTLED else None,
        )
        running = stack.enter_context(LocalLambda({"contract": function}, concurrency_limit=4))
        if case in LOCAL_FAULTS:
            running.inject(LOCAL_FAULTS[case], times=100)  # more calls than any test makes
        url = running.endpoint_url
        if case is Case.UNREACHABLE:
            with socket.socket() as nobody:
                nobody.bind(("127.0.0.1", 0))
                url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        config = AwsConfig(session=running.session(), endpoint_url=url)
        clients = BuiltClients(config, max_concurrency=4)
        stack.callback(clients.close)
        other = OtherSide(
            made(clients),
            executions=lambda: running.stats("contract").started,
            release=released.touch,
        )
        if case is Case.NOT_FOUND:
            other = attrs.evolve(other, function="another")
        if case is Case.DENIED:
            other = attrs.evolve(other, function="arn:aws:lambda:us-east-1:999999999999:function:contract")
        if case is Case.BAD_REQUEST:
            other = attrs.evolve(other, payload=b"{no json")
        yield other


class TestLocal(TransportContract):
    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        return local(case, lambda clients: BotocoreTransport(clients.invoke, slots=4, bounded=True))


class TestLocalAsync(AsyncTransportContract):
    def make(self, case: Case) -> contextlib.AbstractContextManager[OtherSide[Any]]:
        return local(case, lambda clients: DirectTransport(clients.invoke, slots=4))
