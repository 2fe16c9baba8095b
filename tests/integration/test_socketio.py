"""python-socketio on syncio's engine, with npm's socket.io-client and python-socketio's own client, on every server."""

from __future__ import annotations

import gc
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio as original

from syncio.compat import socketio
from tests.conftest import started
from tests.servers.kinds import KINDS, Kind
from tests.servers.process import ServerProcess, wait_until

from .test_node_client import node_folder

CHAT = "tests.servers.apps.chat:app"
PATIENCE = 60
"""Seconds for the whole scenario on Node."""


@pytest.fixture(scope="module")
def server(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The chat on one kind of server."""
    server = started(kind, tmp_path_factory.mktemp(kind.name), app=CHAT)
    try:
        yield server
        assert server.is_alive, f"{kind.name} died:\n{server.log()}"
    finally:
        server.kill()


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the scenario: the URL is still to be added."""
    return node_folder(tmp_path_factory.mktemp("socketio"), "socketio.mjs")


def test_npm_client(scenario: list[str], server: ServerProcess, kind: Kind) -> None:
    """Namespaces, rooms, acknowledgements, bytes, mixed transports, reconnection, and the admin's view."""
    command = [*scenario, server.url, "websocket" if kind.websocket else "polling"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout == "done\n"
    assert wait_until(lambda: len(server.events(event="disconnect")) == len(server.events(event="connect")))
    assert all(event["auth"] in ({"name": "ada"}, None, {}) for event in server.events(event="disconnect"))


CLIENTS: list[Any] = [original.Client, socketio.Client]


@pytest.mark.parametrize("make", CLIENTS, ids=["python-engineio's engine", "syncio's engine"])
@pytest.mark.parametrize("transports", [["polling"], ["websocket"], None], ids=str)
def test_python_client(server: ServerProcess, kind: Kind, make: Any, transports: list[str] | None) -> None:
    """python-socketio's own client, on either engine: events, acknowledgements, bytes, another namespace."""
    if transports == ["websocket"] and not kind.websocket:
        pytest.skip("there is no WebSocket here")
    client = make()
    heard: list[Any] = []
    done = threading.Event()
    client.on("echo", lambda *data: (heard.append(data), done.set() if data == ("last",) else None))
    client.connect(server.url, auth={"name": "ada"}, transports=transports, namespaces=["/", "/other"])
    assert client.call("echo", ("a", b"\x00\xff"), timeout=10) == ["a", b"\x00\xff"]
    assert client.call("echo", 1, namespace="/other", timeout=10) == {"namespace": "/other", "data": 1}
    for number in range(100):
        client.emit("echo", number)
    client.emit("echo", "last")
    assert done.wait(10)
    wanted = [("a", b"\x00\xff"), *((number,) for number in range(100)), ("last",)]
    if make is original.Client:
        # It hands each message to a thread of its own, so that their order is luck, and the last may be the first.
        assert wait_until(lambda: sorted(map(repr, heard)) == sorted(map(repr, wanted)))
    else:
        assert heard == wanted
    client.disconnect()
    assert wait_until(lambda: len(server.events(event="disconnect")) == len(server.events(event="connect")))


@pytest.mark.parametrize("make", CLIENTS, ids=["python-engineio's engine", "syncio's engine"])
@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids=str)
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_reconnection(tmp_path: Path, make: Any, transports: list[str]) -> None:
    """python-socketio's client sees that its server ends, and is back when the server is, on either engine."""
    kind = next(kind for kind in KINDS if kind.name == "gunicorn-gthread")
    server = started(kind, tmp_path / "first", app=CHAT)
    client = make(reconnection_delay=0.1, reconnection_delay_max=0.2)
    connects: list[int] = []
    client.on("connect", lambda: connects.append(1))
    try:
        client.connect(server.url, transports=transports)
        server.stop()
        assert wait_until(lambda: not client.connected)
        server = started(kind, tmp_path / "second", port=server.port, app=CHAT)
        assert wait_until(lambda: len(connects) == 2 and client.connected)
        assert client.call("echo", "back", timeout=10) == "back"
        client.disconnect()
    finally:
        server.kill()
    # python-engineio's client leaves the socket of a WebSocket that broke to the garbage collector.
    client = None
    gc.collect()
