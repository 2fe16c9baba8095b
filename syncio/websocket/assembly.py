"""A data message that has not arrived completely: fragments (RFC 6455, section 5.4) and halves of frames.

What arrives is unmasked, inflated and checked at once, so nothing is kept but the message itself, and a message that
cannot become good fails at its first bad octet.
This module must not know frame headers, control frames or connection states.
"""

from __future__ import annotations

from codecs import getincrementaldecoder

from ..errors import RemoteProtocolError
from .deflate import PerMessageDeflate
from .frames import CloseCode, Opcode, apply_mask

__all__ = ["Assembly", "check_size"]

_Utf8Decoder = getincrementaldecoder("utf-8")


def check_size(size: int, limit: int) -> None:
    """Refuse a message that is too big.

    :param size: what is known of its size, in bytes.
    :param limit: the biggest size allowed.
    :raises RemoteProtocolError: with code 1009, and both sizes in its words.
    """
    if size > limit:
        raise RemoteProtocolError(f"message of {size} bytes is over the limit of {limit}", CloseCode.MESSAGE_TOO_BIG)


class Assembly:
    """One message on its way in.

    :param opcode: TEXT or BINARY.
    :param limit: the biggest message allowed, in bytes after inflating.
    :param deflate: what inflates the message, or None when it is not compressed.
    """

    __slots__ = ("_buffer", "_decoder", "_deflate", "_final", "_key", "_limit", "_slack", "_wire_size", "remaining")

    def __init__(self, opcode: int, limit: int, deflate: PerMessageDeflate | None) -> None:
        self._buffer = bytearray()
        self._decoder = _Utf8Decoder() if opcode == Opcode.TEXT else None
        self._deflate = deflate
        self._final = False
        self._key = b""
        self._limit = limit
        # What cannot be compressed grows a little on the wire: by an eighth at the very most.
        self._slack = 0 if deflate is None else (limit >> 3) + 64
        self._wire_size = 0
        self.remaining = 0
        """How many bytes of the current frame's payload are still to come."""

    @property
    def is_complete(self) -> bool:
        """Whether the last byte of the last frame is here."""
        return self._final and not self.remaining

    def open_frame(self, length: int, fin: bool, key: bytes) -> None:
        """The message's next frame begins.

        :param length: the length of its payload, in bytes.
        :param fin: whether it is the last one.
        :param key: its masking key, or nothing.
        :raises RemoteProtocolError: the message would grow over the limit.
        """
        self._wire_size += length
        check_size(self._wire_size - self._slack, self._limit)
        self.remaining = length
        self._final = fin
        self._key = key

    def feed(self, chunk: bytes) -> None:
        """Take payload of the current frame as it came from the wire, `remaining` bytes at most.

        :raises RemoteProtocolError: it does not inflate, or inflates to more than the limit.
        :raises UnicodeDecodeError: text is not UTF-8.
        """
        size = len(chunk)
        self.remaining -= size
        key = self._key
        if key:
            chunk = apply_mask(chunk, key)
            turn = size & 3
            self._key = key[turn:] + key[:turn]
        if self._deflate is not None:
            chunk = self._deflate.inflate(chunk, self._limit - len(self._buffer), self._limit)
        self._append(chunk)

    def finish(self) -> str | bytes:
        """The complete message.

        :raises RemoteProtocolError: as `feed`.
        :raises UnicodeDecodeError: text is not UTF-8, or ends within a character.
        """
        if self._deflate is not None:
            self._append(self._deflate.finish_message(self._limit - len(self._buffer), self._limit))
        if self._decoder is None:
            return bytes(self._buffer)
        return self._buffer.decode()

    def _append(self, chunk: bytes) -> None:
        if self._decoder is not None:
            # Only to fail early. Its text is thrown away: kept in pieces it could take 50 times the memory.
            self._decoder.decode(chunk)
        self._buffer += chunk
