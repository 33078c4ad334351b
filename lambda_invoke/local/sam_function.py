"""One function of a template: its properties, as a Function."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from lambda_invoke.local import peers
from lambda_invoke.local.bootstrap_runtime import Bootstrap
from lambda_invoke.local.definition import DefinitionError
from lambda_invoke.local.function import Function
from lambda_invoke.local.intrinsics import Unresolvable, function_of
from lambda_invoke.local.references import FIRST_VERSION
from lambda_invoke.local.sam_properties import Properties

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lambda_invoke.local.function import Handler
    from lambda_invoke.local.intrinsics import Resolver

_COMMON = (
    *("Architectures", "CodeSigningConfigArn", "Description", "DurableConfig", "Environment"),
    *("EphemeralStorage", "FileSystemConfigs", "FunctionName", "Handler", "ImageConfig", "KmsKeyArn"),
    *("Layers", "LoggingConfig", "MemorySize", "PackageType", "RecursiveLoop", "Role", "Runtime"),
    *("ReservedConcurrentExecutions", "RuntimeManagementConfig", "SnapStart", "Tags", "TenancyConfig"),
    *("Timeout", "VpcConfig", "CapacityProviderConfig", "PublishToLatestPublished"),
)
_SAM_ONLY = (
    *("AssumeRolePolicyDocument", "AutoPublishAlias", "AutoPublishAliasAllProperties", "Policies"),
    *("AutoPublishCodeSha256", "CodeUri", "DeadLetterQueue", "DeploymentPreference", "EventInvokeConfig"),
    *("Events", "FunctionUrlConfig", "ImageUri", "InlineCode", "PermissionsBoundary", "PropagateTags"),
    *("ProvisionedConcurrencyConfig", "RolePath", "SourceKMSKeyArn", "Tracing", "VersionDescription"),
    *("FunctionScalingConfig", "VersionDeletionPolicy"),
)
_LAMBDA_ONLY = ("Code", "DeadLetterConfig", "FunctionScalingConfig", "TracingConfig")
"""AWS SAM developer guide and CloudFormation template reference, 2026-11."""

_NODE_CLIENT = ("node_modules", "aws-lambda-ric", "index.mjs")
"""AWS's runtime client for Node, below the directory in which npm installed it."""


class SkippedFunction(Exception):  # noqa: N818 - a function that is not served is warned of
    """The function cannot run here; the message says why."""


class FunctionReader:
    """Reads the properties of one function. ``place`` is the file and the logical id.

    What is known only after a deployment is left out, and ``warnings`` gets a line that says so.
    ``layers`` has the directories of each layer by its ARN.
    """

    def __init__(
        self,
        place: str,
        root: Path,
        properties: dict[str, Any],
        resolver: Resolver,
        layers: Mapping[str, list[str]],
        warnings: list[str],
        *,
        is_sam: bool,
    ) -> None:
        self._place = place
        self._root = root
        self._properties = properties
        self._layers = layers
        self._warnings = warnings
        self._given = Properties(place, properties, resolver, warnings)
        self._is_sam = is_sam

    def function(self) -> Function:
        """The function.

        Raises:
            SkippedFunction: it cannot run here.
            DefinitionError: a property is wrong.
            MalformedTemplate: a reference is.
        """
        self._check_names()
        task_root = self._task_root()
        handler = self._handler(task_root)
        alias = self._given.text("AutoPublishAlias") if self._is_sam else None
        letters = self._given.table("DeadLetterQueue" if self._is_sam else "DeadLetterConfig")
        logging = self._given.table("LoggingConfig")
        given: dict[str, Any] = {
            "timeout": self._given.whole("Timeout"),
            "memory_size": self._given.whole("MemorySize"),
            "reserved_concurrency": self._given.whole("ReservedConcurrentExecutions"),
            "description": self._given.text("Description"),
            "environment": self._environment(),
            "versions": None if alias is None else {FIRST_VERSION: handler},
            "aliases": None if alias is None else {alias: FIRST_VERSION},
            "dead_letter": letters.get("TargetArn"),
            "log_format": logging.get("LogFormat"),
            "application_log_level": logging.get("ApplicationLogLevel"),
            "system_log_level": logging.get("SystemLogLevel"),
            "layers": self._layer_directories(is_python=isinstance(handler, str)),
        }
        try:
            if self._is_sam:
                given["events"] = self._given.events("EventInvokeConfig")
            return Function(
                handler,
                task_root=str(task_root),
                **{name: value for name, value in given.items() if value is not None},
            )
        except (ValueError, TypeError) as error:
            raise DefinitionError(f"{self._place}: {error}") from error

    def _check_names(self) -> None:
        """An unknown name near a known one is a slip; any other may be newer than this package."""
        known = [*_COMMON, *(_SAM_ONLY if self._is_sam else _LAMBDA_ONLY)]
        for name in self._properties:
            if name in known:
                continue
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            if near:
                raise DefinitionError(
                    f"{self._place}: there is no property {name!r}; did you mean {near[0]!r}?"
                )
            self._warnings.append(f"{self._place}: the property {name} is not known and left out")

    def _task_root(self) -> Path:
        """The directory that holds the code."""
        if self._given.text("PackageType") == "Image" or "ImageUri" in self._properties:
            raise SkippedFunction("it is an image; only code in a directory can be run here")
        code = self._code()
        if "InlineCode" in self._properties or (isinstance(code, dict) and "ZipFile" in code):
            raise SkippedFunction("its code stands in the template; move it to a file and name its directory")
        if isinstance(code, dict) or code is None or str(code).startswith("s3://"):
            raise SkippedFunction("its code is on S3; only code in a directory can be run here")
        directory = self._root / str(code)
        if directory.is_file():
            raise SkippedFunction(f"its code is the archive {code}; only code in a directory can be run here")
        if not directory.is_dir():
            raise DefinitionError(
                f"{self._place}: {'CodeUri' if self._is_sam else 'Code'}: there is no directory {code} in "
                f"{self._root}"
            )
        return directory

    def _code(self) -> Any:
        """CodeUri or Code as the template has it; what a reference in its place comes to."""
        name, default = ("CodeUri", ".") if self._is_sam else ("Code", None)
        code = self._properties.get(name, default)
        if function_of(code) is None:
            return code
        try:
            return self._given.resolver.resolve(code)
        except Unresolvable as reason:
            raise SkippedFunction(f"its {name} is not known here: {reason}") from reason

    def _handler(self, task_root: Path) -> Handler:
        """The handler for the function's Runtime."""
        runtime = self._given.text("Runtime")
        if runtime is None:
            raise DefinitionError(f"{self._place}: Runtime: is missing; it is to be one such as python3.13")
        if runtime.startswith("python"):
            return self._python(runtime)
        if not runtime.startswith(("provided", "nodejs")):
            raise SkippedFunction(
                f"its Runtime is {runtime}; only Python, nodejs and provided runtimes can be run here"
            )
        if not peers.AVAILABLE:
            raise SkippedFunction(f"its Runtime is {runtime}, which needs Linux; Python runs here too")
        if runtime.startswith("nodejs"):
            return self._node(runtime, task_root)
        return self._provided(runtime, task_root)

    def _python(self, runtime: str) -> str:
        handler = self._handler_text("module.function")
        here = f"python{sys.version_info.major}.{sys.version_info.minor}"
        if runtime != here:
            self._warnings.append(f"{self._place}: its Runtime is {runtime}; here it runs under {here}")
        return handler.replace("/", ".")  # as awslambdaric does

    def _provided(self, runtime: str, task_root: Path) -> Bootstrap:
        """An OS-only runtime: Lambda starts ``bootstrap`` of the code, and hands the Handler on."""
        executable = task_root / "bootstrap"
        if not executable.is_file():
            raise SkippedFunction(
                f"its Runtime is {runtime}, and there is no file {executable}: build it there "
                f"(Go: GOOS=linux go build -o {executable}; Rust: cargo lambda build), or serve the "
                "template that sam build writes, .aws-sam/build/template.yaml"
            )
        if not os.access(executable, os.X_OK):
            raise SkippedFunction(
                f"its Runtime is {runtime}, and {executable} is not executable: chmod +x {executable}"
            )
        handler = self._given.text("Handler") or "function.handler"
        return Bootstrap(executable, handler=handler, task_root=task_root, runtime=runtime)

    def _node(self, runtime: str, task_root: Path) -> Bootstrap:
        """Node under AWS's own runtime client, which npm installs beside the code or the template."""
        handler = self._handler_text("file.function")
        found = [
            client for place in (task_root, self._root) if (client := place.joinpath(*_NODE_CLIENT)).is_file()
        ]
        if not found:
            raise SkippedFunction(
                f"its Runtime is {runtime}, and AWS's runtime client for Node is installed neither in "
                f"{task_root} nor in {self._root}: run npm install aws-lambda-ric in {self._root}"
            )
        if shutil.which("node") is None:
            raise SkippedFunction(
                f"its Runtime is {runtime}, and there is no program node on PATH: install Node"
            )
        return Bootstrap(["node", found[0]], handler=handler, task_root=task_root, runtime=runtime)

    def _handler_text(self, form: str) -> str:
        handler = self._given.text("Handler")
        if handler is None:
            raise DefinitionError(f"{self._place}: Handler: is missing: write '{form}'")
        return handler

    def _environment(self) -> dict[str, str]:
        variables = self._properties.get("Environment", {})
        if isinstance(variables, dict):
            variables = variables.get("Variables", {})
        if not isinstance(variables, dict):
            raise DefinitionError(f"{self._place}: Environment: Variables must be a table")
        resolved = {
            name: self._given.resolved(value, f"environment variable {name}")
            for name, value in variables.items()
        }
        return {
            name: self._given.as_text(value, f"environment variable {name}")
            for name, value in resolved.items()
            if value is not None
        }

    def _layer_directories(self, *, is_python: bool) -> list[str]:
        found: list[str] = []
        layers = self._properties.get("Layers", [])
        for layer in layers if isinstance(layers, list) else [layers]:
            arn = self._given.resolved(layer, "layer")
            for each in arn if isinstance(arn, list) else [arn]:
                if each is None:
                    continue
                if not is_python:
                    self._warnings.append(
                        f"{self._place}: layer {each} is left out: here only Python functions have layers"
                    )
                elif each in self._layers:
                    found += self._layers[each]
                else:
                    self._warnings.append(
                        f"{self._place}: layer {each} is left out: it does not lie here as a directory; "
                        "what it holds has to be installed in this Python"
                    )
        return found
