"""The architecture's diagram as a test: imports point down, never in a circle, and few may know tasks or sockets."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[2] / "syncio"

LAYERS = (
    {"errors", "states"},
    {"runtime", "heartbeat"},
    {"streams"},
    {"websocket", "protocol"},
    {"engineio", "web"},
    {"interaction", "compat"},
    {"testing", "cli", "demo"},
    {"__init__"},
)
# Inside a layer rooms do not know each other, but for these; and the command may ask the front door for the version.
NEIGHBOURS = {("states", "errors"), ("heartbeat", "runtime"), ("web", "engineio"), ("cli", "demo"), ("cli", "__init__")}

TASKS = {"threading", "_thread", "queue", "gevent", "greenlet", "select", "selectors", "time", "sched", "concurrent"}
SOCKETS = {"socket", "_socket", "ssl", "socketserver"}
BANNED = {"asyncio", "pickle", "marshal", "shelve"}
PATTERNS = {"re"}  # a regular expression over a peer's bytes can take for ever
PURE = ("websocket", "engineio.packet", "engineio.payload", "engineio.session", "engineio.client.session")

# Who may import what the others may not. A longer list needs a better reason.
PERMITS = {
    "runtime": TASKS,
    "streams": SOCKETS,
    "streams.tls": {"_thread"},  # OpenSSL wants a lock that monkey-patching leaves alone, around calls that never wait
    "cli": TASKS | SOCKETS | PATTERNS,
    "demo": TASKS | SOCKETS,
    "testing": TASKS | SOCKETS,
}


class Import(NamedTuple):
    """One import: of `target` in `source`, both relative to the package if they are its own."""

    source: str
    target: str
    is_own: bool
    for_types: bool


def modules_of(root: Path) -> dict[str, Path]:
    """Every module below a package's folder, by its dotted name; packages are named like their folder.

    A file in a folder that is no package is none: what `syncio new` copies.
    """
    found = {}
    for path in sorted(path for path in root.rglob("*.py") if (path.parent / "__init__.py").exists()):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


def written_imports(node: ast.AST, package: list[str]) -> Iterator[str]:
    """The absolute names that a statement imports; from a package comes either one of its modules or of its names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = ["syncio", *package][: len(package) + 2 - node.level] if node.level else []
        base += [node.module] if node.module else []
        yield from (".".join([*base, alias.name]) for alias in node.names)


def imports_of(name: str, path: Path, modules: dict[str, Path]) -> Iterator[Import]:
    """Every import of a module, also those inside functions and those for type checkers."""
    tree = ast.parse(path.read_text("utf-8"))
    guards = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    for_types = {id(node) for guard in guards for part in guard.body for node in ast.walk(part)}
    inside = [] if name == "__init__" else name.split(".")
    package = inside if path.stem == "__init__" else inside[:-1]
    for node in ast.walk(tree):
        for target in written_imports(node, package):
            top, _, own = target.partition(".")
            if top != "syncio":
                yield Import(name, target, False, id(node) in for_types)
                continue
            while own and own not in modules:
                own = own.rpartition(".")[0]
            yield Import(name, own or "__init__", True, id(node) in for_types)


def all_imports(root: Path) -> list[Import]:
    """Every import below a package's folder."""
    modules = modules_of(root)
    return [found for name, path in modules.items() for found in imports_of(name, path, modules)]


def layer_of(module: str) -> int | None:
    """The number of a module's layer; None if it has none."""
    room = module.split(".")[0]
    return next((number for number, rooms in enumerate(LAYERS) if room in rooms), None)


def homeless(root: Path) -> list[str]:
    """Modules that belong to no layer."""
    return [name for name in modules_of(root) if layer_of(name) is None]


def upward(root: Path) -> list[str]:
    """Imports of the package's own modules that do not point down."""
    found = []
    for source, target, is_own, _ in all_imports(root):
        rooms = source.split(".")[0], target.split(".")[0]
        if not is_own or rooms[0] == rooms[1] or rooms in NEIGHBOURS or None in (layer_of(source), layer_of(target)):
            continue
        if (layer_of(target) or 0) >= (layer_of(source) or 0):
            found.append(f"{source} imports {target}")
    return found


def unpermitted(root: Path) -> list[str]:
    """Imports of modules that only some may know."""
    found = []
    for source, target, is_own, _ in all_imports(root):
        top = target.split(".")[0]
        allowed = set().union(*(what for who, what in PERMITS.items() if f"{source}.".startswith(f"{who}.")))
        if not is_own and (top in BANNED or (top in TASKS | SOCKETS | PATTERNS and top not in allowed)):
            found.append(f"{source} imports {top}")
    return found


def cycles(root: Path) -> list[list[str]]:
    """Circles of modules that need each other in order to run; what only type checkers see does not count."""
    graph: dict[str, set[str]] = {name: set() for name in modules_of(root)}
    for source, target, is_own, for_types in all_imports(root):
        if is_own and not for_types and source != target:
            graph[source].add(target)
    found: list[list[str]] = []
    finished: set[str] = set()

    def visit(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
        elif name not in finished:
            for following in sorted(graph[name]):
                visit(following, [*trail, name])
            finished.add(name)

    for name in graph:
        visit(name, [])
    return found


def test_every_module_belongs_to_a_layer() -> None:
    """There is no module beside the diagram."""
    assert homeless(PACKAGE) == []


def test_imports_point_down() -> None:
    """No module imports one of a higher layer, not even for its types."""
    assert upward(PACKAGE) == []


def test_there_are_no_cycles() -> None:
    """No modules need each other, inside a package neither."""
    assert cycles(PACKAGE) == []


def test_few_know_tasks_and_sockets() -> None:
    """Threads, clocks and sockets are known where the architecture says, and nowhere else."""
    assert unpermitted(PACKAGE) == []


def test_pure_modules_exist_and_have_no_permit() -> None:
    """What is promised to be pure is there, and nothing has been permitted to it."""
    names = modules_of(PACKAGE)
    assert [name for name in PURE if name not in names] == []
    assert [name for name in names if name.startswith(PURE) and any(name.startswith(key) for key in PERMITS)] == []


def test_pure_modules_import_only_what_is_pure() -> None:
    """A codec or machine reaches no module that knows tasks or sockets, through whatever it imports."""
    graph: dict[str, set[str]] = {}
    for source, target, is_own, for_types in all_imports(PACKAGE):
        if is_own and not for_types:
            graph.setdefault(source, set()).add(target)
    for pure in (name for name in modules_of(PACKAGE) if name.startswith(PURE)):
        reached, waiting = {pure}, [pure]
        while waiting:
            new = graph.get(waiting.pop(), set()) - reached
            reached |= new
            waiting.extend(new)
        assert [name for name in sorted(reached) if name.split(".")[0] in ("runtime", "streams", "heartbeat")] == []


def tree(folder: Path, **sources: str) -> Path:
    """A package of some modules; two underscores in a name stand for a dot."""
    root = folder / "syncio"
    for name, source in {"__init__": "", **sources}.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py") if name != "__init__" else root / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(source)
    return root


@pytest.mark.parametrize(
    "source",
    [
        "from ..engineio import server",
        "from ..engineio.server import Server",
        "from .. import engineio",
        "import syncio.engineio.server",
        "from syncio.engineio.server import Server",
        "from syncio import engineio",
        "def late():\n    from ..engineio import server",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..engineio.server import Server",
    ],
)
def test_an_upward_import_is_found(tmp_path: Path, source: str) -> None:
    """However an import is written, its pointing up is seen."""
    root = tree(tmp_path, engineio__server="", runtime__relay=source)
    assert len(upward(root)) == 1
    assert upward(tree(tmp_path, runtime__relay="from ..errors import X", errors="")) == []


def test_an_import_of_a_neighbour_is_found(tmp_path: Path) -> None:
    """Rooms of one layer stay apart."""
    root = tree(tmp_path, engineio__server="from ..web import app", web__app="")
    assert upward(root) == ["engineio.server imports web.app"]


def test_a_package_that_imports_the_top_is_found(tmp_path: Path) -> None:
    """The package's own front door is above all."""
    assert upward(tree(tmp_path, engineio__server="from .. import __version__")) == ["engineio.server imports __init__"]


@pytest.mark.parametrize(
    ("name", "source", "complaint"),
    [
        ("websocket__frames", "import threading", "websocket.frames imports threading"),
        ("websocket__frames", "import time as clock", "websocket.frames imports time"),
        ("engineio__server", "from socket import socket", "engineio.server imports socket"),
        ("engineio__server", "def late():\n    import gevent.event", "engineio.server imports gevent"),
        ("runtime__relay", "import socket", "runtime.relay imports socket"),
        ("streams__adopt", "from _thread import allocate_lock", "streams.adopt imports _thread"),
        ("client", "import threading", "client imports threading"),
        ("websocket__headers", "import re", "websocket.headers imports re"),
        ("cli", "import asyncio", "cli imports asyncio"),
    ],
)
def test_an_unpermitted_import_is_found(tmp_path: Path, name: str, source: str, complaint: str) -> None:
    """What a module may not know is complained about."""
    assert unpermitted(tree(tmp_path, **{name: source})) == [complaint]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("runtime__threads", "import threading, queue, time"),
        ("streams__adopt", "import ssl, socket"),
        ("engineio__server", "from .socket import Socket"),
        ("engineio__socket", "from . import socket"),
        ("cli", "import time"),
    ],
)
def test_a_permitted_import_is_not(tmp_path: Path, name: str, source: str) -> None:
    """What a module may know, and its own modules of such a name, are not."""
    assert unpermitted(tree(tmp_path, **{name: source})) == []


def test_a_cycle_is_found(tmp_path: Path) -> None:
    """Modules that need each other are a cycle, also through a third and inside a function."""
    root = tree(
        tmp_path,
        engineio__a="from .b import x",
        engineio__b="from . import c",
        engineio__c="def late():\n    from .a import x",
    )
    assert cycles(root) == [["engineio.a", "engineio.b", "engineio.c", "engineio.a"]]


def test_types_make_no_cycle(tmp_path: Path) -> None:
    """A module may name the type of one that imports it."""
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import B"
    assert cycles(tree(tmp_path, engineio__a=typed, engineio__b="from .a import A")) == []


def test_a_homeless_module_is_found(tmp_path: Path) -> None:
    """A module that no layer names is complained about."""
    assert homeless(tree(tmp_path, utils="", engineio__server="")) == ["utils"]
