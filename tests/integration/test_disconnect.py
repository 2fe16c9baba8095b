"""However a session ends, `disconnect` is called once, with the right reason, on every kind of server."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.conftest import Starter
from tests.integration.selection import on_kinds
from tests.servers.clients import Clients
from tests.servers.kinds import GUNICORN_KINDS, WEBSOCKET_KINDS, Kind
from tests.servers.process import ServerProcess, children, is_running, wait_until

SOON = 2.0
"""Seconds in which an end is seen that somebody has announced."""
NOTICED = 5.0
"""Seconds in which an aborted poll is seen."""
ON_ITS_WAY = 0.1
"""Seconds after which a request that was sent is surely in the server's hands."""
WORKER_GONE = 1.0
"""Seconds that a worker may need for its end, however many sessions are open."""


def assert_ended(server: ServerProcess, sid: str, reason: str, within: float = SOON) -> None:
    """The session has ended once, for this reason, and is forgotten."""
    ends = [e["reason"] for e in server.wait_for("disconnect", sid, within)]
    assert ends == [reason]
    assert [e["event"] for e in server.events(sid)].count("connect") == 1


# ------------------------------------------------------------------ WebSocket


@on_kinds(WEBSOCKET_KINDS)
def test_websocket_fin(server: ServerProcess, clients: Clients) -> None:
    """The connection ends without a close frame."""
    session = clients.websocket()
    session.drop()
    assert_ended(server, session.sid, "transport close")


@on_kinds(WEBSOCKET_KINDS)
def test_websocket_rst(server: ServerProcess, clients: Clients) -> None:
    """The connection is reset."""
    session = clients.websocket()
    session.reset()
    assert_ended(server, session.sid, "transport close")


@on_kinds(WEBSOCKET_KINDS)
def test_websocket_close_frame(server: ServerProcess, clients: Clients) -> None:
    """The client sends a close frame, and gets one back."""
    session = clients.websocket()
    session.send_close()
    session.wait_for_end()
    assert_ended(server, session.sid, "transport close")


@on_kinds(WEBSOCKET_KINDS)
def test_websocket_close_packet(server: ServerProcess, clients: Clients) -> None:
    """The client sends a close packet."""
    session = clients.websocket()
    session.send("1")
    session.wait_for_end()
    assert_ended(server, session.sid, "client disconnect")


@on_kinds(WEBSOCKET_KINDS)
def test_websocket_server_disconnect(server: ServerProcess, clients: Clients) -> None:
    """The server disconnects a client from inside its message handler."""
    session = clients.websocket()
    session.send("4disconnect-me")
    session.wait_for_end()
    assert_ended(server, session.sid, "server disconnect")


@on_kinds(WEBSOCKET_KINDS)
@pytest.mark.parametrize("message", ["abc", "", "2"], ids=["letters", "empty", "ping"])
def test_websocket_bad_packet(server: ServerProcess, clients: Clients, message: str) -> None:
    """A message that is no packet, or a ping, which only the server may send."""
    session = clients.websocket()
    session.send(message)
    session.wait_for_end()
    assert_ended(server, session.sid, "transport error")


@on_kinds(WEBSOCKET_KINDS)
def test_websocket_bad_frame(server: ServerProcess, clients: Clients) -> None:
    """Bytes that are no frame."""
    session = clients.websocket()
    session.send_raw(b"\xff\xff garbage")
    session.wait_for_end()
    assert_ended(server, session.sid, "transport error")


@on_kinds(WEBSOCKET_KINDS)
def test_upgraded_websocket_fin(server: ServerProcess, clients: Clients) -> None:
    """A session that began on polling ends with the WebSocket that it has moved to."""
    session, second = clients.upgraded()
    second.send("4hello")
    assert second.receive() == "4hello"
    second.drop()
    assert_ended(server, session.sid, "transport close")


@on_kinds(WEBSOCKET_KINDS)
def test_websocket_ping_timeout(start_server: Starter, kind: Kind) -> None:
    """A client answers no ping; when it goes away after that, nothing is said a second time."""
    server = start_server(kind, ping_interval=0.3, ping_timeout=0.2)
    with contextlib.closing(Clients(server.address)) as clients:
        session = clients.websocket()
        began = time.monotonic()
        assert_ended(server, session.sid, "ping timeout")
        assert time.monotonic() - began > 0.4
        session.drop()
        another = clients.websocket()
        assert_ended(server, another.sid, "ping timeout")
        assert_ended(server, session.sid, "ping timeout")


# ------------------------------------------------------------------ polling


def test_polling_close_packet(server: ServerProcess, clients: Clients) -> None:
    """The client posts a close packet while its GET is open."""
    session = clients.polling()
    parked = session.get()
    time.sleep(ON_ITS_WAY)
    assert session.post("1").status == 200
    assert parked.answer().text == "6"
    assert_ended(server, session.sid, "client disconnect")


def test_polling_close_packet_without_poll(server: ServerProcess, clients: Clients) -> None:
    """The client posts a close packet, and no GET is open."""
    session = clients.polling()
    assert session.post("1").status == 200
    assert_ended(server, session.sid, "client disconnect")


def test_polling_server_disconnect(server: ServerProcess, clients: Clients) -> None:
    """The server disconnects a client from inside its message handler; the open GET brings the close packet."""
    session = clients.polling()
    parked = session.get()
    time.sleep(ON_ITS_WAY)
    assert session.post("4disconnect-me").status == 200
    assert parked.answer().text == "1"
    assert_ended(server, session.sid, "server disconnect")


def test_polling_server_disconnect_without_poll(server: ServerProcess, clients: Clients) -> None:
    """The server disconnects a client that has no GET open: the next one brings the close packet, and then no other."""
    session = clients.polling()
    assert session.post("4disconnect-me").status == 200
    assert session.poll().text == "1"
    assert session.poll().status == 400
    assert_ended(server, session.sid, "server disconnect")


@pytest.mark.parametrize("body", ["abc", "", "2", "\x1e", "b!!!"])
def test_polling_bad_packet(server: ServerProcess, clients: Clients, body: str) -> None:
    """A body that is no payload, or holds a ping, which only the server may send."""
    session = clients.polling()
    assert session.post(body).status == 400
    assert_ended(server, session.sid, "transport error")


def test_polling_overlapping_polls(server: ServerProcess, clients: Clients) -> None:
    """Two GETs at the same time."""
    session = clients.polling()
    parked = session.get()
    time.sleep(ON_ITS_WAY)
    assert session.poll().status == 400
    assert parked.answer().text == "1"
    assert_ended(server, session.sid, "transport error")


# Servers that keep their sockets to themselves do not tell that a client has left: there it is the ping that finds out.
@on_kinds(WEBSOCKET_KINDS)
def test_aborted_poll_fin(server: ServerProcess, clients: Clients) -> None:
    """The client closes the connection of its open GET."""
    session = clients.polling()
    parked = session.get()
    time.sleep(ON_ITS_WAY)
    parked.close()
    assert_ended(server, session.sid, "transport close", NOTICED)


@on_kinds(WEBSOCKET_KINDS)
def test_aborted_poll_rst(server: ServerProcess, clients: Clients) -> None:
    """The client resets the connection of its open GET."""
    session = clients.polling()
    parked = session.get()
    time.sleep(ON_ITS_WAY)
    parked.reset()
    assert_ended(server, session.sid, "transport close", NOTICED)


def test_polling_ping_timeout(start_server: Starter, kind: Kind) -> None:
    """A client that polls no more, and one whose poll brings the ping that it leaves unanswered."""
    server = start_server(kind, ping_interval=0.3, ping_timeout=0.2)
    clients = Clients(server.address)
    silent, polling = clients.polling(), clients.polling()
    assert polling.poll().text == "2"
    assert_ended(server, silent.sid, "ping timeout")
    assert_ended(server, polling.sid, "ping timeout")
    assert silent.poll().status == 400
    assert polling.poll().status == 400


# ------------------------------------------------------------------ the end of all


def test_every_session_has_ended_once(server: ServerProcess) -> None:
    """After all that, each session has connected once and disconnected once, and the server remembers none.

    This test has to stay behind those that share its server.
    """
    connected = [e["sid"] for e in server.events(event="connect")]
    ended = [e["sid"] for e in server.events(event="disconnect")]
    assert sorted(connected) == sorted(set(ended)) == sorted(ended)
    assert connected
    assert server.page("/stats")["sessions"] == 0


def test_shutdown(start_server: Starter, kind: Kind) -> None:
    """SIGTERM disconnects every session, idle or parked or on a WebSocket, tells the clients and ends the worker."""
    server = start_server(kind)
    workers = children(server.pid) if kind.is_gunicorn else [server.pid]
    with contextlib.closing(Clients(server.address)) as clients:
        idle, polling = clients.polling(), clients.polling()
        parked = polling.get()
        websockets = [clients.websocket(), clients.upgraded()[1]] if kind.websocket else []
        for opened in websockets:
            opened.send("4hello")
            assert opened.receive() == "4hello"
        time.sleep(ON_ITS_WAY)
        server.terminate()
        assert parked.answer().text == "1"
        for opened in websockets:
            assert opened.wait_for_end() == ["1"]
        assert server.wait(), "SIGTERM does not end it"
    assert not [pid for pid in workers if is_running(pid)]
    ends = [(e["sid"], e["reason"]) for e in server.events(event="disconnect")]
    assert sorted(ends) == sorted((e["sid"], "server disconnect") for e in server.events(event="connect"))
    assert (idle.sid, "server disconnect") in ends


@on_kinds(GUNICORN_KINDS)
def test_worker_ends_within_a_second(start_server: Starter, kind: Kind) -> None:
    """Open sessions do not delay the end of a worker: it is gone a second after the SIGTERM that reaches it."""
    server = start_server(kind)
    (worker,) = children(server.pid)
    with contextlib.closing(Clients(server.address)) as clients:
        parked = [clients.polling().get() for _ in range(20)]
        websockets = [clients.websocket() for _ in range(20)]
        time.sleep(ON_ITS_WAY)
        began = time.monotonic()
        server.terminate()
        assert wait_until(lambda: not is_running(worker), 10)
        took = time.monotonic() - began
        assert len(websockets) == len([p.answer() for p in parked])
    print(f"{kind.name}: {took:.2f} s")
    assert took < WORKER_GONE + kind.shutdown_tick
