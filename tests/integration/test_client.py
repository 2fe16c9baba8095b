"""syncio's client against every kind of server, and against the other engines; and theirs against ours."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import engineio
import pytest

import syncio
from tests.conftest import Starter
from tests.integration.selection import on_kinds
from tests.servers.kinds import KINDS, POLLING_KINDS, WEBSOCKET_KINDS, Kind
from tests.servers.process import ServerProcess, free_port, wait_until

from .test_node_client import node_folder

PATIENCE = 15
MANY = 200
# A disconnect takes python-engineio's session away at once: a poll that is then still on its way gets "Invalid session"
# and no CLOSE. So it has to wait until the next poll, which follows the POST that brings "leave", is parked.
THEIRS = """
import sys, engineio
from werkzeug.serving import run_simple
server = engineio.Server(async_mode="threading", async_handlers=False)
def leave(sid):
    server.sleep(0.5)
    server.disconnect(sid)
def answer(sid, data):
    if data == "leave":
        server.start_background_task(leave, sid)
    else:
        server.send(sid, data)
server.on("message", answer)
run_simple("127.0.0.1", int(sys.argv[1]), engineio.WSGIApp(server), threaded=True)
"""


class Recorder(syncio.Client):
    """A client that notes what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Any] = []
        self.ends: list[str] = []
        self.on("message", self.received.append)
        self.on("disconnect", lambda reason: self.ends.append(reason))


def converse(url: str, transports: str | None, leave: str, goodbye: str = "server disconnect") -> Recorder:
    """Everything that a client does, with an echo server that disconnects whoever asks for it.

    :param goodbye: what the client makes of how the server ends a session.
    """
    client = Recorder()
    client.connect(url, transports=transports)
    sent: list[Any] = [f"text {number} ä" for number in range(MANY)]
    sent += [bytes(range(256)), "x" * 500_000, bytes(500_000)]
    for data in sent:
        client.send(data)
    assert wait_until(lambda: len(client.received) == len(sent), PATIENCE)
    assert client.received == sent
    client.send(leave)
    assert client.wait(PATIENCE)
    assert client.ends == [goodbye]
    client.connect(url, transports=transports)
    client.send("again")
    assert wait_until(lambda: client.received[-1] == "again", PATIENCE)
    client.disconnect()
    assert client.ends == [goodbye, "client disconnect"]
    return client


@pytest.mark.parametrize("transports", ["polling", None], ids=str)
def test_every_server(server: ServerProcess, transports: str | None) -> None:
    """With polling, and with whatever else is possible."""
    converse(server.url, transports, "disconnect-me")


@on_kinds(WEBSOCKET_KINDS)
def test_websocket(server: ServerProcess) -> None:
    """With a WebSocket from the beginning, and by an upgrade."""
    converse(server.url, "websocket", "disconnect-me")
    client = Recorder()
    client.connect(server.url)
    assert client.transport() == "websocket"
    client.disconnect()


@on_kinds(POLLING_KINDS)
def test_no_websocket(server: ServerProcess) -> None:
    """Where none is possible the client stays on polling, and says why if nothing else is wanted."""
    client = Recorder()
    client.connect(server.url)
    assert client.transport() == "polling"
    client.disconnect()
    with pytest.raises(syncio.ConnectionError):
        client.connect(server.url, transports="websocket")


def test_every_goodbye_was_understood(server: ServerProcess) -> None:
    """Nobody timed out, and nobody was in error. This test has to stay behind those that share its server."""
    assert wait_until(lambda: len(server.events(event="disconnect")) == len(server.events(event="connect")))
    assert {e["reason"] for e in server.events(event="disconnect")} == {"client disconnect", "server disconnect"}


def test_many_clients_cost_no_threads(start_server: Starter) -> None:
    """A hundred WebSockets in one process, all of which talk, take the relay's threads and no more."""
    server = start_server(next(kind for kind in KINDS if kind.name == "gunicorn-gthread"))
    before = threading.active_count()
    clients = [Recorder() for _ in range(100)]
    for client in clients:
        client.connect(server.url, transports="websocket")
        client.send("hello")
    assert wait_until(lambda: all(client.received == ["hello"] for client in clients), PATIENCE)
    assert threading.active_count() <= before + 6
    for client in clients:
        client.disconnect()
    assert all(client.ends == ["client disconnect"] for client in clients)


@pytest.mark.parametrize("transports", ["polling", "websocket", None], ids=str)
def test_server_restarts(start_server: Starter, transports: str | None) -> None:
    """The client sees the end of a server's process, and `retry` waits for the next one."""
    kind = next(kind for kind in KINDS if kind.name == "gunicorn-gthread")
    server = start_server(kind)
    client = Recorder()
    client.connect(server.url, transports=transports)
    server.stop()
    assert client.wait(PATIENCE)
    again = threading.Thread(
        target=client.connect, args=(server.url,), kwargs={"transports": transports, "retry": syncio.Retry(delay=0.1)}
    )
    again.start()
    start_server(kind, port=server.port)
    again.join(PATIENCE)
    client.send("back")
    assert wait_until(lambda: client.received == ["back"], PATIENCE)
    client.disconnect()
    assert client.ends[1:] == ["client disconnect"] and client.ends[0] != "client disconnect"


@contextmanager
def running(command: list[str], port: int) -> Iterator[str]:
    """A server of another project; its URL."""
    with subprocess.Popen(command) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            probe = Recorder()
            probe.connect(url, transports="polling", retry=syncio.Retry(100, delay=0.1, max_delay=0.1))
            probe.disconnect()
            yield url
        finally:
            process.kill()


@pytest.fixture(scope="module")
def node_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """npm's engine.io."""
    port = free_port()
    with running([*node_folder(tmp_path_factory.mktemp("npm"), "server.mjs"), str(port)], port) as url:
        yield url


@pytest.fixture(scope="module")
def python_server() -> Iterator[str]:
    """python-engineio's server."""
    port = free_port()
    with running([sys.executable, "-c", THEIRS, str(port)], port) as url:
        yield url


@pytest.mark.parametrize("transports", ["polling", "websocket", None], ids=str)
def test_npm_server(node_server: str, transports: str | None) -> None:
    """npm's own server finds nothing wrong with our client."""
    # It ends a WebSocket by a close frame and no CLOSE packet.
    converse(node_server, transports, "leave", "server disconnect" if transports == "polling" else "transport close")


@pytest.mark.parametrize("transports", ["polling", "websocket", None], ids=str)
def test_python_server(python_server: str, transports: str | None) -> None:
    """Neither does python-engineio's."""
    converse(python_server, transports, "leave")


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], None], ids=str)
def test_their_client(server: ServerProcess, kind: Kind, transports: list[str] | None) -> None:
    """python-engineio's client on our server: text and bytes in order, and both ways to end."""
    if transports == ["websocket"] and not kind.websocket:
        pytest.skip("there is no WebSocket here")
    for ending in ("theirs", "ours"):
        client = engineio.Client(handle_sigint=False)
        received: list[Any] = []
        ended = threading.Event()
        client.on("message", received.append)
        client.on("disconnect", lambda reason, ended=ended: ended.set())
        client.connect(server.url, transports=transports)
        sent = [*(f"text {number}" for number in range(50)), bytes(range(256))]
        for data in sent:
            client.send(data)
        assert wait_until(lambda received=received, sent=sent: len(received) == len(sent), PATIENCE)
        assert received == sent
        if ending == "ours":
            client.send("disconnect-me")
        else:
            client.disconnect()
        assert ended.wait(PATIENCE)
