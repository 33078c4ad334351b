"""Reserved, provisioned and the account's concurrency against the intended fan-out: checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds
from lambda_invoke.doctor.facts import LATEST, NotLooked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts
    from lambda_invoke.doctor.findings import Finding


def limits(facts: Facts) -> Iterator[Finding]:
    """Whether so many may run at a time."""
    name, wanted, reserved = facts.target.name, facts.intent.concurrency, facts.reserved_executions
    if reserved == 0:
        yield kinds.RESERVED_ZERO(
            "Its reserved concurrency is 0: it is switched off",
            f"aws lambda delete-function-concurrency --function-name {name}",
            reserved_concurrency=0,
        )
    elif reserved is not None and reserved < wanted:
        yield kinds.RESERVED_BELOW(
            f"{wanted} calls at a time are intended, {reserved} may run",
            f"concurrency={reserved}, or: aws lambda put-function-concurrency --function-name {name} "
            f"--reserved-concurrent-executions {wanted}",
            reserved_concurrency=reserved,
            intended_concurrency=wanted,
        )
    account = facts.account
    # None in place of a number of its own: only then does the account's share count.
    of_its_own = isinstance(facts.reserved, NotLooked) or reserved is not None
    if not isinstance(account, NotLooked) and not of_its_own and account.unreserved < wanted:
        yield kinds.UNRESERVED_BELOW(
            f"{wanted} calls at a time are intended, the account has {account.unreserved} left",
            f"concurrency={max(1, account.unreserved // 2)}, or have the account's quota raised (Service "
            "Quotas: Concurrent executions)",
            account_unreserved=account.unreserved,
            account_limit=account.concurrent_executions,
            intended_concurrency=wanted,
        )


def provisioned(facts: Facts) -> Iterator[Finding]:
    """Whether what is provisioned is there, and is used."""
    if isinstance(facts.provisioned, NotLooked) or not facts.provisioned:
        return
    wanted, called = facts.intent.concurrency, facts.called
    for one in facts.provisioned:
        if one.status == "FAILED" or one.allocated < one.requested:
            yield kinds.PROVISIONED_NOT_READY(
                f"Of {one.requested} provisioned for {one.qualifier}, {one.allocated} are there",
                "wait while IN_PROGRESS; when FAILED, mend the reason and put the configuration again",
                qualifier=one.qualifier,
                requested=one.requested,
                allocated=one.allocated,
                status=one.status,
                reason=one.reason,
            )
    # An alias runs on what is provisioned for the version behind it, which only the configuration tells.
    version = None if isinstance(facts.configuration, NotLooked) else facts.configuration.version
    aliased = version is None and called != LATEST and not called.isdecimal()
    used = [one for one in facts.provisioned if one.qualifier in {called, version}]
    if not used and not aliased:
        qualifiers = tuple(one.qualifier for one in facts.provisioned)
        yield kinds.PROVISIONED_ELSEWHERE(
            f"Provisioned concurrency is of {', '.join(qualifiers)}; calls go to {called}",
            f"call {facts.target.name}:{qualifiers[0]}",
            called=called,
            provisioned=qualifiers,
        )
    elif used and used[0].requested < wanted:
        yield kinds.PROVISIONED_BELOW(
            f"{wanted} calls at a time are intended, {used[0].requested} are provisioned",
            "raise it if cold starts matter; it is paid by the hour",
            qualifier=called,
            requested=used[0].requested,
            intended_concurrency=wanted,
        )
