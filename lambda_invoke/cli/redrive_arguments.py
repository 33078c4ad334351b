"""What the command ``redrive`` takes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lambda_invoke.cli.argument_types import age, count, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

_DESCRIPTION = """\
Look at a dead-letter queue or failure destination on SQS: what failed, of which function, how long ago.
With --send, send it again, and delete each message once its new outcome is known good.

Killed at any point, nothing is lost, and nothing that may have run is sent again unless you say so: such
messages stay in the queue and are named. A journal on this machine knows them."""

_CODES = """\
exit codes:
  0   looked at; with --send: everything chosen succeeded and is deleted
  1   some failed again, may have run or could not be deleted, or it ended early
  2   all failed
  4   the queue cannot be read; nothing was sent
  64  the command line is wrong, or messages name no function and --function is missing; nothing was sent
  73  the journal is in use, of another queue, or no journal; nothing was sent
  130 Ctrl-C, 143 SIGTERM; what is known is written"""


def add_redrive(commands: argparse._SubParsersAction[Any], add_where: Callable[[Any], None]) -> None:
    """Add the command; ``add_where`` adds the options that say where AWS is."""
    redrive = commands.add_parser(
        "redrive",
        help="show what is in a dead-letter queue, and send it again",
        description=_DESCRIPTION,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    redrive.add_argument("queue_url", metavar="QUEUE_URL", help="the queue's URL")
    redrive.add_argument("--send", action="store_true", help="send what is chosen (default: only look)")
    redrive.add_argument(
        "--function",
        metavar="FUNCTION",
        help="send to it (default: the function that each record names; dead letters name none)",
    )
    redrive.add_argument(
        "--as-events",
        action="store_true",
        help="hand over as Events, and do not wait for results; a message is deleted when it is accepted",
    )
    redrive.add_argument("--json", action="store_true", help="the findings as JSON")
    redrive.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="say on standard error how far it is (default: in a terminal)",
    )
    _add_choosing(redrive)
    _add_safety(redrive)
    _add_calling(redrive)
    add_where(redrive)


def _add_choosing(redrive: argparse.ArgumentParser) -> None:
    choosing = redrive.add_argument_group("which messages (all of it must hold)")
    choosing.add_argument(
        "--error-type",
        action="append",
        metavar="TYPE",
        help="failed so: as the table shows it, or a class of this library; may be repeated",
    )
    choosing.add_argument(
        "--from-function", action="append", metavar="NAME|ARN", help="of this function; may be repeated"
    )
    choosing.add_argument(
        "--request-id", action="append", metavar="ID", dest="request_ids", help="this Event; may be repeated"
    )
    choosing.add_argument(
        "--older-than", type=age, metavar="AGE", help="failed so long ago: 90s, 15m, 2h, 3d"
    )
    choosing.add_argument("--newer-than", type=age, metavar="AGE", help="failed since")
    choosing.add_argument(
        "--limit", type=count, metavar="N", help="send so many at most; without --send: look at so many"
    )


def _add_safety(redrive: argparse.ArgumentParser) -> None:
    safety = redrive.add_argument_group("what may have run")
    safety.add_argument(
        "--idempotent",
        action="store_true",
        help="running it twice does no harm: send it again even when it may have run",
    )
    safety.add_argument(
        "--may-have-run",
        choices=("keep", "send", "delete"),
        default="keep",
        help="what an earlier run sent without learning of the outcome: keep it in the queue (default), "
        "send it again, or delete it",
    )
    safety.add_argument(
        "--journal",
        metavar="FILE",
        help="where it is kept what was sent (default: a file in your state directory)",
    )
    safety.add_argument("--durable", action="store_true", help="have the journal survive a power cut")
    safety.add_argument(
        "--drain",
        action="store_true",
        help="at Ctrl-C or SIGTERM wait for what is in flight; a second one gives it up",
    )


def _add_calling(redrive: argparse.ArgumentParser) -> None:
    calling = redrive.add_argument_group("how it is called")
    calling.add_argument(
        "-c", "--concurrency", type=count, metavar="N", help="in flight at most (default: 50)"
    )
    calling.add_argument("--qualifier", metavar="VERSION|ALIAS", help="of --function")
    calling.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="seconds per attempt (default: 915)"
    )
    calling.add_argument(
        "--deadline", type=seconds, metavar="SECONDS", help="seconds for the whole run (default: none)"
    )
    calling.add_argument(
        "--visibility-timeout",
        type=count,
        default=300,
        metavar="SECONDS",
        help="hide a message so long at a time, 3 to 43200 (default: 300)",
    )
    retries = calling.add_mutually_exclusive_group()
    retries.add_argument(
        "--max-attempts",
        type=count,
        metavar="N",
        help="tries at most, the first included, throttled ones not counted (default: 3)",
    )
    retries.add_argument("--no-retry", action="store_true", help="one attempt, throttled or not")
