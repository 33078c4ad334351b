"""Every kind of finding: a function set up wrongly is found, one set up rightly is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambda_invoke import Severity
from lambda_invoke.doctor.kinds import KINDS
from tests.doctor.cases import CASES, silent, url
from tests.doctor.world import LETTERS

if TYPE_CHECKING:
    from tests.doctor.world import World


def found(world: World) -> list[str]:
    return [finding.id for finding in world.diagnose().findings]


def test_every_kind_has_its_pair() -> None:
    """A kind cannot be left out of these tests by forgetting it."""
    assert CASES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", CASES)
def test_what_is_wrong_is_found(kind: str, world: World) -> None:
    """It is found once, with evidence and of the severity that is documented."""
    CASES[kind][0](world)
    (finding,) = (each for each in world.diagnose().findings if each.id == kind)
    assert finding.severity is KINDS[kind].severity
    assert finding.evidence
    assert finding.title
    assert finding.fix


@pytest.mark.parametrize("kind", CASES)
def test_what_is_right_is_not(kind: str, world: World) -> None:
    """By a hair: the smallest change that mends it is enough."""
    CASES[kind][1](world)
    assert kind not in found(world)


def test_nothing_is_found_where_nothing_is_wrong(world: World) -> None:
    """All is looked at, a queue and a stream included, and there is not one finding."""
    world.read_queue(world.queue())
    world.read_stream()
    world.metric("Invocations", 100)
    diagnosis = world.diagnose()
    assert diagnosis.findings == ()
    assert diagnosis.worst is None
    assert len(diagnosis.looked_at) == 10
    assert diagnosis.summary == "nothing found"
    assert repr(diagnosis) == f"<Diagnosis of {world.name}: nothing found>"


def test_messages_that_wait_while_nothing_runs_are_a_silent_mapping(world: World) -> None:
    """SQS mappings say nothing of their last batch: messages that wait, and no invocation, do."""
    silent()(world)
    (finding,) = (each for each in world.diagnose().findings if each.id == "mapping-silent")
    assert "3 messages wait" in str(finding.evidence["likeliest_cause"])


def test_messages_that_wait_while_it_runs_are_none(world: World) -> None:
    """They are only what has not been taken yet."""
    silent(5)(world)
    assert "mapping-silent" not in found(world)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, "its filter lets nothing through"),
        ({"StartingPosition": "LATEST"}, "it starts at LATEST"),
        ({"StartingPosition": "TRIM_HORIZON"}, "the source is empty"),
    ],
)
def test_the_likeliest_cause_of_silence(said: dict[str, object], cause: str, world: World) -> None:
    """It is told from the mapping's own settings."""
    world.mapped(LastProcessingResult="No records processed", **said)
    (finding,) = world.diagnose().findings
    assert cause in str(finding.evidence["likeliest_cause"])


def test_reserved_zero_explains_silence(world: World) -> None:
    """The worst comes first, and is named as the cause of the rest."""
    world.reserve(0)
    world.mapped(LastProcessingResult="No records processed")
    diagnosis = world.diagnose()
    assert [each.id for each in diagnosis.findings] == ["reserved-concurrency-zero", "mapping-silent"]
    assert diagnosis.worst is Severity.ERROR
    assert diagnosis.findings[1].evidence["likeliest_cause"] == "the function's reserved concurrency is 0"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("PROBLEM: Function call failed", "the function fails"),
        ("PROBLEM: Access denied to the stream", "role may not read"),
        ("PROBLEM: something new", "PROBLEM: something new"),
    ],
)
def test_the_likeliest_cause_of_a_problem(said: str, cause: str, world: World) -> None:
    """Lambda's words are explained where they are known, and repeated where not."""
    world.mapped(LastProcessingResult=said)
    (finding,) = world.diagnose().findings
    assert cause in finding.fix


def test_who_disabled_a_mapping(world: World) -> None:
    """Somebody, or Lambda for a reason that it gives."""
    world.mapped(State="Disabled", StateTransitionReason="EVENT_SOURCE_AUTHZ_ERROR")
    (finding,) = world.diagnose().findings
    assert finding.evidence["likeliest_cause"] == "Lambda did: the function's role may not read the source"


def test_a_source_without_an_arn(world: World) -> None:
    """A source without an ARN has no queue to look at, and no batch item failures to report."""
    mapping = {"UUID": "k", "Topics": ["orders"], "BatchSize": 100, "State": "Enabled"}
    world.answer("ListEventSourceMappings", EventSourceMappings=[mapping])
    assert world.diagnose().findings == ()


def test_a_dead_letter_queue_will_do(world: World) -> None:
    """It is the older failure destination; and it may not be FIFO either."""
    world.function(bare=True)
    world.configured(DeadLetterConfig={"TargetArn": LETTERS})
    assert found(world) == []
    world.configured(DeadLetterConfig={"TargetArn": f"{LETTERS}.fifo"})
    assert found(world) == ["failure-destination-is-fifo"]


def test_a_public_url_is_one_finding(world: World) -> None:
    """The statement that goes with it lets nobody in but by the URL; with IAM everybody is everybody."""
    CASES["public-function-url"][0](world)
    assert found(world) == ["public-function-url"]
    url("*", "AWS_IAM")(world)
    assert found(world) == ["public-invoke"]


def test_a_qualifier_has_settings_of_its_own(world: World) -> None:
    """Event settings and failure destinations are of one qualifier; the evidence says where else one is."""
    world.configured(Version="3")
    world.asked = {"qualifier": "prod"}
    (finding,) = world.diagnose().findings
    assert finding.id == "events-without-failure-destination"
    assert finding.evidence["qualifier"] == "prod"
    assert finding.evidence["failure_destinations_of"] == ("$LATEST",)


def test_the_page_has_every_kind() -> None:
    """docs/doctor.md names each with its severity, why and source, and none that is not there."""
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert re.findall(r"^#### `([a-z0-9-]+)`: (\w+)$", page, re.MULTILINE) == [
        (kind.id, kind.severity.value) for kind in (*list(KINDS.values())[1:], KINDS["could-not-look"])
    ]
    for kind in KINDS.values():
        assert kind.why in page
        assert f"Source: {kind.source}." in page
