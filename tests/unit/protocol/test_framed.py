"""Messages of bytes behind their length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncio.errors import ConfigurationError, RemoteProtocolError
from syncio.protocol import FramedProtocol, Runstate
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import PATIENCE

from ..streams.conftest import Peer
from .lines import send_all

Peers = Callable[..., tuple[Any, Peer]]


class Frames(FramedProtocol):
    """Notes what it gets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.received = self._runtime.queue()

    def _on_message(self, message: bytes) -> None:
        self.received.put(message)


Hear = Callable[..., tuple[Frames, Peer]]


@pytest.fixture
def hear(mode: str, peers: Peers) -> Iterator[Hear]:
    """Makes one that is connected with a peer."""
    made: list[Frames] = []

    def make(**options: Any) -> tuple[Frames, Peer]:
        made.append(Frames(async_mode=mode, **options))
        sock, peer = peers()
        made[-1].connect(sock)
        return made[-1], peer

    yield make
    for frames in made:
        frames.close(force=True)


def end(frames: Frames) -> Any:
    """Wait for the end, and raise what it was."""
    frames.wait_for(Runstate.DISCONNECTING, PATIENCE)
    frames.disconnect()


@pytest.mark.parametrize("head", [1, 2, 4, 8])
@pytest.mark.parametrize("cut", [1000, 1])
def test_both_ways(hear: Hear, head: int, cut: int) -> None:
    """A message is its length in network byte order and its bytes, however they come; it may be empty."""
    frames, peer = hear(head=head)
    messages = [b"", b"one", b"\n" * 200, b""]
    data = b"".join(len(message).to_bytes(head, "big") + message for message in messages)
    for start in range(0, len(data), cut):
        peer.send(data[start : start + cut])
    assert [frames.received.get(timeout=PATIENCE) for _ in messages] == messages
    for message in messages:
        frames.send(message)
    assert peer.read(len(data)) == data


def test_long_message(hear: Hear, runtime: Runtime) -> None:
    """A message of the greatest length passes, in many reads."""
    frames, peer = hear(max_length=1_000_000)
    frames.send(b"x" * 1_000_000)
    assert peer.read(1_000_004) == b"\x00\x0f\x42\x40" + b"x" * 1_000_000
    data = (1_000_000).to_bytes(4, "big") + b"y" * 1_000_000
    send_all(runtime, peer, data)
    assert frames.received.get(timeout=PATIENCE) == b"y" * 1_000_000


def test_too_long_message_of_the_peer(hear: Hear) -> None:
    """A length that is too great ends the session before any of the message is read."""
    frames, peer = hear(max_length=10)
    peer.send(b"\0\0\0\x0a0123456789" + b"\0\0\0\x0b")
    assert frames.received.get(timeout=PATIENCE) == b"0123456789"
    with pytest.raises(RemoteProtocolError, match="a message of 11 bytes, of which 10 are allowed: max_length"):
        end(frames)


@pytest.mark.parametrize(("head", "most"), [(1, 255), (4, 300)])
def test_too_long_message_of_ours(hear: Hear, head: int, most: int) -> None:
    """A message that is longer than max_length, or than its head can say, is refused; nothing is sent."""
    frames, peer = hear(head=head, max_length=300)
    with pytest.raises(ValueError, match=f"a message of {most + 1} bytes: max_length allows {most}"):
        frames.send(b"x" * (most + 1))
    frames.send(b"x" * most)
    assert peer.read(head + most) == most.to_bytes(head, "big") + b"x" * most


def test_end_between_messages(hear: Hear) -> None:
    """The connection's end between two messages is the peer's hanging up."""
    frames, peer = hear()
    peer.send(b"\0\0\0\x01x")
    peer.finish()
    with pytest.raises(EOFError, match=r"^the peer closed the connection$"):
        end(frames)
    assert frames.received.get(timeout=PATIENCE) == b"x"


@pytest.mark.parametrize(
    ("data", "words"), [(b"\0\0", "2 of 4 bytes missing"), (b"\0\0\0\x05abc", "2 of 5 bytes missing")]
)
def test_end_in_a_message(hear: Hear, data: bytes, words: str) -> None:
    """The connection's end in a head or in a message says how much is missing, and gives no message."""
    frames, peer = hear()
    peer.send(data)
    peer.finish()
    with pytest.raises(EOFError, match=f"the peer closed the connection with {words}"):
        end(frames)
    assert frames.received.empty()


@pytest.mark.parametrize("options", [{"head": 3}, {"head": 0}, {"max_length": 0}], ids=str)
def test_options(options: dict[str, int]) -> None:
    """Options that cannot work are refused by name."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Frames(**options)
