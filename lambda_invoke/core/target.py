"""Function names, partial and full ARNs, versions and aliases.

The forms are those of the service model (``NamespacedFunctionName`` and
``NumericLatestPublishedOrAliasQualifier``, botocore 1.44)::

    reports                                                  name
    reports:prod                                             name and qualifier
    123456789012:function:reports                            partial ARN
    123456789012:reports
    us-east-1:123456789012:function:reports
    arn:aws:lambda:us-east-1:123456789012:function:reports   full ARN

each with or without ``:qualifier``: a version, an alias, ``$LATEST`` or ``$LATEST.PUBLISHED``. Text
that could be read in two ways (``123456789012:reports``) is read as the model's pattern reads it,
prefix first. A full ARN must be whole and of a function, which is stricter than the model: its
pattern would take ``...:layer:tools`` for a function "layer" with an alias.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NoReturn

import attrs

from lambda_invoke.errors import InvalidTargetError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FUNCTION_NAME_LENGTH = 64
"""Characters in a bare function name; AWS quota, 2026-11."""

MAX_TARGET_LENGTH = 256
"""Characters in ``FunctionName`` as sent; AWS quota, 2026-11 (the service model's maximum)."""

MAX_QUALIFIER_LENGTH = 128
"""Characters in a qualifier; AWS quota, 2026-11 (the service model's maximum)."""

_REGION = r"(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-[0-9]"
_ACCOUNT = r"[0-9]{12}"
_PARTITION = r"aws[a-zA-Z-]*"
_PREFIX = rf"(?:(?P<region>{_REGION}):)?(?:(?P<account>{_ACCOUNT}):)?(?:function:)?"
_ARN_PREFIX = (
    rf"arn:(?P<partition>{_PARTITION}):lambda:(?P<region>{_REGION}):(?P<account>{_ACCOUNT}):function:"
)
_REST = r"(?P<name>[^:]*)(?P<colon>:?)(?P<qualifier>.*)"
_ARN = re.compile(_ARN_PREFIX + _REST, re.DOTALL)
_PARTIAL = re.compile(_PREFIX + r"(?P<name>[a-zA-Z0-9_.-]+)(?:(?P<colon>:)(?P<qualifier>[a-zA-Z0-9_.$-]+))?")
_PARTIAL_FOR_BLAME = re.compile(_PREFIX + _REST, re.DOTALL)
_WHITESPACE = re.compile(r"\s")
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_.-]")
_NOT_IN_QUALIFIER = re.compile(r"[^a-zA-Z0-9_-]")
_LATEST = frozenset({"$LATEST", "$LATEST.PUBLISHED"})

_ARN_PARTS = 6
"""arn:partition:service:region:account:resource, where the resource may hold more colons."""

_OTHER_RESOURCES = {
    "layer": "a layer",
    "event-source-mapping": "an event source mapping",
    "code-signing-config": "a code signing configuration",
    "capacity-provider": "a capacity provider",
}


@attrs.frozen
class Target:
    """One function, or one version or alias of it.

    ``function`` is what is sent as ``FunctionName``: as the caller wrote it, without qualifier.
    ``qualifier`` is sent beside it, or None. ``name`` is the bare function name; ``account``,
    ``region`` and ``partition`` are None where the caller did not give them. ``display`` is the
    target as the caller named it, with its qualifier, for messages.
    """

    function: str
    name: str
    display: str
    qualifier: str | None = None
    account: str | None = None
    region: str | None = None
    partition: str | None = None

    @property
    def unqualified(self) -> str:
        """A key for the function whatever its qualifier and with or without ``function:``.

        A name and an ARN of one function have different keys, since a name alone does not say
        which account and region it is in.
        """
        known = (self.partition, self.region, self.account, self.name)
        return ":".join(part for part in known if part is not None)


def parse_target(function: str, qualifier: str | None = None) -> Target:
    """Read a function name, partial or full ARN, with or without a qualifier. Cached.

    Args:
        function: any of the forms in the module's docstring.
        qualifier: a version, an alias, ``$LATEST`` or ``$LATEST.PUBLISHED``. It may repeat the one
            in ``function``, not differ from it.

    Raises:
        InvalidTargetError: Lambda could not have such a function or qualifier; says what is wrong.
    """
    if type(function) is not str:
        if not isinstance(function, str):
            _refuse(None, f"a function is named by a str, not {type(function).__name__}")
        function = str.__str__(function)
    if qualifier is not None and type(qualifier) is not str:
        if not isinstance(qualifier, str):
            _refuse(function, f"a qualifier is a str, not {type(qualifier).__name__}")
        qualifier = str.__str__(qualifier)
    return _parse(function, qualifier)


def target_from_env(variable: str, environ: Mapping[str, str]) -> str:
    """The function that an environment variable names, surrounding blanks removed.

    Raises:
        InvalidTargetError: the variable is not set, or is empty.
    """
    value = environ.get(variable)
    if value is None:
        _refuse(None, f"the environment variable {variable} is not set; it should name a Lambda function")
    value = value.strip()
    if not value:
        _refuse(None, f"the environment variable {variable} is empty; it should name a Lambda function")
    return value


def _refuse(function: str | None, problem: str) -> NoReturn:
    raise InvalidTargetError(problem, function=function)


@functools.lru_cache(maxsize=4096)
def _parse(function: str, qualifier: str | None) -> Target:
    if not function:
        _refuse(function, "the function name is empty")
    _refuse_whitespace(function, function, "the function name")
    found = _read_arn(function) if function.lower().startswith("arn:") else _read_partial(function)
    name, own = found["name"], found["qualifier"] if found["colon"] else None
    _check_name(name, function)
    if own is not None:
        _check_qualifier(own, function)
    if qualifier is not None:
        _check_qualifier(qualifier, function)
        if own is not None and own != qualifier:
            problem = f"two different qualifiers: {own!r} in the function name and qualifier={qualifier!r}"
            _refuse(function, problem)
    on_the_wire = function[: found.end("name")]
    if len(on_the_wire) > MAX_TARGET_LENGTH:
        _refuse(function, f"{len(on_the_wire)} characters; the limit is {MAX_TARGET_LENGTH}")
    given = found.groupdict()
    return Target(
        function=on_the_wire,
        name=name,
        display=function if own is not None or qualifier is None else f"{function}:{qualifier}",
        qualifier=qualifier if own is None else own,
        account=given["account"],
        region=given["region"],
        partition=given.get("partition"),
    )


def _read_arn(function: str) -> re.Match[str]:
    found = _ARN.fullmatch(function)
    if found is None:
        _refuse(function, _what_is_wrong_with_arn(function))
    return found


def _what_is_wrong_with_arn(function: str) -> str:
    parts = function.split(":", _ARN_PARTS - 1)
    parts += [""] * (_ARN_PARTS - len(parts))
    start, partition, service, region, account, resource = parts
    kind = resource.partition(":")[0]
    complaints = (
        (service not in ("", "lambda"), f"an ARN of {service}, not lambda"),
        (not resource, "an incomplete ARN: expected arn:partition:lambda:region:account:function:name"),
        (start != "arn", f"an ARN starts with 'arn', not {start!r}"),
        (
            not re.fullmatch(_PARTITION, partition),
            f"{partition!r} is no AWS partition, such as 'aws' or 'aws-cn'",
        ),
        (kind in _OTHER_RESOURCES, f"an ARN of {_OTHER_RESOURCES.get(kind)}, not of a function"),
        (not region, "an ARN without a region"),
        (not re.fullmatch(_REGION, region), f"{region!r} is no AWS region"),
        (not account, "an ARN without an account id"),
        (not re.fullmatch(_ACCOUNT, account), f"{account!r} is no AWS account id of 12 digits"),
        (kind != "function", f"an ARN of a {kind!r}, not of a function"),
    )
    return next((text for wrong, text in complaints if wrong), "an ARN that does not end in function:name")


def _read_partial(function: str) -> re.Match[str]:
    if "://" in function:
        _refuse(function, "a URL, not a function name or ARN")
    # The first pattern backtracks as the model's does ("123456789012:$LATEST" is a function of that
    # name); the second takes anything, so that what is wrong with it can be said.
    found = _PARTIAL.fullmatch(function) or _PARTIAL_FOR_BLAME.fullmatch(function)
    assert found is not None, "every part of the pattern is optional"
    return found


def _check_name(name: str, function: str) -> None:
    if not name:
        _refuse(function, "the function name is empty")
    bad = _NOT_IN_NAME.search(name)
    if bad:
        _refuse(
            function,
            f"the character {bad[0]!r} cannot stand in a function name, only letters, digits, '-', '_', '.'",
        )
    if len(name) > MAX_FUNCTION_NAME_LENGTH:
        _refuse(
            function,
            f"the function name has {len(name)} characters; the limit is {MAX_FUNCTION_NAME_LENGTH}",
        )


def _check_qualifier(qualifier: str, function: str) -> None:
    if not qualifier:
        _refuse(function, "the qualifier is empty")
    if qualifier in _LATEST:
        return
    _refuse_whitespace(qualifier, function, "the qualifier")
    if qualifier.startswith("$"):
        _refuse(
            function,
            f"no qualifier is called {qualifier!r}; with a '$' there are $LATEST and $LATEST.PUBLISHED",
        )
    bad = _NOT_IN_QUALIFIER.search(qualifier)
    if bad:
        _refuse(
            function,
            f"the character {bad[0]!r} cannot stand in the qualifier {qualifier!r}, "
            "only letters, digits, '-' and '_'",
        )
    if len(qualifier) > MAX_QUALIFIER_LENGTH:
        _refuse(
            function, f"the qualifier has {len(qualifier)} characters; the limit is {MAX_QUALIFIER_LENGTH}"
        )


def _refuse_whitespace(text: str, function: str, what: str) -> None:
    found = _WHITESPACE.search(text)
    if found:
        _refuse(function, f"{what} has whitespace ({found[0]!r}) at position {found.start()}")
