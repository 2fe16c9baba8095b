"""Cases 21 and 22: the client says goodbye."""

from __future__ import annotations

import time

from tests.conformance.test_message import ON_ITS_WAY
from tests.servers.clients import Clients


def test_21_polling_close(clients: Clients) -> None:
    """A posted close packet ends the open GET with a noop, and the session."""
    session = clients.polling()
    parked = session.get()
    time.sleep(ON_ITS_WAY)
    assert session.post("1").status == 200
    answered = parked.answer()
    assert (answered.status, answered.text) == (200, "6")
    assert session.poll().status == 400


def test_22_websocket_close(clients: Clients) -> None:
    """A close packet ends the WebSocket."""
    session = clients.websocket()
    session.send("1")
    session.wait_for_end()
