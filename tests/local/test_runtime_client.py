"""Our ``runtime_client`` in place of awslambdaric's C extension, and the extension itself."""

import base64
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke.local import Function, LocalLambda, LocalLambdaError
from lambda_invoke.local.worker import runtime_client as ours
from tests.local.conftest import Serve, handler, invoke
from tests.support.measuring import MEASURED


@pytest.fixture(params=["python", "native"])
def start(request: Any, serve: Serve) -> Any:
    if request.param == "native" and importlib.util.find_spec("runtime_client") is None:
        pytest.skip("awslambdaric's C extension is not installed")

    def begin(functions: Any) -> Any:
        local, client = serve(functions, runtime_client=request.param)
        return request.param, client, local

    return begin


def test_the_one_that_was_chosen_is_used(start: Any) -> None:
    """The worker has loaded ours exactly when it was asked to."""
    choice, client, _ = start({"which": handler("which_runtime_client")})
    name = Path(invoke(client, "which").value).name
    assert (name == "runtime_client.py") == (choice == "python")


def test_both_behave_alike(start: Any) -> None:
    """Results, errors, contexts, large replies, exits and init errors are the same under either."""
    _, client, local = start(
        {
            "echo": handler("echo"),
            "describe": handler("describe"),
            "raises": handler("raises"),
            "big": Function(handler("big"), timeout=30, memory_size=512),
            "exits": Function(handler("exits"), environment=MEASURED),  # it ends by itself, with its data
            "lost": "no.such.module.handler",
        }
    )
    assert [invoke(client, "echo", value).value for value in (1, {"ü": [None]})] == [1, {"ü": [None]}]
    assert local.stats("echo").cold_starts == 1
    context = base64.b64encode(json.dumps({"custom": {"a": "ü"}}).encode()).decode()
    seen = invoke(client, "describe", {}, ClientContext=context, TenantId="t").value
    assert (seen["custom"], seen["tenant_id"]) == ({"a": "ü"}, "t")
    assert 0 < seen["left"] <= 3000
    assert seen["trace"].startswith("Root=1-")
    bare = invoke(client, "describe", {}).value
    assert (bare["custom"], bare["tenant_id"]) == (None, None)
    assert invoke(client, "raises", {"key": "ü\n"}).value["errorType"] == "KeyError"
    assert len(invoke(client, "big", {"size": 6_000_000}).payload) == 6_000_002
    assert invoke(client, "big", {"size": 7_000_000}).value["errorType"] == "Function.ResponseSizeTooLarge"
    assert invoke(client, "exits", {"status": 3}).value["errorType"] == "Runtime.ExitError"
    assert invoke(client, "lost").value["errorType"] == "Runtime.ImportModuleError"


def test_it_has_the_extensions_functions() -> None:
    """The names that awslambdaric calls are there in either."""
    native = pytest.importorskip("runtime_client")
    public = {name for name in dir(native) if not name.startswith("_")}
    assert {name for name in public if callable(getattr(ours, name))} == public


def test_it_refuses_to_work_before_it_is_initialised() -> None:
    """As the extension: a RuntimeError in its words."""
    with pytest.raises(RuntimeError, match="Client not yet initalized"):
        ours.next()


def test_an_extension_that_is_not_there_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """As is a name that means nothing; ours needs no extension."""
    with pytest.raises(ValueError, match="'python' or 'native', not 'auto'"):
        LocalLambda({"f": "json.loads"}, runtime_client="auto")  # type: ignore[arg-type]
    found = importlib.util.find_spec
    with monkeypatch.context() as patch:
        patch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "runtime_client" else found(name)
        )
        with pytest.raises(LocalLambdaError, match="leave runtime_client at 'python'"):
            LocalLambda({"f": "json.loads"}, runtime_client="native")
        LocalLambda({"f": "json.loads"})
