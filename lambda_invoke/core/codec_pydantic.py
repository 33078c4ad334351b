"""What is needed of pydantic, without importing it: where there are models, it is there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


def is_model_class(candidate: Any) -> TypeGuard[type[BaseModel]]:
    """Whether ``candidate`` is a pydantic v2 model class.

    A model exists only where pydantic was imported, so an absent module answers the question.
    """
    base = getattr(sys.modules.get("pydantic.main"), "BaseModel", None)
    return base is not None and isinstance(candidate, type) and issubclass(candidate, base)


def validation_error() -> type[ValidationError]:
    """Pydantic's error, once there is a model that could raise it."""
    error: type[ValidationError] = sys.modules["pydantic_core"].ValidationError
    return error
