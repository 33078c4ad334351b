"""Lambda on this machine: the caller's real handlers behind an endpoint that any AWS SDK can talk to.

::

    from lambda_invoke.local import LocalLambda

    with LocalLambda({"hello": "app.py:handler"}) as local:
        print(local.client().invoke("hello", {"name": "you"}).value)

Handlers run in worker processes under awslambdaric, AWS's own runtime client, so that events,
contexts, error payloads and stack traces are AWS's own. What it does not serve (durable executions,
what makes and deletes functions) it refuses by name.
"""

from lambda_invoke.local.bootstrap_runtime import Bootstrap
from lambda_invoke.local.definition import DefinitionError, DefinitionWarning
from lambda_invoke.local.function import (
    Alias,
    EventInvokeConfig,
    Function,
    FunctionStats,
    Handler,
    InvocationRecord,
    LocalLambdaError,
    Outbox,
)
from lambda_invoke.local.injection import Fault, Injection
from lambda_invoke.local.sam import load_sam
from lambda_invoke.local.server import LocalLambda
from lambda_invoke.local.signature import LocalCredentials
from lambda_invoke.local.toml_file import load_toml

__all__ = [
    "Alias",
    "Bootstrap",
    "DefinitionError",
    "DefinitionWarning",
    "EventInvokeConfig",
    "Fault",
    "Function",
    "FunctionStats",
    "Handler",
    "Injection",
    "InvocationRecord",
    "LocalCredentials",
    "LocalLambda",
    "LocalLambdaError",
    "Outbox",
    "load_sam",
    "load_toml",
]
