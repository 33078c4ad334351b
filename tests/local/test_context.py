"""The context object and the environment variables of a Python handler, field by field."""

import base64
import json
from pathlib import Path

from lambda_invoke.local import Function
from tests.local.conftest import Serve, invoke

SOURCE = """
import os

def handler(event, context):
    client = context.client_context
    return {
        "function_name": context.function_name,
        "function_version": context.function_version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "aws_request_id": context.aws_request_id,
        "log_group_name": context.log_group_name,
        "log_stream_name": context.log_stream_name,
        "identity": context.identity.cognito_identity_id,
        "client": client and [client.custom, client.env, client.client.app_title],
        "tenant_id": context.tenant_id,
        "left": context.get_remaining_time_in_millis(),
        "trace": os.environ["_X_AMZN_TRACE_ID"],
        "environment": dict(os.environ),
        "cwd": os.getcwd(),
    }
"""


def test_every_field_of_the_context_is_lambdas(serve: Serve, tmp_path: Path) -> None:
    """What the invocation said, and what the environment's variables say, agree."""
    file = tmp_path / "app.py"
    file.write_text(SOURCE)
    function = Function(
        f"{file}:handler",
        versions={"7": f"{file}:handler"},
        aliases={"live": "7"},
        memory_size=256,
        timeout=60,
    )
    local, client = serve({"f": function})
    sent = {"custom": {"a": 1}, "env": {"locale": "de"}, "client": {"app_title": "shop"}}
    context = base64.b64encode(json.dumps(sent).encode()).decode()
    reply = invoke(client, "f", {}, Qualifier="live", ClientContext=context, TenantId="blue")
    value = reply.value
    variables = value.pop("environment")
    assert 0 < value.pop("left") <= 60_000
    assert value == {
        "function_name": "f",
        "function_version": "7",
        "invoked_function_arn": local.arn("f", "live"),
        "memory_limit_in_mb": "256",
        "aws_request_id": reply.headers["x-amzn-requestid"],
        "log_group_name": "/aws/lambda/f",
        "log_stream_name": variables["AWS_LAMBDA_LOG_STREAM_NAME"],
        "identity": None,
        "client": [{"a": 1}, {"locale": "de"}, "shop"],
        "tenant_id": "blue",
        "trace": value["trace"],
        "cwd": str(tmp_path),
    }
    root = value["trace"].split(";")[0]
    assert root.startswith("Root=1-")
    assert root in reply.headers["x-amzn-trace-id"]
    expected = {
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "TZ": ":UTC",
        "_HANDLER": "app.handler",
    }
    assert {name: variables.get(name) for name in expected} == expected
    assert variables["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert "AWS_LAMBDA_LOG_LEVEL" not in variables  # a level is for the JSON format
