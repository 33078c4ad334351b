"""Warnings that point at the caller's own line, however deep they arise."""

from __future__ import annotations

import sys
import warnings

_PACKAGE = __name__.partition(".")[0]


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn, blaming the nearest line that is not this package's.

    ``skip_file_prefixes`` does this from Python 3.12 on.
    """
    frame, level = sys._getframe(1), 2  # noqa: SLF001 - the documented way to a caller's frame
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
