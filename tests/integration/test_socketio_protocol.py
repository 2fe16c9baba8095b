"""The cases of the Socket.IO protocol, version 5, with python-socketio on syncio's engine.

The suite has 32 cases. 16 of them are of Engine.IO: tests/conformance asks them of this server too. Some of the others
python-socketio fails on any engine: the connection should end when no namespace is entered in time, and after a packet
that is none. They are here with what it does instead, so that we hear of it when that changes:
`test_no_namespace_in_time` and `test_bad_packet`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import websocket

from tests.conftest import started
from tests.integration.selection import on_kinds
from tests.servers.kinds import WEBSOCKET_KINDS, Kind
from tests.servers.process import ServerProcess

PATIENCE = 5
BUFFERS = [b"\x01\x02\x03", b"\x04\x05\x06"]
PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


@pytest.fixture(scope="module")
def server(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The cases' server on one kind of hosting."""
    server = started(kind, tmp_path_factory.mktemp(kind.name), app="tests.servers.apps.sio_protocol:app")
    try:
        yield server
        assert server.is_alive, f"{kind.name} died:\n{server.log()}"
    finally:
        server.kill()


class Peer:
    """A WebSocket that answers pings by itself."""

    def __init__(self, server: ServerProcess) -> None:
        url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
        self._socket = websocket.create_connection(url, timeout=PATIENCE)
        assert self.next().startswith("0")

    def send(self, *packets: str | bytes) -> None:
        """Send packets of the engine."""
        for packet in packets:
            if isinstance(packet, bytes):
                self._socket.send_binary(packet)
            else:
                self._socket.send(packet)

    def next(self, pings: bool = False) -> Any:
        """The next packet; those that are pings only if they are wanted."""
        while (packet := self._socket.recv()) == "2":
            self._socket.send("3")
            if pings:
                break
        return packet

    def enter(self, namespace: str = "", payload: str = "") -> None:
        """Connect to a namespace, and see what its handler shows of the payload."""
        head = f"{namespace}," if namespace else ""
        self.send(f"40{head}{payload}")
        answer = self.next()
        assert answer.startswith(f"40{head}{{")
        assert list(json.loads(answer.removeprefix(f"40{head}"))) == ["sid"]
        assert self.next() == f'42{head}["auth",{payload or "{}"}]'

    def close(self) -> None:
        """Leave."""
        with suppress(OSError, websocket.WebSocketException):
            self._socket.close()


@pytest.fixture
def peer(server: ServerProcess) -> Iterator[Peer]:
    """A client that has connected to no namespace."""
    made = Peer(server)
    yield made
    made.close()


@pytest.mark.parametrize("namespace", ["", "/custom"])
@pytest.mark.parametrize("payload", ["", '{"token":"123"}'])
@on_kinds(WEBSOCKET_KINDS)
def test_connect(peer: Peer, namespace: str, payload: str) -> None:
    """To the main namespace and to another one, with a payload and without."""
    peer.enter(namespace, payload)


@on_kinds(WEBSOCKET_KINDS)
def test_unknown_namespace(peer: Peer) -> None:
    """It is refused with a reason, and the connection stays."""
    peer.send("40/random")
    assert peer.next().startswith("44/random,")
    peer.enter()


@on_kinds(WEBSOCKET_KINDS)
def test_no_namespace_in_time(peer: Peer) -> None:
    """python-socketio's own: it waits for as long as the client answers pings."""
    for _ in range(4):
        assert peer.next(pings=True) == "2"
    peer.enter()


@on_kinds(WEBSOCKET_KINDS)
def test_disconnect_from_a_namespace(peer: Peer) -> None:
    """Other namespaces of the connection go on, and the left one can be entered again."""
    peer.enter()
    peer.enter("/custom")
    peer.send("41/custom,", '42["message","still here"]')
    assert peer.next() == '42["message-back","still here"]'
    peer.enter("/custom")


@on_kinds(WEBSOCKET_KINDS)
def test_disconnect_from_the_main_namespace(peer: Peer) -> None:
    """It can be entered again on the same connection, or the connection is over: nothing hangs."""
    peer.enter()
    peer.enter("/custom")
    peer.send("41", '42/custom,["message","message to custom"]')
    assert peer.next() == '42/custom,["message-back","message to custom"]'


@on_kinds(WEBSOCKET_KINDS)
def test_text(peer: Peer) -> None:
    """Numbers, text and objects come back as they were."""
    peer.enter()
    peer.send('42["message",1,"2",{"3":[true]}]')
    assert peer.next() == '42["message-back",1,"2",{"3":[true]}]'


@on_kinds(WEBSOCKET_KINDS)
def test_text_with_acknowledgement(peer: Peer) -> None:
    """The acknowledgement has the number of its event."""
    peer.enter()
    peer.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert peer.next() == '43456[1,"2",{"3":[false]}]'


@on_kinds(WEBSOCKET_KINDS)
def test_bytes(peer: Peer) -> None:
    """Two attachments behind their event come back behind theirs."""
    peer.enter()
    peer.send(f'452-["message",{PLACEHOLDERS}]', *BUFFERS)
    assert peer.next() == f'452-["message-back",{PLACEHOLDERS}]'
    assert [peer.next(), peer.next()] == BUFFERS


@on_kinds(WEBSOCKET_KINDS)
def test_bytes_with_acknowledgement(peer: Peer) -> None:
    """The same in an acknowledgement."""
    peer.enter()
    peer.send(f'452-789["message-with-ack",{PLACEHOLDERS}]', *BUFFERS)
    assert peer.next() == f"462-789[{PLACEHOLDERS}]"
    assert [peer.next(), peer.next()] == BUFFERS


@pytest.mark.parametrize(
    "packet",
    ["4abc", "42{}", '42abc["message-with-ack",1,"2",{"3":[false]}]'],
    ids=["type", "payload", "acknowledgement"],
)
@on_kinds(WEBSOCKET_KINDS)
def test_bad_packet(peer: Peer, packet: str) -> None:
    """python-socketio's own: it logs an error, and the connection goes on."""
    peer.send(packet)
    peer.enter()
    peer.send(packet, '42["message","still here"]')
    assert peer.next() == '42["message-back","still here"]'
