"""LocalLambda: Lambda's Invoke on loopback, running the caller's own handlers."""

from __future__ import annotations

import atexit
import errno
import importlib.util
import os
import secrets
import sys
from typing import TYPE_CHECKING, Any, Literal

from lambda_invoke.local.admission import DEFAULT_SCALING_RATE
from lambda_invoke.local.api import MAX_REQUEST_BYTES, Api
from lambda_invoke.local.background import BackgroundServer
from lambda_invoke.local.control_plane import ControlPlane
from lambda_invoke.local.deliveries import Deliveries
from lambda_invoke.local.destinations import check_destinations
from lambda_invoke.local.event_state import EventClock
from lambda_invoke.local.event_store import NoStore, StateDirectory
from lambda_invoke.local.events import EventQueue
from lambda_invoke.local.executor import Executor
from lambda_invoke.local.function import (
    Function,
    FunctionStats,
    Handler,
    InvocationRecord,
    LocalLambdaError,
)
from lambda_invoke.local.http import LOOPBACK, HttpServer
from lambda_invoke.local.injection import Fault, Injections
from lambda_invoke.local.options import check_option
from lambda_invoke.local.pool import Pool, WorkerSettings
from lambda_invoke.local.registry import Registry
from lambda_invoke.local.signature import LocalCredentials, Verifier
from lambda_invoke.transports.stand_in import as_told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from lambda_invoke.aio import AsyncLambdaClient
    from lambda_invoke.client import LambdaClient
    from lambda_invoke.local.injection import Injection

_READ_SECONDS = 30.0
"""A client has so long to send a request, from its first byte to its last."""


class LocalLambda:
    """An endpoint on 127.0.0.1 that runs real handlers as Lambda would, under AWS's own runtime client.

    ``functions`` maps names to handlers, or to :class:`Function` where more than the handler is to
    be said. Each concurrent invocation has a worker process of its own, which is used again when it
    is free. Nothing of a handler runs in this process; the server runs on a background thread, so
    that it works in notebooks too. Linux and macOS.

    Args:
        functions: name to handler (a callable, ``"path/file.py:function"``,
            ``"package.module.function"``, a :class:`Bootstrap`) or to a Function.
        region_name: the region that its ARNs name.
        account_id: the account that its ARNs name.
        port: what it listens on; 0 is a port that is free.
        concurrency_limit: how many invocations run at once, and how many worker processes there
            are; beyond it the answer is 429. Lambda's own default is 1,000.
        scaling_rate: how many new environments each function gets in 10 seconds; beyond it the answer
            is 429 with a ``Retry-After``.
        init_timeout: seconds that a worker has to import its handler (Lambda: 10).
        idle_timeout: seconds after which an unused worker is ended.
        time_scale: how long a second of Lambda's takes here in the delays and ages of Events: 1.0 is as on
            Lambda, 0.001 a thousand times as fast (retries after 0.06 and 0.12 s, a maximum age of 21.6 s).
        state_dir: a directory in which Events are kept until they are done with; the next start with it
            takes up what is left. None keeps none. One endpoint at a time.
        services: makes boto3's client of "sqs", "sns", "events" or "s3", for destinations that are
            ARNs of real services: ``functools.partial(session.client, endpoint_url=...)``.
        on_invocation: called with an InvocationRecord when an execution has ended, on the server's
            thread, before its reply is sent.
        reload: give an invocation a fresh worker when the code has changed: a file that a Python worker
            imported (not from site-packages), or any under a bootstrap's task root. What runs goes on.
        runtime_client: how awslambdaric gets invocations and gives answers: by a channel to the endpoint
            ("python"), or by its C extension and the Runtime API's HTTP, as on Lambda ("native"). Handlers
            see no difference; the channel is faster, and works where the extension is not built.
        allow_any_credentials: let through requests that were signed with any key, or not at all, for
            clients that cannot be given the endpoint's own. Every program of this machine can then
            run the handlers; web pages still cannot.

    Raises:
        LocalLambdaError: a handler that no worker could find, awslambdaric is not installed, or
            the platform has no process groups.
        ValueError: a name or a limit that Lambda would not accept.
    """

    def __init__(
        self,
        functions: Mapping[str, Function | Handler],
        *,
        region_name: str = "us-east-1",
        account_id: str = "000000000000",
        port: int = 0,
        concurrency_limit: int = 64,
        scaling_rate: int = DEFAULT_SCALING_RATE,
        init_timeout: float = 10.0,
        idle_timeout: float = 300.0,
        time_scale: float = 1.0,
        state_dir: str | os.PathLike[str] | None = None,
        services: Callable[[str], Any] | None = None,
        on_invocation: Callable[[InvocationRecord], object] | None = None,
        reload: bool = True,
        runtime_client: Literal["python", "native"] = "python",
        allow_any_credentials: bool = False,
    ) -> None:
        _check_platform()
        for name, value in (
            *(("region_name", region_name), ("account_id", account_id), ("port", port)),
            *(("concurrency_limit", concurrency_limit), ("scaling_rate", scaling_rate)),
            *(("init_timeout", init_timeout), ("idle_timeout", idle_timeout), ("time_scale", time_scale)),
        ):
            check_option(name, value)
        self._registry = Registry(functions, region_name, account_id)
        if any(deployment.source.command is None for deployment in self._registry.deployments()):
            _check_runtime_client(runtime_client)
        reserved = self._registry.reserved
        if reserved > concurrency_limit:
            raise ValueError(
                f"concurrency_limit must cover what the functions reserve ({reserved}), "
                f"not {concurrency_limit}"
            )
        self._port = port
        self._concurrency_limit = concurrency_limit
        self._scaling_rate = scaling_rate
        self._init_timeout = init_timeout
        self._idle_timeout = idle_timeout
        self._time_scale = time_scale
        self._state_dir = state_dir
        self._services = services
        self._on_invocation = on_invocation
        self._reload = reload
        self._runtime_client = runtime_client
        self._allow_any_credentials = allow_any_credentials
        self._injections = Injections()
        self._path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 - "" is this directory
        self._credentials = LocalCredentials(
            "LOCAL" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30)
        )
        self._running: BackgroundServer | None = None
        self._executor: Executor | None = None

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, parameters: Mapping[str, str] | None = None, **options: Any
    ) -> Self:
        """One that serves what a TOML file or an AWS SAM template defines.

        ``options`` are those of the class, and come before what the file says; ``parameters`` are values
        for the template's parameters. What of a template cannot be had here is warned of.

        Raises:
            DefinitionError: the file is wrong; the message names the place in it and the fix.
            LocalLambdaError: as for the class.
            OSError: the file cannot be read.
        """
        from lambda_invoke.local.definition import load_definition

        definition = load_definition(
            path,
            parameters=parameters,
            region_name=options.get("region_name"),
            account_id=options.get("account_id"),
        )
        if options.get("services") is None:
            definition = definition.within_reach()
        definition.warn()
        return cls(definition.functions, **{**definition.options, **options})

    def __repr__(self) -> str:
        where = self.endpoint_url if self._running is not None else "not running"
        return f"LocalLambda({list(self._registry)}, {where})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start to serve; returns when it does.

        Raises:
            LocalLambdaError: it runs already, its ``port`` is not to be had, a function's destination
                cannot be delivered to, or the state directory cannot be used.
        """
        if self._running is not None:
            raise LocalLambdaError("this LocalLambda runs already")
        check_destinations(self._registry, has_services=self._services is not None)
        running = BackgroundServer(self._serve)
        try:
            running.start()
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            reason = "is in use" if error.errno == errno.EADDRINUSE else "is not allowed to this user"
            raise LocalLambdaError(
                f"port {self._port} of {LOOPBACK} {reason}: choose another, or 0 for one that is free"
            ) from error
        self._running = running
        atexit.register(self.stop)

    def stop(self) -> None:
        """End every worker and the server; what is in flight breaks off. Does nothing when not running."""
        running, self._running = self._running, None
        if running is None:
            return
        atexit.unregister(self.stop)
        running.stop()

    async def _serve(self, running: BackgroundServer) -> None:
        settings = WorkerSettings(
            self._concurrency_limit,
            self._scaling_rate,
            self._idle_timeout,
            self._runtime_client,
            self._path,
            dict(os.environ),
            self._reload,
        )
        pool = Pool(self._registry, settings)
        executor = Executor(
            self._registry, pool, init_timeout=self._init_timeout, on_invocation=self._on_invocation
        )
        store = NoStore() if self._state_dir is None else StateDirectory(self._state_dir)
        kept, last = store.load()
        clock = EventClock(self._time_scale, last)
        events = EventQueue(
            self._registry, executor, Deliveries(self._registry, clock, self._services), store, clock
        )
        control_plane = ControlPlane(self._registry, self._concurrency_limit)
        self._registry.states.begin()
        verifier = Verifier(self._credentials, self._registry.region_name, self._allow_any_credentials)
        api = Api(verifier, self._registry, control_plane, executor, events, self._injections)
        server = HttpServer(
            api.handle, body_limit=MAX_REQUEST_BYTES, port=self._port, read_timeout=_READ_SECONDS
        )
        try:
            await pool.open()
            await server.start()
            api.listens_on(server.port)
            self._executor = executor
            events.resume(kept)
            await running.serve(server.port, events)
        finally:
            await server.close()
            await api.close()
            await events.close()
            await pool.close()

    def _now_running(self) -> BackgroundServer:
        if self._running is None:
            raise LocalLambdaError(
                "this LocalLambda is not running: use it in a with statement, or call start()"
            )
        return self._running

    @property
    def endpoint_url(self) -> str:
        """Where it listens, as ``endpoint_url=`` of any AWS SDK.

        Raises:
            LocalLambdaError: it does not run.
        """
        return f"http://{LOOPBACK}:{self._now_running().port}"

    @property
    def region_name(self) -> str:
        """The region to sign for."""
        return self._registry.region_name

    @property
    def credentials(self) -> LocalCredentials:
        """The key that requests are signed with; for clients other than ``client()``."""
        return self._credentials

    def session(self) -> Any:
        """A ``boto3.Session`` with the endpoint's key, untouched by this machine's profiles and proxies."""
        from lambda_invoke.local.sessions import boto3_session

        return boto3_session(self._credentials, self.region_name)

    def boto3_client(self, **options: Any) -> Any:
        """A plain ``boto3.client("lambda")`` for this endpoint; ``options`` as boto3's own."""
        return self.session().client("lambda", endpoint_url=self.endpoint_url, **options)

    def client(self, **options: Any) -> LambdaClient:
        """A :class:`~lambda_invoke.LambdaClient` for this endpoint; ``options`` as its own."""
        from lambda_invoke.client import LambdaClient

        with as_told():  # beside a fake that stands in for AWS
            return LambdaClient(**{**self._client_options(), **options})

    def async_client(self, **options: Any) -> AsyncLambdaClient:
        """An :class:`~lambda_invoke.AsyncLambdaClient` for this endpoint; ``options`` as its own."""
        from lambda_invoke.aio import AsyncLambdaClient

        with as_told():
            return AsyncLambdaClient(**{**self._client_options(), **options})

    def _client_options(self) -> dict[str, Any]:
        return {
            "session": self.session(),
            "endpoint_url": self.endpoint_url,
            "services": self._services or _no_service,
        }

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of a function, or of a version or alias of it."""
        return self._registry.arn(name, qualifier)

    def stats(self, name: str) -> FunctionStats:
        """What was counted for a function since the last start; also after the stop.

        Raises:
            KeyError: there is no such function.
        """
        self._registry.function(name)
        if self._executor is None:
            return FunctionStats()
        return self._executor.tallies[name].read()

    def logs(self, name: str) -> str:
        """The logs of a function's last 200 executions, in the order in which they ended.

        Raises:
            KeyError: there is no such function.
        """
        self._registry.function(name)
        if self._executor is None:
            return ""
        return b"".join(self._executor.logs[name].copy()).decode("utf-8", "replace")

    def inject(self, fault: Fault, *, function: str | None = None, times: int = 1) -> Injection:
        """Have the next ``times`` invocations meet a fault: of one function, or of any.

        Every Invoke and InvokeWithResponseStream that is valid meets at most one fault: the first, in
        the order of injection, that is meant for its function and not used up. What is left stays
        for the next start. From any thread, running or not.

        Raises:
            KeyError: there is no such function.
            TypeError: ``fault`` is no Fault.
            ValueError: ``times`` is less than 1.
        """
        if not isinstance(fault, Fault):
            raise TypeError(f"a fault is made by Fault's class methods, not {type(fault).__name__}")
        if function is not None:
            self._registry.function(function)
        return self._injections.add(fault, function, times)

    def clear_faults(self) -> None:
        """Forget the faults that no invocation has met yet."""
        self._injections.clear()

    def wait_for_events(self, timeout: float | None = None) -> None:
        """Wait until every Event that was accepted is done with, its retries and deliveries included.

        Raises:
            TimeoutError: that took more than ``timeout`` seconds.
            LocalLambdaError: it does not run.
        """
        self._now_running().wait_for_events(timeout)


def _no_service(name: str) -> Any:
    raise LocalLambdaError(f"there is no {name} here: give LocalLambda services= that it can reach")


def _check_platform() -> None:
    if os.name != "posix":
        raise LocalLambdaError("the local endpoint needs process groups: use Linux, macOS or WSL")
    if not sys.executable:
        raise LocalLambdaError("sys.executable is not set, so that no worker can be started")


def _check_runtime_client(choice: str) -> None:
    if importlib.util.find_spec("awslambdaric") is None:
        raise LocalLambdaError(
            "the local endpoint runs Python handlers under awslambdaric, which is not installed: "
            "pip install 'lambda-invoke-sdk[local]'"
        )
    if choice not in ("python", "native"):
        raise ValueError(f"runtime_client must be 'python' or 'native', not {choice!r}")
    if choice == "native" and importlib.util.find_spec("runtime_client") is None:
        raise LocalLambdaError(
            "awslambdaric's C extension is not installed here: leave runtime_client at 'python'"
        )
