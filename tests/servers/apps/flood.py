"""What the echo server answers to "flood": known to both sides, so that a client can compare every byte."""

from __future__ import annotations

import functools

__all__ = ["flood_message"]


@functools.lru_cache(maxsize=256)
def _filling(salt: int) -> bytes:
    return bytes((position * 7 + salt) & 255 for position in range(256))


def flood_message(number: int, size: int) -> bytes:
    """The message of a number, which no other has.

    :param size: its bytes; at least 8, which are the number in decimal.
    """
    return (b"%08d" % number + _filling(number & 255) * (size // 256 + 1))[:size]
