"""permessage-deflate (RFC 7692): what two peers agree on, and messages compressed and inflated by it.

Inflating never makes more than one byte over the limit that it is given, so a bomb costs its sender more than us.
This module must not know frames or connection states.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import ConfigurationError, HandshakeError, RemoteProtocolError
from .frames import CloseCode
from .headers import Extension, parse_extensions

__all__ = ["DeflateParameters", "PerMessageDeflate", "accept_answer", "accept_offer", "offer"]

_NAME = "permessage-deflate"
_SERVER_FRESH = "server_no_context_takeover"
_CLIENT_FRESH = "client_no_context_takeover"
_SERVER_BITS = "server_max_window_bits"
_CLIENT_BITS = "client_max_window_bits"
_SYNC_TAIL = b"\x00\x00\xff\xff"
"""What a compressor's flush ends with and the wire leaves out (RFC 7692, section 7.2.1)."""
_MIN_BITS = 9
"""zlib has no compressor with a window of 8 bits. A peer's window of 8 is read with one of 9, which does the same."""
_MAX_BITS = 15
_WINDOW_BITS = frozenset(map(str, range(8, _MAX_BITS + 1)))


@dataclass(frozen=True, slots=True)
class DeflateParameters:
    """What this side wants of permessage-deflate, and what both have agreed on (RFC 7692, section 7.1).

    :param server_no_context_takeover: the server compresses each message on its own: no memory between messages.
    :param client_no_context_takeover: the client does.
    :param server_max_window_bits: the server's window, 9 to 15: 2 to the power of this, in bytes.
    :param client_max_window_bits: the client's window, 9 to 15.
    :param level: how hard this side compresses, 1 to 9. Not negotiated.
    :param memory_level: how much memory it takes for it, 1 to 9. Not negotiated.
    :raises ConfigurationError: a number is out of its range.
    """

    server_no_context_takeover: bool = True
    client_no_context_takeover: bool = True
    server_max_window_bits: int = _MAX_BITS
    client_max_window_bits: int = _MAX_BITS
    level: int = 6
    memory_level: int = 8

    def __post_init__(self) -> None:
        for option in (_SERVER_BITS, _CLIENT_BITS):
            if not _MIN_BITS <= getattr(self, option) <= _MAX_BITS:
                raise ConfigurationError(option, getattr(self, option), "it is 9 to 15")
        for option in ("level", "memory_level"):
            if not 1 <= getattr(self, option) <= 9:
                raise ConfigurationError(option, getattr(self, option), "it is 1 to 9")


def offer(wanted: DeflateParameters) -> str:
    """A client's offer: the value of `Sec-WebSocket-Extensions` in its request (RFC 7692, section 7.1)."""
    parts = [_NAME]
    if wanted.server_no_context_takeover:
        parts.append(_SERVER_FRESH)
    if wanted.client_no_context_takeover:
        parts.append(_CLIENT_FRESH)
    if wanted.server_max_window_bits < _MAX_BITS:
        parts.append(f"{_SERVER_BITS}={wanted.server_max_window_bits}")
    if wanted.client_max_window_bits < _MAX_BITS:
        parts.append(f"{_CLIENT_BITS}={wanted.client_max_window_bits}")
    else:
        parts.append(_CLIENT_BITS)
    return "; ".join(parts)


def accept_offer(value: str, wanted: DeflateParameters) -> tuple[DeflateParameters, str] | None:
    """A server's choice among a client's offers: the first one that it can fulfil (RFC 7692, section 5.1).

    :param value: the value of `Sec-WebSocket-Extensions` in the request.
    :param wanted: what the server would like; an offer may ask for less memory, never for more.
    :returns: what is agreed and the value of `Sec-WebSocket-Extensions` in the answer, or None without compression.
    :raises HandshakeError: the value does not follow the grammar.
    """
    for extension in parse_extensions(value):
        if extension.name != _NAME:
            continue
        asked = _read_parameters(extension)
        if asked is not None and asked.get(_SERVER_BITS, _MAX_BITS) >= _MIN_BITS:
            return _agree(asked, wanted)
    return None


def _agree(asked: dict[str, int], wanted: DeflateParameters) -> tuple[DeflateParameters, str]:
    server_bits = min(wanted.server_max_window_bits, asked.get(_SERVER_BITS, _MAX_BITS))
    client_bits = _MAX_BITS
    # A client that did not mention its window does not know how to make it smaller (RFC 7692, section 7.1.2.2).
    if _CLIENT_BITS in asked:
        client_bits = min(wanted.client_max_window_bits, asked[_CLIENT_BITS] or _MAX_BITS)
    agreed = DeflateParameters(
        server_no_context_takeover=wanted.server_no_context_takeover or _SERVER_FRESH in asked,
        client_no_context_takeover=wanted.client_no_context_takeover or _CLIENT_FRESH in asked,
        server_max_window_bits=server_bits,
        client_max_window_bits=max(client_bits, _MIN_BITS),
        level=wanted.level,
        memory_level=wanted.memory_level,
    )
    parts = [_NAME]
    if agreed.server_no_context_takeover:
        parts.append(_SERVER_FRESH)
    if agreed.client_no_context_takeover:
        parts.append(_CLIENT_FRESH)
    if server_bits < _MAX_BITS:
        parts.append(f"{_SERVER_BITS}={server_bits}")
    if client_bits < _MAX_BITS:
        parts.append(f"{_CLIENT_BITS}={client_bits}")
    return agreed, "; ".join(parts)


def accept_answer(value: str, offered: DeflateParameters) -> DeflateParameters | None:
    """A client's reading of the server's answer to `offer` (RFC 7692, section 5.1).

    :param value: the value of `Sec-WebSocket-Extensions` in the response; empty when it has none.
    :param offered: what was offered.
    :returns: what is agreed, or None without compression.
    :raises HandshakeError: the answer is none to this offer.
    """
    extensions = parse_extensions(value)
    if not extensions:
        return None
    if len(extensions) > 1 or extensions[0].name != _NAME:
        raise HandshakeError("the server chose an extension that was not offered")
    answer = _read_parameters(extensions[0])
    if answer is None or not _fits(answer, offered):
        raise HandshakeError("the server's permessage-deflate parameters do not fit the offer")
    return DeflateParameters(
        server_no_context_takeover=_SERVER_FRESH in answer,
        # What a client offers to do it does, whether the server repeats it or not.
        client_no_context_takeover=offered.client_no_context_takeover or _CLIENT_FRESH in answer,
        server_max_window_bits=max(answer.get(_SERVER_BITS, _MAX_BITS), _MIN_BITS),
        client_max_window_bits=min(answer.get(_CLIENT_BITS, _MAX_BITS), offered.client_max_window_bits),
        level=offered.level,
        memory_level=offered.memory_level,
    )


def _fits(answer: dict[str, int], offered: DeflateParameters) -> bool:
    return (
        (_SERVER_FRESH in answer or not offered.server_no_context_takeover)
        and answer.get(_SERVER_BITS, _MAX_BITS) <= offered.server_max_window_bits
        and answer.get(_CLIENT_BITS, _MAX_BITS) >= _MIN_BITS
    )


def _read_parameters(extension: Extension) -> dict[str, int] | None:
    """The parameters by name, 0 where there is no value; None when one is unknown, doubled or out of range."""
    found: dict[str, int] = {}
    for name, value in extension.parameters:
        if name in found or not _is_possible(name, value):
            return None
        found[name] = int(value or 0)
    return found


def _is_possible(name: str, value: str | None) -> bool:
    if name in (_SERVER_FRESH, _CLIENT_FRESH):
        return value is None
    if name == _CLIENT_BITS and value is None:
        return True
    return name in (_SERVER_BITS, _CLIENT_BITS) and value in _WINDOW_BITS


class PerMessageDeflate:
    """Compresses one connection's messages one way and inflates them the other (RFC 7692, section 7.2).

    :param agreed: what the handshake agreed on.
    :param is_server: which side this is.
    """

    __slots__ = (
        "_compressor", "_decompressor", "_in_bits", "_in_fresh", "_level", "_memory_level", "_out_bits", "_out_fresh",
    )  # fmt: skip

    def __init__(self, agreed: DeflateParameters, *, is_server: bool) -> None:
        server = (agreed.server_max_window_bits, agreed.server_no_context_takeover)
        client = (agreed.client_max_window_bits, agreed.client_no_context_takeover)
        self._out_bits, self._out_fresh = server if is_server else client
        self._in_bits, self._in_fresh = client if is_server else server
        self._level = agreed.level
        self._memory_level = agreed.memory_level
        self._compressor: zlib._Compress | None = None
        self._decompressor: zlib._Decompress | None = None

    def compress(self, payload: bytes) -> bytes:
        """The payload of a compressed message (RFC 7692, section 7.2.1)."""
        compressor = self._compressor
        if compressor is None:
            compressor = zlib.compressobj(self._level, zlib.DEFLATED, -self._out_bits, self._memory_level)
            if not self._out_fresh:
                self._compressor = compressor
        return compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)[:-4]

    def inflate(self, chunk: bytes, room: int, limit: int) -> bytes:
        """Inflate the next part of a message (RFC 7692, section 7.2.2).

        :param chunk: any number of bytes of its payload.
        :param room: how many bytes the message may still grow.
        :param limit: the biggest message allowed, for the error.
        :raises RemoteProtocolError: 1007, the bytes do not inflate; 1009, they inflate to more than `room`.
        """
        pieces: list[bytes] = []
        try:
            for piece in self._inflate(chunk, room):
                room -= len(piece)
                pieces.append(piece)
        except zlib.error as error:
            raise RemoteProtocolError("compressed message does not inflate", CloseCode.INVALID_DATA) from error
        if room < 0:
            raise RemoteProtocolError(
                f"message of {limit + 1} bytes or more is over the limit of {limit}", CloseCode.MESSAGE_TOO_BIG
            )
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def finish_message(self, room: int, limit: int) -> bytes:
        """The message is complete: inflate what is still inside. Parameters and errors as `inflate`."""
        rest = self.inflate(_SYNC_TAIL, room, limit)
        if self._in_fresh:
            self._decompressor = None
        return rest

    def _inflate(self, chunk: bytes, room: int) -> Iterable[bytes]:
        while True:
            decompressor = self._decompressor
            if decompressor is None:
                decompressor = self._decompressor = zlib.decompressobj(-self._in_bits)
            piece = decompressor.decompress(chunk, room + 1)
            yield piece
            room -= len(piece)
            if room < 0 or not decompressor.eof:
                return
            # The peer ended the stream with this block (section 7.2.3.4); what follows is a stream of its own.
            chunk = decompressor.unused_data
            self._decompressor = None
            if not chunk:
                return
