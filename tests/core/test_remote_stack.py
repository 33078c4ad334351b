"""Stack frames in every runtime's grammar."""

from __future__ import annotations

import time

import pytest

from lambda_invoke.core.remote_stack import decode_stack
from lambda_invoke.results import StackFrame

FRAMES: list[tuple[str, object, tuple[str | None, int | None, str | None, str | None]]] = [
    (
        "stackTrace",
        '  File "/var/task/a.py", line 7, in handler\n    raise Oops()\n',
        ("/var/task/a.py", 7, "handler", "raise Oops()"),
    ),
    (
        "stackTrace",
        '  File "/var/task/a.py", line 7, in handler\n    f(x)\n    ~^^^\n',
        ("/var/task/a.py", 7, "handler", "f(x)"),
    ),
    (
        "stackTrace",
        '  File "<frozen importlib._bootstrap>", line 488, in _call\n',
        ("<frozen importlib._bootstrap>", 488, "_call", None),
    ),
    ("stackTrace", '  File "/var/task/a.py" Line 18\n    foo(\n', ("/var/task/a.py", 18, None, "foo(")),
    ("stackTrace", ["/var/task/a.py", 5, "handler", "event.x"], ("/var/task/a.py", 5, "handler", "event.x")),
    ("stackTrace", ["/var/task/a.py", "5"], ("/var/task/a.py", 5, None, None)),
    ("stackTrace", {"path": "main.go", "line": 24, "label": "handler"}, ("main.go", 24, "handler", None)),
    (
        "stackTrace",
        {"declaringClass": "a.B", "methodName": "c", "fileName": "B.java", "lineNumber": 3},
        ("B.java", 3, "a.B.c", None),
    ),
    ("stackTrace", "a.b.Handler.handle(Handler.java:28)", ("Handler.java", 28, "a.b.Handler.handle", None)),
    ("stackTrace", "\tat a.b.Handler.handle(Handler.kt)", ("Handler.kt", None, "a.b.Handler.handle", None)),
    ("stackTrace", "a.b.Method.invoke0(Native Method)", (None, None, "a.b.Method.invoke0", None)),
    ("stackTrace", "/var/task/f.rb:6:in `handler'", ("/var/task/f.rb", 6, "handler", None)),
    ("stackTrace", "/var/task/f.rb:6:in 'Shop#handler'", ("/var/task/f.rb", 6, "Shop#handler", None)),
    (
        "stackTrace",
        "exports.handler (/var/task/index.js:18:35)",
        ("/var/task/index.js", 18, "exports.handler", None),
    ),
    (
        "stackTrace",
        "at A.B.C(String s, I i) in C:\\my in box\\C.cs:line 25",
        ("C:\\my in box\\C.cs", 25, "A.B.C(String s, I i)", None),
    ),
    ("stackTrace", "at A.B.Get[T](Stream s)", (None, None, "A.B.Get[T](Stream s)", None)),
    ("stackTrace", "#0 /var/task/index.php(12): boom()", (None, None, None, None)),
    (
        "trace",
        "    at Runtime.handler [as handler] (/var/task/app.js:6:35)",
        ("/var/task/app.js", 6, "Runtime.handler [as handler]", None),
    ),
    (
        "trace",
        "    at async file:///var/runtime/index.mjs:1288:1",
        ("file:///var/runtime/index.mjs", 1288, None, None),
    ),
    ("trace", "    at new Promise (<anonymous>)", (None, None, "new Promise (<anonymous>)", None)),
    ("stack", "    at f (/var/task/my (old)/app.js:6:35)", ("/var/task/my (old)/app.js", 6, "f", None)),
]


@pytest.mark.parametrize(("key", "entry", "expected"), FRAMES)
def test_each_runtime_s_frame(
    key: str, entry: object, expected: tuple[str | None, int | None, str | None, str | None]
) -> None:
    """A frame in each runtime's grammar gives file, line, function and source line where it has them."""
    (frame,) = decode_stack({key: [entry]})
    assert (frame.file, frame.line, frame.function, frame.text) == expected
    assert frame.raw


def test_what_fits_no_grammar_is_kept_as_it_came() -> None:
    """A frame of an unknown runtime stays readable; separators and blank entries are no frames."""
    stack = [
        "#0 a.php(1): f()",
        "",
        "--- End of stack trace from previous location ---",
        "  {main}",
        7,
        None,
        [],
    ]
    assert decode_stack({"stackTrace": stack}) == (StackFrame("#0 a.php(1): f()"), StackFrame("  {main}"))


def test_several_frames_in_one_string() -> None:
    """A stack sent as one string, or several lines in one entry, is split into its frames."""
    text = """Traceback (most recent call last):
  File "a.py", line 1, in f
    g()
  File "b.py", line 2, in g
"""
    for stack in (text, [text]):
        frames = decode_stack({"stackTrace": stack})
        assert [(frame.file, frame.line, frame.text) for frame in frames] == [
            ("a.py", 1, "g()"),
            ("b.py", 2, None),
        ]


@pytest.mark.parametrize(
    "message",
    [
        "plain",
        "over\n\ntwo lines\n",
        "inner failed:\n    at first sight (/var/task/x.js:1:2)",
        'inner failed:\n  File "/var/task/x.py", line 9, in f\n    raise X()\n',
    ],
)
def test_the_message_in_front_of_node_s_frames_is_no_frame(message: str) -> None:
    """Node's trace begins with name and message over several lines, which may look like frames."""
    trace = f"Error: {message}\n    at run (/var/task/a.js:1:2)".split("\n")
    frames = decode_stack({"errorMessage": message, "trace": trace})
    assert [frame.function for frame in frames] == ["run"]


def test_what_node_adds_to_the_message_is_no_frame() -> None:
    """A list of requiring modules, or blank lines, may stand between the message and the frames."""
    trace = ["E: no 'x'", "Require stack:", "- /var/task/a.js", "", "    at load (index.mjs:10:2)"]
    (frame,) = decode_stack({"errorMessage": "no 'x'", "trace": trace})
    assert (frame.function, frame.line) == ("load", 10)


@pytest.mark.parametrize(
    "document",
    [{}, {"stackTrace": []}, {"stackTrace": None}, {"trace": {}}, {"stackTrace": 7}, {"trace": [None, 7]}],
)
def test_no_frames(document: dict[str, object]) -> None:
    """What holds no frames gives none."""
    assert decode_stack(document) == ()


def test_frames_are_found_under_the_key_that_has_them() -> None:
    """An empty ``stackTrace`` does not hide a ``trace``."""
    (frame,) = decode_stack({"stackTrace": [], "trace": ["E: x", "    at f (a.js:1:2)"]})
    assert frame.function == "f"


@pytest.mark.parametrize(
    "line", [" " * 200_000, ":1" * 100_000, "at (" * 50_000, "a:in " * 40_000, '"' * 200_000]
)
def test_long_lines_take_no_long_time(line: str) -> None:
    """Reading is linear in the length of a line: a callee cannot stall its callers."""
    started = time.process_time()
    for entry in (line, f"at {line}", f'File "{line}', f"{line}:", f"x({line})"):
        decode_stack({"stackTrace": [entry], "errorMessage": "m"})
        decode_stack({"trace": [entry], "errorMessage": "m"})
    assert time.process_time() - started < 5
