"""Functions and their configurations, as Lambda's API shows and changes them."""

from __future__ import annotations

import base64
import hashlib
import math
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambda_invoke.local.faults import fails_constraint, invalid_parameter, not_found, stale_revision
from lambda_invoke.local.function import LATEST, MAX_MEMORY_MB, MAX_TIMEOUT_SECONDS, MIN_MEMORY_MB
from lambda_invoke.local.pages import page
from lambda_invoke.local.variables import NAME_PATTERN, misnamed_among, reserved_among

if TYPE_CHECKING:
    from lambda_invoke.local.control_call import Call
    from lambda_invoke.local.function import Function
    from lambda_invoke.local.registry import Deployment, Registry

MAX_DESCRIPTION = 256
_CHANGED = ("Description", "Timeout", "MemorySize", "Environment", "DeadLetterConfig", "RevisionId")


class Functions:
    """The operations on functions as a whole."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def list(self, call: Call) -> dict[str, Any]:
        """ListFunctions: ``$LATEST`` of each, or with ``FunctionVersion=ALL`` every version."""
        which = call.query.get("FunctionVersion")
        if which not in (None, "ALL"):
            raise fails_constraint(
                which or "", "functionVersion", "Member must satisfy enum value set: [ALL]"
            )
        every = [d for d in self._registry.deployments() if which == "ALL" or d.version == LATEST]
        return page("Functions", every, call.query, lambda item: self.listed(item, qualified=which == "ALL"))

    def get(self, call: Call) -> dict[str, Any]:
        """GetFunction: the configuration, and where the code is (here)."""
        configuration = self.get_configuration(call)
        reserved = self._registry.function(configuration["FunctionName"]).reserved_concurrency
        concurrency = {} if reserved is None else {"Concurrency": {"ReservedConcurrentExecutions": reserved}}
        return {
            "Configuration": configuration,
            "Code": {"RepositoryType": "local"},
            "Tags": {},
            **concurrency,
        }

    def get_configuration(self, call: Call) -> dict[str, Any]:
        """GetFunctionConfiguration: as listed, and its state."""
        target = self._registry.find(call.parts["name"], call.query.get("Qualifier"))
        return self.stated(target.deployment, target.invoked_arn)

    def update_configuration(self, call: Call) -> dict[str, Any]:
        """UpdateFunctionConfiguration: takes effect at once, so that the answer says Successful."""
        name = self._registry.find(call.parts["name"]).deployment.function_name
        latest = self._registry.find(name).deployment
        call.only(*_CHANGED)
        self._registry.states.check_changeable(name, latest.arn)
        if call.text("RevisionId") not in (None, latest.revision_id):
            raise stale_revision()
        given = {
            "description": call.text("Description", longest=MAX_DESCRIPTION),
            "timeout": call.integer("Timeout", 1, int(MAX_TIMEOUT_SECONDS)),
            "memory_size": call.integer("MemorySize", MIN_MEMORY_MB, MAX_MEMORY_MB),
            "environment": _environment(call),
        }
        changes: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
        dead_letter = call.members("DeadLetterConfig")
        if dead_letter is not None:
            arn = dead_letter.text("TargetArn") or ""
            _check_dead_letter(arn)
            changes["dead_letter"] = self._registry.destinations.named(arn) if arn else None
        changed = self._registry.configure(name, changes)
        return self.stated(changed, changed.arn)

    def stated(self, deployment: Deployment, arn: str) -> dict[str, Any]:
        """A version's configuration under the ARN by which it was asked for, and the function's state."""
        state = self._registry.states.of(deployment.function_name)
        return {**self._configuration(deployment, arn), **state.shown(), "LastUpdateStatus": "Successful"}

    def listed(self, deployment: Deployment, *, qualified: bool) -> dict[str, Any]:
        """A version's configuration as listings have it: without the state."""
        arn = self._registry.arn(deployment.function_name, deployment.version if qualified else None)
        return self._configuration(deployment, arn)

    def _configuration(self, deployment: Deployment, arn: str) -> dict[str, Any]:
        function, name = deployment.function, deployment.function_name
        configuration: dict[str, Any] = {
            "FunctionName": name,
            "FunctionArn": arn,
            "Runtime": deployment.source.runtime,
            "Role": f"arn:aws:iam::{self._registry.account_id}:role/local",
            "Handler": deployment.source.display,
            "CodeSize": 0,
            "Description": deployment.description,
            "Timeout": math.ceil(function.timeout),
            "MemorySize": function.memory_size,
            "LastModified": _timestamp(deployment.modified_at),
            "CodeSha256": code_sha256(deployment),
            "Version": deployment.version,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": deployment.revision_id,
            "PackageType": "Zip",
            "Architectures": ["arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": _logging(function, name),
        }
        if function.environment:
            configuration["Environment"] = {"Variables": dict(function.environment)}
        if function.dead_letter is not None:
            target = self._registry.destinations.shown(function.dead_letter)
            configuration["DeadLetterConfig"] = {"TargetArn": target}
        return configuration

    def get_policy(self, call: Call) -> dict[str, Any]:
        """GetPolicy: there is none."""
        self._registry.find(call.parts["name"], call.query.get("Qualifier"))
        raise not_found("The resource you requested does not exist.")

    def list_tags(self, call: Call) -> dict[str, Any]:
        """ListTags: there are none."""
        self._registry.find(call.parts["arn"])
        return {"Tags": {}}

    def list_event_source_mappings(self, call: Call) -> dict[str, Any]:
        """ListEventSourceMappings: there are none."""
        if "FunctionName" in call.query:
            self._registry.find(call.query["FunctionName"])
        return {"EventSourceMappings": []}


def code_sha256(deployment: Deployment) -> str:
    """What stands for the hash of the code: that of which handler it is. The files themselves may change."""
    source = deployment.source
    digest = hashlib.sha256(f"{source.display}\n{source.pickled or ''}".encode()).digest()
    return base64.b64encode(digest).decode("ascii")


def _logging(function: Function, name: str) -> dict[str, str]:
    """LoggingConfig: Lambda has the levels with the format that they count in."""
    levels = {
        "ApplicationLogLevel": function.application_log_level,
        "SystemLogLevel": function.system_log_level,
    }
    shown = levels if function.log_format == "JSON" else {}
    return {"LogFormat": function.log_format, **shown, "LogGroup": f"/aws/lambda/{name}"}


def _environment(call: Call) -> dict[str, str] | None:
    given = call.members("Environment")
    if given is None:
        return None
    variables = given.members("Variables")
    names = [] if variables is None else list(variables.body)
    if reserved := reserved_among(names):
        raise invalid_parameter(
            "Lambda was unable to configure your environment variables because the environment variables you "
            "have provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    if misnamed := misnamed_among(names):
        pattern = f"Member must satisfy regular expression pattern: {NAME_PATTERN}"
        constraint = f"Map keys must satisfy constraint: [{pattern}]"
        raise fails_constraint(f"{{{', '.join(misnamed)}}}", "environment.variables", constraint)
    return {name: (variables and variables.text(name)) or "" for name in names}


def _check_dead_letter(arn: str) -> None:
    if arn and not arn.startswith(("arn:aws:sqs:", "arn:aws:sns:")):
        raise invalid_parameter(f"The dead letter target {arn} is not the ARN of an SQS queue or SNS topic.")


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
