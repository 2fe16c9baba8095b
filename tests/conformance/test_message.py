"""Cases 8-16: messages, broken packets, and polls that overlap or are given up."""

from __future__ import annotations

import time

from tests.servers.clients import Clients

ON_SOCKETIO = False
"""There messages are packets of another protocol."""

ON_ITS_WAY = 0.05
"""Seconds after which a request that was sent is surely in the server's hands."""


def assert_echo(clients: Clients, payload: str) -> None:
    """What is posted is answered "ok", and the next poll brings it back, packet for packet."""
    session = clients.polling()
    posted = session.post(payload)
    assert (posted.status, posted.text) == (200, "ok")
    polled = session.poll()
    assert (polled.status, polled.text) == (200, payload)


def test_08_polling_carries_a_text(clients: Clients) -> None:
    """A payload of one text packet."""
    assert_echo(clients, "4hello")


def test_09_polling_carries_several_texts(clients: Clients) -> None:
    """A payload of several text packets, which come back in order and in one answer."""
    assert_echo(clients, "4test1\x1e4test2\x1e4test3")


def test_10_polling_carries_text_and_binary(clients: Clients) -> None:
    """A payload of a text and a binary packet, the latter in base64."""
    assert_echo(clients, "4hello\x1ebAQIDBA==")


def test_11_polling_ends_on_an_invalid_packet(clients: Clients) -> None:
    """A body that is no payload answers 400 and ends the session."""
    session = clients.polling()
    assert session.post("abc").status == 400
    assert session.poll().status == 400


def test_12_polling_ends_on_overlapping_polls(clients: Clients) -> None:
    """A second GET beside an open one is refused, the first brings the close packet, and the session is over."""
    session = clients.polling()
    first = session.get()
    time.sleep(ON_ITS_WAY)
    second = session.poll()
    answered = first.answer()
    assert (answered.status, answered.text) == (200, "1")
    assert second.status == 400
    assert session.poll().status == 400


def test_13_polling_ends_on_a_cancelled_poll(clients: Clients) -> None:
    """A client that gives up its GET has left: the next one is refused."""
    session = clients.polling()
    cancelled = session.get()
    time.sleep(ON_ITS_WAY)
    cancelled.close()
    assert session.poll().status == 400


def test_14_websocket_carries_a_text(clients: Clients) -> None:
    """A text message comes back."""
    session = clients.websocket()
    session.send("4hello")
    assert session.receive() == "4hello"


def test_15_websocket_carries_binary(clients: Clients) -> None:
    """A binary message comes back as one, without any prefix."""
    session = clients.websocket()
    session.send(b"\x01\x02\x03\x04")
    assert session.receive() == b"\x01\x02\x03\x04"


def test_16_websocket_ends_on_an_invalid_packet(clients: Clients) -> None:
    """A message that is no packet ends the WebSocket."""
    session = clients.websocket()
    session.send("abc")
    session.wait_for_end()
