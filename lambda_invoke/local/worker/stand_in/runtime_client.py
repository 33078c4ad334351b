"""awslambdaric's C extension ``runtime_client`` in pure Python, for where the extension is not built.

The same four functions over the Runtime API at ``AWS_LAMBDA_RUNTIME_API``, which is read once, on
import, as the extension does; ``user:password@`` in it is sent as basic authentication, as curl does.
"""

from __future__ import annotations

import base64
import http.client
import os

_PREFIX = "/2018-06-01/runtime/invocation/"
_HEADERS = (
    "Lambda-Runtime-Aws-Request-Id",
    "Lambda-Runtime-Trace-Id",
    "Lambda-Runtime-Invoked-Function-Arn",
    "Lambda-Runtime-Client-Context",
    "Content-Type",
    "Lambda-Runtime-Cognito-Identity",
    "Lambda-Runtime-Aws-Tenant-Id",
    "Lambda-Runtime-Invocation-Id",
)
_OK = range(200, 300)


class _Client:
    def __init__(self, address: str, user_agent: str) -> None:
        authority, _, host = address.rpartition("@")
        self._connection = http.client.HTTPConnection(host)
        self._headers = {"User-Agent": user_agent}
        if authority:
            self._headers["Authorization"] = f"Basic {base64.b64encode(authority.encode()).decode()}"

    def request(
        self,
        method: str,
        path: str,
        failure: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[bytes, http.client.HTTPResponse]:
        try:
            self._connection.request(method, path, body, {**self._headers, **(headers or {})})
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise RuntimeError(failure) from error
        if response.status not in _OK:
            raise RuntimeError(failure)
        return content, response


_address = os.environ.get("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
_client: _Client | None = None


def _ready() -> _Client:
    if _client is None:
        raise RuntimeError("Client not yet initalized")  # the extension's spelling
    return _client


def initialize_client(user_agent: str) -> None:
    """Make the client; ``user_agent`` is sent with every request."""
    global _client  # noqa: PLW0603 - the extension's client is a global too
    _client = _Client(_address, user_agent)


def next() -> tuple[bytes, dict[str, str | int | None]]:  # noqa: A001 - the extension's name
    """Wait for the next invocation: its payload, and the Runtime API's headers (an absent one is None)."""
    body, response = _ready().request("GET", f"{_PREFIX}next", "Failed to get next")
    headers: dict[str, str | int | None] = {name: response.getheader(name) or None for name in _HEADERS}
    headers["Lambda-Runtime-Deadline-Ms"] = int(response.getheader("Lambda-Runtime-Deadline-Ms") or 0)
    return body, headers


def post_invocation_result(
    invoke_id: str, result: bytes, content_type: str, invocation_id: str | None = None
) -> None:
    """Answer an invocation with what its handler returned."""
    headers = {"Content-Type": content_type}
    if invocation_id:
        headers["Lambda-Runtime-Invocation-Id"] = invocation_id
    failure = "Failed to post invocation response"
    _ready().request("POST", f"{_PREFIX}{invoke_id}/response", failure, result, headers)


def post_error(invoke_id: str, error: str, xray_fault: str, invocation_id: str | None = None) -> None:
    """Answer an invocation with the error that its handler raised."""
    headers = {"Content-Type": "application/json"}
    if invocation_id:
        headers["Lambda-Runtime-Invocation-Id"] = invocation_id
    # The header carries what fits in one; a fault that does not is left out, as awslambdaric does.
    if "\n" not in xray_fault and xray_fault.isascii():
        headers["Lambda-Runtime-Function-XRay-Error-Cause"] = xray_fault
    failure = "Failed to post invocation error"
    _ready().request("POST", f"{_PREFIX}{invoke_id}/error", failure, error.encode(), headers)
