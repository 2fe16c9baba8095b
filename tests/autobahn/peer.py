"""An echo server over `Connection`, in memory and behind a socket, and a client that trusts nothing of ours.

The client reads the server's frames with a few lines of its own, so that an error cannot hide on both sides.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from syncio.websocket import ClientHandshake, Connection, DeflateParameters, Role, ServerHandshake

Cut = Callable[[Iterable[bytes]], Iterator[bytes]]

LIMIT = 16 * 2**20
TIMEOUT = 10.0


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    """A frame with any header bits, legal or not, masked with a key that shows mistakes."""
    length = len(payload)
    head = bytes(((0x80 if fin else 0) | rsv << 4 | opcode,))
    bit = 0x80 if mask else 0
    if length < 126:
        head += bytes((bit | length,))
    elif length < 65_536:
        head += struct.pack("!BH", bit | 126, length)
    else:
        head += struct.pack("!BQ", bit | 127, length)
    if not mask:
        return head + payload
    key = b"\xa5\x01\xfe\x3c"
    pattern = int.from_bytes(key * (length // 4 + 1), "big") >> (8 * (4 - length % 4))
    return head + key + (int.from_bytes(payload, "big") ^ pattern).to_bytes(length, "big")


def close_frame(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """A client's close frame."""
    return frame(8, b"" if code is None else struct.pack("!H", code) + reason)


@dataclass
class Received:
    """What the client has got from the server.

    :param items: (opcode, payload) of messages and pongs; for compressed messages the payload as it stood on the wire.
    :param compressed: for every message whether its RSV1 was set.
    :param closed: whether a close frame came.
    :param close_code: its code, or None.
    """

    items: list[tuple[int, bytes]] = field(default_factory=list)
    compressed: list[bool] = field(default_factory=list)
    closed: bool = False
    close_code: int | None = None
    _rest: bytes = b""

    def take(self, data: bytes) -> None:
        """Read the server's frames: whole messages, never masked, nothing behind a close frame."""
        data = self._rest + data
        position = 0
        while (end := _frame_end(data, position)) is not None:
            assert not self.closed, "the server sent something behind its close frame"
            first, second = data[position], data[position + 1]
            assert first & 0x80, "the echo server does not fragment"
            assert not first & 0x30, "RSV2 or RSV3 is set"
            start = position + 2 + {126: 2, 127: 8}.get(second, 0)
            self._note(first & 0x0F, data[start:end], bool(first & 0x40))
            position = end
        self._rest = data[position:]

    def _note(self, opcode: int, payload: bytes, compressed: bool) -> None:
        if opcode == 8:
            self.closed = True
            self.close_code = struct.unpack("!H", payload[:2])[0] if payload else None
            payload[2:].decode()
        else:
            assert opcode in (1, 2, 10), f"the server sent opcode {opcode}"
            self.items.append((opcode, payload))
            if opcode != 10:
                self.compressed.append(compressed)


def _frame_end(data: bytes, position: int) -> int | None:
    """Where the frame at `position` ends, or None while it is not complete."""
    if len(data) < position + 2:
        return None
    length = data[position + 1]
    assert length < 128, "the server masked a frame"
    start = position + 2
    if length > 125:
        start += 2 if length == 126 else 8
        if len(data) < start:
            return None
        length = int.from_bytes(data[position + 2 : start], "big")
    end = start + length
    return end if end <= len(data) else None


def echo(connection: Connection, data: bytes) -> bytes:
    """One read of the echo server: what it writes for it."""
    events = connection.receive_data(data)
    written = [connection.data_to_send()]
    for event in events:
        if connection.is_open and isinstance(event, str):
            written.append(connection.text(event))
        elif connection.is_open and isinstance(event, bytes):
            written.append(connection.binary(event))
    return b"".join(written)


class MemoryPeer:
    """A client and the echo server, joined by nothing but calls.

    :param cut: how the frames of one step become reads.
    """

    def __init__(self, cut: Cut, deflate: DeflateParameters | None = None, deflate_threshold: int = 1) -> None:
        self._cut = cut
        self._connection = Connection(
            Role.SERVER, max_message_size=LIMIT, deflate=deflate, deflate_threshold=deflate_threshold
        )
        self.received = Received()

    def send(self, frames: Iterable[bytes]) -> None:
        """Send frames and take what comes back at once."""
        for read in self._cut(frames):
            self.received.take(echo(self._connection, read))

    def finish(self) -> None:
        """The server must have ended the connection."""
        assert self._connection.is_closed


def whole(frames: Iterable[bytes]) -> Iterator[bytes]:
    """All frames of a step in one read."""
    yield b"".join(frames)


def by_frame(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Each frame in a read of its own."""
    yield from frames


def by_octet(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Each octet in a read of its own; of frames over 10,000 octets, 997 at a time."""
    for data in frames:
        step = 1 if len(data) < 10_000 else 997
        for start in range(0, len(data), step):
            yield data[start : start + step]


class SocketPeer:
    """A client of the echo server over TCP, with a real opening handshake."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = Received()
        handshake = ClientHandshake("127.0.0.1")
        self._socket.sendall(handshake.request())
        while (upgraded := handshake.receive_data(self._socket.recv(4096))) is None:
            pass
        self.received.take(upgraded.trailing)

    def send(self, frames: Iterable[bytes]) -> None:
        """Send frames; what comes back is read by `wait_for` and `finish`."""
        self._socket.sendall(b"".join(frames))

    def wait_for(self, items: int) -> None:
        """Read until so many messages and pongs are here, or the server's close frame."""
        while len(self.received.items) < items and not self.received.closed:
            data = self._socket.recv(65_536)
            assert data, "the stream ended without a close frame"
            self.received.take(data)

    def finish(self) -> None:
        """Read until the server ends the stream."""
        with self._socket:
            while data := self._socket.recv(65_536):
                self.received.take(data)


class EchoServer:
    """Accepts TCP connections and serves each one in a thread until it is closed."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop accepting."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(TIMEOUT)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=_serve, args=(client,), daemon=True).start()


def _serve(client: socket.socket) -> None:
    client.settimeout(TIMEOUT)
    with client:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        head, _, data = head.partition(b"\r\n\r\n")
        client.sendall(ServerHandshake(_environ(head.decode("latin-1"))).response())
        connection = Connection(Role.SERVER, max_message_size=LIMIT)
        while not connection.is_closed:
            client.sendall(echo(connection, data))
            if connection.is_closed:
                break
            data = client.recv(65_536)
            if not data:
                connection.receive_eof()
        # What the client still sends is read away: closing over it would reset the stream and lose the close frame.
        client.shutdown(socket.SHUT_WR)
        while client.recv(65_536):
            pass


def _environ(head: str) -> dict[str, str]:
    start, *lines = head.split("\r\n")
    method, _, protocol = start.split(" ")
    environ = {"REQUEST_METHOD": method, "SERVER_PROTOCOL": protocol}
    for line in lines:
        name, _, value = line.partition(":")
        environ["HTTP_" + name.upper().replace("-", "_")] = value.strip()
    return environ
