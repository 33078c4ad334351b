"""How a handler may be named or handed over, and where it then runs."""

import functools
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke.local import Alias, Function, LocalLambda, LocalLambdaError
from tests.local import handlers
from tests.local.conftest import HANDLERS, Serve, handler, invoke

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "given",
    [
        HANDLERS + ":echo",
        os.path.relpath(HANDLERS) + ":echo",
        "tests.local.handlers.echo",
        "tests.local.handlers:echo",
        "tests/local/handlers.echo",
        handlers.echo,
        lambda event, context: event,
        functools.partial(lambda extra, event, context: event, "extra"),
    ],
    ids=["file", "relative", "dotted", "colon", "lambda-style", "function", "lambda", "partial"],
)
def test_every_form_of_a_handler_runs(serve: Serve, given: Any) -> None:
    """By file, by module, as a function, and pickled where no name reaches it."""
    _, client = serve({"f": given})
    assert invoke(client, "f", {"a": 1}).value == {"a": 1}


@pytest.mark.parametrize(
    "given",
    [handlers.Grouped.nested, "tests.local.handlers:Grouped.nested", HANDLERS + ":Grouped.nested"],
    ids=["callable", "module", "file"],
)
def test_a_nested_handler_runs(serve: Serve, given: Any) -> None:
    """A function inside a class, which awslambdaric alone cannot name."""
    _, client = serve({"f": given})
    assert invoke(client, "f", 1).value == {"nested": 1}


def test_a_closure_takes_its_values_along(serve: Serve) -> Any:
    """What a local function closes over travels with it."""
    greeting = "hello"

    def local_handler(event: Any, context: Any) -> Any:
        return f"{greeting} {event}"

    _, client = serve({"f": local_handler})
    assert invoke(client, "f", "you").value == "hello you"


def test_nothing_of_a_handler_runs_in_the_parent(serve: Serve, tmp_path: Path) -> None:
    """The handler's file is imported in the worker only, in another process."""
    file = tmp_path / "only_in_a_worker.py"
    file.write_text("import os\nPID = os.getpid()\ndef handler(event, context): return PID\n")
    _, client = serve({"f": f"{file}:handler"})
    assert "only_in_a_worker" not in sys.modules
    pid = invoke(client, "f").value
    assert pid != os.getpid()
    assert "only_in_a_worker" not in sys.modules


def test_the_world_of_a_worker(serve: Serve, tmp_path: Path) -> None:
    """Its directory is the file's, which comes first on sys.path; there is nothing on standard input."""
    file = tmp_path / "world.py"
    file.write_text(Path(HANDLERS).read_text())
    (tmp_path / "beside.py").write_text("")
    _, client = serve({"world": f"{file}:world", "here": "tests.local.handlers.world"})
    world = invoke(client, "world").value
    assert world["cwd"] == world["path"][0] == str(tmp_path)
    assert world["argv"] == ["bootstrap", "world.world"]
    assert world["stdin"] == ""
    assert invoke(client, "here").value["cwd"] == str(Path.cwd())
    kept = [str(Path(entry).absolute()) for entry in sys.path]
    assert world["path"][1 : len(kept) + 1] == kept


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("handler", "does not name a handler"),
        ("app.py", "does not name a handler"),
        ("app.py:", "does not name a handler"),
        (":handler", "does not name a handler"),
        ("", "does not name a handler"),
        ("no/such/file.py:handler", "there is no file"),
        (42, "a name or a callable, not int"),
    ],
)
def test_a_handler_that_is_none_is_refused_at_once(given: Any, words: Any) -> None:
    """The message says what a handler looks like, before anything is started."""
    with pytest.raises(LocalLambdaError, match=words):
        LocalLambda({"f": given})


def test_a_handler_that_cannot_travel_is_refused_with_the_fix() -> None:
    """A callable that neither imports nor pickles names what to do."""
    lock = __import__("threading").Lock()
    with pytest.raises(LocalLambdaError, match=r"cannot be imported by a worker, nor pickled .* Move it"):
        LocalLambda({"f": lambda event, context: lock})


def test_without_cloudpickle_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local handler without cloudpickle: install it, move it, or name it by file."""
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(
        LocalLambdaError, match=r"pip install 'lambda-invoke-sdk\[local\]'.*path/file\.py:function"
    ):
        LocalLambda({"f": lambda event, context: event})


def test_without_awslambdaric_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing runtime client is a clear error."""
    monkeypatch.setitem(sys.modules, "awslambdaric", None)
    with pytest.raises(LocalLambdaError, match=r"awslambdaric.*pip install 'lambda-invoke-sdk\[local\]'"):
        LocalLambda({"f": "json.loads"})


def test_a_module_that_no_import_finds_is_refused(tmp_path: Path) -> None:
    """A function of a module that was loaded under another name is not sent to fail in the worker."""
    import importlib.util

    file = tmp_path / "real_name.py"
    file.write_text("def handler(event, context): return event\n")
    spec = importlib.util.spec_from_file_location("another_name", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["another_name"] = module
    try:
        spec.loader.exec_module(module)
        with pytest.raises(LocalLambdaError, match=r"name the handler as '.*real_name\.py:function'"):
            LocalLambda({"f": module.handler})
    finally:
        del sys.modules["another_name"]


SCRIPT = """
import sys
from lambda_invoke.local import LocalLambda

PREFIX = "main"

def handler(event, context):
    return [PREFIX, event]

with LocalLambda({"f": handler}) as local:
    client = local.boto3_client()
    print(client.invoke(FunctionName="f", Payload=b"1")["Payload"].read().decode())
    client.close()
"""


def test_a_handler_of_a_script_runs(tmp_path: Path) -> None:
    """A function in __main__, as in a notebook, is carried over, globals included; the script runs once."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(script)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ('["main", 1]\n', "", 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": 901}, "timeout"),
        ({"memory_size": 64}, "memory_size"),
        ({"memory_size": 20_000}, "memory_size"),
        ({"reserved_concurrency": -1}, "reserved_concurrency"),
        ({"versions": {"one": "a.b"}}, "a version is a number"),
        ({"versions": {"0": "a.b"}}, "a version is a number"),
        ({"aliases": {"7": "$LATEST"}}, "an alias is"),
        ({"aliases": {"prod": "1"}}, "not in versions"),
        ({"environment": {"AWS_LAMBDA_RUNTIME_API": "x", "_HANDLER": "y"}}, "API, _HANDLER itself"),
        ({"environment": {"A B": "x", "2": "y", "": "z", "A": "z"}}, "not '', '2', 'A B'$"),
    ],
)
def test_a_function_that_lambda_would_not_have_is_refused(options: Any, words: Any) -> None:
    """Limits and names are Lambda's."""
    with pytest.raises(ValueError, match=words):
        Function(handler("echo"), **options)


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a:b"])
def test_a_name_that_lambda_would_not_have_is_refused(name: Any) -> None:
    """Function names are Lambda's."""
    with pytest.raises(ValueError, match="a function name is"):
        LocalLambda({name: handler("echo")})


def test_reserving_more_than_there_is_is_refused() -> None:
    """concurrency_limit covers what is reserved."""
    with pytest.raises(ValueError, match=r"cover what the functions reserve \(5\)"):
        LocalLambda({"f": Function(handler("echo"), reserved_concurrency=5)}, concurrency_limit=4)


@pytest.mark.parametrize(
    "options",
    [
        {"region_name": "us east"},
        {"account_id": "12"},
        {"port": 65_536},
        {"port": -1},
        {"concurrency_limit": 0},
        {"scaling_rate": 0},
        {"init_timeout": 0},
        {"init_timeout": float("nan")},
        {"idle_timeout": -1},
        {"time_scale": 0},
    ],
)
def test_an_option_out_of_bounds_is_refused(options: Any) -> None:
    """With its name, what it may be and what it is; in a file, with the file and the table, too."""
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=rf"^{name} must be .*, not {value!r}$"):
        LocalLambda({"f": handler("echo")}, **options)


def test_an_alias_routes_to_another_version_than_its_own() -> None:
    """As Lambda has it: weights name the other version."""
    with pytest.raises(ValueError, match="version '1' is the alias's own"):
        Alias("1", weights={"1": 0.5})


def test_a_functions_environment_is_not_in_its_repr() -> None:
    """It may hold secrets."""
    assert "hunter2" not in repr(Function("a.b", environment={"PASSWORD": "hunter2"}))


def test_importing_it_loads_neither_boto3_nor_awslambdaric() -> None:
    """The endpoint's process pays for boto3 when it makes a client, and never for awslambdaric."""
    code = textwrap.dedent(
        """
        import sys
        from lambda_invoke.local import LocalLambda
        with LocalLambda({"f": "json.loads"}) as local:
            print(sorted({"boto3", "botocore", "awslambdaric"} & set(sys.modules)))
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[]\n"
