"""Accepting on the relay: who is let in, when nobody is, and whose the descriptors are."""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import resource
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncio.runtime import Runtime
from syncio.streams import Acceptor, SocketLike, Stream
from syncio.streams.raw import RawSocket

from ..runtime.kinds import MOMENT, PATIENCE, Call, eventually
from .conftest import Peer, Recorder
from .duplex import client_settings, server_settings


class Door:
    """An acceptor, and those who came in.

    :param most: how many may be inside.
    """

    def __init__(self, runtime: Runtime, tls: ssl.SSLContext | None = None, most: int = 1000) -> None:
        self.runtime = runtime
        self.most = most
        self.inside: list[tuple[SocketLike, Any]] = []
        self.on_duty: list[bool] = []
        self._peers: list[RawSocket] = []
        self.acceptor = Acceptor(
            runtime, ("127.0.0.1", 0), self._accepted, tls, has_room=lambda: len(self.inside) < self.most
        )

    def _accepted(self, sock: SocketLike, peer: Any) -> None:
        self.inside.append((sock, peer))
        self.on_duty.append(self.runtime.relay().corks())

    def knock(self) -> RawSocket:
        """Somebody who connects."""
        sock = self.client()
        sock.connect(self.acceptor.address)
        return sock

    def client(self) -> RawSocket:
        """Somebody who has not connected yet."""
        self._peers.append(RawSocket(_socket.AF_INET, _socket.SOCK_STREAM))
        return self._peers[-1]

    def lets_in(self, count: int) -> bool:
        """Whether exactly so many get in."""
        eventually(self.runtime, lambda: len(self.inside) >= count)
        self.turn()
        return len(self.inside) == count

    def turn(self) -> None:
        """Let the relay go round, twice."""
        for _ in range(2):
            done = self.runtime.event()
            self.runtime.relay().call_at(0.0, done.set)
            assert done.wait(PATIENCE)

    def close(self) -> None:
        """Close all there is."""
        self.acceptor.close()
        for sock in [*self._peers, *(sock for sock, _ in self.inside)]:
            sock.close()


@pytest.fixture
def open_door(runtime: Runtime) -> Iterator[Callable[..., Door]]:
    """Makes doors, and closes them."""
    made: list[Door] = []

    def make(**options: Any) -> Door:
        made.append(Door(runtime, **options))
        return made[-1]

    yield make
    for door in made:
        door.close()


@pytest.fixture
def door(open_door: Callable[..., Door]) -> Door:
    """One for everybody."""
    return open_door()


def test_many_come(door: Door) -> None:
    """All who connect are let in, on the relay's duty worker, with their addresses and sockets that do not block."""
    knocking = [door.knock() for _ in range(100)]
    assert door.lets_in(100)
    assert sorted(peer for _, peer in door.inside) == sorted(sock.getsockname() for sock in knocking)
    assert all(door.on_duty)
    for sock, _ in door.inside:
        assert isinstance(sock, RawSocket) and not sock.getblocking()
        assert sock.getsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY)


def test_full(open_door: Callable[..., Door]) -> None:
    """While there is no room nobody is let in, and nothing is lost: who waits comes in when there is."""
    door = open_door(most=2)
    for _ in range(5):
        door.knock()
    assert door.lets_in(2)
    assert not eventually(door.runtime, lambda: len(door.inside) != 2, MOMENT)
    assert not door.acceptor.look()
    door.most = 3
    assert door.acceptor.look()
    assert door.lets_in(3)
    door.most = 10
    door.acceptor.look()
    assert door.lets_in(5)


def test_room_is_found_in_any_order(open_door: Callable[..., Door]) -> None:
    """Looking when nothing has changed changes nothing."""
    door = open_door(most=0)
    door.knock()
    for most in (0, 0, 1, 1):
        door.most = most
        assert door.acceptor.look() is (most > 0 and not door.inside)
        if most:
            assert door.lets_in(1)


def test_no_descriptors(door: Door) -> None:
    """Without a descriptor left nobody is let in for a while; those who wait come in when there is one."""
    waiting = [door.client() for _ in range(20)]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for sock in waiting:
            sock.connect(door.acceptor.address)
        assert eventually(door.runtime, lambda: door.acceptor._pauses)
        assert len(door.inside) < 10, "an earlier test's garbage may give some back"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in taken:
            os.close(fd)
    assert door.lets_in(20)


def test_no_descriptors_and_full(open_door: Callable[..., Door]) -> None:
    """The end of a pause lets nobody in for whom there is no room."""
    door = open_door(most=0)
    door.acceptor._pause()
    door.knock()
    assert eventually(door.runtime, lambda: not door.acceptor._pauses)
    door.turn()
    assert door.inside == []


def test_pause_outlives_the_acceptor(runtime: Runtime, open_door: Callable[..., Door]) -> None:
    """A pause that ends behind the acceptor leaves alone whoever has its descriptor's number now."""
    door = open_door()
    number = door.acceptor._fd
    door.acceptor._pause()
    door.acceptor.close()
    here, there = _socket.socketpair()
    assert here.fileno() == number, "the number is given again"
    here.setblocking(False)
    receiver, stream = Recorder(runtime), Stream(runtime, here)
    stream.start(receiver)
    stream.pause()
    there.send(b"x")
    assert eventually(runtime, lambda: not door.acceptor._pauses)
    door.turn()
    assert not receiver.pieces
    stream.resume()
    assert receiver.has(b"x")
    stream.close()
    there.close()


def test_address_in_use(runtime: Runtime, door: Door) -> None:
    """Where somebody listens already nobody else can, and nothing stays open."""
    with pytest.raises(OSError) as caught:
        Acceptor(runtime, door.acceptor.address, lambda sock, peer: None)
    assert caught.value.errno == errno.EADDRINUSE


def test_close(runtime: Runtime, door: Door) -> None:
    """Who connects after the end is refused at once, and the address is free when `close` returns; again is nothing."""
    address = door.acceptor.address
    door.acceptor.close()
    with pytest.raises(ConnectionRefusedError):
        door.knock()
    second = Acceptor(runtime, address, lambda sock, peer: None)
    door.acceptor.close()
    assert not door.acceptor.look()
    second.close()


def test_close_on_duty(runtime: Runtime, door: Door) -> None:
    """A handler that runs on the duty worker may close it, and finds it closed."""
    done = runtime.event()

    def close() -> None:
        began = runtime.now()
        door.acceptor.close()
        if runtime.now() - began < 0.5:
            done.set()

    runtime.relay().call_at(0.0, lambda: runtime.relay().call_inline(Call(close)))
    assert done.wait(PATIENCE)
    with pytest.raises(ConnectionRefusedError):
        door.knock()


# ---------------------------------------------------------------------- TLS


class Shaking:
    """A client that speaks TLS over a plain socket, step by step."""

    def __init__(self, runtime: Runtime, sock: RawSocket) -> None:
        self._peer = Peer(runtime, sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = client_settings().wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    def _do(self, step: Callable[..., Any], *args: Any) -> Any:
        while True:
            try:
                result = step(*args)
            except ssl.SSLWantReadError:
                self._send()
                data = self._peer.next()
                self._incoming.write(data) if data else self._incoming.write_eof()
                continue
            self._send()
            return result

    def _send(self) -> None:
        data = self._outgoing.read()
        assert self._peer.send(data) == len(data)

    def handshake(self) -> None:
        """Do it."""
        self._do(self._tls.do_handshake)

    def write(self, data: bytes) -> None:
        """Say something."""
        self._do(self._tls.write, data)

    def read(self) -> bytes:
        """What comes; nothing at an end that TLS has said.

        :raises ssl.SSLError: at another.
        """
        return bytes(self._do(self._tls.read, 100))


def test_tls(runtime: Runtime, open_door: Callable[..., Door]) -> None:
    """The handshake is done by who reads, and the end is one that TLS knows."""
    door = open_door(tls=server_settings())
    client = Shaking(runtime, door.knock())
    assert door.lets_in(1)
    receiver, stream = Recorder(runtime), Stream(runtime, door.inside.pop()[0])
    stream.start(receiver)
    client.handshake()
    client.write(b"hello")
    assert receiver.has(b"hello")
    stream.write(b"you")
    assert client.read() == b"you"
    stream.close(PATIENCE)
    assert client.read() == b""


def test_tls_peer_that_has_left(runtime: Runtime, open_door: Callable[..., Door]) -> None:
    """Peers that leave before they are accepted, with and without a word, harm nobody; the next one is let in."""
    door = open_door(tls=server_settings(), most=0)
    door.acceptor.look()
    for words in (b"", b"plain words\r\n"):
        early = Peer(runtime, door.knock())
        early.send(words)
        early.reset()
    client = Shaking(runtime, door.knock())
    door.most = 1000
    door.acceptor.look()
    assert eventually(runtime, lambda: door.inside)
    door.turn()
    streams = [Stream(runtime, sock) for sock, _ in door.inside]
    door.inside.clear()
    for stream in streams:
        stream.start(Recorder(runtime))
    client.handshake()
    for stream in streams:
        stream.close()


def test_plain_words_on_tls(runtime: Runtime, open_door: Callable[..., Door]) -> None:
    """Who speaks something else is ended."""
    door = open_door(tls=server_settings())
    peer = Peer(runtime, door.knock())
    assert door.lets_in(1)
    receiver, stream = Recorder(runtime), Stream(runtime, door.inside.pop()[0])
    stream.start(receiver)
    peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert receiver.has_ended()
    assert receiver.data == b""
