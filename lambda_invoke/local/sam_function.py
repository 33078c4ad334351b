"""One function of a template: its properties, as a Function."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, Any

from lambda_invoke.local.definition import DefinitionError
from lambda_invoke.local.function import Function
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
        given: dict[str, Any] = {
            "timeout": self._given.whole("Timeout"),
            "memory_size": self._given.whole("MemorySize"),
            "reserved_concurrency": self._given.whole("ReservedConcurrentExecutions"),
            "description": self._given.text("Description"),
            "environment": self._environment(),
            "versions": None if alias is None else {FIRST_VERSION: handler},
            "aliases": None if alias is None else {alias: FIRST_VERSION},
            "dead_letter": letters.get("TargetArn"),
            "layers": self._layer_directories(),
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
        code = self._properties.get("CodeUri" if self._is_sam else "Code", "." if self._is_sam else None)
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

    def _handler(self, task_root: Path) -> Handler:  # noqa: ARG002 - what a bootstrap needs
        """The handler for the function's Runtime: here other runtimes than Python are to be plugged in."""
        runtime = self._given.text("Runtime")
        handler = self._given.text("Handler")
        if runtime is None:
            raise DefinitionError(f"{self._place}: Runtime: is missing; it is to be one such as python3.13")
        if not runtime.startswith("python"):
            raise SkippedFunction(f"its Runtime is {runtime}; only Python can be run here")
        if handler is None:
            raise DefinitionError(f"{self._place}: Handler: is missing: write 'module.function'")
        here = f"python{sys.version_info.major}.{sys.version_info.minor}"
        if runtime != here:
            self._warnings.append(f"{self._place}: its Runtime is {runtime}; here it runs under {here}")
        return handler.replace("/", ".")  # as awslambdaric does

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

    def _layer_directories(self) -> list[str]:
        found: list[str] = []
        layers = self._properties.get("Layers", [])
        for layer in layers if isinstance(layers, list) else [layers]:
            arn = self._given.resolved(layer, "layer")
            for each in arn if isinstance(arn, list) else [arn]:
                if each in self._layers:
                    found += self._layers[each]
                elif each is not None:
                    self._warnings.append(
                        f"{self._place}: layer {each} is left out: it does not lie here as a directory; "
                        "what it holds has to be installed in this Python"
                    )
        return found
