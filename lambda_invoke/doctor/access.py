"""Who may invoke the function, and whether it can run: checks."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds
from lambda_invoke.doctor.facts import NotLooked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts, Statement
    from lambda_invoke.doctor.findings import Finding

_NARROWS = frozenset(
    {
        *("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner"),
        *("aws:sourcevpc", "aws:sourcevpce", "aws:sourceip", "aws:vpcsourceip"),
        *("aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths"),
        "lambda:eventsourcetoken",
    }
)
"""Condition keys that say whose call it must be."""
_URL_AUTH = "lambda:functionurlauthtype"
_BY_URL = "lambda:invokedviafunctionurl"
"""Of the statement that a function's URL needs beside the one of its auth type, since October 2025. Source:
"Control access to Lambda function URLs", AWS Lambda developer guide, 2026-11."""


def permission(facts: Facts) -> Iterator[Finding]:
    """Whether these credentials may invoke it."""
    may = facts.permission
    if not isinstance(may, NotLooked) and not may.allowed:
        yield kinds.INVOKE_DENIED(
            "You may not invoke it",
            "allow lambda:InvokeFunction in the identity's policy, or by `aws lambda add-permission`; see "
            "that nothing denies it",
            reason=may.reason,
        )


def policy(facts: Facts) -> Iterator[Finding]:
    """Who else may."""
    if isinstance(facts.policy, NotLooked):
        return
    for statement in facts.policy:
        if not _NARROWS & statement.conditions.keys():
            yield from _unconditional(facts, statement)
        elif "s3.amazonaws.com" in statement.services and not _names_account(statement):
            yield kinds.S3_WITHOUT_ACCOUNT(
                f"Statement {statement.sid} lets an S3 bucket in whoever owns it",
                "add the statement anew with --source-account",
                statement=statement.sid,
                source_arn=statement.conditions.get("aws:sourcearn", ()),
            )
    others = sorted({each for statement in facts.policy for each in statement.accounts} - {_own(facts)})
    if others:
        yield kinds.OTHER_ACCOUNT(
            f"Other accounts may invoke it: {', '.join(others)}",
            "if it is not meant: aws lambda remove-permission --statement-id ...",
            accounts=tuple(others),
            statements=tuple(each.sid for each in facts.policy if set(each.accounts) & set(others)),
        )


def _unconditional(facts: Facts, statement: Statement) -> Iterator[Finding]:
    remove = (
        f"aws lambda remove-permission --function-name {facts.shell_name} "
        f"--statement-id {shlex.quote(statement.sid)}"
    )
    if statement.everybody and "NONE" in statement.conditions.get(_URL_AUTH, ()):
        yield kinds.PUBLIC_URL(
            f"Statement {statement.sid} opens the function's URL to everybody",
            f"if it is not meant, have the URL's AuthType be AWS_IAM, and: {remove}",
            statement=statement.sid,
        )
    elif statement.everybody and _BY_URL not in statement.conditions:
        yield kinds.PUBLIC_INVOKE(
            f"Statement {statement.sid} lets everybody invoke it",
            f"{remove}; then add one that names a principal",
            statement=statement.sid,
            conditions=tuple(sorted(statement.conditions)),
        )
    for service in statement.services:
        yield kinds.SERVICE_WITHOUT_SOURCE(
            f"Statement {statement.sid} lets {service} invoke it for anybody",
            f"{remove}; then add it anew with --source-arn, and --source-account",
            statement=statement.sid,
            service=service,
        )


def _names_account(statement: Statement) -> bool:
    return bool({"aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"} & statement.conditions.keys())


def _own(facts: Facts) -> str | None:
    if isinstance(facts.configuration, NotLooked):
        return facts.target.account
    parts = facts.configuration.arn.split(":")
    return parts[4] if len(parts) > 4 else None  # noqa: PLR2004 - arn:partition:lambda:region:account


def state(facts: Facts) -> Iterator[Finding]:
    """Whether it can be invoked as it stands."""
    found = facts.configuration
    if isinstance(found, NotLooked):
        return
    seen = {"state": found.state, "reason": found.state_reason, "code": found.state_reason_code}
    update = "aws lambda update-function-configuration, or deploy it anew, once the reason is gone"
    if found.state == "Pending":
        yield kinds.FUNCTION_PENDING(
            "It is not ready yet (Pending)", "wait: client.wait_until_active(function)", **seen
        )
    elif found.state == "Inactive":
        yield kinds.FUNCTION_INACTIVE(
            "It is Inactive", "invoke it once, then client.wait_until_active(function)", **seen
        )
    elif found.state not in {None, "Active"}:
        # ActiveNonInvocable, Deleting and whatever comes: none of them is invoked.
        yield kinds.FUNCTION_FAILED(f"Its state is {found.state}", update, **seen)
    if found.last_update_status == "Failed":
        yield kinds.UPDATE_FAILED(
            "Its last update failed",
            update,
            status=found.last_update_status,
            reason=found.last_update_status_reason,
        )
