"""Cases 1-7: handshakes that open a session, and those that must not."""

from __future__ import annotations

from typing import Any

import pytest
import websocket

from tests.conformance.conftest import Timing
from tests.servers.clients import Clients, WebSocketEnded
from tests.servers.kinds import Kind

BAD_EIO = ["transport={}", "EIO=abc&transport={}"]
BAD_TRANSPORT = ["EIO=4", "EIO=4&transport=abc"]


def assert_handshake(handshake: dict[str, Any], upgrades: list[str], timing: Timing) -> None:
    """The handshake says what the protocol wants, and the true times in milliseconds."""
    assert set(handshake) == {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
    assert isinstance(handshake["sid"], str) and handshake["sid"]
    assert handshake["upgrades"] == upgrades
    assert handshake["pingInterval"] == timing.interval * 1000
    assert handshake["pingTimeout"] == timing.timeout * 1000
    assert handshake["maxPayload"] == 1_000_000


def assert_websocket_fails(clients: Clients, kind: Kind, query: str) -> None:
    """The handshake is refused with 400; where the server says 101 by itself, the WebSocket ends at once."""
    if not kind.answers_first:
        with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
            clients.raw_websocket(query)
        assert refusal.value.status_code == 400
        return
    opened = clients.raw_websocket(query)
    with pytest.raises(WebSocketEnded):
        opened.receive()


def test_01_polling_opens_a_session(clients: Clients, timing: Timing) -> None:
    """A GET without sid answers 200 with the open packet."""
    assert_handshake(clients.polling().handshake, ["websocket"], timing)


@pytest.mark.parametrize("query", BAD_EIO)
def test_02_polling_refuses_a_wrong_version(clients: Clients, query: str) -> None:
    """Without EIO, or with one that is no number, there is no session."""
    assert clients.request("GET", "/engine.io/?" + query.format("polling")).status == 400


@pytest.mark.parametrize("query", BAD_TRANSPORT)
def test_03_polling_refuses_a_wrong_transport(clients: Clients, query: str) -> None:
    """Without a transport, or with an unknown one, there is no session."""
    assert clients.request("GET", f"/engine.io/?{query}").status == 400


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_04_polling_refuses_a_wrong_method(clients: Clients, method: str) -> None:
    """A session is opened by GET and nothing else."""
    assert clients.request(method, "/engine.io/?EIO=4&transport=polling", b"").status == 400


def test_05_websocket_opens_a_session(clients: Clients, timing: Timing) -> None:
    """The first message is the open packet, which offers no upgrade."""
    assert_handshake(clients.websocket().handshake, [], timing)


@pytest.mark.parametrize("query", BAD_EIO)
def test_06_websocket_refuses_a_wrong_version(clients: Clients, kind: Kind, query: str) -> None:
    """Without EIO, or with one that is no number, the WebSocket ends."""
    assert_websocket_fails(clients, kind, query.format("websocket"))


@pytest.mark.parametrize("query", BAD_TRANSPORT)
def test_07_websocket_refuses_a_wrong_transport(clients: Clients, kind: Kind, query: str) -> None:
    """Without a transport, or with an unknown one, the WebSocket ends."""
    assert_websocket_fails(clients, kind, query)
