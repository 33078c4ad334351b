"""Every developer task: ``nox -s NAME``, and ``nox --list`` names them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint", "typing"]
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False

PROJECT = nox.project.load_toml("pyproject.toml")
CODE = ("lambda_invoke", "stubs", "tests", "examples", "benchmarks", "docs", "noxfile.py")
# Narrow stubs leave most names out, which is what --ignore-missing-stub allows.
STUBTEST = (
    *("python", "-m", "mypy.stubtest", "boto3", "botocore"),
    *("--ignore-missing-stub", "--concise"),
    *("--allowlist", "stubs/allowlist.txt", "--mypy-config-file", "pyproject.toml"),
)
# Many tests start other processes: two at a time keep two cores busy, and leave what is killed or timed on
# purpose some room. `-- -n 0` runs them in one.
PARALLEL = ("-n", "2", "--dist", "worksteal")
STUBS = {"MYPYPATH": "stubs"}


def group(*names: str) -> tuple[str, ...]:
    """The requirements of dependency groups of pyproject.toml."""
    return nox.project.dependency_groups(PROJECT, *names)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the tour: a local endpoint, no account."""
    session.install(".[local,progress]")
    session.run("python", "-m", "lambda_invoke", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the suite with coverage; arguments after ``--`` go to pytest."""
    session.install("-e", ".[all]", *group("test"))
    session.run("python", "-m", "tests.support.node")  # once: a minute of compiling, where node is there
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *PARALLEL, "--durations=10", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    if not session.posargs:  # of a part of the suite it would say nothing
        session.run("coverage", "report", "--skip-covered", "--show-missing")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; ``-- --fix`` repairs what can be repaired."""
    session.install(*group("lint"))
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), *CODE)
    session.run("ruff", "format", *([] if fix else ["--check"]), *CODE)


@nox.session
def typing(session: nox.Session) -> None:
    """Check types strictly, and the stubs against the botocore that is installed."""
    session.install("-e", ".[all]", *group("test", "typing"), "nox")
    session.run("mypy", *session.posargs)
    session.run(*STUBTEST, env=STUBS)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.install("-e", ".[all]", *group("docs"))
    session.run(
        "sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html", *session.posargs
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks: all of them, or those named after ``--``, each with the arguments behind it."""
    session.install(".[all]", *group("test"))
    runs: list[list[str]] = []
    for word in session.posargs or sorted(map(str, Path("benchmarks").glob("[!_]*.py"))):
        if word.endswith(".py") or not runs:
            runs.append([])
        runs[-1].append(word)
    peers = str(Path(session.cache_dir) / "peers")  # kept: each has an environment of its own
    for run in runs:
        session.run("python", *run, env={"PYTHONPATH": ".", "BENCH_PEERS": peers})


@nox.session
def minimums(session: nox.Session) -> None:
    """Run the whole suite, and the stubs' check, on the lowest versions allowed."""
    session.install("uv")
    session.run(
        *("uv", "pip", "install", "--python", f"{session.bin}/python", "--resolution", "lowest-direct"),
        *("-e", ".[all]", *group("test", "typing")),
    )
    session.run("pytest", *PARALLEL, "--durations=10", *session.posargs)
    session.run(*STUBTEST, env=STUBS)


@nox.session(python=["3.12", "3.13", "3.14"])
def pythons(session: nox.Session) -> None:
    """Run the suite on every later Python that is here, and on uvloop; ``tests`` runs it on nox's own."""
    session.install(".[all]", *group("test"))
    session.run("pytest", *PARALLEL, "--durations=10", *session.posargs, env={"TESTS_LOOP": "uvloop"})


@nox.session
def recordings(session: nox.Session) -> None:
    """Check the decoders against recorded replies, where those are present."""
    session.install("-e", ".[all]", *group("test"))
    session.run("pytest", "tests/recordings", *session.posargs)


@nox.session
def natives(session: nox.Session) -> None:
    """Test functions in Go and Rust: the first time it builds them, for minutes, where go and cargo are."""
    session.install("-e", ".[all]", *group("test"))
    session.run("python", "-m", "tests.support.go_program")
    session.run("python", "-m", "tests.support.native")
    session.run("pytest", "-rs", "tests/local/test_go.py", "tests/local/test_natives.py", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Run the long tests, which the other sessions leave out."""
    session.install("-e", ".[all]", *group("test"))
    # No tracebacks after two minutes: they are no sign of a hang here, and taking them may crash CPython.
    session.run("pytest", "-m", "soak", "-o", "faulthandler_timeout=0", "--durations=10", *session.posargs)


@nox.session
def explore(session: nox.Session) -> None:
    """Have Hypothesis look for new examples, a thousand for each property."""
    session.install("-e", ".[all]", *group("test"))
    session.run("pytest", *PARALLEL, "-m", "hypothesis", *session.posargs, env={"TESTS_EXPLORE": "1"})


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel and the source archive, and check what is in the wheel."""
    session.install("build")
    output = Path(session.create_tmp()) / "dist"
    session.run("python", "-m", "build", "--outdir", str(output), ".", silent=True)
    (wheel,) = output.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    if "lambda_invoke/py.typed" not in names:
        session.error("the wheel has no py.typed")
    ours = ("lambda_invoke/", "lambda_invoke_sdk-", "pytest_lambda_invoke.py")
    strangers = [name for name in names if not name.startswith(ours)]
    if strangers:
        session.error(f"the wheel has what it should not have: {strangers}")
    session.log("%s: %d files", wheel.name, len(names))
