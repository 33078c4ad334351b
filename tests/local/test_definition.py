"""Definition files: TOML, what it comes to, and errors that say where and what to do."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis import strategies

from lambda_invoke.local import (
    Alias,
    DefinitionError,
    EventInvokeConfig,
    Function,
    LocalLambda,
    LocalLambdaError,
    load_toml,
)
from tests.local.conftest import invoke

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:sqs:us-east-1:000000000000:letters"

WHOLE = f"""
[local]
region = "eu-west-1"
account_id = "123456789012"
port = 0
concurrency_limit = 7
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


ONE = '[functions.count]\nhandler = "app.py:count"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[functions.count\n", "functions.toml: not TOML: "),
        ("", "functions.toml: it defines no function: write [functions.NAME]"),
        ("[function.count]\n", "the file: there is no key 'function'; did you mean 'functions'?"),
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
                    ["handler", "timeout", "events", "aliases", "versions", "layers", "a"]
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
