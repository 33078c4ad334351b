"""The package's Protocols and requests against botocore's own service model."""

from __future__ import annotations

import inspect

import botocore.session
import pytest

from lambda_invoke.core.calls import _DURABLE_NAME, _TENANT_ID
from lambda_invoke.core.transport import InvocationType
from lambda_invoke.transports.protocols import BotoLambdaClient


@pytest.fixture(scope="module")
def model() -> botocore.model.ServiceModel:
    """Lambda's model as installed."""
    return botocore.session.Session().get_service_model("lambda")


@pytest.mark.parametrize(
    ("method", "operation"),
    [
        ("invoke", "Invoke"),
        ("get_function_configuration", "GetFunctionConfiguration"),
        ("get_event_source_mapping", "GetEventSourceMapping"),
        ("get_policy", "GetPolicy"),
        ("get_function_concurrency", "GetFunctionConcurrency"),
        ("get_account_settings", "GetAccountSettings"),
        ("get_function_event_invoke_config", "GetFunctionEventInvokeConfig"),
        ("put_function_event_invoke_config", "PutFunctionEventInvokeConfig"),
        ("update_function_event_invoke_config", "UpdateFunctionEventInvokeConfig"),
        ("delete_function_event_invoke_config", "DeleteFunctionEventInvokeConfig"),
        ("update_function_configuration", "UpdateFunctionConfiguration"),
    ],
)
def test_the_protocol_names_what_the_operation_takes(
    model: botocore.model.ServiceModel, method: str, operation: str
) -> None:
    """boto3 makes these methods at run time, where no stub checker sees them."""
    ours = set(inspect.signature(getattr(BotoLambdaClient, method)).parameters) - {"self"}
    shape = model.operation_model(operation).input_shape
    assert shape is not None
    theirs = set(shape.members)
    assert ours <= theirs
    if method == "invoke":
        assert ours == theirs, "Invoke has a parameter that the library does not offer"


def test_the_reply_has_a_place_for_every_member(model: botocore.model.ServiceModel) -> None:
    """A new member of Invoke's answer would be lost in silence otherwise."""
    shape = model.operation_model("Invoke").output_shape
    assert shape is not None
    assert set(shape.members) == {
        "StatusCode",
        "FunctionError",
        "LogResult",
        "Payload",
        "ExecutedVersion",
        "DurableExecutionArn",
    }


def test_invocation_types_are_the_services(model: botocore.model.ServiceModel) -> None:
    """RequestResponse, Event and DryRun are all there are."""
    assert {kind.value for kind in InvocationType} == set(model.shape_for("InvocationType").enum)


@pytest.mark.parametrize(
    ("shape", "pattern", "good", "bad"),
    [
        ("TenantId", _TENANT_ID, "a b:c/d=e+f-g@h.i_j", "a\tb"),
        ("DurableExecutionName", _DURABLE_NAME, "job-1_b", "job 1"),
    ],
)
def test_names_are_checked_as_the_model_says(
    model: botocore.model.ServiceModel, shape: str, pattern: object, good: str, bad: str
) -> None:
    """Lengths and alphabets agree with the model's own constraints."""
    metadata = model.shape_for(shape).metadata
    longest = "a" * metadata["max"]
    for text, fits in ((good, True), (bad, False), (longest, True), (longest + "a", False), ("", False)):
        assert bool(pattern.fullmatch(text)) is fits  # type: ignore[attr-defined]
