"""Functions that cannot be invoked: pending, inactive, failed, and those that the caller may not invoke."""

import math
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from lambda_invoke import (
    AccessDeniedError,
    FunctionConfigurationError,
    FunctionNotReadyError,
    RetryPolicy,
)
from lambda_invoke.errors import Executed
from lambda_invoke.local import Function
from lambda_invoke.local.faults import ServiceFault
from lambda_invoke.local.states import FunctionStates
from tests.local.conftest import Serve, handler, invoke
from tests.local.refusals import refusal

ECHO = handler("echo")
PENDING = (
    409,
    "ResourceConflictException",
    (
        "The operation cannot be performed at this time. The function is currently in the following state: "
        "Pending"
    ),
)


def outcome(states: FunctionStates, name: str) -> int:
    """The status that an invocation would be refused with; 0 when it would pass."""
    try:
        states.check_invocable(name)
    except ServiceFault as fault:
        return fault.status
    return 0


def test_states_follow_the_clock() -> None:
    """Pending passes by itself, Inactive by an invocation, Failed never; a start begins anew."""
    time = 100.0
    functions = {
        "active": Function(ECHO),
        "pending": Function(ECHO, state="Pending", pending_seconds=5),
        "inactive": Function(ECHO, state="Inactive", pending_seconds=5),
        "failed": Function(ECHO, state="Failed", pending_seconds=0),
        "stuck": Function(ECHO, state="Pending", pending_seconds=math.inf),
    }
    states = FunctionStates(functions, lambda: time)

    def outcomes() -> dict[str, int]:
        return {name: outcome(states, name) for name in functions}

    always = {"active": 0, "failed": 409, "stuck": 409}
    assert outcomes() == {**always, "pending": 409, "inactive": 502}
    assert states.of("inactive").reason_code == "Restoring"
    time = 104.9
    assert outcomes() == {**always, "pending": 409, "inactive": 409}
    time = 105.0
    assert outcomes() == {**always, "pending": 0, "inactive": 0}
    states.begin()
    assert outcomes() == {**always, "pending": 409, "inactive": 502}


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_a_pending_function_refuses_every_invocation(serve: Serve, kind: str) -> None:
    """409 in Lambda's words, and nothing is run or accepted."""
    local, client = serve({"f": Function(ECHO, state="Pending", pending_seconds=math.inf)})
    assert refusal(client.invoke, FunctionName="f", InvocationType=kind) == PENDING
    assert (local.stats("f").started, local.stats("f").accepted_events) == (0, 0)


def test_a_pending_function_cannot_be_changed(serve: Serve) -> None:
    """Publishing and configuring are conflicts too; reading is not."""
    _, client = serve({"f": Function(ECHO, state="Pending", pending_seconds=math.inf)})
    for call in (client.publish_version, client.update_function_configuration):
        status, code, message = refusal(call, FunctionName="f")
        assert (status, code) == (409, "ResourceConflictException")
        assert message.endswith("is currently in the following state: 'Pending'. StateReasonCode: 'Creating'")
    assert client.list_versions_by_function(FunctionName="f")["Versions"][0]["Version"] == "$LATEST"


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        ("Pending", "The function is being created.", "Creating"),
        ("Inactive", "The function is currently idle.", "Idle"),
        ("Failed", "The function could not be created.", "InternalError"),
    ],
)
def test_the_state_is_shown(serve: Serve, state: Any, reason: str, code: str) -> None:
    """GetFunction and GetFunctionConfiguration have the state and its reason; listings do not."""
    _, client = serve({"f": Function(ECHO, state=state, pending_seconds=math.inf)})
    for seen in (
        client.get_function(FunctionName="f")["Configuration"],
        client.get_function_configuration(FunctionName="f"),
    ):
        assert (seen["State"], seen["StateReason"], seen["StateReasonCode"]) == (state, reason, code)
        assert seen["LastUpdateStatus"] == "Successful"
    assert "State" not in client.list_functions()["Functions"][0]


def test_waiters_wait_for_a_pending_function(serve: Serve) -> None:
    """boto3's and our own return when it is active, and it can then be invoked."""
    local, client = serve({"f": Function(ECHO, state="Pending", pending_seconds=0.3)})
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert invoke(client, "f", 1).value == 1
    client.close()
    local.stop()
    local.start()
    with local.client() as ours:
        assert ours.wait_until_active("f", deadline=60).state == "Active"
        assert ours.invoke("f", 2).value == 2


def test_waiters_give_up_a_failed_function(serve: Serve) -> None:
    """Failed is final, for boto3's waiter and for our client."""
    local, client = serve({"f": Function(ECHO, state="Failed")})
    with pytest.raises(WaiterError, match="terminal failure state"):
        client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    with local.client() as ours:
        with pytest.raises(FunctionConfigurationError, match="could not be created"):
            ours.wait_until_active("f", deadline=60)
        with pytest.raises(FunctionConfigurationError, match="state: Failed") as caught:
            ours.invoke("f")
    assert len(caught.value.attempts) == 1


def test_our_client_waits_out_what_is_not_ready(serve: Serve) -> None:
    """An inactive function is woken by the first attempt, and the call ends well; it ran once."""
    local, _ = serve({"f": Function(ECHO, state="Inactive", pending_seconds=0.2)})
    with local.client() as ours:
        invocation = ours.invoke("f", 1)
    assert invocation.value == 1
    assert len(invocation.attempts) > 1
    assert local.stats("f").started == 1


@pytest.mark.parametrize(
    ("state", "code"), [("Pending", "ResourceConflictException"), ("Inactive", "ResourceNotReadyException")]
)
def test_what_is_not_ready_did_not_run(serve: Serve, state: Any, code: str) -> None:
    """Without retries it is FunctionNotReadyError, executed NO."""
    local, _ = serve({"f": Function(ECHO, state=state, pending_seconds=math.inf)})
    with local.client() as ours, pytest.raises(FunctionNotReadyError) as caught:
        ours.invoke("f", retry=RetryPolicy.never())
    assert (caught.value.code, caught.value.executed) == (code, Executed.NO)
    assert local.stats("f").started == 0


def test_a_denied_function_is_403(serve: Serve) -> None:
    """In every form, in the words of IAM; our dry_run says so instead of raising."""
    local, client = serve({"f": Function(ECHO, denied=True, versions={"1": ECHO}), "free": ECHO})
    arn = local.arn("f", "1")
    for kind in ("RequestResponse", "Event", "DryRun"):
        status, code, message = refusal(client.invoke, FunctionName="f:1", InvocationType=kind)
        assert (status, code) == (403, "AccessDeniedException")
        assert message == (
            "User: arn:aws:iam::000000000000:user/local is not authorized to perform: lambda:InvokeFunction "
            f"on resource: {arn} because no identity-based policy allows the lambda:InvokeFunction action"
        )
    with local.client() as ours:
        dry_run = ours.dry_run("f", qualifier="1")
        assert (dry_run.allowed, dry_run.reason) == (False, message)
        assert ours.dry_run("free").allowed
        with pytest.raises(AccessDeniedError) as caught:
            ours.invoke("f")
    assert caught.value.executed is Executed.NO
    assert local.stats("f").started == local.stats("f").accepted_events == 0
    assert client.get_function(FunctionName="f")["Configuration"]["State"] == "Active"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"state": "Sleeping"}, "Sleeping"),
        ({"pending_seconds": -1.0}, "-1"),
        ({"pending_seconds": math.nan}, "nan"),
    ],
)
def test_a_state_that_cannot_be_is_refused(options: Any, named: str) -> None:
    """At once, by name."""
    with pytest.raises(ValueError, match=named):
        Function(ECHO, **options)
