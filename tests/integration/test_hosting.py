"""What a site's owner notices of its server: a quiet log, free threads, and polling where nothing else is possible."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import time

import pytest
import requests
import websocket

from tests.conftest import Starter
from tests.integration.selection import on_kinds
from tests.servers.clients import Clients, Parked, WebSocketEnded, request, reset, send
from tests.servers.kinds import KINDS, POLLING_KINDS, WEBSOCKET_KINDS, Kind
from tests.servers.process import ServerProcess, wait_until

ON_ITS_WAY = 0.1
"""Seconds after which a request that was sent is surely in the server's hands."""
GTHREAD = tuple(kind for kind in KINDS if kind.name == "gunicorn-gthread")
WEBSOCKETS, POLLS = 500, 200
AT_ONCE = 1.0
"""Seconds in which a site's page has to come, whatever the engine is doing."""
HASTY_ROUNDS = 40
ADDED_THREADS = 12
"""Those of gunicorn's own four that had nothing to do before, the relay's worker on duty and its sentinel, and what it
adds when a loaded machine makes handlers look blocked."""
COMPLAINT = re.compile(r'\[(?:WARNING|ERROR|CRITICAL)\]|Traceback|Exception|" 5\d\d ')
NO_WEBSOCKET = "WebSocket is not possible under"


def complaints(server: ServerProcess) -> list[str]:
    """Lines of the log that would worry its reader."""
    return [line for line in server.log().splitlines() if COMPLAINT.search(line)]


def upgrade_request(server: ServerProcess, query: str = "EIO=4&transport=websocket", **headers: str) -> bytes:
    """The bytes of a WebSocket handshake, to be sent by hand."""
    fields = {
        "Host": f"127.0.0.1:{server.port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"GET /engine.io/?{query} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def connect(server: ServerProcess) -> socket.socket:
    """A bare connection to the server."""
    return socket.create_connection(server.address, 5)


# ------------------------------------------------------------------ a quiet log


def leave_politely(clients: Clients, kind: Kind) -> None:
    """Clients that close as they should, in every way that there is."""
    for goodbye in ("1", "4disconnect-me"):
        session = clients.polling()
        parked = session.get()
        time.sleep(ON_ITS_WAY)
        session.post(goodbye)
        parked.answer()
        if kind.websocket:
            opened = clients.websocket()
            opened.send(goodbye)
            opened.wait_for_end()
            _, upgraded = clients.upgraded()
            upgraded.send(goodbye)
            upgraded.wait_for_end()
    if kind.websocket:
        opened = clients.websocket()
        opened.send_close()
        opened.wait_for_end()


def be_refused(server: ServerProcess, clients: Clients, kind: Kind) -> None:
    """Requests and upgrades that the server has to refuse."""
    session = clients.polling()
    session.post("no payload")
    foreign = {"Origin": "http://elsewhere.example"}
    assert request(server.address, "GET", "/engine.io/?EIO=4&transport=polling", headers=foreign).status == 403
    for target in ("/engine.io/?EIO=4&transport=pigeon", "/engine.io/?EIO=4&transport=polling&sid=unknown"):
        assert clients.request("GET", target).status == 400
    ended = WebSocketEnded if kind.answers_first else websocket.WebSocketBadStatusException
    for query, headers in [("EIO=4&transport=websocket", foreign), ("EIO=4&transport=websocket&sid=unknown", {})]:
        with pytest.raises(ended if kind.websocket else websocket.WebSocketBadStatusException):
            clients.raw_websocket(query, headers).receive()
    if kind.websocket:
        session, _ = clients.upgraded()
        with pytest.raises(ended):
            clients.raw_websocket(f"EIO=4&transport=websocket&sid={session.sid}").receive()


def vanish(server: ServerProcess, clients: Clients, kind: Kind) -> None:
    """Clients that go away in the middle of everything."""
    for leave in (Parked.close, Parked.reset):
        parked = clients.polling().get()
        time.sleep(ON_ITS_WAY)
        leave(parked)
        session = clients.polling()
        half = send(server.address, "POST", session.path, headers={"Content-Length": "1000"})
        half.sock.sendall(b"4half of a mess")
        time.sleep(ON_ITS_WAY)
        leave(half)
        leave(send(server.address, "GET", session.path))
    if not kind.websocket:
        return
    clients.websocket().drop()
    clients.websocket().reset()
    clients.upgraded()[1].reset()
    clients.probe(clients.polling()).reset()
    for leave_with in (socket.socket.close, reset):
        sock = connect(server)
        sock.sendall(upgrade_request(server))
        leave_with(sock)


def test_quiet_log(start_server: Starter, kind: Kind) -> None:
    """Neither normal ends nor refusals nor clients that vanish leave a complaint in the log, or a false 500."""
    server = start_server(kind)
    with contextlib.closing(Clients(server.address)) as clients:
        leave_politely(clients, kind)
        be_refused(server, clients, kind)
        vanish(server, clients, kind)
    if kind.websocket:
        assert wait_until(lambda: server.page("/stats")["websocket"] == 0), server.page("/stats")
    assert clients.request("GET", "/").text == "hello"
    server.stop()
    assert [line for line in complaints(server) if NO_WEBSOCKET not in line] == []


# ------------------------------------------------------------------ connections in the server's hands and in ours


@on_kinds(WEBSOCKET_KINDS)
def test_bytes_behind_the_handshake(server: ServerProcess) -> None:
    """A frame that comes in one piece with the handshake's request is not lost in the server's buffer."""
    frame = bytes([0x81, 0x80 | 6, 0, 0, 0, 0]) + b"4early"
    with connect(server) as sock:
        sock.sendall(upgrade_request(server) + frame)
        received = b""
        while b"4early" not in received:
            piece = sock.recv(4096)
            assert piece, received
            received += piece
    assert received.startswith(b"HTTP/1.1 101 ")


@on_kinds(WEBSOCKET_KINDS)
def test_resets_while_opening(start_server: Starter, kind: Kind) -> None:
    """Clients that are gone before their WebSocket is open leave no session, and harm none whose descriptor is near."""
    server = start_server(kind)
    with contextlib.closing(Clients(server.address)) as clients:
        bystanders = []
        for _ in range(HASTY_ROUNDS):
            for leave in (socket.socket.close, reset, reset):
                sock = connect(server)
                sock.sendall(upgrade_request(server))
                leave(sock)
            bystanders.append(clients.websocket())
        assert wait_until(lambda: server.page("/stats")["sessions"] == len(bystanders)), server.page("/stats")
        for bystander in bystanders:
            bystander.send("4hello")
        assert [bystander.receive() for bystander in bystanders] == ["4hello"] * HASTY_ROUNDS


def test_keep_alive(server: ServerProcess) -> None:
    """A client that keeps its connections, as browsers do, gets polls, posts and the site's pages through them."""
    with requests.Session() as browser:
        opened = browser.get(f"{server.url}/engine.io/?EIO=4&transport=polling", timeout=5)
        sid = opened.text.split('"sid":"')[1].split('"')[0]
        target = f"{server.url}/engine.io/?EIO=4&transport=polling&sid={sid}"
        for number in range(5):
            assert browser.post(target, data=f"4round {number}", timeout=5).text == "ok"
            assert browser.get(target, timeout=5).text == f"4round {number}"
            assert browser.get(server.url, timeout=5).text == "hello"
        assert browser.post(target, data="1", timeout=5).text == "ok"


@on_kinds(GTHREAD)
def test_open_connections_hold_no_thread(start_server: Starter, kind: Kind) -> None:
    """With four threads, 500 WebSockets and 200 parked polls are open, the site answers and no thread was added."""
    server = start_server(kind)
    before = server.page("/threads")
    with contextlib.closing(Clients(server.address)) as clients:
        websockets = [clients.websocket() for _ in range(WEBSOCKETS)]
        sessions = [clients.polling() for _ in range(POLLS)]
        parked = [session.get() for session in sessions]
        for _ in range(10):
            asked = time.monotonic()
            assert clients.request("GET", "/").text == "hello"
            assert time.monotonic() - asked < AT_ONCE
        stats, during = server.page("/stats"), server.page("/threads")
        assert (stats["websocket"], stats["polling"]) == (WEBSOCKETS, POLLS)
        assert_no_threads_added(before, during)
        for opened in websockets:
            opened.send("4hello")
        assert {opened.receive() for opened in websockets} == {"4hello"}
        assert {session.post("4hello").text for session in sessions} == {"ok"}
        assert {waiting.answer().text for waiting in parked} == {"4hello"}
        assert_no_threads_added(before, server.page("/threads"))


def assert_no_threads_added(before: dict[str, int], during: dict[str, int]) -> None:
    """There are no more threads than without connections, but for a few that do not depend on how many there are."""
    for counted in ("python", "system"):
        assert during[counted] <= before[counted] + ADDED_THREADS


# ------------------------------------------------------------------ polling only


@on_kinds(POLLING_KINDS)
def test_no_websocket_is_offered(start_server: Starter, kind: Kind) -> None:
    """Polling works, no upgrade is offered, one is refused if tried, and one line in the log says what would help."""
    server = start_server(kind)
    clients = Clients(server.address)
    for _ in range(3):
        session = clients.polling()
        assert session.handshake["upgrades"] == []
        assert session.post("4hello").text == "ok"
        assert session.poll().text == "4hello"
    for query in ("EIO=4&transport=websocket", f"EIO=4&transport=websocket&sid={session.sid}"):
        with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
            clients.raw_websocket(query)
        assert refusal.value.status_code == 400
    assert session.post("4still here").text == "ok"
    assert session.poll().text == "4still here"
    (line,) = complaints(server)
    assert kind.name in line.lower() and "gunicorn" in line
