"""The diagram of the architecture, as a test: imports point down, and only some may know threads, sockets or time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "syncio"
# Tens are the layers of the architecture; within one of them the lower number is imported by the higher one.
LAYERS = {
    "errors": 0, "states": 1, "runtime": 10, "heartbeat": 11, "streams": 20, "websocket": 30, "protocol": 30,
    "engineio": 40, "web": 40, "interaction": 50, "compat": 50, "testing": 60, "demo": 60, "cli": 61,
}  # fmt: skip
TIME_AND_TASKS = {"threading", "_thread", "queue", "gevent", "greenlet", "selectors", "select", "time", "sched"}
SOCKETS = {"socket", "_socket", "ssl", "socketserver"}
ASYNC = {"asyncio", "pickle"}
MAY_KNOW_TASKS = ("runtime", "cli", "demo", "streams/tls")  # tls: a lock that monkey-patching does not touch
MAY_KNOW_SOCKETS = ("streams", "cli", "demo")


def imports_of(path: Path, root: Path) -> Iterator[str]:
    """The absolute names that a file imports, those of the package as ``syncio.x.y``."""
    package = (root.name, *path.relative_to(root).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            yield from (f"{module}.{alias.name}" for alias in node.names) if module == root.name else (module,)


def violations(root: Path) -> list[str]:
    """Every import that the architecture forbids."""
    found = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).with_suffix("").as_posix()
        room = name.split("/")[0]
        if room == "__init__":
            continue
        if room not in LAYERS:
            found.append(f"{name} belongs to no layer")
            continue
        for imported in imports_of(path, root):
            top, *rest = imported.split(".")
            if top == root.name and rest and rest[0] in LAYERS:
                same = rest[0] == room
                if not same and LAYERS[rest[0]] >= LAYERS[room]:
                    found.append(f"{name} imports upwards: {imported}")
            if top in TIME_AND_TASKS and not name.startswith(MAY_KNOW_TASKS):
                found.append(f"{name} may not know {top}")
            if top in SOCKETS and not name.startswith(MAY_KNOW_SOCKETS):
                found.append(f"{name} may not know {top}")
            if top in ASYNC:
                found.append(f"{name} may not know {top}")
    return found


def cycles(root: Path) -> list[list[str]]:
    """Modules that import one another while they are being imported."""
    graph: dict[str, set[str]] = {}
    for path in root.rglob("*.py"):
        name = ".".join((root.name, *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        body = [node for node in ast.parse(path.read_text("utf-8")).body if not isinstance(node, ast.If)]
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        graph[name] = {
            ".".join((*package[: len(package) - node.level + 1], *(node.module or "").split("."))).strip(".")
            for node in body
            if isinstance(node, ast.ImportFrom) and node.level
        }
    found: list[list[str]] = []

    def visit(name: str, trail: list[str], done: set[str]) -> None:
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
        elif name in graph and name not in done:
            for following in sorted(graph[name]):
                visit(following, [*trail, name], done)
            done.add(name)

    done: set[str] = set()
    for name in sorted(graph):
        visit(name, [], done)
    return found


def test_imports_point_down() -> None:
    """No module imports a layer above it, or what its layer must not know."""
    assert violations(PACKAGE) == []


def test_no_cycles() -> None:
    """No modules import each other."""
    assert cycles(PACKAGE) == []


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("runtime/x.py", "from ..engineio import server", "imports upwards"),
        ("websocket/x.py", "import threading", "may not know threading"),
        ("engineio/x.py", "from socket import socket", "may not know socket"),
        ("utils.py", "", "belongs to no layer"),
    ],
)
def test_the_test_can_fail(tmp_path: Path, path: str, source: str, complaint: str) -> None:
    """A tree that breaks a rule is complained about."""
    file = tmp_path / "syncio" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    assert any(complaint in found for found in violations(tmp_path / "syncio"))


def test_a_cycle_is_found(tmp_path: Path) -> None:
    """Two modules that import each other are a cycle."""
    folder = tmp_path / "syncio"
    folder.mkdir()
    (folder / "a.py").write_text("from .b import x")
    (folder / "b.py").write_text("from .a import y")
    assert cycles(folder)
