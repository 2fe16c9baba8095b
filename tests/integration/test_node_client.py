"""npm's own Engine.IO client, on Node, against every kind of server."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Starter, require_tool
from tests.integration.selection import on_kinds
from tests.servers.kinds import POLLING_KINDS, WEBSOCKET_KINDS, Kind
from tests.servers.process import ServerProcess

HERE = Path(__file__).parents[1] / "node"
PATIENCE = 40
"""Seconds for a whole scenario."""
Line = dict[str, Any]


def _installed_modules() -> Path:
    """The folder with the client's packages, installed on first use into the user's cache."""
    lock = (HERE / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "syncio-tests"
    folder = cache / f"node-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.exists():
        fresh = cache / f"{folder.name}.{os.getpid()}"
        fresh.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, fresh)
        subprocess.run([require_tool("npm"), "ci", "--no-audit", "--no-fund"], cwd=fresh, check=True, timeout=110)
        try:
            fresh.rename(folder)
        except OSError:
            shutil.rmtree(fresh)  # somebody else was faster
    return folder / "node_modules"


def node_folder(folder: Path, script: str) -> list[str]:
    """The command that runs one of our scripts beside npm's packages.

    :param folder: where both are put together.
    """
    program = require_tool("node")
    (folder / "node_modules").symlink_to(_installed_modules())
    shutil.copy(HERE / "within.mjs", folder)
    return [program, str(shutil.copy(HERE / script, folder))]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs a scenario: URL and name are still to be added."""
    return node_folder(tmp_path_factory.mktemp("node"), "client.mjs")


@contextmanager
def _running(node: list[str], server: ServerProcess, scenario: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*node, server.url, scenario], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def assert_goes_well(process: subprocess.Popen[str]) -> list[Line]:
    """The scenario ends as it must; what it has said."""
    said, _ = process.communicate(timeout=PATIENCE)
    lines = [json.loads(line) for line in said.splitlines()]
    assert process.returncode == 0, said
    assert lines[-1] == {"event": "done"}
    return lines


@pytest.mark.parametrize("scenario", ["polling", "binary-polling", "large-polling", "reconnect"])
def test_scenario(node: list[str], server: ServerProcess, scenario: str) -> None:
    """Texts, bytes, a megabyte each way, and clients that leave and come back: possible on every server."""
    with _running(node, server, scenario) as process:
        assert_goes_well(process)


@on_kinds(WEBSOCKET_KINDS)
@pytest.mark.parametrize("scenario", ["websocket", "binary-websocket", "large-websocket", "upgrade"])
def test_websocket_scenario(node: list[str], server: ServerProcess, scenario: str) -> None:
    """The same on a WebSocket, and messages in order while polling becomes one."""
    with _running(node, server, scenario) as process:
        lines = assert_goes_well(process)
    assert lines[0]["transport"] == ("polling" if scenario == "upgrade" else "websocket")


@on_kinds(POLLING_KINDS)
def test_client_stays_on_polling(node: list[str], server: ServerProcess) -> None:
    """Where no WebSocket is possible none is offered, and the client does not try."""
    with _running(node, server, "stays-on-polling") as process:
        assert_goes_well(process)


def test_every_goodbye_was_understood(server: ServerProcess) -> None:
    """Each of these clients has left in an orderly way: nobody timed out, and nobody was in error.

    This test has to stay behind those that share its server.
    """
    reasons = {e["reason"] for e in server.events(event="disconnect")}
    assert reasons <= {"client disconnect", "transport close"}
    assert reasons


def test_restart(node: list[str], start_server: Starter, kind: Kind) -> None:
    """A client sees that the server ends, and a new one is welcome when it is back on the same port."""
    server = start_server(kind)
    with _running(node, server, "restart") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "ready":
                break
        assert server.stop()
        start_server(kind, port=server.port)
        said = assert_goes_well(process)
    assert [line["event"] for line in said] == ["close", "open", "close", "done"]
