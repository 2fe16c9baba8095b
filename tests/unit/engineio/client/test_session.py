"""The client's session machine: handshakes, packets and deadlines, without a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncio.engineio.client.session import ClientSession
from syncio.engineio.packet import MESSAGE, NOOP, OPEN, PING, PONG, UPGRADE, PacketType
from syncio.errors import RemoteProtocolError

HANDSHAKE = {"sid": "x", "upgrades": ["websocket"], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1000}


def session(now: float = 100.0, **changes: Any) -> ClientSession:
    """A session that began at a time."""
    return ClientSession(json.dumps({**HANDSHAKE, **changes}), now)


def test_handshake() -> None:
    """What the OPEN packet says is known, in seconds, and the first ping has its deadline."""
    begun = session()
    assert (begun.sid, begun.upgrades, begun.max_payload) == ("x", ["websocket"], 1000)
    assert (begun.ping_interval, begun.ping_timeout, begun.patience) == (25.0, 20.0, 45.0)
    assert begun.deadline == 145.0


def test_handshake_of_older_servers() -> None:
    """maxPayload came late to the protocol: without it there is no limit that is known."""
    said = {name: value for name, value in HANDSHAKE.items() if name not in ("maxPayload", "upgrades")}
    begun = ClientSession(json.dumps(said), 0.0)
    assert begun.max_payload == 0 and begun.upgrades == []


@pytest.mark.parametrize(
    "handshake",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"sid": "x"}',
        "[" * 100_000,
        json.dumps({**HANDSHAKE, "sid": ""}),
        json.dumps({**HANDSHAKE, "pingInterval": "soon"}),
        json.dumps({**HANDSHAKE, "pingInterval": 0}),
        json.dumps({**HANDSHAKE, "pingInterval": -1}),
        json.dumps({**HANDSHAKE, "pingTimeout": float("nan")}),
        json.dumps({**HANDSHAKE, "maxPayload": [1]}),
        json.dumps({**HANDSHAKE, "upgrades": 1}),
        json.dumps({**HANDSHAKE, "maxPayload": float("inf")}),
    ],
)
def test_bad_handshake(handshake: str) -> None:
    """Whatever the server says instead is an error of the protocol, and nothing else."""
    with pytest.raises(RemoteProtocolError):
        ClientSession(handshake, 0.0)


@pytest.mark.parametrize("packets", [[], [(NOOP, "")], [(MESSAGE, "hello")], [(PING, "")]])
def test_no_open_packet(packets: list[tuple[PacketType, str | bytes]]) -> None:
    """A session begins with OPEN."""
    with pytest.raises(RemoteProtocolError, match="OPEN"):
        ClientSession.of(packets, 0.0)


def test_open_packet_is_taken() -> None:
    """What came behind it is still there."""
    packets: list[tuple[PacketType, str | bytes]] = [(OPEN, json.dumps(HANDSHAKE)), (MESSAGE, "hello")]
    assert ClientSession.of(packets, 0.0).sid == "x"
    assert packets == [(MESSAGE, "hello")]


def test_packets() -> None:
    """Messages are for the application, pings are answered with what they carry, the rest means nothing."""
    received = session().received([(MESSAGE, "a"), (PING, "p"), (NOOP, ""), (PONG, ""), (MESSAGE, b"b")], 110.0)
    assert received.messages == ["a", b"b"]
    assert [answer.websocket_message() for answer in received.answers] == ["3p"]
    assert received.end is None


@pytest.mark.parametrize(
    ("packet_type", "why"),
    [(PacketType.CLOSE, "server disconnect"), (OPEN, "transport error"), (UPGRADE, "transport error")],
)
def test_ends(packet_type: PacketType, why: str) -> None:
    """CLOSE ends a session, as does what no server may send; what came before it counts, what comes after does not."""
    received = session().received([(MESSAGE, "a"), (packet_type, ""), (MESSAGE, "b")], 110.0)
    assert received.messages == ["a"]
    assert received.end == why


def test_any_packet_is_life() -> None:
    """Whatever comes moves the deadline."""
    begun = session(now=0.0)
    begun.received([(NOOP, "")], 40.0)
    assert begun.deadline == 85.0
