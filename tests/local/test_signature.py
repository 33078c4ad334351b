"""Signature Version 4 against botocore's own signer, and everything that must not pass."""

import json
from typing import Any

import attrs
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.local.faults import ServiceFault
from lambda_invoke.local.http_message import HttpRequest
from lambda_invoke.local.signature import LocalCredentials, Verifier

KEY = LocalCredentials("LOCALKEY", "local+secret/key")
HOST = "127.0.0.1:8080"
NOW = 1_795_000_000.0


def signed(
    path: Any = "/2015-03-31/functions/hello/invocations",
    query: Any = "",
    body: Any = b"{}",
    method: Any = "POST",
    headers: Any = None,
    key: Any = KEY,
    region: Any = "us-east-1",
    service: Any = "lambda",
) -> Any:
    """A request that botocore signed, and the time at which it did."""
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, headers=headers or {}, data=body)
    SigV4Auth(Credentials(key.access_key_id, key.secret_access_key), service, region).add_auth(request)
    prepared = {name.lower(): value for name, value in request.headers.items()}
    return HttpRequest(method, path, query, {"host": HOST, **prepared}, body, len(body))


def date_of(request: Any) -> Any:
    from datetime import UTC, datetime

    return datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def verify(request: Any, now: Any = None) -> None:
    Verifier(KEY, "us-east-1").verify(request, date_of(request) if now is None else now)


def refused(request: Any, now: Any = None) -> Any:
    with pytest.raises(ServiceFault) as caught:
        verify(request, now)
    assert caught.value.status == 403
    return caught.value.code


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/2015-03-31/functions/hello/invocations", ""),
        ("/2015-03-31/functions/hello/invocations", "Qualifier=%24LATEST"),
        (
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello/invocations",
            "",
        ),
        ("/2015-03-31/functions/", "MaxItems=5&Marker=a%2Bb%3D%3D&FunctionVersion=ALL"),
        ("/2015-03-31/functions/a%20b~c/aliases/%C3%BC", ""),
        ("/2015-03-31/functions", "b=&a=2&a=1"),
    ],
)
def test_what_botocore_signs_is_accepted(path: Any, query: Any) -> None:
    """Quoted paths, qualifiers and unsorted queries verify."""
    verify(signed(path, query))


@given(
    body=st.binary(max_size=200),
    context=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    value=st.text(max_size=20),
)
def test_any_body_header_and_qualifier_verifies(body: Any, context: Any, value: Any) -> None:
    """The verifier agrees with botocore on whatever is signed."""
    from urllib.parse import quote

    query = f"Qualifier={quote(value, safe='-_.~')}"
    verify(signed(query=query, body=body, headers={"X-Amz-Client-Context": context}))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"path": "/2015-03-31/functions/other/invocations"},
        {"query": "Qualifier=1"},
        {"body": b"[]"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_request_is_refused(change: Any) -> None:
    """Method, path, query and body are all covered by the signature."""
    assert refused(attrs.evolve(signed(), **change)) == "InvalidSignatureException"


def test_a_changed_signed_header_is_refused() -> None:
    """A signed header cannot be exchanged."""
    request = signed(headers={"X-Amz-Invocation-Type": "DryRun"})
    request.headers["x-amz-invocation-type"] = "Event"
    assert refused(request) == "InvalidSignatureException"


def test_an_unsigned_amz_header_is_refused() -> None:
    """Nobody adds an x-amz- header on the way."""
    request = signed()
    request.headers["x-amz-invocation-type"] = "Event"
    assert refused(request) == "InvalidSignatureException"


def test_another_host_is_refused() -> None:
    """The Host header is always signed."""
    request = signed()
    request.headers["host"] = "127.0.0.1:9999"
    assert refused(request) == "InvalidSignatureException"


@pytest.mark.parametrize(("age", "passes"), [(299, True), (301, False), (-299, True), (-301, False)])
def test_a_signature_holds_for_five_minutes(age: Any, passes: Any) -> None:
    """Stale and future dates are refused."""
    request = signed()
    if passes:
        verify(request, date_of(request) + age)
    else:
        assert refused(request, date_of(request) + age) == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (signed(key=LocalCredentials("OTHERKEY", "x")), "UnrecognizedClientException"),
        (signed(key=LocalCredentials("LOCALKEY", "guess")), "InvalidSignatureException"),
        (signed(region="eu-west-1"), "InvalidSignatureException"),
        (signed(service="s3"), "InvalidSignatureException"),
    ],
    ids=["key", "secret", "region", "service"],
)
def test_another_key_or_scope_is_refused(request_: Any, code: Any) -> None:
    """Only this key, for Lambda in this region."""
    assert refused(request_) == code


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "MissingAuthenticationTokenException"),
        ("", "IncompleteSignatureException"),
        ("Bearer token", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=LOCALKEY", "IncompleteSignatureException"),
    ],
)
def test_a_request_that_is_not_signed_is_refused(authorization: Any, code: Any) -> None:
    """No signature, or none of Version 4."""
    request = signed()
    headers = {name: value for name, value in request.headers.items() if name != "authorization"}
    if authorization is not None:
        headers["authorization"] = authorization
    assert refused(attrs.evolve(request, headers=headers), NOW) == code


@pytest.mark.parametrize("date", ["", "yesterday", "2026-11-21T00:00:00Z"])
def test_a_date_that_is_none_is_refused(date: Any) -> None:
    """X-Amz-Date has one form."""
    request = signed()
    request.headers["x-amz-date"] = date
    assert refused(request, NOW) == "IncompleteSignatureException"


@given(st.dictionaries(st.sampled_from(["authorization", "x-amz-date", "host"]), st.text(max_size=80)))
def test_no_header_breaks_the_verifier(headers: Any) -> None:
    """Whatever stands in the headers, the answer is a refusal."""
    assert refused(HttpRequest("POST", "/", "", headers, b"", 0), NOW)


def test_the_secret_is_never_shown() -> None:
    """The key's repr and the refusals do not hold the secret."""
    with pytest.raises(ServiceFault) as caught:
        verify(attrs.evolve(signed(), body=b"x"))
    assert KEY.secret_access_key not in repr(KEY) + repr(caught.value) + json.dumps(caught.value.message)
