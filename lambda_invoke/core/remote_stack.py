"""The stack of a remote error, as frames, from what every runtime sends.

Frames come as strings in the runtime's own grammar (Python, Node, Java, .NET, Ruby), as lists
``[file, line, function, text]`` (Python up to 3.6) or as objects (Go); one string may hold several
lines. What fits no grammar is kept as it came rather than dropped: there are more runtimes than these.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from lambda_invoke.results import StackFrame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PYTHON = re.compile(r'File "([^"]*)",? [Ll]ine ([0-9]{1,9})(?:, in (.*))?')
# The end of file:line or file:line:column; a file may hold colons itself ("file:///var/task/f.mjs").
_LINE_COLUMN = re.compile(r":([0-9]{1,9})(:[0-9]{1,9})?\Z")
_DIGITS = re.compile(r"[0-9]{1,9}")
_JAVA_PLACES = frozenset({"Native Method", "Unknown Source", "<generated>"})
_JAVA_FILE = re.compile(r"[\w$.-]+\.(?:java|kt|scala|groovy|clj)")
_UNDERLINE = frozenset("^~ \t")

_FILE_KEYS = ("path", "file", "fileName", "filename")
_LINE_KEYS = ("line", "lineNumber", "lineno")
_FUNCTION_KEYS = ("label", "function", "methodName", "method", "name")
_CLASS_KEYS = ("declaringClass", "className", "class")
_TEXT_KEYS = ("text", "code", "source")


def decode_stack(document: Mapping[str, Any]) -> tuple[StackFrame, ...]:
    """The frames of an error document, in the order in which they came. Never raises.

    ``stackTrace`` holds frames alone. ``trace`` (Node) is the text of an ``Error.stack``: the name and
    message first, over any number of lines, so only lines that read "at ..." are frames there.
    """
    for key in ("stackTrace", "trace", "stack"):
        entries = document.get(key)
        if isinstance(entries, str):
            entries = [entries]
        if isinstance(entries, list) and entries:
            if key == "stackTrace":
                return tuple(frame for entry in entries for frame in _entry_frames(entry))
            return tuple(_node_frames(entries, document.get("errorMessage")))
    return ()


def _entry_frames(entry: object) -> Iterator[StackFrame]:
    if isinstance(entry, str):
        yield from _string_frames(entry)
    elif isinstance(entry, list) and entry:
        file, line, function, text = (entry + [None] * 4)[:4]
        yield StackFrame(_raw(entry), _string(file), _line(line), _string(function), _string(text))
    elif isinstance(entry, dict) and entry:
        owner, function = _first(entry, _CLASS_KEYS), _first(entry, _FUNCTION_KEYS)
        yield StackFrame(
            raw=_raw(entry),
            file=_string(_first(entry, _FILE_KEYS)),
            line=_line(_first(entry, _LINE_KEYS)),
            function=".".join(part for part in (_string(owner), _string(function)) if part) or None,
            text=_string(_first(entry, _TEXT_KEYS)),
        )


def _string_frames(entry: str) -> Iterator[StackFrame]:
    """The frames of one string: usually one, with its source line below it in Python."""
    python: list[str] = []
    for line in entry.split("\n"):
        if _PYTHON.fullmatch(line.strip()):
            if python:
                yield _python_frame(python)
            python = [line]
        elif python:
            python.append(line)
        elif line.strip() and not _is_separator(line.strip()):
            yield _line_frame(line) or StackFrame(line)
    if python:
        yield _python_frame(python)


def _python_frame(lines: Sequence[str]) -> StackFrame:
    found = _PYTHON.fullmatch(lines[0].strip())
    assert found is not None
    file, line, function = found.groups()
    texts = (text.strip() for text in lines[1:] if not _UNDERLINE.issuperset(text))
    return StackFrame("\n".join(lines).rstrip("\n"), file, int(line), function, next(texts, None))


def _node_frames(entries: Sequence[object], message: object) -> Iterator[StackFrame]:
    stack = "\n".join(entry for entry in entries if isinstance(entry, str))
    if isinstance(message, str) and message:
        head, found, rest = stack.partition(message)
        if found and "\n" not in head:
            stack = rest
    for line in stack.split("\n"):
        frame = _line_frame(line) if line.lstrip().startswith("at ") else None
        if frame is not None:
            yield frame


def _is_separator(line: str) -> bool:
    """Lines that runtimes put between frames; they name no place."""
    return line.startswith(("--- End of", "Traceback (most recent call last)"))


def _line_frame(line: str) -> StackFrame | None:
    """The frame of one line in Node's, Java's, .NET's or Ruby's grammar, or None."""
    text = line.strip()
    if text.startswith("at "):
        return _called_frame(line, text.removeprefix("at ").removeprefix("async "))
    place, found, function = text.partition(":in ")
    if found and (where := _LINE_COLUMN.search(place)):
        return StackFrame(line, place[: where.start()], int(where[1]), function.strip("`'"))
    return _parenthesised_frame(line, text)


def _called_frame(raw: str, text: str) -> StackFrame:
    """What stands behind "at ": Node, .NET, and Java where it prints a stack."""
    call, found, number = text.rpartition(":line ")
    if found and (line := _line(number)) is not None:
        function, found, file = call.partition(") in ")
        return StackFrame(raw, file, line, function + ")") if found else StackFrame(raw, None, line, call)
    if (frame := _parenthesised_frame(raw, text)) is not None:
        return frame
    where = _LINE_COLUMN.search(text)
    if where and where[2]:  # "at file:///var/task/f.mjs:1:2": Node, outside any function
        return StackFrame(raw, text[: where.start()], int(where[1]))
    return StackFrame(raw, function=text)  # .NET without a file


def _parenthesised_frame(raw: str, text: str) -> StackFrame | None:
    """``function (file:line:column)`` of Node, ``package.Class.method(File.java:12)`` of Java."""
    if not text.endswith(")"):
        return None
    function, found, place = text[:-1].partition(" (")
    if not found:
        function, _, place = text[:-1].partition("(")
    if place in _JAVA_PLACES:
        return StackFrame(raw, function=function)
    if _JAVA_FILE.fullmatch(place):
        return StackFrame(raw, place, function=function)
    where = _LINE_COLUMN.search(place)
    return StackFrame(raw, place[: where.start()], int(where[1]), function) if where and function else None


def _raw(entry: object) -> str:
    try:
        return json.dumps(entry, ensure_ascii=False)
    except RecursionError:
        return "..."


def _first(entry: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((entry[key] for key in keys if entry.get(key) is not None), None)


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _line(value: object) -> int | None:
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return int(text) if _DIGITS.fullmatch(text) else None
