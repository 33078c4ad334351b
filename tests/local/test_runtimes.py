"""Any executable that speaks the Runtime API is a runtime: a shell script, and a program of no kin."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke import HandlerError
from lambda_invoke.local import Bootstrap, Function, LocalLambda, LocalLambdaError, peers
from tests.local.conftest import Serve, alive, handler, invoke, until, workers

ROOT = Path(__file__).parents[2]
RUNTIMES = Path(__file__).parent / "runtimes"
SHELL = RUNTIMES / "bootstrap.sh"
PROGRAM = RUNTIMES / "bootstrap.py"

pytestmark = pytest.mark.skipif(not peers.AVAILABLE, reason="a Bootstrap needs Linux")
with_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the shell's runtime needs curl")


def program(name: str = "fn.handler", **options: Any) -> Bootstrap:
    return Bootstrap([sys.executable, str(PROGRAM)], handler=name, **options)


@with_curl
def test_a_shell_script_is_a_runtime(serve: Serve) -> None:
    """It answers, is used again, and its log has what it printed between Lambda's lines."""
    _, client = serve({"shell": Bootstrap(SHELL, handler="function.sh")})
    first, second = (invoke(client, "shell", {"n": n}) for n in range(2))
    assert first.value["event"] == {"n": 0}
    assert (first.value["calls"], second.value["calls"]) == (1, 2)
    assert first.value["pid"] == second.value["pid"]
    assert first.value["handler"] == "function.sh"
    assert first.value["root"] == first.value["cwd"] == str(RUNTIMES)
    assert first.log.startswith(f"started in {RUNTIMES}\nSTART RequestId: ")
    assert "\ncall 2\nEND RequestId: " in second.log


@with_curl
def test_a_shell_scripts_failures_are_lambdas(serve: Serve) -> None:
    """Its error is raised with its type; when it exits, that is an exit error and the next call is anew."""
    local, client = serve({"shell": Bootstrap(SHELL)})
    with local.client() as ours, pytest.raises(HandlerError) as caught:
        ours.invoke("shell", {"do": "fail"})
    assert (caught.value.error_type, caught.value.error_message) == ("ShellError", "no")
    reply = invoke(client, "shell", {"do": "exit"})
    assert reply.value["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert invoke(client, "shell", {}).value["calls"] == 1


def test_a_runtime_gets_what_lambda_says(serve: Serve) -> None:
    """The Runtime API's headers and the environment variables are Lambda's, and none of ours is needed."""
    functions = {"fn": Function(program(task_root=RUNTIMES), environment={"STAGE": "test"}, memory_size=256)}
    local, client = serve(functions)
    context = "eyJjdXN0b20iOiB7ImEiOiAxfX0="  # {"custom": {"a": 1}}
    reply = invoke(client, "fn", {"n": 1}, ClientContext=context, TenantId="blue")
    headers, variables = reply.value["headers"], reply.value["environment"]
    assert reply.value["event"] == {"n": 1}
    assert headers["Lambda-Runtime-Aws-Request-Id"] == reply.headers["x-amzn-requestid"]
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == local.arn("fn")
    assert headers["Lambda-Runtime-Trace-Id"].startswith("Root=1-")
    assert int(headers["Lambda-Runtime-Deadline-Ms"]) > 0
    assert json.loads(headers["Lambda-Runtime-Client-Context"]) == {"custom": {"a": 1}}
    assert headers["Lambda-Runtime-Aws-Tenant-Id"] == "blue"
    expected = {
        "_HANDLER": "fn.handler",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "fn",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": str(RUNTIMES),
        "STAGE": "test",
    }
    assert {name: variables.get(name) for name in expected} == expected
    assert "AWS_EXECUTION_ENV" not in variables  # as on Lambda for a provided runtime
    assert "@" not in variables["AWS_LAMBDA_RUNTIME_API"]


def test_a_managed_runtime_is_named(serve: Serve) -> None:
    """A runtime of Lambda's own stands in AWS_EXECUTION_ENV and the configuration; arguments go through."""
    bootstrap = Bootstrap([sys.executable, str(PROGRAM), "app.handler"], runtime="nodejs22.x")
    _, client = serve({"fn": bootstrap})
    value = invoke(client, "fn", {}).value
    assert value["environment"]["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs22.x"
    assert value["argv"] == ["app.handler"]
    configuration = client.get_function_configuration(FunctionName="fn")
    assert (configuration["Runtime"], configuration["Handler"]) == ("nodejs22.x", "function.handler")


def test_an_init_that_fails_is_told(serve: Serve) -> None:
    """What the runtime posts to /init/error is the caller's error, and there were two tries."""
    local, _ = serve({"fn": program("fails.init")})
    with local.client() as client, pytest.raises(HandlerError) as caught:
        client.invoke("fn", {})
    assert caught.value.error_type == "ConfigError"
    assert local.stats("fn").cold_starts == 2


def test_each_concurrent_invocation_and_each_version_has_its_own(serve: Serve) -> None:
    """A Bootstrap is a handler like any other: of a version, beside Python handlers."""
    functions = {
        "fn": Function(handler("echo"), versions={"1": program("one.handler")}, aliases={"live": "1"})
    }
    _, client = serve(functions)
    assert invoke(client, "fn", 1).value == 1
    assert invoke(client, "fn", {}, Qualifier="live").value["environment"]["_HANDLER"] == "one.handler"


def test_what_cannot_be_executed_is_lambdas_error(serve: Serve, tmp_path: Path) -> None:
    """A bootstrap without an interpreter is Runtime.InvalidEntrypoint, with the system's reason."""
    bootstrap = tmp_path / "bootstrap"
    bootstrap.write_text("#!/no/such/interpreter\n")
    bootstrap.chmod(0o755)
    _, client = serve({"fn": Bootstrap(bootstrap)})
    reply = invoke(client, "fn", {})
    assert reply.error == "Unhandled"
    assert reply.value["errorType"] == "Runtime.InvalidEntrypoint"
    assert f"Error: fork/exec {bootstrap}: no such file or directory" in reply.value["errorMessage"]
    assert "Error Type: Runtime.InvalidEntrypoint" in reply.log


@pytest.mark.parametrize(
    ("bootstrap", "words"),
    [
        (Bootstrap("no/bootstrap"), "there is no file no/bootstrap in "),
        (Bootstrap(["no-such-program-here", "x"]), "no program 'no-such-program-here' on PATH"),
        (Bootstrap(str(RUNTIMES)), "there is no file"),
        (Bootstrap(str(Path(__file__).with_name("conftest.py"))), r"is not executable: chmod \+x .*conftest"),
        (Bootstrap([sys.executable], task_root="no/root"), "task_root no/root is not a directory"),
    ],
)
def test_a_bootstrap_that_cannot_be_is_refused_at_once(bootstrap: Any, words: Any) -> None:
    """The message names the command and the fix, when the endpoint is made."""
    with pytest.raises(LocalLambdaError, match=words):
        LocalLambda({"fn": bootstrap})


def test_an_empty_command_is_refused() -> None:
    """There is nothing to run."""
    with pytest.raises(ValueError, match="a path, or a program and its arguments"):
        Bootstrap([])


def test_elsewhere_than_on_linux_a_bootstrap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a connection's owner cannot be told, it says so at the start; Python handlers still run."""
    monkeypatch.setattr(peers, "AVAILABLE", False)
    with pytest.raises(LocalLambdaError, match="needs Linux"):
        LocalLambda({"fn": program()})
    LocalLambda({"fn": handler("echo")})


def test_without_awslambdaric_a_bootstrap_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Python handlers need AWS's Python runtime client."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    LocalLambda({"fn": program()})
    with pytest.raises(LocalLambdaError, match="awslambdaric"):
        LocalLambda({"fn": program(), "echo": handler("echo")})


def test_a_timeout_takes_a_bootstraps_children_along(serve: Serve, tmp_path: Path) -> None:
    """The runtime, its child, and the child that left its group."""
    file = tmp_path / "pids"
    _, client = serve({"fn": Function(program(), timeout=2)})
    while not file.exists():  # on a busy machine two seconds may pass before it gets that far
        reply = invoke(client, "fn", {"grandchildren": str(file)})
        assert reply.value["errorType"] == "Sandbox.Timedout"
    assert until(lambda: not any(alive(int(pid)) for pid in file.read_text().split()))


PARENT = """
import sys
from lambda_invoke.local import Bootstrap, Function, LocalLambda

local = LocalLambda({"fn": Function(Bootstrap([sys.executable, sys.argv[1]]), timeout=60)})
local.start()
client = local.boto3_client()
client.invoke(FunctionName="fn", Payload=sys.argv[2].encode())
"""


def test_a_bootstrap_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """After kill -9 nothing is left of it, though it closed all that it was given."""
    file = tmp_path / "pids"
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(PROGRAM), json.dumps({"grandchildren": str(file)})],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
    ) as parent:
        assert until(lambda: file.exists() and len(file.read_text().split()) == 3)
        pids = list(map(int, file.read_text().split()))
        assert all(map(alive, pids))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert until(lambda: not any(map(alive, pids)))


DAEMON = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(60)"


def test_stopping_finds_a_daemon(tmp_path: Path) -> None:
    """What a handler sent off to live on its own, by fork, setsid and fork, ends with the endpoint."""
    source = tmp_path / "daemons.py"
    source.write_text(
        "import subprocess, sys\n"
        f"def handler(event, context): subprocess.run([sys.executable, '-c', {DAEMON!r}], check=True)\n"
    )

    def daemons() -> list[str]:
        listing = subprocess.run(["/bin/ps", "-eo", "args"], capture_output=True, text=True, check=True)
        return [line for line in listing.stdout.splitlines() if DAEMON in line]

    with LocalLambda({"fn": f"{source}:handler"}) as local:
        client = local.boto3_client()
        invoke(client, "fn")
        client.close()
        assert workers()
    assert not daemons()


def test_who_asked_and_left_gets_no_invocation(serve: Serve, tmp_path: Path) -> None:
    """A runtime that hangs up while it waits, and asks again, is given the next invocation: none is lost."""
    _, client = serve({"fn": Function(program(), timeout=20)})
    asked = tmp_path / "asked"
    invoke(client, "fn", {"then": "leave", "asked": str(asked)})
    assert until(asked.exists)
    assert invoke(client, "fn", {"n": 2}).value["event"] == {"n": 2}
