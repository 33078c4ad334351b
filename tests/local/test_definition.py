"""Definition files: TOML, what it comes to, and errors that say where and what to do."""

from __future__ import annotations

import contextlib
import errno
import math
import socket
import sys
from typing import TYPE_CHECKING, Any

import boto3
import hypothesis
import pytest
from botocore.config import Config
from hypothesis import strategies

from lambda_invoke.cli.local_lines import printed
from lambda_invoke.local import (
    Alias,
    Bootstrap,
    DefinitionError,
    EventInvokeConfig,
    Function,
    InvocationRecord,
    LocalLambda,
    LocalLambdaError,
    load_toml,
    peers,
)
from tests.local.conftest import handler, invoke
from tests.local.test_runtimes import PROGRAM
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:sqs:us-east-1:000000000000:letters"

WHOLE = f"""
[local]
region = "eu-west-1"
account_id = "123456789012"
port = 0
concurrency_limit = 7
scaling_rate = 8
init_timeout = 5
idle_timeout = 60.5
time_scale = 0.01
state_dir = "state"
reload = false
allow_any_credentials = true

[functions.count]
handler = "app.py:count"
timeout = 1.5
memory_size = 256
environment = {{ STAGE = "test" }}
reserved_concurrency = 2
description = "counts"
layers = ["shared"]
versions = {{ 1 = "app.count", 2 = "app.py:count" }}
dead_letter = "{ARN}"
state = "Pending"
pending_seconds = inf
denied = true
log_format = "JSON"
application_log_level = "TRACE"
system_log_level = "WARN"

[functions.count.aliases]
live = "1"
next = {{ version = "1", weights = {{ 2 = 0.25 }}, description = "careful" }}

[functions.count.events]
maximum_retry_attempts = 1
maximum_event_age = 60
on_success = "plain:live"
on_failure = "{ARN}"

[functions.plain]
handler = "inner.handler"
task_root = "deep"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with handlers, a layer, and a package below another root."""
    (tmp_path / "app.py").write_text("def count(event, context):\n    return event + 1\n")
    (tmp_path / "shared").mkdir()
    (tmp_path / "deep" / "inner").mkdir(parents=True)
    (tmp_path / "deep" / "inner" / "__init__.py").write_text(
        "import os\nimport layered\ndef handler(event, context):\n    return [os.getcwd(), layered.NAME]\n"
    )
    return tmp_path


def write(place: Path, text: str) -> str:
    path = place / "functions.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_all_that_a_file_can_say(place: Path) -> None:
    """Every key comes to the Function's argument of its name, paths relative to the file."""
    functions = load_toml(write(place, WHOLE))
    assert functions == {
        "count": Function(
            "app.py:count",
            timeout=1.5,
            memory_size=256,
            environment={"STAGE": "test"},
            reserved_concurrency=2,
            description="counts",
            versions={"1": "app.count", "2": "app.py:count"},
            aliases={"live": "1", "next": Alias("1", weights={"2": 0.25}, description="careful")},
            events=EventInvokeConfig(1, 60, "plain:live", ARN),
            dead_letter=ARN,
            state="Pending",
            pending_seconds=math.inf,
            denied=True,
            log_format="JSON",
            application_log_level="TRACE",
            system_log_level="WARN",
            task_root=str(place),
            layers=[str(place / "shared")],
        ),
        "plain": Function("inner.handler", task_root=str(place / "deep")),
    }


def test_the_endpoints_own_table(place: Path) -> None:
    """[local] comes to LocalLambda's arguments; paths are relative to the file."""
    from lambda_invoke.local.definition import load_definition

    assert load_definition(write(place, WHOLE)).options == {
        "region_name": "eu-west-1",
        "account_id": "123456789012",
        "port": 0,
        "concurrency_limit": 7,
        "scaling_rate": 8,
        "init_timeout": 5,
        "idle_timeout": 60.5,
        "time_scale": 0.01,
        "state_dir": str(place / "state"),
        "reload": False,
        "allow_any_credentials": True,
    }


def test_options_of_the_call_come_first(place: Path) -> None:
    """from_file takes LocalLambda's options over those of the file."""
    path = write(
        place,
        f'[local]\nregion = "eu-west-1"\naccount_id = "123456789012"\n{ONE}',
    )
    assert LocalLambda.from_file(path).arn("count") == "arn:aws:lambda:eu-west-1:123456789012:function:count"
    local = LocalLambda.from_file(path, region_name="us-west-2")
    assert local.arn("count") == "arn:aws:lambda:us-west-2:123456789012:function:count"


def test_what_a_file_defines_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any directory: by file and by module, in the task root, with the layer behind it."""
    (place / "shared" / "layered.py").write_text("NAME = 'layer'\n")
    (place / "shared" / "app.py").write_text("raise ImportError('the layer comes behind the task root')\n")
    path = write(
        place,
        '[functions.count]\nhandler = "app.py:count"\nversions = {1 = "app.count"}\nlayers = ["shared"]\n'
        '[functions.deep]\nhandler = "inner.handler"\ntask_root = "deep"\nlayers = ["shared"]',
    )
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with LocalLambda.from_file(path, idle_timeout=60) as local:
        client = local.boto3_client()
        assert invoke(client, "count", 1).value == 2
        assert invoke(client, "count", 1, Qualifier="1").value == 2
        assert invoke(client, "deep").value == [str(place / "deep"), "layer"]
        client.close()


needs_linux = pytest.mark.skipif(not peers.AVAILABLE, reason="a Bootstrap needs Linux")


@pytest.fixture
def program(place: Path) -> Path:
    """An executable in the directory ``bin`` that answers what it was given; see runtimes/bootstrap.py."""
    file = place / "bin" / "program"
    file.parent.mkdir()
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAM}" "$@"\n')
    file.chmod(0o755)
    return file


BOOTSTRAPS = """
[functions.path]
bootstrap = "bin/program"

[functions.whole]
bootstrap = ["bin/program", "an argument"]
handler = "app.handler"
task_root = "deep"
runtime = "nodejs22.x"
memory_size = 256

[functions.program]
bootstrap = ["sh", "bin/program"]
aliases = { live = "$LATEST" }
"""


@needs_linux
def test_a_bootstrap_stands_in_a_file(place: Path, program: Path) -> None:
    """A path or a program with its arguments, relative to the file; a name without a slash is PATH's."""
    root = str(place)
    whole = Bootstrap(
        [program, "an argument"], handler="app.handler", task_root=place / "deep", runtime="nodejs22.x"
    )
    assert load_toml(write(place, BOOTSTRAPS)) == {
        "path": Function(Bootstrap(program), task_root=root),
        "whole": Function(whole, memory_size=256, task_root=str(place / "deep")),
        "program": Function(
            Bootstrap(["sh", "bin/program"], task_root=place), aliases={"live": "$LATEST"}, task_root=root
        ),
    }


@needs_linux
def test_a_bootstrap_of_a_file_runs(place: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any directory: a path in its own directory, else in the task root, else in the file's."""
    path = write(place, BOOTSTRAPS)
    monkeypatch.chdir(place / "deep")
    seen = {}
    with LocalLambda.from_file(path) as local:
        client = local.boto3_client()
        for name in ("path", "whole", "program:live"):
            answer = invoke(client, name, {}).value
            variables = answer["environment"]
            seen[name] = (answer["argv"], variables["_HANDLER"], variables["LAMBDA_TASK_ROOT"])
            execution = variables.get("AWS_EXECUTION_ENV")
            assert execution == ("AWS_Lambda_nodejs22.x" if name == "whole" else None)
        client.close()
    assert seen == {
        "path": ([], "function.handler", str(program.parent)),
        "whole": (["an argument"], "app.handler", str(place / "deep")),
        "program:live": ([], "function.handler", str(place)),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('bootstrap = "bin/nix"', "bootstrap: Bootstrap('{0}/bin/nix'): there is no file {0}/bin/nix in "),
        (
            'bootstrap = "app.py"',
            "bootstrap: Bootstrap('{0}/app.py'): {0}/app.py is not executable: chmod +x",
        ),
        (
            'bootstrap = ["no-such-program"]',
            "bootstrap: Bootstrap('no-such-program'): there is no program 'no",
        ),
        ('bootstrap = ["./nix", "a"]', "bootstrap: Bootstrap('{0}/nix a'): there is no file {0}/nix in "),
        ('bootstrap = ""', "bootstrap: is empty: a bootstrap's command is a path, or a program and its arg"),
        ("bootstrap = []", "bootstrap: is empty: a bootstrap's command is a path, or a program and its arg"),
        ("bootstrap = 1", "bootstrap: must be a string, not a whole number: write it in quotes"),
        ("bootstrap = [1]", "bootstrap: must hold strings, not a whole number"),
        ('bootstrap = "bin/program"\ntask_root = "nix"', "task_root: there is no directory nix in {0}"),
        ('bootstrap = "bin/program"\nhandler = 1', "handler: must be a string, not a whole number"),
        ('handler = "app.count"\nruntime = "x"', "runtime: goes with a bootstrap; a handler in Python runs"),
    ],
)
def test_a_wrong_bootstrap_is_named(place: Path, program: Path, text: str, says: str) -> None:
    """The table, the key and the fix."""
    assert program.exists()
    path = write(place, f"[functions.f]\n{text}\n")
    with pytest.raises(DefinitionError) as caught:
        load_toml(path)
    assert str(caught.value).startswith(f"{path}: [functions.f] {says.format(place)}")


STATES = f"""
[functions.private]
handler = "{handler("echo")}"
denied = true

[functions.stuck]
handler = "{handler("echo")}"
state = "Pending"
pending_seconds = inf

[functions.routed]
handler = "{handler("echo")}"
versions = {{ 1 = "{handler("echo")}", 2 = "{handler("echo")}" }}
aliases.live = {{ version = "1", weights = {{ 2 = 1 }} }}
"""


def test_states_denials_and_weights_count(place: Path) -> None:
    """What the file says of them is what the caller meets."""
    with LocalLambda.from_file(write(place, STATES)) as local:
        client = local.boto3_client()
        codes = {}
        for name in ("private", "stuck"):
            with pytest.raises(client.exceptions.ClientError) as caught:
                invoke(client, name)
            codes[name] = caught.value.response["Error"]["Code"]
        assert codes == {"private": "AccessDeniedException", "stuck": "ResourceConflictException"}
        assert invoke(client, "routed", 1, Qualifier="live").version == "2"
        client.close()


LOGS = """
[functions.text]
handler = "says.hello"

[functions.json]
handler = "says.hello"
log_format = "JSON"
system_log_level = "DEBUG"
application_log_level = "WARN"
"""


def test_both_log_formats_and_what_the_command_shows_of_them(place: Path) -> None:
    """Lambda's own lines are hidden in JSON as in text; whatever the handler printed is shown."""
    own = [
        "hello",
        '{"time":"now","type":"order","record":{}}',
        '{"time":"now","type":"platform.start"}',
        '{"time":"now","type":1,"record":{}}',
        '{"time":',
        '{"type":"platform.start","time":"now","record":{}}',
    ]
    (place / "says.py").write_text(
        "import logging\n"
        f"def hello(event, context):\n    print(*{own!r}, sep='\\n')\n"
        "    logging.getLogger().warning('careful')\n    logging.getLogger().info('by the way')\n"
    )
    records: list[InvocationRecord] = []
    with LocalLambda.from_file(write(place, LOGS), on_invocation=records.append) as local:
        client = local.boto3_client()
        for name in ("text", "json"):
            invoke(client, name)
        client.close()
    text, json_lines = (record.log for record in records)
    assert text.startswith("START RequestId: ")
    assert [kind in json_lines for kind in ("platform.initStart", "platform.start", "platform.report")] == [
        True,
        True,
        True,
    ]
    assert "platform.runtimeDone" in json_lines
    for log in (text, json_lines):
        shown = printed(log)
        assert shown[: len(own)] == own
        (warning,) = shown[len(own) :]
        assert "careful" in warning


OPTIONS = """
[local]
time_scale = 0.001
state_dir = "kept"
allow_any_credentials = true
reload = false
scaling_rate = 1

[functions]
count.handler = "app.py:count"
fails.handler = "app.py:fails"
exits.handler = "app.py:exits"
"""
APP = """
import os
def count(event, context): return event + 1
def fails(event, context): raise KeyError
def exits(event, context): os._exit(1)
"""


def test_the_endpoints_options_count(place: Path) -> None:
    """Anybody's key will do, Events are kept beside the file, and a changed file is not looked at."""
    (place / "app.py").write_text(APP)
    with LocalLambda.from_file(write(place, OPTIONS)) as local:
        anybody = boto3.client(
            "lambda",
            endpoint_url=local.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="anybody",
            aws_secret_access_key="at-all",
        )
        assert invoke(anybody, "count", 1).value == 2
        assert list((place / "kept").iterdir())
        (place / "app.py").write_text(APP.replace("+ 1", "+ 'changed'"))
        assert invoke(anybody, "count", 2).value == 3
        anybody.close()
        assert local.stats("count").cold_starts == 1


def test_the_endpoints_times_and_rates_count(place: Path) -> None:
    """The minutes between retries pass in a moment, and a second environment is not to be had at once."""
    (place / "app.py").write_text(APP)
    with LocalLambda.from_file(write(place, OPTIONS)) as local:
        client = local.boto3_client(config=Config(retries={"total_max_attempts": 1}))
        invoke(client, "fails", InvocationType="Event")
        local.wait_for_events(PATIENCE)
        assert local.stats("fails").retried == 2
        assert invoke(client, "exits").error == "Unhandled"
        with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
            invoke(client, "exits")
        assert caught.value.response["Reason"] == "FunctionInvocationRateLimitExceeded"
        client.close()


ONE = '[functions.count]\nhandler = "app.py:count"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[functions.count\n", "functions.toml: not TOML: "),
        ("", "functions.toml: it defines no function: write [functions.NAME]"),
        ("[function.count]\n", "the file: there is no key 'function'; did you mean 'functions'?"),
        (f"{ONE}state = 'Gone'", "[functions.count]: state must be one of Active, Pending, Inactive, Failed"),
        (f"{ONE}pending_seconds = -1", "[functions.count]: pending_seconds must be 0 or more, not -1"),
        (f"{ONE}denied = 'yes'", "[functions.count] denied: must be a boolean, not a string"),
        (f"{ONE}log_format = 'json'", "[functions.count]: log_format must be one of Text, JSON, not 'json'"),
        (f"{ONE}[local]\nscaling_rate = 1.5", "[local] scaling_rate: must be a whole number, not a number"),
        ("[functions.count]\n", "[functions.count] handler: is missing: write 'path/file.py:function'"),
        (f"{ONE}timout = 3", "[functions.count]: there is no key 'timout'; did you mean 'timeout'?"),
        (f"{ONE}zzz = 3", "[functions.count]: there is no key 'zzz'; known are timeout, "),
        (f'{ONE}timeout = "3"', "[functions.count] timeout: must be a number, not a string"),
        (f"{ONE}timeout = 901", "[functions.count]: timeout must be over 0 and at most 900 seconds"),
        (f"{ONE}memory_size = true", "[functions.count] memory_size: must be a whole number, not a boolean"),
        (f"{ONE}memory_size = 1", "[functions.count]: memory_size must be from 128"),
        (
            f"{ONE}environment.A = 1",
            "[functions.count.environment] A: must be a string, not a whole number: ",
        ),
        (f"{ONE}description = 2026-11-21", "description: must be a string, not a date or time"),
        (f'{ONE}layers = "a"', "layers: must be an array, not a string"),
        (f"{ONE}layers = [1]", "layers: must hold strings, not a whole number"),
        (f'{ONE}layers = ["nix"]', "layers: there is no directory nix in "),
        (f'{ONE}task_root = "nix"', "task_root: there is no directory nix in "),
        (f'{ONE}aliases.live = "1"', "[functions.count]: alias 'live' points to version '1'"),
        (f"{ONE}aliases.live = {{}}", "[functions.count.aliases.live] version: is missing"),
        (
            f'{ONE}aliases.live = {{version = "1", weights = {{2 = 3}}}}',
            "[functions.count.aliases.live] weights: the weight of version '2' must be from 0 to 1",
        ),
        (
            f"{ONE}events.maximum_event_age = 5",
            "[functions.count.events]: maximum_event_age must be from 60 to 21600 seconds",
        ),
        (
            f"{ONE}events.on_sucess = 'x'",
            "[functions.count.events]: there is no key 'on_sucess'; did you mean",
        ),
        (
            f"{ONE}events.on_success = 'coun'",
            "on_success is neither an ARN nor a function of this file: 'coun'; did you mean 'count'?",
        ),
        (f"{ONE}dead_letter = 'x'", "[functions.count]: dead_letter must be the ARN of an SQS queue"),
        (f"{ONE}[local]\nregin = 'x'", "[local]: there is no key 'regin'; did you mean 'region'?"),
        ('[functions."a b"]\nhandler = "app.count"', "a function name is 1 to 64 letters"),
        ('[functions.f]\nhandler = "count"', "'count' does not name a handler"),
        (
            '[functions.f]\nhandler = "nix.py:f"',
            "[functions.f]: handler 'nix.py:f': there is no file nix.py in",
        ),
        ('[functions.f]\nhandler = "nix.f"', "[functions.f]: handler 'nix.f': there is no module nix in "),
        ('[functions.f]\nhandler = "json.nix.f"', "there is no module json.nix in "),
        ('[functions.f]\nhandler = "app.nix.f"', "there is no module app.nix in "),
        ('[functions.f]\nhandler = "nix:a.b"', "there is no module nix in "),
        (f"{ONE}[local]\nport = 65536", "[local]: port must be from 0 to 65535, not 65536"),
        (f"{ONE}[local]\nregion = 'x y'", "[local]: region must be a region such as eu-west-1, not 'x y'"),
        (f"{ONE}environment._HANDLER = 'x'", "[functions.count]: environment: Lambda sets _HANDLER itself"),
        (
            f"{ONE}events.on_failure = 'arn:aws:sqs:nix'",
            "[functions.count]: on_failure: 'arn:aws:sqs:nix' is no ARN",
        ),
        (
            f"{ONE}events.on_success = 'arn:aws:s3:::bucket'",
            "on_success: 'arn:aws:s3:::bucket' cannot be on_success: Lambda puts only failures into S3",
        ),
        (
            f"{ONE}dead_letter = 'arn:aws:events:us-east-1:123456789012:event-bus/b'",
            "event-bus/b' cannot be a dead-letter queue",
        ),
        (
            f"{ONE}events.on_failure = 'arn:aws:sqs:us-east-1:123456789012:q.fifo'",
            "q.fifo' is first in, first out",
        ),
    ],
)
def test_an_error_names_the_place(place: Path, text: str, says: str) -> None:
    """The file, the table and the key; a slip has its correction."""
    path = write(place, text)
    with pytest.raises(LocalLambdaError) as caught:
        load_toml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


def test_values_stand_in_no_error(place: Path) -> None:
    """What an environment holds may be secret."""
    with pytest.raises(DefinitionError) as caught:
        load_toml(write(place, f'{ONE}environment = {{ KEY = ["hunter2"] }}'))
    assert "hunter2" not in f"{caught.value}{caught.value.__cause__!r}"
    assert "hunter2" not in repr(load_toml(write(place, f'{ONE}environment = {{ KEY = "hunter2" }}')))


def test_not_utf_8(place: Path) -> None:
    """Bytes that are no text are an error of the file."""
    path = place / "functions.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(DefinitionError, match="not UTF-8 at byte 1"):
        load_toml(path)


@hypothesis.given(
    values=strategies.recursive(
        strategies.none() | strategies.integers() | strategies.text(max_size=3) | strategies.booleans(),
        lambda inner: (
            strategies.lists(inner, max_size=3)
            | strategies.dictionaries(
                strategies.sampled_from(
                    ["handler", "bootstrap", "timeout", "events", "aliases", "versions", "layers", "a"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_any_table_is_read_or_refused(values: Any) -> None:
    """Whatever a function's table holds, nothing but an error of the file comes of it."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "functions.toml")
        path.write_text(f"[functions]\nf = {toml(values)}\n", encoding="utf-8")
        with contextlib.suppress(LocalLambdaError):
            load_toml(path)


def toml(value: Any) -> str:
    """A value as TOML; None as a date."""
    import json

    match value:
        case dict():
            return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case None:
            return "2026-11-21"
        case str():
            return json.dumps(value).replace("\x7f", "")
        case int() if not isinstance(value, bool):
            return str(max(min(value, 2**63 - 1), -(2**63)))
    return json.dumps(value)


def test_only_known_kinds_of_files(tmp_path: Path) -> None:
    """The suffix says which kind it is; parameters are a template's."""
    path = tmp_path / "functions.ini"
    path.write_text("")
    with pytest.raises(DefinitionError, match=r"a definition file ends in one of \.toml, \.yaml"):
        LocalLambda.from_file(path)
    with pytest.raises(DefinitionError, match="parameters are for an AWS SAM template"):
        LocalLambda.from_file(write(tmp_path, ONE), parameters={"A": "1"})
    with pytest.raises(FileNotFoundError):
        LocalLambda.from_file(tmp_path / "nix.toml")


def test_the_port_can_be_chosen(place: Path) -> None:
    """It listens there; one that is taken is named, and can be had once it is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        local = LocalLambda({"f": f"{place}/app.py:count"}, port=port)
        with pytest.raises(LocalLambdaError, match=rf"port {port} of 127\.0\.0\.1 is in use: choose another"):
            local.start()
    with local:
        assert local.endpoint_url == f"http://127.0.0.1:{port}"
    with pytest.raises(ValueError, match="port must be from 0 to 65535, not 65536"):
        LocalLambda({}, port=65536)


def test_a_port_that_is_not_allowed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ports below 1024 are not everybody's; any other failure to listen comes out as it is."""
    number = errno.EACCES

    async def refuse(self: Any) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("lambda_invoke.local.http.HttpServer.start", refuse)
    local = LocalLambda({"f": f"{place}/app.py:count"}, port=80)
    with pytest.raises(LocalLambdaError, match=r"port 80 of 127\.0\.0\.1 is not allowed to this user"):
        local.start()
    number = errno.EMFILE
    with pytest.raises(OSError, match="no"):
        local.start()
