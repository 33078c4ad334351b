"""``list``: functions, or one function's versions and aliases."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.cli import endpoint
from lambda_invoke.cli.exit_codes import OK
from lambda_invoke.cli.json_text import json_bytes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lambda_invoke.results import Alias, FunctionConfiguration


def run(args: argparse.Namespace) -> int:
    """Print a line each, as they come.

    Raises:
        LambdaInvokeError: they cannot be listed.
    """
    with endpoint.aws_client(args) as client:
        if args.function is None:
            _print(client.list_functions(), as_json=args.json)
        else:
            _print(client.list_versions(args.function), as_json=args.json)
            _print(client.list_aliases(args.function), as_json=args.json)
    return OK


def _print(found: Iterable[FunctionConfiguration | Alias], *, as_json: bool) -> None:
    for each in found:
        line = json_bytes(_facts(each)) if as_json else _columns(each).encode()
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()


def _facts(each: FunctionConfiguration | Alias) -> dict[str, Any]:
    return {name: value for name, value in attrs.asdict(each).items() if value not in (None, (), {})}


def _columns(each: FunctionConfiguration | Alias) -> str:
    from lambda_invoke.results import Alias

    if isinstance(each, Alias):
        shares = "".join(f", {share:.0%} to {version}" for version, share in each.routing.items())
        return f"{each.name:<40} -> {each.function_version}{shares}"
    timeout = "" if each.timeout is None else f"{each.timeout:g} s"
    memory = "" if each.memory_size is None else f"{each.memory_size} MB"
    name = each.name if each.version in (None, "$LATEST") else f"{each.name}:{each.version}"
    return f"{name:<40} {each.runtime or '-':<14} {memory:>8} {timeout:>6}  {each.handler or '-'}"
