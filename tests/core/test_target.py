"""Function names, ARNs and qualifiers: what is accepted, what goes on the wire, what is refused."""

from __future__ import annotations

import enum
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.core.target import (
    MAX_FUNCTION_NAME_LENGTH,
    MAX_QUALIFIER_LENGTH,
    Target,
    parse_target,
    target_from_env,
)
from lambda_invoke.errors import Executed, InvalidTargetError

ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:reports"

# The service model's pattern and maximum of NamespacedFunctionName (botocore 1.44), without the
# ARN form, of which we ask more.
MODEL_PARTIAL = re.compile(
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]{1,9}-[0-9]{1}:)?([0-9]{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]{1,64})(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]{1,128}))?"
)


@pytest.mark.parametrize(
    ("given_as", "function", "name", "qualifier"),
    [
        ("reports", "reports", "reports", None),
        ("reports:prod", "reports", "reports", "prod"),
        ("reports:7", "reports", "reports", "7"),
        ("reports:$LATEST", "reports", "reports", "$LATEST"),
        ("reports:$LATEST.PUBLISHED", "reports", "reports", "$LATEST.PUBLISHED"),
        ("team.reports_v2-a", "team.reports_v2-a", "team.reports_v2-a", None),
        ("function:reports:prod", "function:reports", "reports", "prod"),
        ("function", "function", "function", None),
        (ACCOUNT, ACCOUNT, ACCOUNT, None),
        (f"{ACCOUNT}:$LATEST", ACCOUNT, ACCOUNT, "$LATEST"),
        (f"{ACCOUNT}:reports", f"{ACCOUNT}:reports", "reports", None),
        (f"{ACCOUNT}:reports:prod", f"{ACCOUNT}:reports", "reports", "prod"),
        (f"{ACCOUNT}:function:reports", f"{ACCOUNT}:function:reports", "reports", None),
        (f"{ACCOUNT}:function:reports:9", f"{ACCOUNT}:function:reports", "reports", "9"),
        ("us-east-1:function:reports", "us-east-1:function:reports", "reports", None),
        ("us-gov-west-1:reports:a", "us-gov-west-1:reports", "reports", "a"),
        (f"eusc-de-east-1:{ACCOUNT}:reports", f"eusc-de-east-1:{ACCOUNT}:reports", "reports", None),
        (ARN, ARN, "reports", None),
        (f"{ARN}:prod", ARN, "reports", "prod"),
        (f"{ARN}:$LATEST.PUBLISHED", ARN, "reports", "$LATEST.PUBLISHED"),
    ],
)
def test_every_form_is_split_into_function_and_qualifier(
    given_as: str, function: str, name: str, qualifier: str | None
) -> None:
    """The wire gets the text as written, less the qualifier, and messages get all of it."""
    target = parse_target(given_as)
    assert (target.function, target.name, target.qualifier) == (function, name, qualifier)
    assert target.display == given_as


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws", "us-east-1"),
        ("aws-cn", "cn-north-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-iso", "us-iso-east-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-iso-e", "eu-isoe-west-1"),
        ("aws-iso-f", "us-isof-south-1"),
        ("aws-eusc", "eusc-de-east-1"),
    ],
)
def test_arns_of_every_partition_say_where_the_function_is(partition: str, region: str) -> None:
    """Partition, region and account of a full ARN stand in the target."""
    target = parse_target(f"arn:{partition}:lambda:{region}:{ACCOUNT}:function:reports:prod")
    assert (target.partition, target.region, target.account) == (partition, region, ACCOUNT)
    assert target.unqualified == f"{partition}:{region}:{ACCOUNT}:reports"


def test_a_bare_name_says_nothing_of_where_it_is() -> None:
    """What the caller did not give is None."""
    target = parse_target("reports")
    assert (target.partition, target.region, target.account) == (None, None, None)


@pytest.mark.parametrize("function", ["reports", f"{ACCOUNT}:function:reports", ARN])
def test_a_qualifier_may_stand_beside_the_function(function: str) -> None:
    """A separate qualifier is the same target as one in the text, in display too."""
    assert parse_target(function, "prod") == parse_target(f"{function}:prod")
    assert parse_target(f"{function}:prod", "prod") == parse_target(f"{function}:prod")


@pytest.mark.parametrize(
    ("one", "other"),
    [("reports", "reports:prod"), ("reports:1", "function:reports:2"), (f"{ARN}:1", ARN)],
)
def test_unqualified_is_one_key_for_all_qualifiers(one: str, other: str) -> None:
    """What is kept per function is shared by its versions and aliases."""
    assert parse_target(one).unqualified == parse_target(other).unqualified


def test_functions_of_two_accounts_have_two_keys() -> None:
    """The same name in another account is another function."""
    there = parse_target("210987654321:function:reports")
    assert there.unqualified != parse_target(f"{ACCOUNT}:function:reports").unqualified


def test_the_same_text_is_parsed_once() -> None:
    """Parsing is on the path of every call, so its results are kept."""
    assert parse_target("reports:prod") is parse_target("reports:prod")


def test_a_str_enum_is_its_value() -> None:
    """Function names are often kept in an enum; its members are str, and mean their value."""

    class Function(str, enum.Enum):  # noqa: UP042 - such enums are common
        REPORTS = "reports"

    target = parse_target(Function.REPORTS, Function.REPORTS)
    assert target == parse_target("reports", "reports")
    assert (type(target.function), type(target.qualifier)) == (str, str)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("", "the function name is empty"),
        (":prod", "the function name is empty"),
        ("function:", "the function name is empty"),
        ("reports:", "the qualifier is empty"),
        (f"{ARN}:", "the qualifier is empty"),
        (" reports", "whitespace (' ') at position 0"),
        ("reports\n", r"whitespace ('\n') at position 7"),
        ("re ports", "whitespace (' ') at position 2"),
        ("re\u00a0ports", "whitespace"),
        ("reports/x", "the character '/' cannot stand in a function name"),
        ("größe", "the character 'ö' cannot stand in a function name"),
        ("reports٣", "the character '٣' cannot stand"),
        ("a" * 65, "the function name has 65 characters; the limit is 64"),
        (f"{ACCOUNT}:function:{'a' * 65}", "the function name has 65 characters"),
        (f"reports:{'a' * 129}", "the qualifier has 129 characters; the limit is 128"),
        ("reports:a/b", "the character '/' cannot stand in the qualifier 'a/b'"),
        ("reports:a:b", "the character ':' cannot stand in the qualifier 'a:b'"),
        ("reports:a.b", "the character '.' cannot stand in the qualifier 'a.b'"),
        ("reports:$latest", "no qualifier is called '$latest'"),
        ("reports:a$b", "the character '$' cannot stand in the qualifier"),
        ("https://abc.lambda-url.us-east-1.on.aws/", "a URL, not a function name or ARN"),
        ("arn:aws:s3:::bucket", "an ARN of s3, not lambda"),
        ("arn:aws:states:us-east-1:123456789012:stateMachine:x", "an ARN of states, not lambda"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:tools:3", "an ARN of a layer, not of a function"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:tools", "an ARN of a layer, not of a function"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:1-2", "an event source mapping"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:code-signing-config:c", "a code signing configuration"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:capacity-provider:c", "a capacity provider"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:thing:c", "an ARN of a 'thing', not of a function"),
        ("arn:aws:lambda", "an incomplete ARN"),
        ("arn:", "an incomplete ARN"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:function", "does not end in function:name"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:", "the function name is empty"),
        (f"arn:aws:lambda::{ACCOUNT}:function:reports", "an ARN without a region"),
        (f"arn:aws:lambda:mars:{ACCOUNT}:function:reports", "'mars' is no AWS region"),
        ("arn:aws:lambda:us-east-1::function:reports", "an ARN without an account id"),
        ("arn:aws:lambda:us-east-1:12:function:reports", "'12' is no AWS account id of 12 digits"),
        (f"arn:azure:lambda:us-east-1:{ACCOUNT}:function:reports", "'azure' is no AWS partition"),
        (f"ARN:aws:lambda:us-east-1:{ACCOUNT}:function:reports", "an ARN starts with 'arn', not 'ARN'"),
        (f"arn:aws{'-x' * 120}:lambda:us-east-1:{ACCOUNT}:function:reports", "the limit is 256"),
    ],
)
def test_what_is_wrong_is_said(function: str, says: str) -> None:
    """A refusal names what is wrong, and the function as it was given; nothing was sent."""
    with pytest.raises(InvalidTargetError) as caught:
        parse_target(function)
    assert says in str(caught.value)
    assert caught.value.function == function
    assert caught.value.executed is Executed.NO


@pytest.mark.parametrize("function", [None, 7, b"reports", ["reports"], parse_target("reports")])
def test_a_function_that_is_not_text_is_refused_by_type(function: object) -> None:
    """What is not a str is refused as such, even if it cannot be hashed."""
    with pytest.raises(InvalidTargetError, match=f"a str, not {type(function).__name__}"):
        parse_target(function)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("qualifier", "says"),
    [
        ("", "the qualifier is empty"),
        (" ", "the qualifier has whitespace"),
        ("prod\n", "the qualifier has whitespace"),
        ("a" * 129, "the qualifier has 129 characters"),
        ("$NEWEST", "no qualifier is called"),
        (3, "a qualifier is a str, not int"),
        ("test", "two different qualifiers: 'prod' in the function name and qualifier='test'"),
    ],
)
def test_a_bad_qualifier_beside_the_function_is_refused(qualifier: object, says: str) -> None:
    """A separate qualifier is held to the same rules, and must not contradict the text."""
    with pytest.raises(InvalidTargetError) as caught:
        parse_target("reports:prod", qualifier)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert caught.value.function == "reports:prod"


def test_the_longest_names_are_accepted() -> None:
    """Exactly at the limits, a name and a qualifier still pass."""
    target = parse_target(f"{'a' * MAX_FUNCTION_NAME_LENGTH}:{'b' * MAX_QUALIFIER_LENGTH}")
    assert len(target.name) == MAX_FUNCTION_NAME_LENGTH
    assert target.qualifier == "b" * MAX_QUALIFIER_LENGTH


@given(st.from_regex(MODEL_PARTIAL, fullmatch=True).filter(lambda text: "\n" not in text))
def test_everything_that_the_service_model_takes_is_taken_and_sent_unchanged(text: str) -> None:
    """Function and qualifier, put together again, are the text: nothing is lost or added."""
    target = parse_target(text)
    assert text == target.function + (f":{target.qualifier}" if target.qualifier else "")
    assert MODEL_PARTIAL.fullmatch(target.function)


@given(st.text(max_size=300), st.none() | st.text(max_size=20))
def test_any_text_is_a_target_or_refused(text: str, qualifier: str | None) -> None:
    """No text makes the parser fail in another way."""
    try:
        target = parse_target(text, qualifier)
    except InvalidTargetError:
        return
    assert isinstance(target, Target)


def test_a_variable_names_a_function() -> None:
    """The name is read from the mapping that is passed in, without blanks around it."""
    assert target_from_env("REPORTS_FUNCTION", {"REPORTS_FUNCTION": " reports:prod\n"}) == "reports:prod"


@pytest.mark.parametrize(
    ("environ", "says"),
    [({}, "is not set"), ({"REPORTS_FUNCTION": ""}, "is empty"), ({"REPORTS_FUNCTION": " "}, "is empty")],
)
def test_a_variable_that_names_none_is_refused_by_name(environ: dict[str, str], says: str) -> None:
    """The message tells which variable to set."""
    with pytest.raises(InvalidTargetError, match=f"the environment variable REPORTS_FUNCTION {says}"):
        target_from_env("REPORTS_FUNCTION", environ)
