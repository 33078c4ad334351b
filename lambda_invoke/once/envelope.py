"""What stands in a record's ``data``: who holds the key, or the result, as JSON text."""

from __future__ import annotations

import base64
import json
from typing import Any

import attrs

_FORMAT = 1

LOCK, UNKNOWN, RESULT, ERROR, UNSTORED = "lock", "unknown", "result", "error", "unstored"


@attrs.frozen
class Envelope:
    """One record's content.

    ``kind`` is LOCK while the call is under way, UNKNOWN when nobody knows whether it ran, RESULT or
    ERROR (a kept FunctionError) with the reply's ``payload``, UNSTORED when it ran and the result is
    lost to the store. ``token`` is the owner's own, ``owner`` its ``host:pid``; ``since`` is when the key
    was taken, in seconds since the epoch. ``payload_hash`` is that of what was sent.
    """

    kind: str
    token: str
    owner: str
    since: float
    payload_hash: str = ""
    payload: bytes | None = attrs.field(default=None, repr=False)
    request_id: str | None = None
    executed_version: str | None = None
    status_code: int = 200
    function_error: str | None = None
    durable_execution_arn: str | None = None
    why: str | None = None

    @property
    def mark(self) -> str:
        """The piece of :meth:`text` by which a store tells whose record it is."""
        return f'"token": {json.dumps(self.token)}'

    def text(self) -> str:
        """As it is stored: JSON; a payload that is UTF-8 stays readable."""
        fields = attrs.asdict(self, filter=lambda _, value: value is not None)
        payload = fields.pop("payload", None)
        if payload is not None:
            try:
                fields["payload"] = payload.decode()
            except UnicodeDecodeError:
                fields["payload_base64"] = base64.b64encode(payload).decode()
        return json.dumps({"lambda_invoke.once": _FORMAT, **fields}, ensure_ascii=False)


def read_envelope(text: str | None) -> Envelope | None:
    """The content of a record; None: it has none, or none of this library's."""
    if not text:
        return None
    try:
        fields: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.pop("lambda_invoke.once", None) != _FORMAT:
        return None
    try:
        if "payload_base64" in fields:
            fields["payload"] = base64.b64decode(fields.pop("payload_base64"), validate=True)
        elif "payload" in fields:
            fields["payload"] = fields["payload"].encode()
        return Envelope(**fields)
    except (TypeError, ValueError, AttributeError):
        return None
