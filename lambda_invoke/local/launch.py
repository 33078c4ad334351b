"""How a worker is started: its command, what it reads, its directory and its environment variables."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import attrs

if TYPE_CHECKING:
    from lambda_invoke.local.registry import Deployment

_BOOTSTRAP = str(Path(__file__).parent / "worker" / "bootstrap.py")
_NOT_INHERITED = ("AWS_", "BOTO_", "_X_AMZN_", "_HANDLER", "_LAMBDA_", "LAMBDA_")
"""The developer's credentials, profiles and endpoints are not the function's."""


@attrs.frozen
class Launch:
    """What to start.

    ``stdin`` is the worker's standard input (None: nothing to read). To a Python worker's command the numbers
    of two descriptors are added: the life line's and the channel's.
    """

    command: tuple[str, ...]
    directory: str
    stdin: BinaryIO | None = None

    def close(self) -> None:
        """Drop what it holds open."""
        if self.stdin is not None:
            self.stdin.close()


def launch(deployment: Deployment, path: list[str], runtime_client: str, *, reload: bool) -> Launch:
    """What starts the deployment's workers: the bootstrap that the caller named, or a Python worker.

    ``path`` is the parent's ``sys.path``. The configuration of a Python worker stands in a file without a
    name, which leaves nothing; ``worker/bootstrap.py`` reads it.
    """
    source = deployment.source
    if source.command is not None:
        return Launch(source.command, source.task_root)
    first = [source.first_path] if source.first_path else []
    last = [source.last_path] if source.last_path and source.last_path not in path else []
    configuration = {
        "path": [*first, *deployment.function.layers, *path, *last],
        "handler": source.name,
        "nested": source.nested,
        "pickled": source.pickled,
        "runtime_client": runtime_client,
        "reload": reload,
    }
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when the endpoint stops
    file.write(json.dumps(configuration).encode())
    file.flush()
    command = (sys.executable, "-P", _BOOTSTRAP)
    return Launch(command, source.task_root, file)


def worker_environment(deployment: Deployment, inherited: dict[str, str], region_name: str) -> dict[str, str]:
    """The worker's environment variables, but for the Runtime API's address.

    There are no credentials, and none can be found: the function gets some by its ``environment``.
    ``LAMBDA_RUNTIME_DIR`` is left out, since there is no such directory here.
    Source: "Defined runtime environment variables", AWS Lambda developer guide, 2026-11.
    """
    function, name, version = deployment.function, deployment.function_name, deployment.version
    kept = {name: value for name, value in inherited.items() if not name.startswith(_NOT_INHERITED)}
    no_proxy = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1")))
    runtime = deployment.source.runtime
    # "This environment variable isn't defined for OS-only runtimes", the same page.
    execution = {} if runtime.startswith("provided") else {"AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}"}
    level = {"AWS_LAMBDA_LOG_LEVEL": function.application_log_level} if function.log_format == "JSON" else {}
    return {
        **kept,
        "NO_PROXY": no_proxy,  # the Runtime API is on loopback
        "no_proxy": no_proxy,
        "AWS_REGION": region_name,
        "AWS_DEFAULT_REGION": region_name,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "TZ": ":UTC",
        **function.environment,
        **execution,
        **level,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": function.log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[{version}]{secrets.token_hex(16)}",
        "LAMBDA_TASK_ROOT": deployment.source.task_root,
        "_HANDLER": deployment.source.name,
    }
