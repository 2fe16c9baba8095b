"""What waits to be written on a stream: whole pieces in order, counted in bytes. Pure; the stream's lock guards it."""

from __future__ import annotations

__all__ = ["Kept", "Outbox"]

CHUNK_SIZE = 262144
"""Bytes that are joined for one write, about."""


class Kept(bytes):
    """A piece that `Outbox.drop_oldest` leaves alone."""

    __slots__ = ()


class Outbox:
    """Pieces of bytes on their way out."""

    __slots__ = ("pieces", "size")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        """Those that nobody is writing yet. Whoever adds one counts it in `size`."""
        self.size = 0
        """Bytes that wait, with those of the chunk that is being written."""

    def take_chunk(self) -> bytes | None:
        """Take about as much as one write is worth; None if nothing waits. It counts in `size` until it has left."""
        pieces = self.pieces
        if not pieces:
            return None
        if len(pieces) == 1:
            return pieces.pop()
        count, size = len(pieces), self.size
        if size > CHUNK_SIZE:
            count = size = 0
            while count < len(pieces) and size < CHUNK_SIZE:
                size += len(pieces[count])
                count += 1
        chunk = b"".join(pieces[:count])
        del pieces[:count]
        return chunk

    def put_back(self, rest: bytes) -> None:
        """The end of a chunk did not leave. It must follow: it may begin in the middle of a piece."""
        self.pieces.insert(0, Kept(rest))

    def drop_oldest(self, size: int) -> int:
        """Forget the oldest pieces that may be forgotten, about `size` bytes of them; returns how many bytes."""
        dropped, kept, seen = 0, [], 0
        while seen < len(self.pieces) and dropped < size:
            piece = self.pieces[seen]
            if isinstance(piece, Kept):
                kept.append(piece)
            else:
                dropped += len(piece)
            seen += 1
        self.pieces[:seen] = kept
        self.size -= dropped
        return dropped
