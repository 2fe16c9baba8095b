"""Cases 17-20: pings that are answered, and pings that are not."""

from __future__ import annotations

import time

from tests.conformance.conftest import BRISK, Timing
from tests.servers.clients import Clients

TIMINGS = (BRISK,)
"""These cases wait for heartbeats."""

ROUNDS = 3
LATENESS = 0.6
"""Seconds that a loaded machine may add to a heartbeat."""


def test_17_polling_pings_go_round(clients: Clients, timing: Timing) -> None:
    """Each poll brings a ping when the interval is over, each pong is accepted."""
    session = clients.polling()
    for _ in range(ROUNDS):
        asked = time.monotonic()
        polled = session.poll()
        assert (polled.status, polled.text) == (200, "2")
        assert time.monotonic() - asked < timing.interval + LATENESS
        assert session.post("3").status == 200


def test_18_polling_ends_without_pong(clients: Clients, timing: Timing) -> None:
    """A client that is silent for interval and timeout is gone: its next poll is refused."""
    session = clients.polling()
    time.sleep(timing.interval + timing.timeout + 0.1)
    assert session.poll().status == 400


def test_19_websocket_pings_go_round(clients: Clients, timing: Timing) -> None:
    """A ping comes when the interval is over, and after each pong another."""
    session = clients.websocket()
    for _ in range(ROUNDS):
        asked = time.monotonic()
        assert session.receive() == "2"
        assert timing.interval / 2 < time.monotonic() - asked < timing.interval + LATENESS
        session.send("3")


def test_20_websocket_ends_without_pong(clients: Clients, timing: Timing) -> None:
    """A client that answers no ping is closed when the timeout is over, not earlier and not much later."""
    session = clients.websocket()
    opened = time.monotonic()
    session.wait_for_end()
    lasted = time.monotonic() - opened
    assert timing.interval + timing.timeout - 0.1 < lasted < timing.interval + timing.timeout + LATENESS
