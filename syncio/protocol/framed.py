"""A base for protocols whose messages are bytes behind their length."""

from __future__ import annotations

from ..errors import ConfigurationError, RemoteProtocolError
from .protocol import SEND_LIMIT, Protocol

__all__ = ["FramedProtocol"]

HEADS = (1, 2, 4, 8)


class FramedProtocol(Protocol[bytes]):
    """Messages of bytes, each behind its length as a number in network byte order. A subclass overrides `_on_message`.

    :param name: stands in the log and in the names of tasks.
    :param head: how many bytes the length has: 1, 2, 4 or 8.
    :param max_length: bytes that a message may have; a longer one ends the session before it is read.
    :param send_limit: bytes that may wait for a peer that does not read.
    :param async_mode: see `Protocol`.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        head: int = 4,
        max_length: int = 1024 * 1024,
        send_limit: int = SEND_LIMIT,
        async_mode: str | None = None,
    ) -> None:
        super().__init__(name, send_limit=send_limit, async_mode=async_mode)
        if head not in HEADS:
            raise ConfigurationError("head", head, "a length has 1, 2, 4 or 8 bytes")
        most = (1 << 8 * head) - 1
        if not max_length > 0:
            raise ConfigurationError("max_length", max_length, "it is at least 1 byte")
        self._head = head
        self._max_length = min(max_length, most)

    def _do_recv(self) -> bytes:
        """Read a message.

        :raises RemoteProtocolError: if it is longer than it may be.
        :raises EOFError: if the connection ends in its middle.
        """
        length = int.from_bytes(self._read_exactly(self._head), "big")
        if length > self._max_length:
            raise RemoteProtocolError(
                f"a message of {length} bytes, of which {self._max_length} are allowed: max_length"
            )
        return self._read_exactly(length)

    def _do_send(self, message: bytes, timeout: float | None = None) -> None:
        """Send a message.

        :raises ValueError: if it is longer than the peer may take; nothing was sent.
        """
        if len(message) > self._max_length:
            raise ValueError(f"a message of {len(message)} bytes: max_length allows {self._max_length}")
        self._write(len(message).to_bytes(self._head, "big") + message, timeout)
