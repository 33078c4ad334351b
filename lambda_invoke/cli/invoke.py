"""``invoke``: a function once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_invoke.cli import endpoint
from lambda_invoke.cli.exit_codes import NO_INPUT, OK, REFUSED, USAGE, CommandError
from lambda_invoke.cli.json_text import check_json, json_bytes
from lambda_invoke.core.codec import NO_PAYLOAD
from lambda_invoke.errors import FunctionError

if TYPE_CHECKING:
    import argparse

    from lambda_invoke.client import LambdaClient
    from lambda_invoke.results import LogTail


def run(args: argparse.Namespace) -> int:
    """Invoke, and print the value as JSON.

    Raises:
        CommandError: the payload cannot be read, or is not JSON.
        LambdaInvokeError: the call failed.
    """
    payload = _payload(args.payload)
    if args.event and args.log_tail:
        raise CommandError("--log-tail needs somebody who waits; --event does not", USAGE)
    with endpoint.reach(args) as reached, reached.client() as client:
        if args.dry_run:
            return _dry_run(args, client, reached.function, payload)
        if args.event:
            return _event(args, client, reached.function, payload)
        try:
            invocation = client.invoke(
                reached.function,
                payload,
                qualifier=args.qualifier,
                log_tail=args.log_tail,
                timeout=args.timeout,
                deadline=args.deadline,
                idempotent=args.idempotent,
            )
        except FunctionError as error:
            _show_log(error.log)
            raise
    _show_log(invocation.log)
    _print(invocation.value)
    return OK


def _event(args: argparse.Namespace, client: LambdaClient, function: str, payload: object) -> int:
    accepted = client.invoke_event(
        function,
        payload,
        qualifier=args.qualifier,
        timeout=args.timeout,
        deadline=args.deadline,
        idempotent=args.idempotent,
    )
    _print({"status_code": accepted.status_code, "request_id": accepted.request_id})
    return OK


def _dry_run(args: argparse.Namespace, client: LambdaClient, function: str, payload: object) -> int:
    answer = client.dry_run(
        function, payload, qualifier=args.qualifier, timeout=args.timeout, deadline=args.deadline
    )
    _print({"allowed": answer.allowed, "reason": answer.reason})
    return OK if answer.allowed else REFUSED


def _payload(given: str | None) -> object:
    if given is None:
        return NO_PAYLOAD
    text = _read(given)
    try:
        check_json(text)
    except ValueError as error:
        raise CommandError(f"the payload is {error}", USAGE) from None
    return text


def _read(given: str) -> bytes:
    if given == "-":
        return sys.stdin.buffer.read()
    if not given.startswith("@"):
        return given.encode("utf-8", "surrogateescape")
    try:
        return Path(given[1:]).read_bytes()
    except OSError as error:
        raise CommandError(f"{given[1:]}: {error.strerror}", NO_INPUT) from error


def _show_log(log: LogTail | None) -> None:
    if log is not None and log.text:
        sys.stderr.write(log.text if log.text.endswith("\n") else f"{log.text}\n")


def _print(value: Any) -> None:
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.buffer.write(json_bytes(value, indent=indent) + b"\n")
    sys.stdout.buffer.flush()
