"""What the testing kit raises of its own."""

from __future__ import annotations


class UnscriptedCallError(AssertionError):
    """A fake was called with what nothing is scripted for.

    The message lists what is scripted, and shows how the payload differs from the nearest.
    """


class FakeLambdaError(Exception):
    """The fake cannot do what it was asked for; the message says what to use instead."""
