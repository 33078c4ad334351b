"""Which client and function a command line means: AWS's, or a handler in a file of this machine."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.cli.exit_codes import UNAVAILABLE, USAGE, CommandError
from lambda_invoke.client import LambdaClient
from lambda_invoke.core.retry import RetryPolicy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from typing import Any

    from lambda_invoke.aio import AsyncLambdaClient
    from lambda_invoke.core.calls import OnAttempt

CONCURRENCY = 50
_CONNECTIONS = 256
LOCAL_TIMEOUT = 60.0
LOCAL_MEMORY_MB = 512
_LOCAL_WORKERS_PER_CPU = 2

_IN_FILE = re.compile(r"(?P<file>.+\.py):(?P<handler>[A-Za-z_][\w.]*)")


@attrs.frozen
class Reached:
    """What a client is made of, the function's name, and how many calls are worth having in flight."""

    options: Mapping[str, Any] = attrs.field(repr=False)
    function: str
    concurrency: int

    def client(self) -> LambdaClient:
        """A blocking client."""
        return LambdaClient(**self.options)

    def async_client(self, *, on_attempt: OnAttempt | None = None) -> AsyncLambdaClient:
        """An asyncio client; ``on_attempt`` is told of every attempt."""
        from lambda_invoke.aio import AsyncLambdaClient

        return AsyncLambdaClient(**self.options, on_attempt=on_attempt)


@contextlib.contextmanager
def reach(args: argparse.Namespace) -> Iterator[Reached]:
    """Where a command's FUNCTION is called; a local function is served while this is entered.

    Raises:
        CommandError: the options contradict each other, or a local function cannot be served.
    """
    asked: int | None = getattr(args, "concurrency", None)
    retry = _policy(args)
    handler = _local_handler(args)
    if handler is None:
        wanted = asked or CONCURRENCY
        yield Reached(_options(_aws(args), retry, wanted), args.function, wanted)
        return
    wanted = asked or _LOCAL_WORKERS_PER_CPU * (os.cpu_count() or 1)
    with _served(args, handler, retry, wanted) as reached:
        yield reached


def aws_client(
    args: argparse.Namespace, *, timeout: float | None = None, deadline: float | None = None
) -> LambdaClient:
    """A client for ``--region``, ``--profile`` and ``--endpoint-url``."""
    return LambdaClient(**_aws(args), timeout=timeout, deadline=deadline)


def calling_client(args: argparse.Namespace) -> LambdaClient:
    """A client for the same, and for how it is called: ``--concurrency`` and the retries."""
    return LambdaClient(**_options(_aws(args), _policy(args), args.concurrency or CONCURRENCY))


def _aws(args: argparse.Namespace) -> dict[str, Any]:
    return {"region_name": args.region, "profile_name": args.profile, "endpoint_url": args.endpoint_url}


def _options(where: Mapping[str, Any], retry: RetryPolicy | None, concurrency: int) -> dict[str, Any]:
    return {**where, "retry": retry, "max_concurrency": max(_CONNECTIONS, concurrency)}


def _policy(args: argparse.Namespace) -> RetryPolicy | None:
    if args.no_retry:
        return RetryPolicy.never()
    return None if args.max_attempts is None else RetryPolicy(max_attempts=args.max_attempts)


def _local_handler(args: argparse.Namespace) -> tuple[str, str] | None:
    """The file and the name in it, if FUNCTION is a local one."""
    in_file = _IN_FILE.fullmatch(args.function)
    if in_file is None and args.local is None:
        given = [name for name in ("local_timeout", "local_memory") if getattr(args, name) is not None]
        if given:
            raise CommandError(f"{_option(given[0])} is for a local function; this one is Lambda's", USAGE)
        return None
    for name in ("region", "profile", "endpoint_url", "qualifier"):
        if getattr(args, name) is not None:
            raise CommandError(f"{_option(name)} is for Lambda; a local function has none", USAGE)
    if in_file is None:
        return args.local, args.function
    if args.local is not None:
        raise CommandError("FUNCTION names its own file; leave --local out", USAGE)
    return in_file["file"], in_file["handler"]


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@contextlib.contextmanager
def _served(
    args: argparse.Namespace, handler: tuple[str, str], retry: RetryPolicy | None, concurrency: int
) -> Iterator[Reached]:
    from lambda_invoke.local import Function, LocalLambda, LocalLambdaError

    file, name = handler
    function = name.replace(".", "-")
    try:
        local = LocalLambda(
            {
                function: Function(
                    f"{file}:{name}",
                    timeout=LOCAL_TIMEOUT if args.local_timeout is None else args.local_timeout,
                    memory_size=LOCAL_MEMORY_MB if args.local_memory is None else args.local_memory,
                )
            },
            concurrency_limit=concurrency,
        )
        local.start()
    except ValueError as error:
        raise CommandError(str(error), USAGE) from error
    except LocalLambdaError as error:
        raise CommandError(str(error), UNAVAILABLE) from error
    try:
        where = {"session": local.session(), "endpoint_url": local.endpoint_url}
        yield Reached(_options(where, retry, concurrency), function, concurrency)
    finally:
        local.stop()
