"""Who is told what a stream brings."""

from __future__ import annotations

from typing import Protocol

from ..errors import StreamError

__all__ = ["NOBODY", "Receiver"]


class Receiver(Protocol):
    """Who is told what a stream brings; both methods are called on the relay's duty worker, one at a time."""

    def data_received(self, data: bytes) -> None:
        """Bytes came."""

    def stream_ended(self, error: StreamError) -> None:
        """The stream ended and is closed; called once, and not after `Stream.close`."""


class _Nobody:
    """The receiver of a stream that was closed here."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Forget it."""

    def stream_ended(self, error: StreamError) -> None:
        """Forget it."""


NOBODY: Receiver = _Nobody()
