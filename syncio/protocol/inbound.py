"""What was read and not used yet: lines, or so many bytes. Pure."""

from __future__ import annotations

__all__ = ["Inbound"]

COMPACT = 65536
"""Bytes that were used and are kept until so many can be let go at once."""


class Inbound:
    """A buffer of bytes in order.

    :param limit: the most bytes that one line may have, its newline not counted.
    """

    __slots__ = ("_data", "_searched", "_start", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._data = bytearray()
        self._start = 0  # where what was not used begins
        self._searched = 0  # before this there is no newline

    def __len__(self) -> int:
        return len(self._data) - self._start

    def feed(self, data: bytes) -> None:
        """Append what was read."""
        self._data += data

    def take_line(self) -> bytes | None:
        """Take a line with its newline; None if there is no whole one yet.

        :raises ValueError: if it is longer than the limit; nothing is taken.
        """
        stop = self._data.find(b"\n", max(self._start, self._searched))
        length = (stop if stop >= 0 else len(self._data)) - self._start
        if length > self.limit:
            raise ValueError(f"a line of more than {self.limit} bytes: raise readbuflen if it is to be read")
        if stop < 0:
            self._searched = len(self._data)
            return None
        return self._take(length + 1)

    def take_exactly(self, size: int) -> bytes | None:
        """Take so many bytes; None if there are not so many yet."""
        return self._take(size) if len(self) >= size else None

    def take_all(self) -> bytes:
        """Take what there is."""
        return self._take(len(self))

    def _take(self, size: int) -> bytes:
        start, data = self._start, self._data
        stop = start + size
        if stop == len(data):
            taken = bytes(data) if start == 0 else bytes(memoryview(data)[start:stop])
            self._data = bytearray()
            self._start = self._searched = 0
            return taken
        taken = bytes(data[start:stop]) if size < COMPACT else bytes(memoryview(data)[start:stop])
        self._start = self._searched = stop
        if stop >= COMPACT:
            del data[:stop]
            self._start = self._searched = 0
        return taken
