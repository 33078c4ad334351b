"""From the bytes of a reply to a value of the type that was asked for."""

from __future__ import annotations

import codecs
import functools
import json
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from lambda_invoke.core.codec_pydantic import is_model_class
from lambda_invoke.errors import PayloadDecodingError, RequestError

if TYPE_CHECKING:
    from cattrs import Converter

    from lambda_invoke.core.codec_scalars import Hook

T = TypeVar("T")

_parse: Final = json.JSONDecoder().decode


def check_response_type(response: Any) -> None:
    """Refuse a response type that no reply could be decoded to, before anything is sent.

    Raises:
        RequestError: there is no rule for it, or for a type inside of it.
    """
    if response is not bytes and not _is_untyped(response):
        _hook_for(response)


@overload
def decode_payload(
    raw: bytes, response: None = None, *, function: str | None = None, request_id: str | None = None
) -> Any: ...
@overload
def decode_payload(
    raw: bytes, response: type[T], *, function: str | None = None, request_id: str | None = None
) -> T: ...
@overload
def decode_payload(
    raw: bytes, response: Any, *, function: str | None = None, request_id: str | None = None
) -> Any: ...
def decode_payload(
    raw: bytes, response: Any = None, *, function: str | None = None, request_id: str | None = None
) -> Any:
    """The value of a reply.

    Without a type, what :func:`json.loads` makes of it, and None of an empty reply. As ``bytes``,
    the reply itself. Else a value of that type, strictly: ``str`` comes only from text, ``int``
    only from a whole number, ``float`` from any number, ``bool`` from true and false, ``None`` from
    null, ``bytes`` from base64, ``datetime``, ``date`` and ``time`` from ISO 8601, ``UUID`` and
    paths from text, ``Decimal`` from text or a number, enums and literals by value, attrs classes
    (by alias), dataclasses, typed dicts and pydantic models from objects (keys that they do not
    have are ignored), named tuples from arrays or objects, and containers of all of these. Keys of
    a ``dict[int, ...]`` are read from their text. Of a union, the member that fits best.

    Args:
        raw: the reply's body.
        response: the type to decode it to.
        function: the target as the caller named it, for errors.
        request_id: the service's id of the attempt, for errors.

    Raises:
        PayloadDecodingError: the reply is not JSON, or not of that type. The message lists up to
            five places with the types found there, and never a value.
        RequestError: no reply could be decoded to that type, see :func:`check_response_type`.
    """
    if response is bytes:
        return raw
    hook = None if _is_untyped(response) else _hook_for(response)
    try:
        return _loads(raw) if hook is None else _structure(raw, response, hook)
    except _NotJson as error:
        problem, path = error.text, "$"
    except Exception as error:  # noqa: BLE001 - structuring runs code of the response's classes
        from lambda_invoke.core.codec_mismatch import describe, locate, type_text

        found = locate(error)
        problem, path = f"the reply does not fit {type_text(response)}: {describe(found)}", found[0].path
    # Outside of the handlers: the errors underneath hold values, and would be this one's context.
    raise PayloadDecodingError(problem, path=path, payload=raw, function=function, request_id=request_id)


def _is_untyped(response: Any) -> bool:
    return response is None or response is Any or response is object


@functools.cache
def _converter() -> Converter:
    """Made when the first type is asked for: cattrs is half of what the package takes to import."""
    from lambda_invoke.core.codec_structure import make_converter

    return make_converter()


@functools.lru_cache(maxsize=1024)
def _cached_hook(response: Any) -> Hook:
    return _converter().get_structure_hook(response)


def _hook_for(response: Any) -> Hook:
    try:
        return _cached_hook(response)
    except Exception as error:  # a bad annotation may fail in any way
        from lambda_invoke.core.codec_mismatch import type_text

        raise RequestError(f"response={type_text(response)} cannot be decoded to: {error}") from error


def _structure(raw: bytes, response: Any, hook: Hook) -> Any:
    if is_model_class(response):
        try:
            return response.model_validate_json(raw)
        except Exception:  # noqa: BLE001, S110 - told as of any other type, by the lines below
            pass
    return hook(_loads(raw), response)


class _NotJson(Exception):  # noqa: N818 - a signal, caught above
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def _loads(raw: bytes) -> Any:
    """What :func:`json.loads` makes of UTF-8; None of no bytes at all."""
    if not raw:
        return None
    try:
        return _parse(str(raw, "utf-8"))
    except UnicodeDecodeError as error:
        raise _NotJson(f"the reply is not UTF-8, at byte {error.start}") from None
    except json.JSONDecodeError as error:
        if error.pos == 0 and raw.startswith(codecs.BOM_UTF8):
            return _loads(raw.removeprefix(codecs.BOM_UTF8))
        offset = len(error.doc[: error.pos].encode())
        raise _NotJson(f"the reply is not JSON: {error.msg.strip(' :')}, at byte {offset}") from None
    except RecursionError:
        raise _NotJson("the reply is nested too deeply") from None
    except ValueError:
        raise _NotJson("the reply has a number of more digits than Python reads") from None
