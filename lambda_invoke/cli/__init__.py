"""The command line: ``python -m lambda_invoke``, or ``lambda_invoke`` where the package is installed."""

from lambda_invoke.cli.program import main

__all__ = ["main"]
