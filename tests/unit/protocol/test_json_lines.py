"""JSON values, one a line."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncio.errors import RemoteProtocolError
from syncio.protocol import JSONLinesProtocol, Runstate
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import PATIENCE

from ..streams.conftest import Peer

Peers = Callable[..., tuple[Any, Peer]]
VALUES: list[Any] = [{"a": [1, 2.5, None, True]}, [], "line\nline", "äöü \u2028 𝄞", 0, None, {"x": "y" * 300_000}]


class Values(JSONLinesProtocol):
    """Notes what it gets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.received = self._runtime.queue()

    def _on_message(self, message: Any) -> None:
        self.received.put(message)


@pytest.fixture
def values(mode: str) -> Iterator[Values]:
    """One that is not connected."""
    values = Values(readbuflen=1 << 20, async_mode=mode)
    yield values
    values.close(force=True)


@pytest.fixture
def peer(values: Values, peers: Peers) -> Peer:
    """Who is connected with it."""
    sock, peer = peers()
    values.connect(sock)
    return peer


def end(values: Values) -> Any:
    """Wait for the end, and raise what it was."""
    values.wait_for(Runstate.DISCONNECTING, PATIENCE)
    values.disconnect()


def test_values(mode: str, values: Values, runtime: Runtime, peers: Peers) -> None:
    """Any value of JSON arrives as it was sent, whatever characters it has."""
    other = Values(readbuflen=1 << 20, async_mode=mode)
    sock, peer = peers()
    values.connect(sock)
    other.connect(_socket_of(peer))
    for value in VALUES:
        values.send(value)
    assert [other.received.get(timeout=PATIENCE) for _ in VALUES] == VALUES
    other.close()


def _socket_of(peer: Peer) -> Any:
    return socket.socket(fileno=socket.dup(peer.sock.fileno()))


def test_on_the_wire(values: Values, peer: Peer) -> None:
    """A value is one line of UTF-8 without needless bytes."""
    values.send({"a": [1, "ä\n"]})
    assert peer.next() == '{"a":[1,"ä\\n"]}\n'.encode()


@pytest.mark.parametrize("cut", [100, 1])
def test_pieces(values: Values, peer: Peer, cut: int) -> None:
    """Values come out however the bytes come in; empty lines and blanks are passed over."""
    data = b'{"a": 1}\n\n  \n[2]\r\n3\n'
    for start in range(0, len(data), cut):
        peer.send(data[start : start + cut])
    assert [values.received.get(timeout=PATIENCE) for _ in range(3)] == [{"a": 1}, [2], 3]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{odd}\n", "a line is no JSON: '{odd}"),
        (b"\xff\xfe{}\n", "a line is no JSON: "),
        (b"[" * 100_000 + b"\n", r"a line is no JSON: '\[\["),
        (b"9" * 5000 + b"\n", "a line is no JSON: '9999"),
    ],
    ids=["odd", "no UTF-8", "deep", "digits"],
)
def test_what_is_no_json(values: Values, peer: Peer, line: bytes, words: str) -> None:
    """A line that is no JSON ends the session with a RemoteProtocolError, which shows the beginning of it."""
    peer.send(line)
    with pytest.raises(RemoteProtocolError, match=words) as caught:
        end(values)
    assert len(str(caught.value)) < 250


def test_truncated_value(values: Values, peer: Peer) -> None:
    """A value that the connection's end cuts off is reported as such."""
    peer.send(b'1\n{"a": ')
    peer.finish()
    with pytest.raises(RemoteProtocolError, match=r"a line is no JSON, and the connection ended in it: '\{\"a\": '"):
        end(values)
    assert values.received.get(timeout=PATIENCE) == 1


def test_last_value_without_a_newline(values: Values, peer: Peer) -> None:
    """A whole value at the end needs no newline."""
    peer.send(b'{"a": 1}')
    peer.finish()
    assert values.received.get(timeout=PATIENCE) == {"a": 1}
    with pytest.raises(EOFError):
        end(values)


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), "\ud800", b"bytes"], ids=["set", "nan", "surrogate", "bytes"])
def test_what_cannot_be_sent(values: Values, peer: Peer, value: Any) -> None:
    """A value that does not go into JSON is refused, and nothing is sent of it."""
    with pytest.raises((TypeError, ValueError)):
        values.send(value)
    values.send(1)
    assert peer.next() == b"1\n"
