"""What a hostile or broken client can not do: hold threads, timers or memory, get in from elsewhere, cause a 500."""

from __future__ import annotations

import base64
import http.client
import random
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

import syncio
from tests.conftest import Starter
from tests.integration.selection import on_kinds
from tests.servers.apps.flood import flood_message
from tests.servers.clients import Address, Clients, PollingClient, WebSocketClient, WebSocketEnded, request, reset, send
from tests.servers.kinds import KINDS, WEBSOCKET_KINDS, Kind
from tests.servers.process import ServerProcess, wait_until

BUSY_KINDS = tuple(kind for kind in KINDS if kind.name in ("gunicorn-gthread", "gunicorn-gevent", "werkzeug"))
MIB = 2**20
SLACK = 24 * MIB
"""How much a process may grow by what Python's allocator keeps, while hundreds of megabytes are thrown at it."""
OWN_THREADS = 4
"""Threads that gunicorn starts when it needs them, and keeps."""
FOREIGN = "https://elsewhere.example"
ALLOWED_STATUSES = {200, 400, 401, 403, 405, 413, 503}
KEY = b"\x11\x22\x33\x44"
LIMIT = 1_000_000
HEAD = "Host: 127.0.0.1\r\n"


def footprint(server: ServerProcess) -> dict[str, int]:
    """What the worker process holds."""
    found: dict[str, int] = server.page("/footprint")
    return found


def settled(server: ServerProcess, before: dict[str, int], *keys: str, timeout: float = 5.0) -> bool:
    """Whether the process comes back to holding no more of each than it held before."""

    def has_settled() -> bool:
        now = footprint(server)
        return all(now[key] <= before[key] for key in keys)

    return wait_until(has_settled, timeout)


def masked(payload: bytes) -> bytes:
    """As a client sends it."""
    size = len(payload)
    key = (KEY * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def frame(first: int, payload: bytes, mask: bool = True) -> bytes:
    """One frame of a client, whose first byte may be anything."""
    size, bit = len(payload), 0x80 if mask else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65536:
        head = bytes((first, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    return head + (KEY + masked(payload) if mask else payload)


def close_code(client: WebSocketClient) -> int | None:
    """The code with which the server ends the WebSocket."""
    try:
        while True:
            client.receive()
    except WebSocketEnded as end:
        code: int | None = end.args[0]
        return code


# ---------------------------------------------------------------------- threads and timers


def bad_posts(session: PollingClient, count: int) -> None:
    """Clients that post and are gone."""
    for number in range(count):
        body = (b"4half of what was announ", b"\xff\xfe\x1e\x1e9", b"")[number % 3]
        length = 1000 if number % 2 else len(body)
        sock = socket.create_connection(session.address, 5)
        sock.sendall(f"POST {session.path} HTTP/1.1\r\n{HEAD}Content-Length: {length}\r\n\r\n".encode() + body)
        if number % 4 < 2:
            reset(sock)
        else:
            sock.close()


@on_kinds(WEBSOCKET_KINDS)
def test_bad_posts_of_vanished_clients(server: ServerProcess) -> None:
    """A hundred clients announce a body, send a part of it or rubbish, and vanish: after a second they hold nothing."""
    session = PollingClient(server.address)
    bad_posts(session, 20)  # the pool keeps a thread for a while
    wait_until(lambda: footprint(server)["busy"] == 0)
    before = footprint(server)
    bad_posts(session, 100)
    assert settled(server, before, "descriptors", "busy", timeout=1.0), (before, footprint(server))
    assert footprint(server)["threads"] <= before["threads"] + OWN_THREADS
    for parked in [send(server.address, "GET", "/", timeout=1.0) for _ in range(2 * OWN_THREADS)]:
        assert parked.answer().text == "hello"


REJECTED = (
    "EIO=3&transport=polling",
    "EIO=4&transport=pigeon",
    "EIO=4&transport=polling&sid=unknown",
    "EIO=4&transport=polling&unwelcome=1",
    "EIO=4&transport=websocket&unwelcome=1",
)


@on_kinds(BUSY_KINDS)
def test_ten_thousand_rejected_handshakes(server: ServerProcess) -> None:
    """They leave threads, timers, descriptors and memory as they were."""
    request(server.address, "GET", "/engine.io/?EIO=4&transport=polling&unwelcome=1")
    before = footprint(server)
    for _ in range(50):
        connection = http.client.HTTPConnection(*server.address, timeout=10)
        for number in range(200):
            query = REJECTED[number % len(REJECTED)]
            headers = {"Origin": FOREIGN} if number % 7 == 0 else {}
            connection.request("GET", f"/engine.io/?{query}", headers=headers)
            answer = connection.getresponse()
            assert answer.status in (400, 401, 403), (query, answer.status)
            answer.read()
        connection.close()
    assert settled(server, before, "timers", "descriptors", "sessions", "watched", "busy"), (before, footprint(server))
    after = footprint(server)
    assert after["threads"] <= before["threads"] + OWN_THREADS
    assert after["memory"] < before["memory"] + SLACK


@on_kinds(BUSY_KINDS)
def test_ten_thousand_pongs(server: ServerProcess, clients: Clients) -> None:
    """Pongs that nobody asked for, on both transports, leave threads and timers as they were."""
    client, session = clients.websocket(), clients.polling()
    before = footprint(server)
    for _ in range(100):
        client.send_raw(frame(0x81, b"3") * 50 + frame(0x8A, b"") * 50)
    for _ in range(10):
        assert session.post("\x1e".join(["3"] * 1000)).text == "ok"
    client.send("4still here")
    assert client.receive() == "4still here"
    assert settled(server, before, "timers", "threads", "watched", "busy"), (before, footprint(server))


@on_kinds(BUSY_KINDS)
def test_a_flood_of_messages(server: ServerProcess, clients: Clients) -> None:
    """Fifty thousand messages and as many WebSocket pings as fast as they go add no threads, and cost no message."""
    client = clients.websocket()
    client.send("4warm")
    assert client.receive() == "4warm"
    before = footprint(server)
    sock = client.ws.sock
    assert sock is not None
    most = 0
    for batch in range(50):
        client.send_raw(b"".join(frame(0x81, b"4%d" % (batch * 1000 + n)) + frame(0x89, b"p") for n in range(1000)))
        for number in range(1000):
            assert client.receive() == f"4{batch * 1000 + number}"
        if batch % 10 == 0:
            most = max(most, footprint(server)["threads"])
    assert most <= before["threads"] + 8, "a handler that the machine holds up may look as if it blocked"
    assert settled(server, before, "timers", "watched", "busy")


# ---------------------------------------------------------------------- frames

BAD_FRAMES: dict[str, tuple[bytes, int]] = {
    "not masked": (frame(0x81, b"4hello", mask=False), 1002),
    "reserved opcode": (frame(0x83, b"4hello"), 1002),
    "reserved control opcode": (frame(0x8B, b""), 1002),
    "reserved bit": (frame(0xA1, b"4hello"), 1002),
    "compressed although nobody agreed": (frame(0xC1, b"4hello"), 1002),
    "fragmented ping": (frame(0x09, b"x"), 1002),
    "long ping": (frame(0x89, bytes(126)), 1002),
    "continuation of nothing": (frame(0x80, b"4hello"), 1002),
    "message inside a message": (frame(0x01, b"4he") + frame(0x81, b"4llo"), 1002),
    "length of 2^63": (b"\x81\xff\x80" + bytes(7) + KEY, 1002),
    "not UTF-8": (frame(0x81, b"4\xc3\x28"), 1007),
    "not UTF-8 across fragments": (frame(0x01, b"4\xf0\x9f") + frame(0x80, b"\x98"), 1007),
    "close code 1005": (frame(0x88, b"\x03\xed"), 1002),
    "close frame of one byte": (frame(0x88, b"\x03"), 1002),
    "close reason that is not UTF-8": (frame(0x88, b"\x03\xe8\xff"), 1007),
    "announces more than the limit": (b"\x82\xff" + (LIMIT + 1).to_bytes(8, "big") + KEY, 1009),
    "announces an exabyte": (b"\x82\xff" + (1 << 60).to_bytes(8, "big") + KEY, 1009),
    "fragments over the limit": (frame(0x02, bytes(LIMIT - 1)) + frame(0x00, b"x") + frame(0x80, b"x"), 1009),
    "a packet that is none": (frame(0x81, b"9"), 1002),
    "an empty packet": (frame(0x81, b""), 1002),
}


@on_kinds(WEBSOCKET_KINDS)
@pytest.mark.parametrize("name", BAD_FRAMES)
def test_bad_frames(server: ServerProcess, clients: Clients, name: str) -> None:
    """Each ends its WebSocket with the right code, and its session once."""
    data, code = BAD_FRAMES[name]
    client = clients.websocket()
    client.send_raw(data)
    assert close_code(client) == code
    assert [event["reason"] for event in server.wait_for("disconnect", client.sid)] == ["transport error"]


@on_kinds(WEBSOCKET_KINDS)
def test_a_message_exactly_at_the_limit(server: ServerProcess, clients: Clients) -> None:
    """It is accepted, whole and in fragments."""
    client = clients.websocket()
    client.send_raw(frame(0x82, bytes(LIMIT)))
    assert client.receive() == bytes(LIMIT)
    client.send_raw(frame(0x02, bytes(LIMIT - 1)) + frame(0x00, b"") + frame(0x80, b"x"))
    assert client.receive() == bytes(LIMIT - 1) + b"x"


@on_kinds(BUSY_KINDS)
def test_endless_fragments_are_bounded(server: ServerProcess, clients: Clients) -> None:
    """Clients that never end their message cost no more than the limit each, and nothing when they are gone."""
    before = footprint(server)
    for _ in range(20):
        client = clients.websocket()
        client.send_raw(frame(0x02, bytes(1000)))
        try:
            for _ in range(40):
                client.send_raw(frame(0x00, bytes(100_000)))
        except OSError:
            pass  # the server has gone before all was sent
        assert close_code(client) in (1009, None)
    assert settled(server, before, "sessions", "watched", "threads", "busy")
    assert footprint(server)["memory"] < before["memory"] + SLACK


@on_kinds(BUSY_KINDS)
def test_a_compressed_bomb(start_server: Starter, kind: Kind) -> None:
    """A megabyte that inflates to a gigabyte ends with 1009, and the memory stays within the limit."""
    server = start_server(kind, per_message_deflate=True)
    clients = Clients(server.address)
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(deflater.compress(bytes(MIB)) for _ in range(900)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < LIMIT, "it comes in under the limit"
    headers = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    warm = clients.raw_websocket("EIO=4&transport=websocket", headers)
    warm.receive()
    before = footprint(server)
    for _ in range(5):
        client = clients.raw_websocket("EIO=4&transport=websocket", headers)
        client.receive()
        client.send_raw(frame(0xC2, bomb[:-4]))
        assert close_code(client) == 1009
    assert footprint(server)["memory"] < before["memory"] + SLACK
    clients.close()


# ---------------------------------------------------------------------- slow readers

FLOOD = 64
FLOODING = {"send_buffer_limit": 4 * MIB, "send_buffer_policy": "block", "max_http_buffer_size": 2 * MIB}


def binary_polls(session: PollingClient) -> Iterator[bytes]:
    """The binary messages that polls bring."""
    while True:
        for packet in session.poll().packets:
            if packet.startswith("b"):
                yield base64.b64decode(packet[1:], validate=True)
            else:
                assert packet == "2"
                session.post("3")


@on_kinds(WEBSOCKET_KINDS)
@pytest.mark.parametrize("upgraded", [False, True], ids=["direct", "upgraded"])
def test_64_mib_to_a_slow_websocket(start_server: Starter, kind: Kind, upgraded: bool) -> None:
    """A reader that takes small bites and pauses gets every byte, and the server keeps no more than its limit."""
    server = start_server(kind, **FLOODING)
    clients = Clients(server.address)
    client = clients.upgraded()[1] if upgraded else clients.websocket()
    before = footprint(server)
    most = 0
    client.send(f"4flood {FLOOD} {MIB}")
    for number in range(FLOOD):
        if number % 16 == 0:
            time.sleep(0.1)
            most = max(most, footprint(server)["memory"])
        assert client.receive() == flood_message(number, MIB)
    assert most < before["memory"] + FLOODING["send_buffer_limit"] + SLACK  # type: ignore[operator]
    client.send("4and it lives")
    assert client.receive() == "4and it lives"
    clients.close()


@on_kinds(KINDS)
def test_64_mib_to_a_slow_poller(start_server: Starter, kind: Kind) -> None:
    """Polls bring every byte too."""
    server = start_server(kind, **FLOODING)
    session = PollingClient(server.address)
    assert session.post(f"4flood {FLOOD} {MIB}").text == "ok"
    messages = binary_polls(session)
    for number in range(FLOOD):
        assert next(messages) == flood_message(number, MIB)
    session.close()


# ---------------------------------------------------------------------- origins


@on_kinds(KINDS)
def test_foreign_origins_get_in_nowhere(server: ServerProcess, kind: Kind, clients: Clients) -> None:
    """By default only the site's own origin may poll, post, open a WebSocket or upgrade to one."""
    session = clients.polling()
    foreign = {"Origin": FOREIGN}
    for method, query, body in (
        ("GET", "EIO=4&transport=polling", None),
        ("GET", f"EIO=4&transport=polling&sid={session.sid}", None),
        ("POST", f"EIO=4&transport=polling&sid={session.sid}", b"4hello"),
        ("GET", "EIO=4&transport=websocket", None),
    ):
        for origin in (FOREIGN, "null", f"http://127.0.0.1.example:{server.port}", f"https://127.0.0.1:{server.port}"):
            answer = request(server.address, method, f"/engine.io/?{query}", body, {"Origin": origin})
            assert answer.status in (400, 403), (method, query, origin)
            assert "access-control-allow-origin" not in answer.headers
    own = request(server.address, "POST", session.path, b"4hello", {"Origin": f"http://127.0.0.1:{server.port}"})
    assert own.text == "ok"
    if kind.websocket:
        for query in ("EIO=4&transport=websocket", f"EIO=4&transport=websocket&sid={session.sid}"):
            refused = refusal(lambda query=query: clients.raw_websocket(query, foreign), kind)
            assert refused in ((1008,) if kind.answers_first else (400, 403)), query
        clients.probe(session)
    assert session.poll().packets[0] in ("4hello", "6")


def refusal(connect: Callable[[], WebSocketClient], kind: Kind) -> int | None:
    """The status with which a WebSocket is refused; where the server answers first, the close code."""
    try:
        client = connect()
    except websocket.WebSocketBadStatusException as exc:
        return int(exc.status_code)
    return close_code(client)


# ---------------------------------------------------------------------- fuzz

WORDS = (
    "",
    "4",
    "3",
    "polling",
    "websocket",
    "EIO",
    "sid",
    "transport",
    "j",
    "t",
    "0",
    "-1",
    "%00",
    "%ff",
    "%f0",
    "a" * 300,
)
SIGNS = ("=", "&", "&&", "==", "%", "%2", ";", "+", "#", "?", "[]", "%3D", "\xe4", "\x80")
METHODS = ("GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "WOMBAT")


@on_kinds(KINDS)
def test_query_fuzz(start_server: Starter, kind: Kind) -> None:
    """Whatever stands in a query, a header or a body, the answer is one of seven; nothing is logged as an error."""
    server = start_server(kind, ping_interval=0.5, ping_timeout=60)  # a good poll is answered by a ping
    session = PollingClient(server.address)
    rng = random.Random(4)
    keys = ["dGhlIHNhbXBsZSBub25jZQ=="]
    if not kind.answers_first:  # where the server answers WebSocket requests, their key is no business of ours
        keys += ["", "x", "\xff" * 24]
    for _ in range(400):
        query = "".join(rng.choice(WORDS) + rng.choice(SIGNS) for _ in range(rng.randrange(8)))
        if rng.random() < 0.5:
            query = f"EIO=4&transport={rng.choice(('polling', 'websocket'))}&" + query
        if rng.random() < 0.2:
            query += f"&sid={session.sid}&transport=websocket"
        headers = {}
        if rng.random() < 0.3:
            headers = {
                "Upgrade": rng.choice(("websocket", "h2c", "", "\xe4")),
                "Connection": rng.choice(("Upgrade", "close", "upgrade, close")),
                "Sec-WebSocket-Key": rng.choice(keys),
                "Sec-WebSocket-Version": rng.choice(("13", "8", "", "-1", "1" * 50)),
            }
        method = rng.choice(METHODS) if rng.random() < 0.5 else "GET"
        body = rng.choice((None, b"", b"4", b"\xff", b"d=4", b"\x1e" * 30)) if method != "GET" else None
        answer = fuzzed(server.address, method, f"/engine.io/?{query}", body, headers)
        allowed = ALLOWED_STATUSES | ({204} if method == "OPTIONS" else set())
        if headers.get("Sec-WebSocket-Version") not in (None, "13"):
            allowed = allowed | {426}  # RFC 6455 section 4.4: it says which version is spoken here
        assert answer is None or answer in allowed, (method, query, headers, body, answer)
    assert request(server.address, "GET", "/").text == "hello"
    # Some of these requests get a traceback out of a server itself, before the application is asked.
    assert str(Path(syncio.__file__).parent) not in server.log()
    assert "[ERROR] syncio" not in server.log()


def fuzzed(address: Address, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int | None:
    """The status of an answer; None where a WebSocket was opened instead (101), or the WSGI server refused the request
    itself, before the application was asked: for bytes that may not stand in a request line, or an unknown method.
    """
    parked = send(address, method, path, body, headers)
    with parked.sock as sock:
        line = sock.makefile("rb").readline()
    status = int(line.split()[1]) if line.startswith(b"HTTP/1.") else None
    of_the_server = status == 101 or (status in (400, 405, 501) and method not in METHODS[:7])
    return None if of_the_server else status


# ---------------------------------------------------------------------- resets

ResetPhase = Callable[[Clients], None]


def raw(clients: Clients, data: str) -> None:
    """Send bytes and reset."""
    sock = socket.create_connection(clients.address, 5)
    sock.sendall(data.encode())
    reset(sock)


def upgrade_request(query: str) -> str:
    """The request of a WebSocket."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    return f"GET /engine.io/?{query} HTTP/1.1\r\n{HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n{key}\r\n"


def during_flood(clients: Clients) -> None:
    """While the server sends more than the kernel takes."""
    client = clients.websocket()
    client.send("4flood 8 1000000")
    client.receive()
    client.reset()


def in_a_frame(clients: Clients) -> None:
    """In the middle of a frame."""
    client = clients.websocket()
    client.send_raw(frame(0x82, bytes(1000))[:500])
    client.reset()


def after_the_upgrade(clients: Clients) -> None:
    """Right behind the packet that upgrades."""
    _, client = clients.upgraded()
    client.reset()


def in_the_handler(clients: Clients) -> None:
    """While a handler works for it."""
    client = clients.websocket()
    client.send("4sleep 0.2")
    client.reset()


PHASES: dict[str, ResetPhase] = {
    "connected": lambda clients: raw(clients, ""),
    "handshake": lambda clients: raw(clients, f"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n{HEAD}\r\n"),
    "open": lambda clients: PollingClient(clients.address).close(),
    "poll": lambda clients: clients.polling().get().reset(),
    "post": lambda clients: raw(
        clients, f"POST {clients.polling().path} HTTP/1.1\r\n{HEAD}Content-Length: 1000\r\n\r\n4half"
    ),
    "websocket request": lambda clients: raw(clients, upgrade_request("EIO=4&transport=websocket")),
    "websocket": lambda clients: clients.websocket().reset(),
    "upgrade request": lambda clients: raw(
        clients, upgrade_request(f"EIO=4&transport=websocket&sid={clients.polling().sid}")
    ),
    "probe": lambda clients: clients.probe(clients.polling()).reset(),
    "upgraded": after_the_upgrade,
    "frame": in_a_frame,
    "handler": in_the_handler,
    "flood": during_flood,
}


@on_kinds(WEBSOCKET_KINDS)
def test_resets_at_every_phase_leak_nothing(start_server: Starter, kind: Kind) -> None:
    """Ten resets at each phase, and the process holds what it held before: no session, timer, thread or descriptor."""
    server = start_server(kind, ping_interval=0.4, ping_timeout=0.4, upgrade_timeout=0.4)
    clients = Clients(server.address)
    for phase in PHASES.values():
        phase(clients)
    keys = ("sessions", "timers", "watched", "descriptors", "busy")
    assert wait_until(lambda: footprint(server)["sessions"] == 0)
    assert wait_until(lambda: footprint(server)["timers"] <= 1), footprint(server)
    before = footprint(server)
    for phase in PHASES.values():
        for _ in range(10):
            phase(clients)
    assert settled(server, before, *keys), (before, footprint(server))
    handlers = 10  # slept at the same time, and the pool keeps their threads for a while
    assert footprint(server)["threads"] <= before["threads"] + handlers + OWN_THREADS
    ended = [event["sid"] for event in server.events(event="disconnect")]
    assert sorted(ended) == sorted(event["sid"] for event in server.events(event="connect")), "each ends exactly once"
    assert " [ERROR] " not in server.log() and " [WARNING] " not in server.log()
    clients.close()


def test_the_frames_of_these_tests() -> None:
    """What the builder above makes is what a client sends: only what is meant to be bad in a frame is bad."""
    sample: Any = websocket.ABNF.create_frame("4hello", websocket.ABNF.OPCODE_TEXT)
    sample.get_mask_key = lambda _: KEY
    assert sample.format() == frame(0x81, b"4hello")
