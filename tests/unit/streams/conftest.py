"""Streams on both runtimes, with a real socket's other end beside each; no test may keep a descriptor."""

from __future__ import annotations

import _socket
import array
import fcntl
import os
import struct
import termios
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from syncio.errors import StreamError
from syncio.runtime import Runtime
from syncio.streams import Stream
from syncio.streams.adopt import _dead_descriptor
from syncio.streams.raw import RawSocket

from ..runtime.kinds import MODES_HERE, PATIENCE, eventually, fresh_runtime

WORKERS = 4
PIECE = bytes(range(256)) * 256
"""64 KiB in which a byte says where it stands."""
SMALL = 16384
"""A send buffer that is full soon, in bytes."""


class Recorder:
    """A receiver that notes what it is told.

    :param act: called with the bytes that came, after they are noted.
    """

    def __init__(self, runtime: Runtime, act: Callable[[bytes], object] | None = None) -> None:
        self.pieces: list[bytes] = []
        self.errors: list[StreamError] = []
        self.ended = runtime.event()
        self._runtime = runtime
        self._act = act

    @property
    def data(self) -> bytes:
        """All bytes so far."""
        return b"".join(self.pieces)

    def data_received(self, data: bytes) -> None:
        """Note them."""
        self.pieces.append(data)
        if self._act is not None:
            self._act(data)

    def stream_ended(self, error: StreamError) -> None:
        """Note it."""
        self.errors.append(error)
        self.ended.set()

    def has(self, data: bytes) -> bool:
        """Whether exactly these bytes come."""
        return eventually(self._runtime, lambda: len(self.data) >= len(data)) and self.data == data

    def has_ended(self) -> bool:
        """Whether the end comes."""
        return bool(self.ended.wait(PATIENCE))


class Peer:
    """The other end of a stream: a plain socket of which the test decides when it is read.

    :param sock: becomes non-blocking.
    """

    def __init__(self, runtime: Runtime, sock: RawSocket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._runtime = runtime

    @property
    def waiting(self) -> int:
        """Bytes that the kernel has for it."""
        count = array.array("i", [0])
        fcntl.ioctl(self.sock.fileno(), termios.FIONREAD, count)
        return count[0]

    def send(self, data: bytes) -> int:
        """Write what fits; returns how much that is."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def recv(self, size: int = 65536) -> bytes | None:
        """What one read gives: nothing at the end, None if there is nothing yet."""
        try:
            return self.sock.recv(size)
        except BlockingIOError:
            return None

    def next(self, size: int = 65536) -> bytes:
        """Wait for what one read gives."""
        found: list[bytes | None] = [None]

        def look() -> bool:
            found[0] = self.recv(size)
            return found[0] is not None

        assert eventually(self._runtime, look), "nothing came"
        assert found[0] is not None
        return found[0]

    def read(self, size: int) -> bytes:
        """Wait for so many bytes."""
        pieces, missing = [], size
        while missing:
            pieces.append(self.next(min(missing, 65536)))
            assert pieces[-1], f"the stream ended, and {missing} bytes are missing"
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def read_to_end(self) -> bytes:
        """Wait for the end of the stream; returns what came before it."""
        pieces = []
        while piece := self.next():
            pieces.append(piece)
        return b"".join(pieces)

    def finish(self) -> None:
        """Send no more, but go on reading."""
        self.sock.shutdown(_socket.SHUT_WR)

    def close(self) -> None:
        """Leave."""
        self.sock.close()

    def reset(self) -> None:
        """Leave without a word: TCP answers with a reset."""
        self.sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class CountingSocket(RawSocket):
    """A socket that counts how often it is closed."""

    closes = 0

    def close(self) -> None:
        """Close and count."""
        self.closes += 1
        super().close()


class Wire:
    """A stream, its receiver, and who is at the other end."""

    def __init__(self, runtime: Runtime, here: RawSocket, there: RawSocket) -> None:
        self.runtime = runtime
        self.sock = CountingSocket(fileno=here.detach())
        self.sock.setblocking(False)
        self.fd = self.sock.fileno()
        self.stream = Stream(runtime, self.sock)
        self.peer = Peer(runtime, there)
        self.receiver = Recorder(runtime)

    def start(self, act: Callable[[bytes], object] | None = None) -> Wire:
        """Have the stream read for the receiver.

        :param act: called with what came.
        """
        self.receiver = Recorder(self.runtime, act)
        self.stream.start(self.receiver)
        return self

    def fill(self) -> bytes:
        """Write until the kernel takes no more, and then a piece that waits. Returns all that was written."""
        written = []
        while not self.stream.buffered:
            written.append(PIECE)
            self.stream.write(PIECE)
        written.append(PIECE)
        self.stream.write(PIECE)
        return b"".join(written)

    def is_gone(self) -> bool:
        """Whether the descriptor is given back, by one close."""
        return eventually(self.runtime, lambda: self.sock.fileno() < 0) and self.sock.closes == 1

    def turn(self) -> None:
        """Let the relay go round, twice: what it finds now is dealt with then."""
        for _ in range(2):
            done = self.runtime.event()
            self.runtime.relay().call_at(0.0, done.set)
            assert done.wait(PATIENCE)


class Connect(Protocol):
    """Makes a wire."""

    def __call__(self, kind: str = ..., small: bool = ...) -> Wire: ...


def raw_pair(kind: str) -> tuple[RawSocket, RawSocket]:
    """Two connected sockets that monkey-patching leaves alone.

    :param kind: 'unix', 'tcp', or 'packets', where each write of one side is one read of the other.
    """
    if kind != "tcp":
        return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET if kind == "packets" else _socket.SOCK_STREAM)
    listener = RawSocket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    there = RawSocket(_socket.AF_INET, _socket.SOCK_STREAM)
    there.connect(listener.getsockname())
    fd, _ = listener._accept()  # type: ignore[attr-defined]  # what socket.accept() is made of
    listener.close()
    return RawSocket(fileno=fd), there


def open_descriptors() -> set[str]:
    """The descriptors of this process, but for the one that reads their list."""
    return {f"{fd} {target}" for fd in os.listdir("/proc/self/fd") if (target := _target(fd)) is not None}


def _target(fd: str) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return None


@pytest.fixture(params=MODES_HERE)
def mode(request: pytest.FixtureRequest) -> str:
    """The name of the runtime."""
    name: str = request.param
    return name


@pytest.fixture
def runtime(mode: str) -> Iterator[Runtime]:
    """A runtime whose relay runs; whatever a test opens must be closed when it ends."""
    _dead_descriptor()  # one for the process, for as long as it lives
    for runtime in fresh_runtime(mode, WORKERS):
        runtime.relay()
        yield from watched_descriptors(runtime)


def watched_descriptors(runtime: Runtime) -> Iterator[Runtime]:
    """Lend a runtime, and count the descriptors before and after."""
    before = open_descriptors()
    yield runtime
    assert eventually(runtime, lambda: open_descriptors() <= before), (
        open_descriptors() - before
    )  # an earlier test's may go


@pytest.fixture
def connect(runtime: Runtime) -> Iterator[Connect]:
    """Makes wires, and closes what the test leaves open."""
    made: list[Wire] = []

    def make(kind: str = "unix", small: bool = True) -> Wire:
        here, there = raw_pair(kind)
        if small:
            here.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, SMALL)
            there.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, SMALL)
        made.append(Wire(runtime, here, there))
        return made[-1]

    yield make
    for wire in made:
        wire.stream.close()
        wire.peer.close()
        assert wire.is_gone()


@pytest.fixture
def wire(connect: Connect) -> Wire:
    """A started stream over a pair of local sockets with small buffers."""
    return connect().start()
