"""``redrive``: what is in a dead-letter queue, and sending it again."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from lambda_invoke.cli import endpoint
from lambda_invoke.cli.exit_codes import ALL_FAILED, NO_JOURNAL, OK, SIGNALLED, SOME_FAILED, CommandError
from lambda_invoke.cli.progress import shower
from lambda_invoke.cli.signals import stopping
from lambda_invoke.errors import RedriveError, RedriveInterrupted, RequestError
from lambda_invoke.events.redrive_plan import RedrivePlan

if TYPE_CHECKING:
    import argparse

    from lambda_invoke.cli.signals import Stopping
    from lambda_invoke.events.redrive_report import RedriveReport


def run(args: argparse.Namespace) -> int:
    """Look, or send; print what there is to say.

    Raises:
        CommandError: the journal is refused.
        LambdaInvokeError: the queue cannot be read, or an argument is none.
    """
    with stopping(drain=args.drain) as stop, endpoint.calling_client(args) as client:
        stop.give_up = _interrupt
        try:
            found = client.redrive(
                args.queue_url,
                args.function,
                send=args.send,
                as_events=args.as_events,
                error_type=args.error_type,
                older_than=args.older_than,
                newer_than=args.newer_than,
                from_function=args.from_function,
                request_ids=args.request_ids,
                limit=args.limit,
                idempotent=args.idempotent,
                may_have_run=args.may_have_run,
                journal=args.journal,
                durable=args.durable,
                visibility_timeout=args.visibility_timeout,
                concurrency=args.concurrency or endpoint.CONCURRENCY,
                qualifier=args.qualifier,
                timeout=args.timeout,
                deadline=args.deadline,
                progress=shower(wanted=args.progress, results_on_terminal=False),
                stop=stop,
                drain=args.drain,
            )
        except RedriveInterrupted as interrupted:
            found = interrupted.report
        except RedriveError as error:
            _print(args, error.report)
            sys.stderr.write(f"lambda_invoke: {error.message}\n")
            return SOME_FAILED
        except RequestError as error:
            if error.message.startswith("journal "):
                raise CommandError(error.message, NO_JOURNAL) from error
            raise
        _print(args, found)
        return _code(found, stop)


def _interrupt() -> None:
    """The second signal: what the library makes of Ctrl-C."""
    raise KeyboardInterrupt


def _print(args: argparse.Namespace, found: RedrivePlan | RedriveReport) -> None:
    if args.json:
        text = json.dumps(found.as_dict(), ensure_ascii=False)
    elif isinstance(found, RedrivePlan):
        text = f"{found}\n\n{_next_step(args, found)}"
    else:
        text = str(found)
    sys.stdout.write(f"{text}\n")


def _next_step(args: argparse.Namespace, plan: RedrivePlan) -> str:
    if not plan.chosen:
        return "Nothing was sent, and --send would send nothing."
    need = " --function FUNCTION" if plan.unnamed and args.function is None else ""
    return (
        f"Nothing was sent. To send {'it' if plan.chosen == 1 else f'these {plan.chosen:,}'} again, add "
        f"--send{need}; what was sent will stand in {plan.journal}."
    )


def _code(found: RedrivePlan | RedriveReport, stop: Stopping) -> int:
    if stop.signal is not None:
        sys.stderr.write(f"stopped by {stop.signal.name}\n")
        return SIGNALLED + stop.signal
    if isinstance(found, RedrivePlan) or found.ok:
        return OK
    all_failed = found.failed_count and not (found.succeeded_count or found.may_have_run_count)
    return ALL_FAILED if all_failed else SOME_FAILED
