"""Reads a CloudFormation template's YAML or JSON, the short forms of its functions (``!Ref``) included."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

from lambda_invoke.local.definition import DefinitionError
from lambda_invoke.local.function import LocalLambdaError

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = ("Ref", "Condition")
"""What is written without ``Fn::`` in the long form."""


def read_template(path: Path) -> dict[str, Any]:
    """The template as JSON would have it: functions in their long form, dates as they are written.

    Raises:
        DefinitionError: it is not YAML (the message has the line), or no template.
        LocalLambdaError: PyYAML is not installed.
        OSError: it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{path}: not UTF-8 at byte {error.start + 1}") from error
    try:
        template = json.loads(text) if path.suffix == ".json" else _yaml(path, text)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"{path}: not JSON: {error}") from error
    except RecursionError:
        raise DefinitionError(f"{path}: nested too deeply") from None
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise DefinitionError(f"{path}: it is no template: it has no Resources")
    return template


def _yaml(path: Path, text: str) -> Any:
    try:
        yaml = importlib.import_module("yaml")  # an optional dependency
    except ImportError as error:
        raise LocalLambdaError(
            f"{path}: a template in YAML needs PyYAML: pip install 'lambda-invoke-sdk[local]'"
        ) from error
    try:
        return yaml.load(text, Loader=_loader(yaml))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        raise DefinitionError(f"{path}{where}: not YAML: {getattr(error, 'problem', error)}") from error


def _loader(yaml: Any) -> Any:
    """PyYAML's SafeLoader with CloudFormation's tags, and without YAML's dates."""
    loader: Any = type("TemplateLoader", (yaml.SafeLoader,), {})
    loader.add_multi_constructor("!", _tagged)
    loader.add_constructor("tag:yaml.org,2002:timestamp", lambda self, node: self.construct_scalar(node))
    loader.add_constructor("tag:yaml.org,2002:map", _mapping)
    return loader


def _tagged(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    if node.id == "scalar":
        value: Any = loader.construct_scalar(node)
    elif node.id == "sequence":
        value = loader.construct_sequence(node, deep=True)
    else:
        value = _mapping(loader, node)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in _PLAIN else f"Fn::{suffix}": value}


def _mapping(loader: Any, node: Any) -> dict[str, Any]:
    """With keys as text, as JSON has them (an account's number, say); a key that stands twice is refused."""
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            yaml = importlib.import_module("yaml")
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key.value!r} stands twice", key.start_mark
            )
        if isinstance(key.value, str) and key.value != "<<":
            seen.add(key.value)
    loader.flatten_mapping(node)
    return {str(key.value): loader.construct_object(value, deep=True) for key, value in node.value}
