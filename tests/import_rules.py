"""Who may import whom in the package, and a checker of it that reads sources only."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PACKAGE = "lambda_invoke"

# From the bottom up; a module imports from its own layer and from those below. "" is the package
# itself: its public names.
LAYERS = (
    ("errors", "results"),
    ("core",),
    ("transports", "control_plane"),
    ("fanout", "events", "sources", "once"),
    ("fanout", "events", "sources", "doctor"),
    ("base", "methods", "client", "aio", "function"),
    ("",),
    ("local",),
    ("testing",),
    ("cli", "__main__"),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

# The core does no I/O, reads no clock, draws no random number and knows no botocore. (pathlib is
# not among these: payloads may hold paths, as values.)
IMPURE = frozenset(
    {
        *("asyncio", "concurrent", "http", "multiprocessing", "os", "queue", "random", "secrets"),
        *("select", "selectors", "shutil", "signal", "socket", "ssl", "subprocess", "tempfile", "threading"),
        *("time", "urllib", "boto3", "botocore", "httptools", "urllib3"),
    }
)

# (module, what it imports): why it may all the same.
EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("core.limiter", "threading"): "plain data under a lock, shared by threads and loops",
    ("core.retry", "threading"): "the budget is plain data under a lock, shared by threads and loops",
}


@attrs.frozen
class Import:
    """One import as it takes effect: ``module`` is what is loaded."""

    importer: str
    module: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer or PACKAGE}:{self.line} imports {self.module}"


def read_package(root: Path) -> dict[str, str]:
    """The package's sources by module name, without the package's own: ``core.plan``, ``""``."""
    sources = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root / PACKAGE).with_suffix("").parts
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return sources


def imports_of(module: str, source: str, modules: frozenset[str], *, is_package: bool) -> Iterator[Import]:
    """Every import that runs, those in functions too; those under TYPE_CHECKING do not run."""
    own = [PACKAGE, *module.split(".")] if module else [PACKAGE]
    for node in _running(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            above = own[: len(own) - node.level + is_package] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                # `from package import module` loads the module, not only the package
                deeper = f"{origin}.{alias.name}"
                known = deeper.removeprefix(f"{PACKAGE}.") in modules and deeper.startswith(f"{PACKAGE}.")
                yield Import(module, deeper if known else origin, node.lineno)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield other
                yield from _running(other)
            continue
        yield node
        yield from _running(node)


def violations(sources: Mapping[str, str], exceptions: Mapping[tuple[str, str], str]) -> list[str]:
    """What breaks the rules, and every exception that nothing needs."""
    found: list[str] = []
    used: set[tuple[str, str]] = set()
    modules = frozenset(sources)
    for module, source in sources.items():
        is_package = any(other.startswith(f"{module}.") for other in modules) or module == ""
        for one in imports_of(module, source, modules, is_package=is_package):
            problem = _problem(one)
            if problem and (module, one.module) in exceptions:
                used.add((module, one.module))
            elif problem:
                found.append(f"{one}: {problem}")
        if module and module.partition(".")[0] not in RANK:
            found.append(f"{module}: stands in no layer")
    return found + [
        f"{importer}: nothing needs its exception for {name}" for importer, name in exceptions.keys() - used
    ]


def _problem(one: Import) -> str | None:
    top = one.importer.partition(".")[0]
    if one.module == PACKAGE or one.module.startswith(f"{PACKAGE}."):
        below = one.module.removeprefix(PACKAGE).removeprefix(".").partition(".")[0]
        # the package itself gathers the public names of all layers
        if top and RANK.get(below, len(LAYERS)) > RANK.get(top, len(LAYERS)):
            return f"{below or PACKAGE} stands above {top}"
    elif top == "core" and one.module.partition(".")[0] in IMPURE:
        return "the core is pure"
    return None
