"""Cases 23-25: from long polling to WebSocket, and what is no longer possible then."""

from __future__ import annotations

import pytest
import websocket

from tests.servers.clients import Clients, WebSocketClient, WebSocketEnded
from tests.servers.kinds import Kind


def assert_carries(upgraded: WebSocketClient) -> None:
    """The WebSocket carries the session: of an echo, or of Socket.IO, which takes that for a packet of its own."""
    upgraded.send("40")
    assert str(upgraded.receive()).startswith("40")


def test_23_upgrade(clients: Clients) -> None:
    """The probe is answered, a GET ends with a noop, and after "5" the WebSocket carries the messages."""
    session = clients.polling()
    second = clients.probe(session)
    polled = session.poll()
    assert (polled.status, polled.text) == (200, "6")
    second.send("5")
    assert_carries(second)


def test_24_upgraded_session_ignores_requests(clients: Clients) -> None:
    """A GET with the sid of an upgraded session is refused and does no harm."""
    session = clients.polling()
    second = clients.probe(session)
    second.send("5")
    assert session.poll().status == 400
    assert_carries(second)


def test_25_upgraded_session_ignores_another_websocket(clients: Clients, kind: Kind) -> None:
    """Another WebSocket with the sid of an upgraded session ends and does no harm."""
    session = clients.polling()
    second = clients.probe(session)
    second.send("5")
    with pytest.raises(WebSocketEnded if kind.answers_first else websocket.WebSocketBadStatusException):
        clients.raw_websocket(f"EIO=4&transport=websocket&sid={session.sid}").receive()
    assert_carries(second)
