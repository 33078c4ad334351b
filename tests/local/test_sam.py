"""AWS SAM templates: what of their functions can be had here, and what is said of the rest."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis import strategies

from lambda_invoke.local import (
    Alias,
    Bootstrap,
    DefinitionError,
    DefinitionWarning,
    EventInvokeConfig,
    Function,
    LocalLambda,
    LocalLambdaError,
    load_sam,
    peers,
)
from lambda_invoke.local.intrinsics import MalformedTemplate, Resolver, Unresolvable
from lambda_invoke.local.sam import merge, read_sam
from tests.local.conftest import invoke
from tests.local.test_runtimes import PROGRAM, RUNTIMES
from tests.support import node

if TYPE_CHECKING:
    from pathlib import Path

HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
ARN = "arn:aws:{}:us-east-1:000000000000:{}"

PLAIN = f"Runtime: {HERE}, CodeUri: src, Handler: app.count"
"""The properties that a function needs."""

WHOLE = f"""
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {{Type: String, Default: dev, AllowedValues: [dev, prod]}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Globals:
  Function:
    Runtime: {HERE}
    CodeUri: src/
    Timeout: 10
    Environment: {{Variables: {{STAGE: !Ref Stage, SHARED: global}}}}
Resources:
  Queue: {{Type: AWS::SQS::Queue}}
  Letters: {{Type: AWS::SNS::Topic, Properties: {{TopicName: !Sub "${{Stage}}-letters"}}}}
  Count:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${{AWS::StackName}}-count"
      Description: counts
      Handler: app.count
      MemorySize: !If [IsProd, 1024, 256]
      ReservedConcurrentExecutions: 100
      AutoPublishAlias: live
      Policies: [AmazonDynamoDBReadOnlyAccess]
      Events: {{Get: {{Type: Api, Properties: {{Path: /, Method: get}}}}}}
      Environment:
        Variables: {{SHARED: own, OTHER: !Ref Other, OTHER_ARN: !GetAtt Other.Arn, DEBUG: true, N: 3}}
      EventInvokeConfig:
        MaximumEventAgeInSeconds: 60
        MaximumRetryAttempts: 0
        DestinationConfig:
          OnSuccess: {{Type: Lambda, Destination: !GetAtt Other.Arn}}
          OnFailure: {{Type: SQS, Destination: !GetAtt Queue.Arn}}
      DeadLetterQueue: {{Type: SNS, TargetArn: !Ref Letters}}
  Other:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: {HERE}
      Code: src
      Handler: pkg/inner.handler
      DeadLetterConfig: {{TargetArn: !GetAtt [Queue, Arn]}}
  OnlyProd:
    Type: AWS::Serverless::Function
    Condition: IsProd
    Properties: {{Handler: app.count}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    source = tmp_path / "src"
    (source / "pkg").mkdir(parents=True)
    (source / "app.py").write_text(
        "import os\ndef count(event, context):\n    return dict(os.environ, cwd=os.getcwd())\n"
    )
    (source / "pkg" / "__init__.py").write_text("")
    (source / "pkg" / "inner.py").write_text("from . import other\nhandler = other.handler\n")
    (source / "pkg" / "other.py").write_text("def handler(event, context):\n    return event\n")
    return tmp_path


def write(place: Path, text: str) -> str:
    path = place / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def function(properties: str, *, more: str = "", top: str = "") -> str:
    """A template with one function F."""
    return (
        f"{top}\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: "
        f"{{Runtime: {HERE}, CodeUri: src, Handler: app.count, {properties}}}\n{more}"
    )


def load_sam_quietly(path: str) -> dict[str, Function]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DefinitionWarning)
        return load_sam(path)


def test_what_a_template_defines(place: Path) -> None:
    """Globals merged, references resolved, names and ARNs those of this machine."""
    root = str(place / "src")
    assert load_sam(write(place, WHOLE)) == {
        "local-count": Function(
            "app.count",
            timeout=10,
            memory_size=256,
            description="counts",
            reserved_concurrency=100,
            environment={
                "STAGE": "dev",
                "SHARED": "own",
                "OTHER": "Other",
                "OTHER_ARN": ARN.format("lambda", "function:Other"),
                "DEBUG": "true",
                "N": "3",
            },
            versions={"1": "app.count"},
            aliases={"live": "1"},
            events=EventInvokeConfig(
                0, 60, ARN.format("lambda", "function:Other"), ARN.format("sqs", "Queue")
            ),
            dead_letter=ARN.format("sns", "dev-letters"),
            task_root=root,
        ),
        "Other": Function("pkg.inner.handler", dead_letter=ARN.format("sqs", "Queue"), task_root=root),
    }


def test_parameters_and_conditions(place: Path) -> None:
    """A parameter that is given changes what is there; a pseudo parameter can be given too."""
    functions = load_sam(write(place, WHOLE), parameters={"Stage": "prod", "AWS::StackName": "shop"})
    assert sorted(functions) == ["OnlyProd", "Other", "shop-count"]
    assert functions["shop-count"].memory_size == 1024
    assert functions["OnlyProd"].environment == {"STAGE": "prod", "SHARED": "global"}


def test_what_a_template_defines_runs(place: Path) -> None:
    """Through from_file, with room for what production reserves: in CodeUri, as packages."""
    with pytest.warns(DefinitionWarning) as caught:
        local = LocalLambda.from_file(write(place, WHOLE), region_name="eu-west-1")
    left_out = [str(one.message).partition(": ")[2] for one in caught]
    assert {text.partition(" of function")[0] for text in left_out} == {"on_failure", "dead_letter"}
    assert all("is a real service's" in text for text in left_out)
    with local:
        client = local.boto3_client()
        seen = invoke(client, "local-count", Qualifier="live").value
        assert invoke(client, "Other", [1]).value == [1]
        client.close()
    assert (seen["cwd"], seen["STAGE"]) == (str(place / "src"), "dev")
    assert seen["OTHER_ARN"] == "arn:aws:lambda:eu-west-1:000000000000:function:Other"
    assert seen["OTHER_ARN"] == local.arn("Other")


def test_layers_that_lie_here(place: Path) -> None:
    """A layer's python directory, its site-packages, and one that sam build would build, are importable."""
    version = place / "made" / "python" / "lib" / HERE / "site-packages"
    version.mkdir(parents=True)
    (place / "built").mkdir()
    text = function(
        "Layers: [!Ref Made, !Ref Built, !Ref AWS::NoValue]",
        more="  Made: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: made}}\n"
        "  Built:\n    Type: AWS::Serverless::LayerVersion\n    Metadata: {BuildMethod: python3.12}\n"
        "    Properties: {LayerName: tools, ContentUri: built}\n",
    )
    assert load_sam(write(place, text))["F"].layers == (
        str(version),
        str(place / "made" / "python"),
        str(place / "built"),
    )


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        (
            "Environment: {Variables: {A: !GetAtt T.StreamArn}}",
            "environment variable A is left out: T.StreamArn",
        ),
        ("Environment: {Variables: {A: !Ref Pool}}", "variable A is left out: Pool (AWS::Cognito::UserPool)"),
        ("Environment: {Variables: {A: !ImportValue x}}", "Fn::ImportValue is known only to CloudFormation"),
        ("Environment: {Variables: {A: '{{resolve:ssm:/a}}'}}", "{{resolve:ssm:/a}} is known only to"),
        ("Environment: {Variables: {A: !Sub '{{resolve:ssm:/${S}}}'}}", "is known only to CloudFormation"),
        ("Environment: {Variables: {A: !Ref Asked}}", "the parameter Asked has no default and was not given"),
        ("Environment: {Variables: {A: !Ref Stored}}", "the parameter Stored stands in the Systems Manager"),
        ("Timeout: !ImportValue x", "Timeout is left out: Fn::ImportValue"),
        (
            "Layers: ['arn:aws:lambda:us-east-1:1:layer:x:1']",
            "layer arn:aws:lambda:us-east-1:1:layer:x:1 is left",
        ),
        ("Nonesuch: 1", "the property Nonesuch is not known and left out"),
        (
            "EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS}}}",
            "OnFailure is left out: its Destination is known only once it is deployed",
        ),
        (
            "EventInvokeConfig: {DestinationConfig: {OnFailure: {Destination: !GetAtt Pool.Arn}}}",
            "EventInvokeConfig: DestinationConfig: OnFailure: Destination is left out: Pool.Arn",
        ),
    ],
)
def test_what_is_left_out_is_warned_of(place: Path, properties: str, says: str) -> None:
    """Once, with the resource, the property and the reason; the function is served without it."""
    text = function(
        properties,
        top="Parameters:\n  S: {Type: String, Default: s}\n  Asked: {Type: String}\n"
        "  Stored: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /a}",
        more="  T: {Type: AWS::DynamoDB::Table}\n  Pool: {Type: AWS::Cognito::UserPool}\n",
    )
    path = write(place, text)
    with pytest.warns(DefinitionWarning) as caught:
        functions = load_sam(path)
    assert [str(each.message).startswith(f"{path}: F") for each in caught] == [True]
    assert caught[0].filename == __file__
    assert says in str(caught[0].message)
    assert functions == {"F": Function("app.count", task_root=str(place / "src"))}


def test_log_settings_count(place: Path) -> None:
    """LoggingConfig, of the Globals and of the function's own, is the function's log format and levels."""
    text = function(
        "LoggingConfig: {ApplicationLogLevel: WARN, SystemLogLevel: !Ref Level}",
        top="Parameters: {Level: {Type: String, Default: DEBUG}}\n"
        "Globals: {Function: {LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: DEBUG}}}",
    )
    (served,) = load_sam(write(place, text)).values()
    assert (served.log_format, served.application_log_level, served.system_log_level) == (
        "JSON",
        "WARN",
        "DEBUG",
    )


@pytest.mark.parametrize("code", ["!Ref Source", "!Sub '${Source}/'", "!Join ['/', [., !Ref Source]]"])
@pytest.mark.parametrize(
    "kind", ["AWS::Serverless::Function, Properties: {CodeUri", "AWS::Lambda::Function, Properties: {Code"]
)
def test_the_code_can_be_a_reference(place: Path, kind: str, code: str) -> None:
    """What the reference comes to is the directory."""
    text = (
        "Parameters: {Source: {Type: String, Default: src}}\n"
        f"Resources:\n  F: {{Type: {kind}: {code}, Runtime: {HERE}, Handler: app.count}}}}\n"
    )
    (served,) = load_sam(write(place, text)).values()
    assert os.path.normpath(served.task_root or "") == str(place / "src")


def test_a_destination_that_is_not_served_is_left_out(place: Path) -> None:
    """A function of another runtime or account as a destination: a warning, and the template is served."""
    text = function(
        "EventInvokeConfig: {MaximumRetryAttempts: 1, DestinationConfig: {OnSuccess: {Destination: !GetAtt "
        "G.Arn}, OnFailure: {Destination: 'arn:aws:lambda:us-east-1:123456789012:function:F'}}}",
        more="  G: {Type: AWS::Serverless::Function, Properties: {Runtime: java21, CodeUri: src}}\n",
    )
    path = write(place, text)
    with pytest.warns(DefinitionWarning) as caught, LocalLambda.from_file(path) as local:
        assert repr(local).startswith("LocalLambda(['F'], ")
    said = [str(each.message) for each in caught]
    assert (
        f"{path}: F: EventInvokeConfig: on_success is left out: {ARN.format('lambda', 'function:G')} is not "
        in (said[1])
    )
    assert "on_failure is left out: arn:aws:lambda:us-east-1:123456789012:function:F is not served" in said[2]
    assert load_sam_quietly(path) == {
        "F": Function("app.count", task_root=str(place / "src"), events=EventInvokeConfig(1))
    }


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ("Runtime: ruby3.3", "its Runtime is ruby3.3; only Python, nodejs and provided runtimes can be run"),
        ("Runtime: go1.x", "its Runtime is go1.x; only Python, nodejs and provided runtimes can be run here"),
        ("PackageType: Image", "it is an image"),
        ("ImageUri: a.dkr.ecr/b", "it is an image"),
        ("InlineCode: x", "its code stands in the template"),
        ("CodeUri: s3://a/b.zip", "its code is on S3"),
        ("CodeUri: {Bucket: a, Key: b}", "its code is on S3"),
        ("CodeUri: code.zip", "its code is the archive code.zip"),
        ("CodeUri: !ImportValue x", "its CodeUri is not known here: Fn::ImportValue"),
    ],
)
def test_a_function_that_cannot_run_here(place: Path, properties: str, says: str) -> None:
    """It is skipped with its reason; a template of which nothing is left is an error."""
    (place / "code.zip").touch()
    more = f"  G: {{Type: AWS::Serverless::Function, Properties: {{{PLAIN}}}}}"
    kept = ", ".join(
        part
        for part in (f"Runtime: {HERE}", "CodeUri: src", "Handler: app.count")
        if part.partition(":")[0] != properties.partition(":")[0]
    )
    one = f"Resources:\n  F: {{Type: AWS::Serverless::Function, Properties: {{{kept}, {properties}}}}}\n"
    with pytest.warns(DefinitionWarning, match=f"F is not served: {says}"):
        assert list(load_sam(write(place, one + more))) == ["G"]
    with pytest.raises(DefinitionError, match=rf"it defines no function that can run here\. .*{says}"):
        load_sam(write(place, one))


needs_linux = pytest.mark.skipif(not peers.AVAILABLE, reason="a Bootstrap needs Linux")

OTHERS = f"""
Resources:
  Plain: {{Type: AWS::Serverless::Function, Properties: {{{PLAIN}}}}}
  F:
    Type: AWS::Serverless::Function
    Properties: {{Runtime: RUNTIME, CodeUri: src, Handler: index.handler, AutoPublishAlias: live}}
"""
"""A function of another runtime, beside one in Python."""


def executable(file: Path) -> Path:
    """A program that answers what it was given; see runtimes/bootstrap.py."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAM}" "$@"\n')
    file.chmod(0o755)
    return file


def installed(directory: Path) -> Path:
    """What stands for AWS's runtime client there."""
    client = directory / "node_modules" / "aws-lambda-ric" / "index.mjs"
    client.parent.mkdir(parents=True)
    client.touch()
    return client


def answer_of_both(path: str) -> Any:
    """What F answers through its alias, once the one in Python has answered."""
    with LocalLambda.from_file(path) as local:
        client = local.boto3_client()
        assert "cwd" in invoke(client, "Plain").value
        answer = invoke(client, "F", {"n": 1}, Qualifier="live").value
        client.close()
    return answer


@needs_linux
@pytest.mark.parametrize("runtime", ["provided.al2", "provided.al2023"])
def test_a_bootstrap_in_the_code_is_served(place: Path, runtime: str) -> None:
    """Of an OS-only runtime: in CodeUri, with the Handler in _HANDLER, of every version."""
    source = place / "src"
    bootstrap = Bootstrap(
        executable(source / "bootstrap"), handler="index.handler", task_root=source, runtime=runtime
    )
    path = write(place, OTHERS.replace("RUNTIME", runtime))
    assert load_sam(path)["F"] == Function(
        bootstrap, versions={"1": bootstrap}, aliases={"live": "1"}, task_root=str(source)
    )
    answer = answer_of_both(path)
    assert answer["event"] == {"n": 1}
    seen = answer["environment"]
    assert (seen["_HANDLER"], seen["LAMBDA_TASK_ROOT"]) == ("index.handler", str(source))


@needs_linux
def test_an_os_only_runtime_needs_no_handler(place: Path) -> None:
    """Then it is told of the one that Lambda's own tools write."""
    executable(place / "src" / "bootstrap")
    text = OTHERS.replace("RUNTIME", "provided.al2023").replace("Handler: index.handler, ", "")
    served = load_sam(write(place, text))["F"].handler
    assert isinstance(served, Bootstrap)
    assert served.handler == "function.handler"


@needs_linux
@pytest.mark.parametrize("where", ["src", "."])
def test_node_is_served_by_awss_client(place: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is installed beside the code, or beside the template; node gets its path."""
    executable(place / "bin" / "node")
    monkeypatch.setenv("PATH", f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}")
    client = installed(place / where)
    path = write(place, OTHERS.replace("RUNTIME", "nodejs22.x"))
    bootstrap = Bootstrap(
        ["node", client], handler="index.handler", task_root=place / "src", runtime="nodejs22.x"
    )
    assert load_sam(path)["F"].handler == bootstrap
    answer = answer_of_both(path)
    assert answer["argv"] == [str(client)]
    assert answer["environment"]["_HANDLER"] == "index.handler"
    assert answer["environment"]["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs22.x"


REASON = node.missing() if peers.AVAILABLE else "a Bootstrap needs Linux"


@pytest.mark.skipif(REASON is not None, reason=REASON or "")
def test_a_node_handler_of_a_template_answers(place: Path) -> None:
    """Under AWS's own client."""
    (place / "node_modules").symlink_to(node.DIRECTORY / "node_modules")
    (place / "src" / "index.mjs").write_text((RUNTIMES / "app.mjs").read_text())
    text = OTHERS.replace("RUNTIME", "nodejs20.x").replace("AutoPub", "MemorySize: 512, Timeout: 30, AutoPub")
    assert answer_of_both(write(place, text))["event"] == {"n": 1}


def test_an_executable_that_is_missing_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function is skipped with the file that it lacks and how to get it; the rest is served."""
    monkeypatch.setattr(peers, "AVAILABLE", True)
    monkeypatch.setenv("PATH", "")
    file = place / "src" / "bootstrap"

    def reason(runtime: str) -> str:
        with pytest.warns(DefinitionWarning, match="F is not served: ") as caught:
            assert list(load_sam(write(place, OTHERS.replace("RUNTIME", runtime)))) == ["Plain"]
        (warning,) = caught
        return str(warning.message).partition("F is not served: ")[2]

    assert reason("provided.al2023").startswith(
        f"its Runtime is provided.al2023, and there is no file {file}: build it there (Go: GOOS="
    )
    file.touch()
    assert reason("provided.al2").endswith(f"{file} is not executable: chmod +x {file}")
    says = reason("nodejs22.x")
    assert f"is installed neither in {place / 'src'} nor in {place}: " in says
    assert says.endswith(f"run npm install aws-lambda-ric in {place}")
    installed(place)
    assert reason("nodejs22.x").endswith("there is no program node on PATH: install Node")
    monkeypatch.setattr(peers, "AVAILABLE", False)
    assert reason("nodejs22.x") == "its Runtime is nodejs22.x, which needs Linux; Python runs here too"


def test_node_needs_a_handler(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client is told which."""
    monkeypatch.setattr(peers, "AVAILABLE", True)
    text = OTHERS.replace("RUNTIME", "nodejs22.x").replace("Handler: index.handler, ", "")
    with pytest.raises(DefinitionError, match=r"F: Handler: is missing: write 'file\.function'"):
        load_sam(write(place, text))


@needs_linux
def test_layers_are_for_python(place: Path) -> None:
    """Any other function is served without, with a warning."""
    executable(place / "src" / "bootstrap")
    text = OTHERS.replace("RUNTIME", "provided.al2023").replace(
        "AutoPub", "Layers: [!Ref L, !Ref AWS::NoValue], AutoPub"
    )
    layer = "  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: src}}\n"
    with pytest.warns(DefinitionWarning, match="is left out: here only Python functions have layers") as told:
        assert load_sam(write(place, text + layer))["F"].layers == ()
    assert len(told) == 1


def test_another_python_is_said(place: Path) -> None:
    """The template's Runtime is not what runs it: that is this Python."""
    text = function("").replace(HERE, "python3.9")
    with pytest.warns(DefinitionWarning, match=f"its Runtime is python3.9; here it runs under {HERE}"):
        load_sam(write(place, text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Resources: [", "line 1, column 13: not YAML: "),
        ("a: 1", "it is no template: it has no Resources"),
        ("Resources: {F: 1}", "F: a resource is a table with a Type"),
        ("Resources:\n  F: {}\n  F: {}\n", "line 3, column 3: not YAML: the key 'F' stands twice"),
        ("Resources: {}\nGlobals: 1", "Globals: must be a table"),
        (function("Description: !Sub [a]"), "F: Fn::Sub needs a list of 2"),
        (function("Description: !Sub {a: b}"), "F: Fn::Sub needs a list of 2"),
        (function("Description: !Sub [[a], {}]"), "F: Fn::Sub needs a string, and a table"),
        (function("Description: !Join ['', a]"), "F: Fn::Join needs a list"),
        (function("Description: !FindInMap [A, b, c]"), "F: Mappings have no A / b / c"),
        (
            function(
                "", top="Conditions: {C: maybe}", more="  G: {Type: AWS::Lambda::Function, Condition: C}"
            ),
            "G: Condition: a condition is neither true nor false",
        ),
        ("Parameters: 1\nResources: {}", "Parameters: must be a table"),
        ("Parameters: {P: 1}\nResources: {}", "Parameters: P: must be a table"),
        (function("Timout: 3"), "F: there is no property 'Timout'; did you mean 'Timeout'?"),
        (function("Timeout: soon"), "F: Timeout: must be a whole number"),
        (
            function("EventInvokeConfig: {MaximumRetryAttempts: two}"),
            "F: EventInvokeConfig: MaximumRetryAttempts: must be a whole number",
        ),
        (
            function(
                "EventInvokeConfig: {DestinationConfig: {OnSuccess: {Destination: 'arn:aws:s3:::bucket'}}}"
            ),
            "F: on_success: 'arn:aws:s3:::bucket' cannot be on_success",
        ),
        (function("LoggingConfig: {LogFormat: json}"), "F: log_format must be one of Text, JSON, not 'json'"),
        (function("Environment: {Variables: {_HANDLER: x}}"), "F: environment: Lambda sets _HANDLER itself"),
        (function("Timeout: 901"), "F: timeout must be over 0 and at most 900 seconds"),
        (function("Environment: {Variables: [a]}"), "F: Environment: Variables must be a table"),
        (function("Environment: {Variables: {A: [x]}}"), "F: environment variable A: must be a string"),
        (function("DeadLetterQueue: x"), "F: DeadLetterQueue: must be a table"),
        (function("Description: !Ref Nix"), "F: there is no parameter or resource 'Nix'"),
        (function("Description: !Ref FF"), "; did you mean 'F'?"),
        (function("Description: !GetAtt FF.Arn"), "F: there is no resource 'FF'; did you mean 'F'?"),
        (function("Description: !Select [3, [a]]"), "F: Fn::Select: there is no 3 among 1 values"),
        (function("AutoPublishAlias: !Ref Nix"), "F: there is no parameter or resource 'Nix'"),
        (function("", more="  'Fn::ForEach::X': [a, [b], {}]"), "Fn::ForEach::X: what CloudFormation's"),
        (function("FunctionName: a b"), "F: a function name is 1 to 64 letters"),
        (function("FunctionName: !ImportValue x"), "F: FunctionName: Fn::ImportValue is known only to"),
        (function("FunctionName: !Ref F"), "its references lead back to themselves"),
        (function("").replace(f"Runtime: {HERE},", ""), "F: Runtime: is missing"),
        (function("").replace("Handler: app.count,", ""), "F: Handler: is missing: write 'module.function'"),
        (function("").replace("app.count", "count"), "'count' does not name a handler"),
        (
            function("").replace("app.count", "nix.count"),
            "F: handler 'nix.count': there is no module nix in ",
        ),
        (function("").replace("CodeUri: src", "CodeUri: nix"), "F: CodeUri: there is no directory nix in "),
        (
            function("", more="  G: {Type: AWS::Serverless::Function, Condition: C, Properties: {}}"),
            "G: Condition: there is no condition 'C'",
        ),
        (
            function(
                "",
                more=f"  G: {{Type: AWS::Lambda::Function, Properties: {{FunctionName: F, Runtime: {HERE}, "
                "Code: src, Handler: app.count}}",
            ),
            "G: FunctionName: 'F' is the name of ",
        ),
    ],
)
def test_an_error_names_the_place(place: Path, text: str, says: str) -> None:
    """The file, the resource and the property; a slip has its correction."""
    path = write(place, text)
    with pytest.raises(LocalLambdaError) as caught:
        load_sam(path)
    assert str(caught.value).startswith(path)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"Stge": "x"}, "there is no parameter 'Stge'; did you mean 'Stage'?"),
        ({"Stage": "pod"}, "parameter Stage: 'pod' is not allowed; did you mean 'prod'?"),
    ],
)
def test_wrong_parameters(place: Path, given: dict[str, str], says: str) -> None:
    """What the template does not know or allow is refused."""
    with pytest.raises(DefinitionError) as caught:
        load_sam(write(place, WHOLE), parameters=given)
    assert says in str(caught.value)


RESOURCES = """
  Table: {Type: AWS::DynamoDB::Table, Properties: {TableName: orders}}
  Bucket: {Type: AWS::S3::Bucket}
  Queue: {Type: AWS::SQS::Queue}
  Fn: {Type: AWS::Serverless::Function, Properties: {AutoPublishAlias: live}}
"""
TOP = """
Parameters:
  Names: {Type: CommaDelimitedList, Default: 'a, b'}
  Count: {Type: Number, Default: 3}
Mappings: {Regions: {us-east-1: {zone: use1}, 123: {zone: n}}}
Conditions:
  IsYes: !Equals [1, '1']
  IsNo: !Not [!Condition IsYes]
"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("!Ref Table", "orders"),
        ("{Ref: Bucket}", "Bucket"),
        ("!GetAtt Bucket.Arn", "arn:aws:s3:::Bucket"),
        ("!GetAtt Table.Arn", "arn:aws:dynamodb:us-east-1:000000000000:table/orders"),
        ("!Ref Queue", "https://sqs.us-east-1.amazonaws.com/000000000000/Queue"),
        ("!GetAtt Queue.QueueName", "Queue"),
        ("!Ref Fn", "Fn"),
        ("!Ref Fn.Alias", ARN.format("lambda", "function:Fn:live")),
        ("!Ref Fn.Version", ARN.format("lambda", "function:Fn:1")),
        ("!Ref FnAliaslive", ARN.format("lambda", "function:Fn:live")),
        (
            "!Sub '${Fn.Arn}:${Fn.Alias}'",
            f"{ARN.format('lambda', 'function:Fn')}:{ARN.format('lambda', 'function:Fn:live')}",
        ),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::StackName", "local"),
        ("!Sub '${Table}/${!Literal}/${AWS::AccountId}'", "orders/${Literal}/000000000000"),
        ("!Sub ['${A}-${Count}', {A: !Ref Bucket}]", "Bucket-3"),
        ("!Join ['-', [a, !Ref Count, true]]", "a-3-true"),
        ("!Join [',', !Ref Names]", "a,b"),
        ("!Select [1, !Split ['/', x/y]]", "y"),
        ("!FindInMap [Regions, !Ref AWS::Region, zone]", "use1"),
        ("!FindInMap [Regions, '123', zone]", "n"),
        ("!FindInMap [Regions, nix, zone, {DefaultValue: d}]", "d"),
        ("!If [IsYes, !Ref Count, !ImportValue x]", "3"),
        ("!If [IsNo, a, !If [IsYes, b, c]]", "b"),
        ("!If [IsYes, 012345678901, x]", "012345678901"),
        ("{'Fn::Base64': hi}", "aGk="),
        ("{'Fn::ToJsonString': {a: !Ref Count}}", '{"a":3}'),
        ("{'Fn::Length': !Ref Names}", "2"),
        ("2026-11-21", "2026-11-21"),
    ],
)
def test_references(place: Path, value: str, expected: str) -> None:
    """What CloudFormation's functions come to in an environment variable."""
    text = function(
        f"Environment: {{Variables: {{A: {value}}}}}",
        top=TOP,
        more=RESOURCES.replace(
            "Properties: {Auto", f"Properties: {{Runtime: {HERE}, CodeUri: src, Handler: app.count, Auto"
        ),
    )
    assert load_sam(write(place, text))["F"].environment == {"A": expected}


def test_no_value_is_no_property(place: Path) -> None:
    """AWS::NoValue takes away the property, the variable or the item."""
    text = function(
        "Timeout: !Ref AWS::NoValue, FunctionName: !Ref AWS::NoValue, "
        "Environment: {Variables: {A: !Ref AWS::NoValue}}, Layers: [!Ref AWS::NoValue]"
    )
    assert load_sam(write(place, text)) == {"F": Function("app.count", task_root=str(place / "src"))}


@pytest.mark.parametrize(
    ("shared", "own", "merged"),
    [
        (1, 2, 2),
        ([1], [2], [1, 2]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2}}, {"a": {"b": 2, "c": 1}}),
        ({"Ref": "A"}, {"Fn::Sub": "B"}, {"Fn::Sub": "B"}),
        ({"a": 1}, {"Ref": "B"}, {"Ref": "B"}),
        ([1], {"Ref": "B"}, {"Ref": "B"}),
    ],
)
def test_globals_are_merged(shared: Any, own: Any, merged: Any) -> None:
    """Tables are merged, lists joined, anything else replaced, references too."""
    assert merge(shared, own) == merged


def test_globals_can_be_ignored(place: Path) -> None:
    """IgnoreGlobals: all of them, or those named."""
    more = "  {}:\n    Type: AWS::Serverless::Function\n    IgnoreGlobals: {}\n    Properties: {}\n"
    full = f"{{Runtime: {HERE}, CodeUri: src, Handler: app.count}}"
    text = function(
        "",
        top="Globals: {Function: {Timeout: 10, MemorySize: 256}}",
        more=more.format("All", "'*'", full) + more.format("One", "[Timeout]", full),
    )
    functions = load_sam(write(place, text))
    assert {name: (each.timeout, each.memory_size) for name, each in functions.items()} == {
        "F": (10, 256),
        "All": (3.0, 128),
        "One": (3.0, 256),
    }


PUBLISHED = """
  Second: {Type: AWS::Lambda::Version, Properties: {FunctionName: !GetAtt F.Arn}}
  First: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref F}}
  Live:
    Type: AWS::Lambda::Alias
    Properties:
      Name: live
      Description: careful
      FunctionName: !Ref F
      FunctionVersion: !GetAtt First.Version
      RoutingConfig:
        AdditionalVersionWeights: [{FunctionVersion: !GetAtt Second.Version, FunctionWeight: 0.25}]
  Config:
    Type: AWS::Lambda::EventInvokeConfig
    Properties: {FunctionName: !Ref F, Qualifier: $LATEST, MaximumRetryAttempts: 0}
  Elsewhere: {Type: AWS::Lambda::Version, Properties: {FunctionName: another}}
"""


def test_versions_and_aliases_of_their_own(place: Path) -> None:
    """CloudFormation's resources for them, numbered in their order; another function's are passed over."""
    variables = "Environment: {Variables: {VV: !Ref First, AA: !Ref Live, NN: !GetAtt Second.Version}}"
    (served,) = load_sam(write(place, function(variables, more=PUBLISHED))).values()
    assert served.versions == {"1": "app.count", "2": "app.count"}
    assert served.aliases == {"live": Alias("2", weights={"1": 0.25}, description="careful")}
    assert served.events == EventInvokeConfig(0)
    arn = ARN.format("lambda", "function:F")
    assert served.environment == {"VV": f"{arn}:2", "AA": f"{arn}:live", "NN": "1"}


WRONG_WEIGHTS = (
    "{Type: AWS::Lambda::Alias, Properties: {FunctionName: F, Name: a, "
    "RoutingConfig: {AdditionalVersionWeights: 1}}}"
)


@pytest.mark.parametrize(
    ("resource", "says"),
    [
        ("{Type: AWS::Lambda::Version}", "V: V has no FunctionName"),
        (
            "{Type: AWS::Lambda::Alias, Properties: {FunctionName: F, Name: a, FunctionVersion: 7}}",
            "V: alias 'a' points to version '7', which is not in versions",
        ),
        (
            WRONG_WEIGHTS,
            "V: RoutingConfig: AdditionalVersionWeights must be a list of tables",
        ),
        (
            "{Type: AWS::Lambda::EventInvokeConfig, Properties: {FunctionName: F, MaximumRetryAttempts: 7}}",
            "V: maximum_retry_attempts must be from 0 to 2",
        ),
    ],
)
def test_wrong_versions_and_aliases(place: Path, resource: str, says: str) -> None:
    """The file, the resource and what is wrong."""
    with pytest.raises(DefinitionError) as caught:
        load_sam(write(place, function("", more=f"  V: {resource}")))
    assert f"{place}/template.yaml: {says}" in str(caught.value)


def test_json_needs_no_yaml(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template in JSON is read without PyYAML; one in YAML then says what to install."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    properties = {"Runtime": HERE, "CodeUri": "src", "Handler": "app.count"}
    resources = {"F": {"Type": "AWS::Serverless::Function", "Properties": properties}}
    path = place / "template.json"
    path.write_text(json.dumps({"Resources": resources}))
    assert list(load_sam(path)) == ["F"]
    path.write_text("{")
    with pytest.raises(DefinitionError, match="not JSON: "):
        load_sam(path)
    with pytest.raises(LocalLambdaError, match=r"needs PyYAML: pip install 'lambda-invoke-sdk\[local\]'"):
        load_sam(write(place, WHOLE))


def test_a_condition_that_cannot_be_known(place: Path) -> None:
    """Its resource is taken to be there, with a warning."""
    text = function(
        "",
        top="Conditions: {C: !Equals [!ImportValue x, y]}",
        more=f"  G: {{Type: AWS::Serverless::Function, Condition: C, Properties: {{{PLAIN}}}}}",
    )
    with pytest.warns(DefinitionWarning, match="G is taken to be there: of its condition, Fn::ImportValue"):
        assert list(load_sam(write(place, text))) == ["F", "G"]


JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=5),
    lambda inner: (
        strategies.lists(inner, max_size=4)
        | strategies.dictionaries(
            strategies.sampled_from(
                [
                    *(
                        "Ref",
                        "Condition",
                        "Fn::Sub",
                        "Fn::GetAtt",
                        "Fn::If",
                        "Fn::Join",
                        "Fn::Select",
                        "Fn::Split",
                    ),
                    *(
                        "Fn::FindInMap",
                        "Fn::Equals",
                        "Fn::And",
                        "Fn::Not",
                        "Fn::Length",
                        "Fn::Base64",
                        "Fn::Nix",
                    ),
                    *("Type", "Properties", "a"),
                ]
            ),
            inner,
            max_size=2,
        )
    ),
    max_leaves=10,
)


@hypothesis.given(value=JSON, mappings=strategies.dictionaries(strategies.text(max_size=2), JSON))
def test_any_value_resolves_or_says_why_not(value: Any, mappings: dict[str, Any]) -> None:
    """Nothing but the resolver's own two exceptions comes out of it."""
    resolver = Resolver(
        lambda name: name, lambda name, attribute: f"{name}.{attribute}", mappings, {"c": True}
    )
    with contextlib.suppress(Unresolvable, MalformedTemplate):
        resolver.resolve(value)


PROPERTIES = strategies.dictionaries(
    strategies.sampled_from(
        [
            *("AutoPublishAlias", "CodeUri", "DeadLetterQueue", "Description", "Environment", "FunctionName"),
            *("EventInvokeConfig", "Handler", "Layers", "PackageType", "Runtime", "Timeout", "Timout"),
        ]
    ),
    JSON | strategies.dictionaries(strategies.sampled_from(["Variables", "DestinationConfig"]), JSON),
    max_size=4,
)


@hypothesis.given(
    resources=strategies.dictionaries(strategies.text(max_size=3), JSON),
    shared=JSON | PROPERTIES,
    own=JSON | PROPERTIES,
    ignored=JSON,
)
def test_any_template_is_read_or_refused(resources: Any, shared: Any, own: Any, ignored: Any) -> None:
    """Whatever a template holds, nothing but an error of the file comes of it."""
    import tempfile
    from pathlib import Path

    broken = {"Type": "AWS::Serverless::Function", "Properties": own, "IgnoreGlobals": ignored}
    layer = {"Type": "AWS::Serverless::LayerVersion", "Properties": own}
    others = {
        kind: {"Type": f"AWS::Lambda::{kind}", "Properties": shared}
        for kind in ("Version", "Alias", "EventInvokeConfig")
    }
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "template.json")
        path.write_text(
            json.dumps(
                {
                    "Resources": {**resources, "F": broken, "L": layer, **others},
                    "Globals": {"Function": shared},
                }
            )
        )
        with warnings.catch_warnings(), pytest.raises(LocalLambdaError):
            read_sam(path, parameters={}, region_name="us-east-1", account_id="0" * 12)


@hypothesis.given(text=strategies.text(alphabet="{}[]!&*:- \n\"'aRefFn<|>?,#%@\t", max_size=40))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    """Anything that is not YAML is an error of the file."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "template.yaml")
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DefinitionError):
            load_sam(path)
