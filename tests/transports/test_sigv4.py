"""What the direct transport writes and signs is what botocore sends, whatever the input."""

from __future__ import annotations

import functools
import io
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from unittest import mock
from urllib.parse import urlsplit

import attrs
import botocore.auth
import pytest
import urllib3.util.url
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.core.transport import InvocationType, Request
from lambda_invoke.transports.botocore import _parameters
from lambda_invoke.transports.sigv4 import Signer, canonical_path, canonical_query, hash_payload
from lambda_invoke.transports.wire import (
    Endpoint,
    RequestWriter,
    SignedRequest,
    UnsendableRequestError,
    recursion_trace,
)
from tests.support.aws import ACCESS_KEY, REGION, SECRET_KEY, SESSION_TOKEN, session
from tests.support.server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Mapping

AGENT = "lambda_invoke/test"
NOW = datetime(2026, 11, 21, 10, 39, 18, tzinfo=UTC).timestamp()
WHOLE_REQUEST = Request(
    function="arn:aws:lambda:eu-west-1:123456789012:function:reports",
    display="reports",
    qualifier="$LATEST",
    payload=b'{"n": 1}',
    log_tail=True,
    client_context="e30=",
    tenant_id="tenant 7",
    durable_execution_name="once-1",
)

# botocore's own bookkeeping, and what it says of itself: see the docstring of wire.py.
NOT_COMPARED = {"amz-sdk-invocation-id", "amz-sdk-request", "user-agent"}
# urllib3 adds these after botocore's last hook.
ADDED_BY_URLLIB3 = {"host", "accept-encoding"}

ENDPOINTS = (
    "https://lambda.eu-west-1.amazonaws.com",
    "https://vpce-0a1b2c.lambda.eu-west-1.vpce.amazonaws.com/",
    "http://127.0.0.1:9000",
    "http://LocalHost:80/2015-03-31/",
    "https://Example.com:443",
    "https://example.com:8443/base/path/",
    "http://[::1]:9001/a/b",
    "http://[FE80::1]/",
    "http://example.com/Base%20x/\u00fc/../y//z/./",
    "http://example.com/lower%2fcase",
    "http://example.com/100%/half%2",
    "http://example.com/p?x=1&b=%20&a",
    "https://example.com/~user/a+b;c=d@e:f!$&'()*,[]|^",
)


class _Body(io.BytesIO):
    def stream(self, **_: Any) -> list[bytes]:
        return []


class Botocore:
    """A real client whose requests are kept in place of being sent."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        self.client: Any = session().client("lambda", endpoint_url=endpoint_url, region_name=region)
        self.sent: list[AWSPreparedRequest] = []
        events = self.client.meta.events
        events.register("before-send.lambda.Invoke", self._keep)
        # They are signed, and random: without them the signature can be compared.
        events.register_last("before-sign.lambda.Invoke", self._drop_bookkeeping)

    @staticmethod
    def _drop_bookkeeping(request: Any, **_: Any) -> None:
        for name in NOT_COMPARED - {"user-agent"}:
            del request.headers[name]

    def _keep(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.sent.append(request)
        return AWSResponse(request.url, 200, {}, _Body())

    def send(
        self, request: Request, *, keys: tuple[str, str, str | None], now: float, env: Mapping[str, str]
    ) -> AWSPreparedRequest:
        """The request that botocore would send at ``now``, in an environment with ``env``."""
        credentials = self.client._request_signer._credentials
        credentials.access_key, credentials.secret_key, credentials.token = keys
        clock = datetime.fromtimestamp(int(now), UTC).replace(tzinfo=None)
        with (
            mock.patch.object(botocore.auth, "get_current_datetime", return_value=clock),
            mock.patch.dict(os.environ, env),
        ):
            self.client.invoke(**_parameters(request))
        return self.sent.pop()


@functools.cache
def botocore_at(endpoint_url: str, region: str) -> Botocore:
    """One client for each endpoint and region: making one takes 50 ms."""
    return Botocore(endpoint_url, region)


def signer(region: str = REGION, *, token: str | None = SESSION_TOKEN) -> Signer:
    return Signer(ACCESS_KEY, SECRET_KEY, token, region)


def writer(endpoint_url: str = ENDPOINTS[0]) -> RequestWriter:
    return RequestWriter(Endpoint.parse(endpoint_url), user_agent=AGENT)


def theirs(prepared: AWSPreparedRequest) -> dict[str, str]:
    """The headers of botocore, names as they are written."""
    headers = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in prepared.headers.items()
    }
    return {name: value for name, value in headers.items() if name.lower() not in NOT_COMPARED}


def ours(signed: SignedRequest) -> dict[str, str]:
    """Our headers, but for those that urllib3 would add; no name stands there twice."""
    assert len({name.lower() for name, _ in signed.headers}) == len(signed.headers)
    left_out = NOT_COMPARED | ADDED_BY_URLLIB3
    return {name: value for name, value in signed.headers if name.lower() not in left_out}


def same(signed: SignedRequest, prepared: AWSPreparedRequest) -> None:
    """Compare all that is compared."""
    assert ours(signed) == theirs(prepared)
    assert signed.body == (prepared.body or b"")
    assert prepared.method == "POST"


printable = st.characters(exclude_categories=["Cc", "Cs"])
values = st.text(st.one_of(printable, st.sampled_from(" \t\u00a0\u00fc")), max_size=30)
names = st.one_of(
    st.sampled_from(
        [
            "reports",
            "123456789012:function:reports",
            "arn:aws:lambda:eu-west-1:123456789012:function:reports",
            "a/b",
            "..",
            ".",
            "a b+c%20d",
            "-_.~",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
)
requests = st.builds(
    Request,
    function=names,
    display=st.just("display"),
    qualifier=st.one_of(
        st.none(),
        st.sampled_from(["$LATEST", "$LATEST.PUBLISHED", "prod", "7"]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    ),
    payload=st.one_of(st.none(), st.binary(max_size=200)),
    invocation_type=st.sampled_from(InvocationType),
    log_tail=st.booleans(),
    client_context=st.none() | values,
    tenant_id=st.none() | values.filter(bool),
    durable_execution_name=st.none() | values.filter(bool),
)
keys = st.tuples(
    st.sampled_from([ACCESS_KEY, "ASIA/odd+key="]),
    st.text(printable, min_size=1, max_size=40),
    st.one_of(st.none(), st.just(""), st.sampled_from([SESSION_TOKEN, "IQoJ//+==" * 100, "a  b "])),
)
traces = st.one_of(
    st.none(),
    st.just("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
)


@given(
    request=requests,
    endpoint_url=st.sampled_from(ENDPOINTS),
    region=st.sampled_from(["eu-west-1", "us-gov-west-1"]),
    credentials=keys,
    trace=traces,
    inside=st.booleans(),
    now=st.integers(1_420_070_400, 4_070_908_800),  # 2015 to 2099
)
def test_the_whole_request_is_botocores(
    request: Request,
    endpoint_url: str,
    region: str,
    credentials: tuple[str, str, str | None],
    trace: str | None,
    inside: bool,
    now: int,
) -> None:
    """Every header, the signature and the body are equal for any input, and so is the request target."""
    env = {} if trace is None else {"_X_AMZN_TRACE_ID": trace}
    env |= {"AWS_LAMBDA_FUNCTION_NAME": "caller"} if inside else {}
    prepared = botocore_at(endpoint_url, region).send(request, keys=credentials, now=now, env=env)
    signed = writer(endpoint_url).write(
        request, Signer(*credentials, region), now, trace=recursion_trace(env)
    )
    same(signed, prepared)
    parts = urlsplit(prepared.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    assert signed.target == cast("Any", urllib3.util.url)._encode_target(target)


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 6_291_456])
@pytest.mark.parametrize("beforehand", [True, False], ids=["digest handed in", "digest made here"])
def test_bodies_of_every_size(size: int, beforehand: bool) -> None:
    """Empty and large bodies, with the digest made here or handed in, are signed as botocore does."""
    request = Request("f", "f", payload=b"x" * size)
    prepared = botocore_at(ENDPOINTS[0], REGION).send(
        request, keys=(ACCESS_KEY, SECRET_KEY, None), now=NOW, env={}
    )
    digest = hash_payload(request.payload) if beforehand else None
    signed = writer().write(request, signer(token=None), NOW, payload_hash=digest)
    same(signed, prepared)
    assert dict(signed.headers)["Content-Length"] == str(size)


def test_one_signer_over_several_days() -> None:
    """The signing key that is kept for a day is not used on the next one, nor on the one before."""
    request, kept, paths = Request("f", "f", payload=b"1"), signer(), writer()
    for hours in (0, 1, 13, 14, 37, -20, 1):
        now = NOW + timedelta(hours=hours).total_seconds()
        prepared = botocore_at(ENDPOINTS[0], REGION).send(
            request, keys=(ACCESS_KEY, SECRET_KEY, SESSION_TOKEN), now=now, env={}
        )
        same(paths.write(request, kept, now), prepared)


def test_a_fraction_of_a_second_is_cut_off() -> None:
    """The timestamp is that of the second that has begun."""
    kept, paths = signer(), writer()
    assert paths.write(WHOLE_REQUEST, kept, NOW) == paths.write(WHOLE_REQUEST, kept, NOW + 0.999)
    assert paths.write(WHOLE_REQUEST, kept, NOW) != paths.write(WHOLE_REQUEST, kept, NOW + 1)


def test_aws_own_example() -> None:
    """The case get-vanilla of the test suite that AWS published for Signature Version 4."""
    example = Signer("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, "us-east-1", "service")
    headers = example.sign(
        "GET",
        "/",
        "",
        [("host", "example.amazonaws.com")],
        hash_payload(None),
        datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp(),
    )
    assert headers == [
        ("X-Amz-Date", "20150830T123600Z"),
        (
            "Authorization",
            (
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                "SignedHeaders=host;x-amz-date, "
                "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
            ),
        ),
    ]


@pytest.mark.parametrize(
    "prefix", ["", "/base", "/lower%2fcase", "/\u00fc/100%/", "/a//b/../c", "/p?x=1&b=%20&a"]
)
def test_what_arrives_is_what_botocore_sends(prefix: str) -> None:
    """Over a real socket: the request target and the headers that urllib3 adds are equal too."""
    request = attrs.evolve(WHOLE_REQUEST, function="a b/\u00fc:c", tenant_id="caf\u00e9  x")
    with ScriptedServer() as server:
        endpoint_url = server.url + prefix
        client = session().client("lambda", endpoint_url=endpoint_url)
        try:
            cast("Any", client).invoke(**_parameters(request))
        except ClientError:
            assert prefix  # an unknown path, and noted all the same
        finally:
            client.close()
        (call,) = server.calls or server.control_calls
    signed = writer(endpoint_url).write(request, signer(), NOW)
    line, *lines = signed.head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    assert line == f"POST {call.target} HTTP/1.1"
    arrived = {name: value for name, value in call.headers.items() if name not in NOT_COMPARED}
    sent = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert set(sent) - {"user-agent"} == set(arrived)
    for name in set(arrived) - {"authorization", "x-amz-date"}:
        assert sent[name] == arrived[name]
    assert sent["user-agent"] == AGENT


def test_the_head_ends_with_an_empty_line() -> None:
    """Request line, one line for each header, an empty line; values are UTF-8, as botocore has them."""
    signed = writer().write(attrs.evolve(WHOLE_REQUEST, tenant_id="\u00fc"), signer(), NOW)
    head = signed.head
    assert head.startswith(b"POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3A")
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n") == len(signed.headers) + 2
    assert b"X-Amz-Tenant-Id: \xc3\xbc\r\n" in head


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\r\nX-Injected: 1", "\n folded", "\x7f", "\ud800"])
@pytest.mark.parametrize("field", ["client_context", "tenant_id", "durable_execution_name"])
def test_what_a_header_cannot_carry_is_refused(field: str, character: str) -> None:
    """A line break or its like is refused, named by its header and not quoted."""
    options: dict[str, Any] = {field: f"secret{character}"}
    request = Request("f", "f", **options)
    with pytest.raises(UnsendableRequestError, match=r"X-Amz-") as caught:
        writer().write(request, signer(), NOW)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("request_", [Request("\ud800", "f"), Request("f", "f", qualifier="\ud800")])
def test_a_name_that_is_no_text_is_refused(request_: Request) -> None:
    """Half of a surrogate pair has no UTF-8."""
    with pytest.raises(UnsendableRequestError, match="surrogate"):
        writer().write(request_, signer(), NOW)


def test_a_user_agent_with_a_line_break_is_refused() -> None:
    """It is a header as the others are."""
    with pytest.raises(UnsendableRequestError, match="user agent"):
        RequestWriter(Endpoint.parse(ENDPOINTS[0]), user_agent="a\r\nb: c")


@pytest.mark.parametrize(
    "credentials",
    [
        ("KEY\n", "secret", None),
        ("KEY", "secret", "TOKEN\r\n"),
        ("KEY", "\ud800", None),
        ("\ud800", "s", None),
    ],
)
def test_credentials_that_cannot_be_sent_are_refused(credentials: tuple[str, str, str | None]) -> None:
    """They would end up in a header, or cannot be a key; nothing of them is in the error."""
    with pytest.raises(ValueError, match=r"access key|secret key") as caught:
        Signer(*credentials, REGION)
    assert caught.value.__cause__ is None
    assert not any(part in str(caught.value) for part in ("KEY", "TOKEN"))


def test_nothing_secret_in_a_repr() -> None:
    """Neither the signer's nor the signed request's shows credentials, signature or payload."""
    signing = signer()
    shown = repr(signing) + repr(writer().write(WHOLE_REQUEST, signing, NOW))
    for secret in (ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, "Signature", '"n"'):
        assert secret not in shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com", Endpoint("https", "example.com", 443, "example.com")),
        ("http://EXAMPLE.com:80/", Endpoint("http", "example.com", 80, "example.com", "/")),
        ("http://example.com:443/x/", Endpoint("http", "example.com", 443, "example.com:443", "/x/")),
        ("https://u:p@[::1]:8443/a?b=c#d", Endpoint("https", "::1", 8443, "[::1]:8443", "/a", "b=c")),
    ],
)
def test_endpoint_urls(url: str, expected: Endpoint) -> None:
    """Where to connect to, the Host header, and what of path and query is the endpoint's own."""
    endpoint = Endpoint.parse(url)
    assert endpoint == expected
    assert endpoint.secure is url.startswith("https")


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://example.com", "http://", "http://h:port/", "http://h:99999"]
)
def test_what_is_no_endpoint_url(url: str) -> None:
    """A ValueError, as botocore has it."""
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        Endpoint.parse(url)


@given(path=st.text(st.sampled_from("/.a%\u00fc"), max_size=12))
def test_canonical_paths(path: str) -> None:
    """A path of any shape is normalised and quoted as botocore does it."""
    auth = botocore.auth.SigV4Auth(cast("Any", None), "lambda", REGION)
    assert canonical_path(path) == cast("Any", auth)._normalize_url_path(path)


@given(query=st.text(st.sampled_from("&=ab%"), max_size=12))
def test_canonical_queries(query: str) -> None:
    """A query string of any shape is sorted as botocore does it."""
    auth = botocore.auth.SigV4Auth(cast("Any", None), "lambda", REGION)
    assert canonical_query(query) == cast("Any", auth)._canonical_query_string_url(urlsplit(f"/?{query}"))


def test_no_trace_outside_of_lambda() -> None:
    """The recursion header is for functions alone, and only when there is a trace."""
    assert recursion_trace({}) is None
    assert recursion_trace({"_X_AMZN_TRACE_ID": "Root=1"}) is None
    assert recursion_trace({"AWS_LAMBDA_FUNCTION_NAME": "f"}) is None
    inside = {"AWS_LAMBDA_FUNCTION_NAME": "f", "_X_AMZN_TRACE_ID": "Root=1;x y\r\n\udc80"}
    assert recursion_trace(inside) == "Root=1;x%20y%0D%0A%80"
