"""What the command ``local`` takes."""

from __future__ import annotations

import argparse
from typing import Any

from lambda_invoke.cli.argument_types import count, pair, port, seconds

_DESCRIPTION = """\
Serve functions on 127.0.0.1 with Lambda's own API, for any AWS SDK, until Ctrl-C.

WHAT is a TOML file, an AWS SAM template (.yaml, .yml, .json), NAME=HANDLER or FILE.py:HANDLER, where
HANDLER is FILE.py:FUNCTION or MODULE.FUNCTION. Without any, lambda_invoke.toml, template.yaml or
template.yml of this directory is served."""

_CODES = """\
exit codes:
  64  the command line is wrong
  65  the file is wrong: the message names the place in it
  66  the file cannot be read
  69  it cannot be served: a handler is not there, the port is in use, awslambdaric is not installed
  74  standard output cannot be written
  130 Ctrl-C, 143 SIGTERM: stopped in good order; no worker is left, nor after a kill -9"""


def add_local(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    local = commands.add_parser(
        "local",
        help="serve functions on this machine, for any AWS SDK",
        description=_DESCRIPTION,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    local.add_argument("what", nargs="*", metavar="WHAT", help="a definition file, or functions")
    local.add_argument(
        "--parameter",
        action="append",
        type=pair,
        default=[],
        metavar="NAME=VALUE",
        help="a value for a parameter of the template; may be repeated",
    )
    local.add_argument("--port", type=port, metavar="N", help="listen there (default: a port that is free)")
    local.add_argument("--region", metavar="NAME", help="the region of its ARNs (default: us-east-1)")
    local.add_argument(
        "--concurrency", type=count, metavar="N", help="invocations, and workers, at once (default: 64)"
    )
    _add_given_functions(local)
    _add_endpoint_options(local)
    shown = local.add_argument_group("what is shown")
    shown.add_argument("--logs", action="store_true", help="show what the handlers print")
    shown.add_argument(
        "--print-env",
        action="store_true",
        help="only print the variables that point an SDK at it, for eval, and close standard output",
    )
    local.set_defaults(verbose=False)


def _add_given_functions(local: argparse.ArgumentParser) -> None:
    given = local.add_argument_group("functions of the command line")
    given.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="what they may take, at most 900 (default: 60)"
    )
    given.add_argument(
        "--memory", type=count, metavar="MB", help="what they may use, 128 to 10240 (default: 512)"
    )


def _add_endpoint_options(local: argparse.ArgumentParser) -> None:
    endpoint = local.add_argument_group("the endpoint")
    endpoint.add_argument(
        "--time-scale",
        type=seconds,
        metavar="X",
        help="delays of Events take X times as long: 0.01 makes a minute 0.6 seconds (default: 1)",
    )
    endpoint.add_argument(
        "--services-endpoint",
        metavar="URL",
        help="deliver to SQS, SNS, EventBridge and S3 there, an emulator such as moto's server; without it "
        "destinations in them are left out",
    )
    endpoint.add_argument(
        "--allow-any-credentials",
        action="store_true",
        default=None,
        help="answer to any signature, so to every user and program of this machine",
    )
    endpoint.add_argument(
        "--reload",
        action=argparse.BooleanOptionalAction,
        help="take up changed code at the next invocation (default: yes)",
    )
    endpoint.add_argument("--state-dir", metavar="DIR", help="keep accepted Events there over a restart")
