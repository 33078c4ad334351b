"""A testing kit for code that calls Lambda.

::

    from lambda_invoke.testing import FakeLambda

    fake = FakeLambda({"resize": lambda event: {"width": event["width"] // 2}})
    with fake.patch():
        code_under_test()
    fake.assert_invoked("resize", payload={"width": 800}, times=1)

:class:`FakeLambda` is Lambda in this process: handlers and scripted replies, throttles, errors and
timeouts on a clock that takes no real time. :class:`~lambda_invoke.local.LocalLambda` runs real
handlers in processes of their own. Both come as pytest fixtures (``fake_lambda``, ``local_lambda``),
and :mod:`lambda_invoke.testing.contract` is the suite that everything passes that answers to
:class:`~lambda_invoke.Transport`.
"""

from lambda_invoke.testing.clock import VirtualClock
from lambda_invoke.testing.errors import FakeLambdaError, UnscriptedCallError
from lambda_invoke.testing.fake import FakeLambda
from lambda_invoke.testing.hold import Hold
from lambda_invoke.testing.matching import having
from lambda_invoke.testing.records import AttemptRecord, CallRecord
from lambda_invoke.testing.rules import Rule
from lambda_invoke.testing.running import FakeContext

__all__ = [
    "AttemptRecord",
    "CallRecord",
    "FakeContext",
    "FakeLambda",
    "FakeLambdaError",
    "Hold",
    "Rule",
    "UnscriptedCallError",
    "VirtualClock",
    "having",
]
