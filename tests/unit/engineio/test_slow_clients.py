"""A client that does not read, under each policy: what comes, what does not, and how much waits at most."""

from __future__ import annotations

import _socket
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent.socket
import pytest

from syncio import Server, WSGIApp
from syncio.websocket import CloseReceived, Connection, Role

from ..runtime.kinds import MODES_HERE, PATIENCE, eventually
from ..streams.conftest import SMALL, Peer, raw_pair

LIMIT = 50_000
SIZE = 1000
FRAME = SIZE + 4
"""A message's bytes on the wire: RFC 6455, section 5.2."""
REQUEST = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/engine.io/",
    "QUERY_STRING": "EIO=4&transport=websocket",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.url_scheme": "http",
    "HTTP_HOST": "localhost",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
}


def message(number: int, size: int = SIZE) -> bytes:
    """A message that says which it is."""
    return number.to_bytes(4, "big") * (size // 4)


class Slow:
    """A server with one client on a WebSocket, who reads when the test says so."""

    def __init__(self, mode: str, policy: str, limit: int) -> None:
        self.ends: list[str] = []
        self.server = Server(async_mode=mode, send_buffer_policy=policy, send_buffer_limit=limit)
        sids: list[str] = []
        self.server.on("connect", lambda sid, environ: sids.append(sid))
        self.server.on("disconnect", lambda sid, reason: self.ends.append(reason))
        here, there = raw_pair("unix")
        here.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, SMALL)
        module: Any = gevent.socket if mode == "gevent" else socket
        self._sock = module.socket(fileno=here.detach())
        reader = self._sock.makefile("rb")
        environ = {**REQUEST, "werkzeug.socket": self._sock, "wsgi.input": reader}
        with contextlib.suppress(ConnectionResetError):
            b"".join(WSGIApp(self.server)(environ, lambda *args: None))
        reader.close()
        (self.sid,) = sids
        self.runtime = self.server.runtime
        self.peer = Peer(self.runtime, there)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.peer.read(1)
        assert b" 101 " in head
        self._connection = Connection(Role.CLIENT)
        self.received: list[int] = []
        self._is_open = False
        self.is_told = False
        """Whether the close frame has come."""
        assert eventually(self.runtime, lambda: self.read() and self._is_open)

    def send(self, number: int, size: int = SIZE) -> None:
        """Send a message to it."""
        self.server.send(self.sid, message(number, size))

    @property
    def buffered(self) -> int:
        """Bytes that wait for it."""
        return self.server.buffered_amount(self.sid)

    def read(self, size: int = 65536) -> bool:
        """Read once, if there is something to read."""
        data = self.peer.recv(size)
        for event in self._connection.receive_data(data or b""):
            if isinstance(event, bytes):
                assert event == message(int.from_bytes(event[:4], "big"), len(event))
                self.received.append(int.from_bytes(event[:4], "big"))
            elif isinstance(event, str):
                self._is_open = True
            self.is_told = self.is_told or isinstance(event, CloseReceived)
        return bool(data)

    def read_until(self, condition: Callable[[], object]) -> bool:
        """Read on until it is true."""

        def look() -> object:
            self.read()
            return condition()

        return eventually(self.runtime, look)

    def close(self) -> None:
        """Give everything back."""
        self.peer.close()
        self.server.shutdown(PATIENCE)
        self._sock.close()


@pytest.fixture(params=MODES_HERE)
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., Slow]]:
    """Makes servers with one client each, on either runtime."""
    made: list[Slow] = []

    def make(policy: str, limit: int = LIMIT) -> Slow:
        made.append(Slow(request.param, policy, limit))
        return made[-1]

    yield make
    for slow in made:
        slow.close()


Serve = Callable[..., Slow]


def test_policy_close(serve: Serve) -> None:
    """The message that is too much ends the session; all before it come, and then the close frame."""
    slow, number = serve("close"), 0
    while not slow.ends:
        slow.send(number)
        number += 1
        assert slow.ends or slow.buffered <= LIMIT
        assert number < 1000 or eventually(slow.runtime, lambda: slow.ends)
    assert slow.ends == ["transport error"]
    assert slow.read_until(lambda: slow.is_told)
    assert slow.received == list(range(len(slow.received)))
    assert LIMIT < len(slow.received) * FRAME < number * FRAME


def test_policy_drop_new(serve: Serve) -> None:
    """What came first comes, without a gap; what found no room does not; the session lives on and takes more."""
    slow = serve("drop_new")
    refused = 0
    for number in range(300):
        before = slow.buffered
        slow.send(number)
        assert slow.buffered in (before, before + FRAME) or not before
        assert slow.buffered <= LIMIT
        refused += slow.buffered == before > 0
    assert slow.buffered > LIMIT - FRAME
    assert slow.read_until(lambda: slow.buffered == 0 and len(slow.received) == 300 - refused)
    assert slow.received == list(range(300 - refused))
    slow.send(1000)
    assert slow.read_until(lambda: slow.received[-1] == 1000)
    assert slow.ends == []


def test_policy_drop_oldest(serve: Serve) -> None:
    """What came last comes; what waited longest is missing, in one gap, and nothing is cut."""
    slow = serve("drop_oldest")
    for number in range(300):
        slow.send(number)
        assert slow.buffered <= LIMIT
    assert slow.buffered > LIMIT - FRAME
    assert slow.read_until(lambda: slow.received[-1:] == [299])
    gaps = [(a, b) for a, b in zip(slow.received, slow.received[1:], strict=False) if b != a + 1]
    assert slow.received[0] == 0
    assert len(gaps) == 1 and gaps[0][0] < gaps[0][1]
    # Of the message that was being written, a part may have counted.
    assert 300 - gaps[0][1] in (LIMIT // FRAME - 1, LIMIT // FRAME)
    assert slow.buffered == 0 and slow.ends == []


def test_policy_block(serve: Serve) -> None:
    """The sender waits for as long as it takes; everything comes, in order, and never does more wait than may."""
    slow = serve("block")
    sent: list[int] = []
    most = [0]

    def sender() -> None:
        for number in range(300):
            slow.send(number)
            sent.append(number)
            most[0] = max(most[0], slow.buffered)

    task = slow.runtime.spawn(sender)
    assert eventually(slow.runtime, lambda: slow.buffered > LIMIT - 2 * FRAME)
    assert len(sent) < 300
    assert slow.read_until(lambda: len(slow.received) == 300)
    task.join(PATIENCE)
    assert slow.received == sent == list(range(300))
    assert LIMIT - 2 * FRAME < most[0] <= LIMIT
    assert slow.ends == []


def test_policy_block_with_several_senders(serve: Serve) -> None:
    """Each waits; each one's messages come in order, and all of them."""
    slow = serve("block")

    def sender(first: int) -> None:
        for number in range(first, first + 100):
            slow.send(number)

    tasks = [slow.runtime.spawn(sender, first) for first in (0, 100, 200)]
    assert slow.read_until(lambda: len(slow.received) == 300)
    for task in tasks:
        task.join(PATIENCE)
    for first in (0, 100, 200):
        assert [n for n in slow.received if first <= n < first + 100] == list(range(first, first + 100))
    assert slow.ends == [] and slow.buffered == 0


def test_policy_drop_oldest_with_big_messages(serve: Serve) -> None:
    """The limit holds also for messages that are bigger than what a slow client reads between two of them."""
    slow, limit, size = serve("drop_oldest", 100_000), 100_000, 30_000
    most = 0
    for number in range(120):
        slow.send(number, size)
        most = max(most, slow.buffered)
        slow.read(5000)
        done = slow.runtime.event()
        slow.runtime.relay().call_at(0.0, done.set)
        assert done.wait(PATIENCE)
    assert most <= limit
