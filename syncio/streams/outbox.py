"""What waits to be written on a stream: whole pieces in order, counted in bytes. Pure; the stream's lock guards it."""

from __future__ import annotations

from collections import deque

__all__ = ["Kept", "Outbox"]

CHUNK_SIZE = 262144
"""Bytes that are joined for one write, about."""


class Kept(bytes):
    """A piece that `Outbox.drop_oldest` leaves alone."""

    __slots__ = ()


class Outbox:
    """Pieces of bytes on their way out."""

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self.size = 0
        """Bytes that wait, with those of the chunk that is being written."""

    def append(self, piece: bytes) -> None:
        """Add a piece at the end."""
        self._pieces.append(piece)
        self.size += len(piece)

    def take_chunk(self) -> bytes | None:
        """Take about as much as one write is worth; None if nothing waits. It counts in `size` until it has left."""
        pieces = self._pieces
        if not pieces:
            return None
        if len(pieces) == 1:
            return pieces.popleft()
        if self.size <= CHUNK_SIZE:
            chunk = b"".join(pieces)
            pieces.clear()
            return chunk
        parts, size = [], 0
        while pieces and size < CHUNK_SIZE:
            parts.append(pieces.popleft())
            size += len(parts[-1])
        return b"".join(parts)

    def put_back(self, rest: bytes) -> None:
        """The end of a chunk did not leave. It must follow: it may begin in the middle of a piece."""
        self._pieces.appendleft(Kept(rest))

    def drop_oldest(self, size: int) -> int:
        """Forget the oldest pieces that may be forgotten, about `size` bytes of them; returns how many bytes."""
        dropped, kept = 0, []
        while self._pieces and dropped < size:
            piece = self._pieces.popleft()
            if isinstance(piece, Kept):
                kept.append(piece)
            else:
                dropped += len(piece)
        self._pieces.extendleft(reversed(kept))
        self.size -= dropped
        return dropped
