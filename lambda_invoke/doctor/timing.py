"""The function's timeout against the client's: checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts
    from lambda_invoke.doctor.findings import Finding

MAX_TIMEOUT = 900.0
"""Seconds that a function may run at most; AWS quota, 2026-11."""
NEAR = 0.9
"""A share of a limit from which on it counts as reached."""
NAT_IDLE = 350.0
"""Seconds after which a NAT gateway forgets an idle connection. Source: "Troubleshoot NAT gateways", Amazon
VPC user guide, 2026-11."""


def client_timeouts(facts: Facts) -> Iterator[Finding]:
    """Whether the client waits as long as the function may take."""
    timeout, intent = facts.timeout, facts.intent
    if timeout is None:
        return
    if intent.timeout is not None and intent.timeout <= timeout:
        setting = "read_timeout in its botocore Config" if intent.handed_over else "timeout"
        yield kinds.CLIENT_TIMEOUT(
            f"The client waits {intent.timeout:g} s, the function may take {timeout:g} s",
            f"set the client's {setting} to more than {timeout:g} s, or lower the function's timeout",
            client_timeout=intent.timeout,
            function_timeout=timeout,
            setting=setting,
        )
    if intent.deadline is not None and intent.deadline <= timeout:
        yield kinds.CLIENT_DEADLINE(
            f"The client's deadline is {intent.deadline:g} s, the function may take {timeout:g} s",
            "raise the client's deadline, or give each call one of its own",
            client_deadline=intent.deadline,
            function_timeout=timeout,
        )


def limit(facts: Facts) -> Iterator[Finding]:
    """Whether the function's timeout could still be raised."""
    timeout = facts.timeout
    if timeout is not None and timeout >= MAX_TIMEOUT * NEAR:
        yield kinds.TIMEOUT_AT_LIMIT(
            f"Its timeout of {timeout:g} s is at Lambda's limit",
            "cut the work into smaller invocations (batch_size= of map), or make it a durable function",
            function_timeout=timeout,
            limit=MAX_TIMEOUT,
        )


def keep_alive(facts: Facts) -> Iterator[Finding]:
    """Whether a call that waits longer than a NAT gateway does survives that."""
    timeout = facts.timeout
    if timeout is not None and timeout > NAT_IDLE and not facts.intent.keep_alive:
        yield kinds.NO_KEEP_ALIVE(
            f"It may take {timeout:g} s, and the boto3 client that was handed over keeps no connection alive",
            "let the library build the client, which probes idle connections after 30 s; botocore's "
            "tcp_keepalive=True also needs a low net.ipv4.tcp_keepalive_time, 7,200 s on Linux",
            function_timeout=timeout,
            nat_idle_timeout=NAT_IDLE,
        )
