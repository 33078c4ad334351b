"""What the command line takes."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NoReturn

from lambda_invoke.cli import exit_codes
from lambda_invoke.cli.argument_types import count, seconds, tolerated
from lambda_invoke.cli.doctor_arguments import add_doctor
from lambda_invoke.cli.local_arguments import add_local
from lambda_invoke.cli.redrive_arguments import add_redrive

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
Invoke AWS Lambda functions, one or many, and never run one twice by accident.

A function is a name, a name:qualifier or an ARN. FILE.py:HANDLER in its place runs that handler on
this machine, in a worker process, with no AWS account."""

_MAP_DESCRIPTION = """\
Invoke a function once per line of a JSON Lines file, many at once, and write one JSON line per item
as it finishes: its index (from 0), and its value or its error."""

_INVOKE_CODES = """\
exit codes:
  0   it succeeded (--event: was accepted; --dry-run: is allowed)
  1   the function ran and failed
  2   Lambda refused; nothing ran
  3   it may have run: no whole reply came
  4   it was not sent: no connection, no credentials, no time left; nothing ran
  64  the command line or the payload is wrong; nothing was sent
  66  the payload's file cannot be read
  69  the local endpoint cannot be started
  130 Ctrl-C, 143 SIGTERM: it may have run"""

_MAP_CODES = """\
exit codes:
  0   all items succeeded
  1   some failed, or the deadline passed before the input's end
  2   all failed
  3   more failed than --tolerate allows
  64  the command line is wrong; nothing was sent
  65  a line of the input is not JSON; what came before it is done and written
  66  the input cannot be read
  69  the local endpoint cannot be started
  73  the journal is in use, of another job, or no journal; nothing was sent
  74  the results or the journal cannot be written
  130 Ctrl-C, 143 SIGTERM; what is known is written"""


class _Parser(argparse.ArgumentParser):
    """argparse, but for its exit code: 2 means something else here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(exit_codes.USAGE, f"{self.prog}: error: {message}\n")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that reads the installed metadata."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib import metadata

        try:
            version = metadata.version("lambda-invoke-sdk")
        except metadata.PackageNotFoundError:
            version = "(not installed: running from its source)"
        sys.stdout.write(f"lambda_invoke {version}\n")
        parser.exit(exit_codes.OK)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read a command line; ``command`` names what was asked for. Exits with 64 for one that is wrong."""
    top = _parser()
    args, rest = top.parse_known_args(argv)
    if rest and getattr(args, "payload", "") is None and (rest[0] == "-" or not rest[0].startswith("-")):
        # argparse before Python 3.13 takes the optional payload for absent once it has read FUNCTION,
        # though it may stand behind the options.
        args.payload = rest.pop(0)
    if rest:
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    return args


def _parser() -> argparse.ArgumentParser:
    top = _Parser(
        prog="lambda_invoke",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    demo = commands.add_parser(
        "demo",
        help="a tour of everything, on this machine: no AWS account",
        description="Start a local Lambda and go through every pattern. Exit code 0: all was as expected.",
    )
    demo.set_defaults(verbose=False)
    add_local(commands)
    _add_invoke(commands)
    _add_map(commands)
    add_redrive(commands, _add_where)
    _add_list(commands)
    _add_where(add_doctor(commands))
    return top


def _add_invoke(commands: argparse._SubParsersAction[_Parser]) -> None:
    invoke = commands.add_parser(
        "invoke",
        help="invoke a function once and print its result",
        description="Invoke a function once and print its result as JSON.",
        epilog=_INVOKE_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_function(invoke)
    invoke.add_argument(
        "payload",
        nargs="?",
        metavar="PAYLOAD",
        help="JSON; '-' reads standard input, '@FILE' a file; without it no payload is sent",
    )
    kind = invoke.add_mutually_exclusive_group()
    kind.add_argument(
        "--event", action="store_true", help="hand it over and do not wait (Event); prints the request id"
    )
    kind.add_argument(
        "--dry-run", action="store_true", help="only ask whether it exists and may be invoked; nothing runs"
    )
    _add_calling(invoke, deadline="seconds for the whole call, retries included (default: none)")
    _add_where(invoke)
    _add_local(invoke)


def _add_map(commands: argparse._SubParsersAction[_Parser]) -> None:
    fan_out = commands.add_parser(
        "map",
        help="invoke a function once per line of a JSON Lines file",
        description=_MAP_DESCRIPTION,
        epilog=_MAP_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_function(fan_out)
    fan_out.add_argument(
        "items", metavar="ITEMS", help="a JSON Lines file, read as it is needed; '-' is standard input"
    )
    fan_out.add_argument(
        "-o", "--output", metavar="FILE", help="where the results go (default: standard output)"
    )
    fan_out.add_argument(
        "-c",
        "--concurrency",
        type=count,
        metavar="N",
        help="in flight at most (default: 50; for a local function twice this machine's CPUs)",
    )
    fan_out.add_argument("--ordered", action="store_true", help="write results in the order of the input")
    fan_out.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="say on standard error how far it is (default: in a terminal, if the results go elsewhere)",
    )
    _add_ends(fan_out)
    _add_resuming(fan_out)
    _add_calling(fan_out, deadline="seconds for the whole job (default: none)")
    _add_where(fan_out)
    _add_local(fan_out)


def _add_ends(command: argparse.ArgumentParser) -> None:
    ends = command.add_argument_group("when it ends early")
    ends.add_argument(
        "--tolerate",
        type=tolerated,
        metavar="N|P%",
        help="end it when more items than N, or than P%% of them, have failed (default: never)",
    )
    ends.add_argument(
        "--drain",
        action="store_true",
        help="at Ctrl-C or SIGTERM wait for what is in flight; a second one gives it up",
    )


def _add_resuming(command: argparse.ArgumentParser) -> None:
    resuming = command.add_argument_group("resuming")
    resuming.add_argument(
        "--journal",
        metavar="FILE",
        help="keep what becomes of each item in FILE; run again with it, only what is missing is sent",
    )
    resuming.add_argument(
        "--key",
        metavar="FIELD",
        help="the top-level field, a string or whole number, that tells items apart (default: all of it)",
    )
    resuming.add_argument(
        "--resend-unknown", action="store_true", help="send what may have run in an earlier run again"
    )
    resuming.add_argument(
        "--retry-failed", action="store_true", help="send what ran and failed in an earlier run again"
    )
    resuming.add_argument("--durable", action="store_true", help="have the journal survive a power cut")


def _add_list(commands: argparse._SubParsersAction[_Parser]) -> None:
    listing = commands.add_parser(
        "list",
        help="list functions, or one function's versions and aliases",
        description="List the functions of the account and region, or one function's versions and aliases.",
    )
    listing.add_argument("function", nargs="?", metavar="FUNCTION", help="a name or an ARN")
    listing.add_argument("--json", action="store_true", help="a JSON line each")
    _add_where(listing)


def _add_function(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "function", metavar="FUNCTION", help="a name, name:qualifier or ARN; FILE.py:HANDLER runs locally"
    )


def _add_calling(command: argparse.ArgumentParser, *, deadline: str) -> None:
    calling = command.add_argument_group("how it is called")
    calling.add_argument("--qualifier", metavar="VERSION|ALIAS", help="a version, an alias or $LATEST")
    calling.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="seconds per attempt (default: 915)"
    )
    calling.add_argument("--deadline", type=seconds, metavar="SECONDS", help=deadline)
    calling.add_argument(
        "--idempotent",
        action="store_true",
        help="running it twice does no harm: send it again even when it may have run",
    )
    retries = calling.add_mutually_exclusive_group()
    retries.add_argument(
        "--max-attempts",
        type=count,
        metavar="N",
        help="tries at most, the first included, throttled ones not counted (default: 3)",
    )
    retries.add_argument("--no-retry", action="store_true", help="one attempt, throttled or not")
    calling.add_argument("--log-tail", action="store_true", help="ask for the last 4 KB of the log")


def _add_where(command: argparse.ArgumentParser) -> None:
    where = command.add_argument_group("where it is (default: as the AWS CLI and boto3 have it)")
    where.add_argument("--region", metavar="NAME")
    where.add_argument("--profile", metavar="NAME")
    where.add_argument("--endpoint-url", metavar="URL")
    command.add_argument("-v", "--verbose", action="store_true", help="say on standard error what is retried")


def _add_local(command: argparse.ArgumentParser) -> None:
    local = command.add_argument_group("on this machine")
    local.add_argument("--local", metavar="FILE.py", help="FUNCTION is the name of a handler in this file")
    local.add_argument(
        "--local-timeout",
        type=seconds,
        metavar="SECONDS",
        help="what the local function may take, at most 900 (default: 60)",
    )
    local.add_argument(
        "--local-memory",
        type=count,
        metavar="MB",
        help="what the local function may use, 128 to 10240 (default: 512)",
    )
