"""An engineio made of syncio: each test runs in a process of its own, because modules are imported once."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(source: str) -> subprocess.CompletedProcess[str]:
    """Run a program."""
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "source",
    [
        "import engineio; assert engineio.Server is EngineServer and engineio.Client is EngineClient",
        "from engineio import WSGIApp, Middleware; assert Middleware.__base__ is WSGIApp is syncio.WSGIApp",
        "from engineio.server import Server; assert Server is EngineServer",
        "from engineio.socket import Socket; assert Socket is EngineSocket",
        "from engineio.exceptions import ConnectionError; assert ConnectionError is syncio.ConnectionError",
        "from engineio import packet; assert packet.Packet(packet.MESSAGE, b'x').encode(b64=True) == 'beA=='",
        "from engineio import packet; assert packet.Packet(encoded_packet='4[1]').data == [1]",
        "from engineio import packet; p = packet.Packet(); p.decode('2probe'); assert p.encode() == '2probe'",
        "from engineio.payload import Payload; assert len(Payload(encoded_payload='4a\\x1e4b').packets) == 2",
        "from engineio.payload import Payload; p = Payload(encoded_payload='4a\\x1e4b'); assert 'b' in p.encode()",
        "from engineio import json; assert json.loads('1') == 1",
        "from engineio import AsyncServer, ASGIApp; assert AsyncServer.__module__ == 'engineio.async_server'",
        "import socketio; assert type(socketio.Server().eio) is EngineServer",
        "import socketio; assert type(socketio.Client().eio) is EngineClient",
        "import socketio; assert issubclass(socketio.WSGIApp, syncio.WSGIApp)",
        "import flask_socketio; assert type(flask_socketio.SocketIO(Flask('x')).server.eio) is EngineServer",
        "syncio.compat.install(); import engineio; assert engineio.Server is EngineServer",
        "import engineio; assert not hasattr(engineio, 'nonsense')",
    ],
)
def test_installed(source: str) -> None:
    """Every name leads to syncio, or to python-engineio where syncio has nothing like it."""
    head = (
        "import syncio, syncio.compat; syncio.compat.install()\n"
        "from syncio.compat.engine import EngineClient, EngineServer, EngineSocket\n"
        "from flask import Flask\n"
    )
    ended = run(head + source)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("early", ["engineio", "socketio", "flask_socketio"])
def test_too_late(early: str) -> None:
    """Who comes first has theirs already, and is told what to do."""
    ended = run(f"import {early}, syncio.compat; syncio.compat.install()")
    assert ended.returncode == 1
    assert "is imported already" in ended.stderr and "first" in ended.stderr


def test_no_install() -> None:
    """The module beside python-socketio leaves that, and engineio, as they are."""
    ended = run(
        "import engineio, socketio\n"
        "from syncio.compat import socketio as ours\n"
        "from syncio.compat.engine import EngineClient, EngineServer\n"
        "assert type(ours.Server().eio) is EngineServer and type(ours.Client().eio) is EngineClient\n"
        "assert type(ours.SimpleClient().client_class().eio) is EngineClient\n"
        "assert type(socketio.Server().eio) is engineio.Server is not EngineServer\n"
        "assert ours.Namespace is socketio.Namespace and not hasattr(ours, 'nonsense')\n"
    )
    assert ended.returncode == 0, ended.stderr


def test_refused_connection() -> None:
    """The engine's error is the one that python-socketio catches, with either engineio."""
    for head in ("", "import syncio.compat; syncio.compat.install()\n"):
        ended = run(
            f"{head}from syncio.compat import socketio\n"
            "try: socketio.Client().connect('http://127.0.0.1:1')\n"
            "except socketio.exceptions.ConnectionError: print('caught')\n"
        )
        assert ended.stdout == "caught\n", ended.stderr


@pytest.mark.parametrize("transports", ["polling", "websocket"])
def test_instrumentation_counts(transports: str) -> None:
    """The admin UI's counters see every packet of either transport, and no more once it has left."""
    ended = run(
        f"""
import collections
from syncio.compat import socketio
from syncio.testing import TestClient

def counts():
    found = collections.Counter()
    for each in watch.event_buffer.get_and_clear():
        found[each["type"]] += each["count"]
    return found

sio = socketio.Server(async_handlers=False)
sio.on("say", lambda sid, data: sio.emit("heard", data, to=sid))
app = socketio.WSGIApp(sio)
watch = sio.instrument(auth=False, server_stats_interval=60)
client = TestClient(app)
client.connect(engineio_path="socket.io", transports={transports!r})
client.send("0")
assert client.receive().startswith("0")
client.send('2["say","' + "x" * 1000 + '"]')
assert len(client.receive()) > 1000
found = counts()
assert found["rawConnection"] == 1, found
assert found["packetsIn"] == 2, found
assert 1000 < found["bytesIn"] < 1100, found
assert found["packetsOut"] == 2, found
assert 1000 < found["bytesOut"] < 1200, found
client.disconnect()
while sio.eio.sockets:
    sio.sleep(0.01)
watch.uninstrument()
counts()
client.connect(engineio_path="socket.io", transports={transports!r})
client.send("0")
assert client.receive().startswith("0")
client.send('2["say","again"]')
assert client.receive() == '2["heard","again"]'
client.disconnect()
left = counts()
assert not set(left) - {{"rawConnection", "rawDisconnection"}}, left  # those stay, on any engine
"""
    )
    assert ended.returncode == 0, ended.stderr
