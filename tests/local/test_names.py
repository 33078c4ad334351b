"""Versions, aliases, ARNs, and what is answered when a name or a request is wrong."""

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_invoke.local import Function
from tests.local.conftest import Serve, handler, invoke

ARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"


@pytest.fixture(scope="module")
def client(serve_module: Serve) -> Any:
    _, client = serve_module(
        {
            "hello": Function(
                handler("describe"),
                versions={"1": handler("describe"), "2": handler("version_two")},
                aliases={"prod": "1", "next": "2", "edge": "$LATEST"},
            )
        }
    )
    return client


def refusal(call: Any, **parameters: Any) -> Any:
    """The refusal that a call meets: status, code, the parsed reply."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    reply = caught.value.response
    return reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Code"], reply


@pytest.mark.parametrize(
    ("name", "qualifier", "version", "arn"),
    [
        ("hello", None, "$LATEST", ARN),
        ("hello", "$LATEST", "$LATEST", f"{ARN}:$LATEST"),
        ("hello", "1", "1", f"{ARN}:1"),
        ("hello", "prod", "1", f"{ARN}:prod"),
        ("hello", "edge", "$LATEST", f"{ARN}:edge"),
        ("hello:prod", None, "1", f"{ARN}:prod"),
        ("hello:prod", "prod", "1", f"{ARN}:prod"),
        (ARN, None, "$LATEST", ARN),
        (f"{ARN}:1", None, "1", f"{ARN}:1"),
        (ARN, "prod", "1", f"{ARN}:prod"),
        ("000000000000:function:hello", None, "$LATEST", ARN),
        ("000000000000:function:hello:prod", None, "1", f"{ARN}:prod"),
        ("function:hello", None, "$LATEST", ARN),
    ],
)
def test_every_form_of_a_name_reaches_its_version(
    client: Any, name: Any, qualifier: Any, version: Any, arn: Any
) -> None:
    """The version that ran is in the header and in the context, the ARN is the one that was invoked."""
    options = {} if qualifier is None else {"Qualifier": qualifier}
    reply = invoke(client, name, {}, **options)
    assert reply.version == version
    assert reply.value["version"] == version
    assert reply.value["arn"] == arn


def test_a_version_runs_its_own_handler(client: Any) -> None:
    """A published version has its own code."""
    assert invoke(client, "hello:next", 5).value == {"two": 5, "version": "2"}


@pytest.mark.parametrize(
    ("name", "qualifier", "named"),
    [
        ("nobody", None, f"{ARN[:-5]}nobody"),
        ("hello", "3", f"{ARN}:3"),
        ("hello", "stage", f"{ARN}:stage"),
        ("hello:stage", None, f"{ARN}:stage"),
    ],
)
def test_what_is_not_there_is_404(client: Any, name: Any, qualifier: Any, named: Any) -> None:
    """ResourceNotFoundException names the ARN, in Lambda's wording and wire form."""
    options = {} if qualifier is None else {"Qualifier": qualifier}
    status, code, reply = refusal(client.invoke, FunctionName=name, **options)
    assert (status, code) == (404, "ResourceNotFoundException")
    assert reply["Error"]["Message"] == f"Function not found: {named}"
    assert reply["Type"] == "User"


@pytest.mark.parametrize(
    ("name", "qualifier", "status", "code"),
    [
        ("hello world", None, 400, "ValidationException"),
        ("h" * 257, None, 400, "ValidationException"),
        ("hello:prod:1", None, 400, "ValidationException"),
        ("hello", "no good", 400, "ValidationException"),
        ("hello:prod", "1", 400, "InvalidParameterValueException"),
        (ARN.replace("us-east-1", "eu-west-1"), None, 404, "ResourceNotFoundException"),
        (ARN.replace("000000000000", "111122223333"), None, 403, "AccessDeniedException"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    client: Any, name: Any, qualifier: Any, status: Any, code: Any
) -> None:
    """Malformed, contradictory, in another region or account: Lambda's own codes."""
    options = {} if qualifier is None else {"Qualifier": qualifier}
    assert refusal(client.invoke, FunctionName=name, **options)[:2] == (status, code)


@pytest.mark.parametrize(
    "payload",
    [b"{", b"nope", b"{} {}", b"\xff\xfe", b"NaN", b'{"a": Infinity}', b"[" * 100_000],
    ids=["open", "token", "two", "utf8", "nan", "infinity", "deep"],
)
@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_a_payload_that_is_not_json_is_refused(client: Any, payload: Any, kind: Any) -> None:
    """InvalidRequestContentException, for an Event too."""
    status, code, reply = refusal(client.invoke, FunctionName="hello", Payload=payload, InvocationType=kind)
    assert (status, code) == (400, "InvalidRequestContentException")
    assert reply["Error"]["Message"].startswith("Could not parse request body into json: ")


def test_a_refused_payload_is_not_repeated(client: Any) -> None:
    """The message says where it went wrong, not what the payload holds."""
    _, _, reply = refusal(client.invoke, FunctionName="hello", Payload=b'{"password": hunter2}')
    assert reply["Error"]["Message"].endswith("line: 1, column: 14")
    assert "hunter2" not in reply["Error"]["Message"]


@pytest.mark.parametrize(
    ("kind", "limit"), [("RequestResponse", 6_291_456), ("Event", 1_048_576), ("DryRun", 6_291_456)]
)
def test_a_payload_over_its_limit_is_413(client: Any, kind: Any, limit: Any) -> None:
    """One byte over is RequestEntityTooLargeException; the limit itself is not."""
    fits = b'"' + b"x" * (limit - 2) + b'"'
    assert client.invoke(FunctionName="hello", InvocationType=kind, Payload=fits)["StatusCode"] < 300
    status, code, _ = refusal(client.invoke, FunctionName="hello", InvocationType=kind, Payload=fits + b" ")
    assert (status, code) == (413, "RequestEntityTooLargeException")


def test_a_far_too_large_payload_leaves_the_connection_usable(client: Any) -> None:
    """The body is read to its end, so that the client sees the refusal rather than a reset."""
    assert refusal(client.invoke, FunctionName="hello", Payload=b"1" * 20_000_000)[0] == 413
    assert client.invoke(FunctionName="hello")["StatusCode"] == 200


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"InvocationType": "Later"}, "InvalidParameterValueException"),
        ({"LogType": "Head"}, "InvalidParameterValueException"),
        ({"DurableExecutionName": "order-1"}, "InvalidParameterValueException"),
        ({"TenantId": "t\u00e9nant"}, "InvalidParameterValueException"),
        ({"ClientContext": "%%%"}, "InvalidRequestContentException"),
        ({"ClientContext": base64.b64encode(b"[]").decode()}, "InvalidRequestContentException"),
        (
            {"ClientContext": base64.b64encode(json.dumps({"x": "y" * 2700}).encode()).decode()},
            "InvalidRequestContentException",
        ),
    ],
)
def test_a_parameter_that_lambda_refuses_is_refused(client: Any, parameters: Any, code: Any) -> None:
    """Modes, log types and client contexts are checked; what is not served says so."""
    assert refusal(client.invoke, FunctionName="hello", **parameters)[:2] == (400, code)


def test_the_rest_of_lambdas_api_is_refused_by_name(client: Any) -> None:
    """An operation that is not served says which ones are."""
    status, code, reply = refusal(client.delete_function, FunctionName="hello")
    assert (status, code) == (501, "NotImplementedException")
    assert "does not serve DELETE /2015-03-31/functions/hello" in reply["Error"]["Message"]
    assert "ListAliases" in reply["Error"]["Message"]
    assert refusal(client.list_layers)[:2] == (501, "NotImplementedException")
