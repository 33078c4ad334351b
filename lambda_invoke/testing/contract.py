"""The contract of a transport, as a suite for pytest: what answers to it behaves as the library relies on.

Make a class of your own for your :class:`~lambda_invoke.Transport`, named so that pytest finds it, and
say how each :class:`Case` comes about on the other side::

    class TestMyTransport(TransportContract):
        unsupported = {Case.DROPPED_BEFORE: "my server cannot drop requests"}

        @contextlib.contextmanager
        def make(self, case):
            with my_server(case) as server:
                yield OtherSide(MyTransport(server.url), executions=lambda: server.executions)

:class:`AsyncTransportContract` is the same for an :class:`~lambda_invoke.AsyncTransport`. What an
implementation cannot bring about stands in ``unsupported`` with its reason; those tests are skipped,
and pytest says so (``-rs``). Each test looks at what the transport answered, at what a client over it
returned or raised, and at how often the function ran, as the *other side* counted it.

Needs pytest. No test waits for more than :data:`PATIENCE` seconds.
"""

from __future__ import annotations

import pytest

# A failure in them shows what was compared, as in the caller's own tests.
pytest.register_assert_rewrite(
    "lambda_invoke.testing.contract_answers",
    "lambda_invoke.testing.contract_calls",
    "lambda_invoke.testing.contract_suites",
)

from lambda_invoke.testing.contract_cases import PATIENCE, Case, OtherSide  # noqa: E402 - now it is rewritten
from lambda_invoke.testing.contract_suites import AsyncTransportContract, TransportContract  # noqa: E402

__all__ = ["PATIENCE", "AsyncTransportContract", "Case", "OtherSide", "TransportContract"]
