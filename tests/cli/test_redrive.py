"""``redrive``: the dry run by default, what is sent, what is said, and the exit codes."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke.cli.argument_types import age
from lambda_invoke.cli.program import main
from tests.cli.command import Done, Running, run
from tests.events.redrive_tools import SECRET, failure
from tests.support.moto import serving
from tests.support.server import ScriptedServer
from tests.support.steps import error, hang, ok

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.moto import Moto
    from tests.support.steps import Call, Step


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with serving(waits=False) as server:
        yield server


@pytest.fixture
def url(
    moto: Moto, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """A queue with five failures, that the command finds as the AWS CLI would."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sqs = moto.client("sqs")
    found: str = sqs.create_queue(QueueName=re.sub(r"\W", "-", request.node.name)[:70])["QueueUrl"]
    for event in range(5):
        sqs.send_message(QueueUrl=found, MessageBody=failure(event, age=7200 if event else 0))
    yield found
    sqs.delete_queue(QueueUrl=found)  # what moto's servers hold is the process's: others may use the name
    sqs.close()


def left(moto: Moto, url: str) -> int:
    sqs = moto.client("sqs")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    sqs.close()
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


Redrive = Callable[..., Done]


@pytest.fixture
def redrive(capsys: pytest.CaptureFixture[str]) -> Redrive:
    """Runs the command in this process: a dozen processes of its own take their time to start."""

    def command(*arguments: str) -> Done:
        try:
            code = main(["redrive", *arguments])
        except SystemExit as ended:
            code = int(str(ended.code))
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return command


def at(server: Any) -> tuple[str, ...]:
    return ("--function", "f", "--endpoint-url", server.url)


def one_fails(call: Call) -> Step:
    if call.json["id"] == 1:
        return ok(b'{"errorType": "StillBroken", "errorMessage": "no"}', function_error="Unhandled")
    return ok(b"1")


def test_without_send_it_only_looks(moto: Moto, url: str, redrive: Redrive) -> None:
    """A table, how to go on, exit code 0; nothing sent, nothing gone, no payload shown."""
    with ScriptedServer() as server:
        done = run("redrive", url, "--endpoint-url", server.url)
        assert server.requests == 0
    assert (done.code, done.err) == (0, "")
    assert "5 messages; 5 to be sent again" in done.out
    assert "KeyError" in done.out
    assert "orders:$LATEST" in done.out
    assert "To send these 5 again, add --send" in done.out
    assert SECRET not in done.out
    assert left(moto, url) == 5


def test_it_sends(moto: Moto, url: str, redrive: Redrive) -> None:
    """Exit code 1: one failed again, and is in the queue; with a mended function all is done, code 0."""
    with ScriptedServer(one_fails) as server:
        done = redrive(url, "--send", "--endpoint-url", server.url)
        assert server.executions == 5
    assert done.code == 1
    assert "4 succeeded, 1 failed, 4 deleted" in done.out
    assert "HandlerError (StillBroken)" in done.out
    assert left(moto, url) == 1
    with ScriptedServer() as server:
        done = redrive(url, "--send", "--function", "orders", "--endpoint-url", server.url, "--json")
    assert done.code == 0
    (report,) = done.lines
    assert (report["succeeded"], report["deleted"], report["left_in_queue"]) == (1, 1, 0)
    assert left(moto, url) == 0


def test_all_fail(url: str, redrive: Redrive) -> None:
    """Exit code 2, and the errors in JSON."""
    with ScriptedServer([error(404, "ResourceNotFoundException", "gone")]) as server:
        done = redrive(url, "--send", "--json", *at(server))
    assert done.code == 2
    (report,) = done.lines
    assert {one["error"]["class"] for one in report["failed"]} == {"FunctionNotFoundError"}
    assert {one["error"]["executed"] for one in report["failed"]} == {"no"}


def test_what_is_chosen(moto: Moto, url: str, redrive: Redrive) -> None:
    """By age, type, request id and limit; the rest stays."""
    with ScriptedServer() as server:
        assert redrive(url, "--json", "--older-than", "1h", "--limit", "5").lines[0]["chosen"] == 4
        assert redrive(url, "--json", "--newer-than", "1h", "--limit", "5").lines[0]["chosen"] == 1
        assert redrive(url, "--json", "--error-type", "ValueError", "--limit", "5").lines[0]["chosen"] == 0
        done = redrive(url, "--send", "--request-id", "request-2", "--request-id", "request-3", *at(server))
        assert "2 succeeded" in done.out
        done = redrive(url, "--send", "--limit", "1", "--as-events", *at(server))
        assert "1 accepted" in done.out
        assert server.requests == 3
    assert left(moto, url) == 2


def test_a_signal_in_the_middle(moto: Moto, url: str, redrive: Redrive) -> None:
    """SIGTERM: exit code 143; what may have run is named, and the next run leaves it alone."""
    with ScriptedServer([hang()]) as server, Running("redrive", url, "--send", *at(server)) as running:
        server.wait_until(lambda seen: seen.in_flight == 5)
        running.signal(signal.SIGTERM)
        done = running.end()
    assert done.code == 143
    assert "5 may have run" in done.out
    assert "stopped by SIGTERM" in done.err
    assert left(moto, url) == 5
    with ScriptedServer() as server:
        again = redrive(url, "--send", *at(server))
        assert server.requests == 0
        assert again.code == 1
        look = redrive(url, "--limit", "5")
        assert "5 may have run" in look.out
        assert "--send would send nothing" in look.out
        assert redrive(url, "--send", "--idempotent", "--limit", "5", *at(server)).code == 0
        assert server.executions == 5
    assert left(moto, url) == 0


def test_what_cannot_be_done(
    moto: Moto, url: str, tmp_path: Path, redrive: Redrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such queue is 4, no URL 64, a journal of another queue 73; each is one line."""
    gone = redrive(f"{url}-gone")
    assert gone.code == 4
    assert "NonExistentQueue" in gone.err
    assert redrive("dead-letters").code == 64
    assert redrive(url, "--older-than", "soon").code == 64
    journal = tmp_path / "journal"
    journal.write_text("something else" * 100)
    refused = redrive(url, "--send", "--function", "f", "--journal", str(journal))
    assert refused.code == 73
    assert refused.err.startswith("lambda_invoke: journal ")
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/state")
    assert redrive(url, "--send", "--function", "f").code == 73
    assert left(moto, url) == 5


def test_dead_letters_need_a_function(moto: Moto, url: str, redrive: Redrive) -> None:
    """Exit code 64 with how many, and the dry run says to add it."""
    sqs = moto.client("sqs")
    told = {"RequestID": ("String", "r"), "ErrorCode": ("Number", "200"), "ErrorMessage": ("String", "no")}
    attributes = {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in told.items()}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"id": 9}), MessageAttributes=attributes)
    sqs.close()
    assert "add --send --function FUNCTION" in redrive(url).out
    refused = redrive(url, "--send")
    assert refused.code == 64
    assert "1 of the messages are dead letters" in refused.err
    assert left(moto, url) == 6


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259_200)]
)
def test_ages(text: str, seconds: float) -> None:
    """A number of seconds, or with its unit."""
    assert age(text) == seconds
