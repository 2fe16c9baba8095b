"""A TLS socket as a stream wants it: non-blocking, and safe when one thread reads while another writes."""

from __future__ import annotations

import contextlib
import ssl
from _thread import allocate_lock
from typing import Any

__all__ = ["TlsSocket"]


class TlsSocket:
    """An `ssl.SSLSocket` (or gevent's) that stays the property of the server that made it.

    :param sock: a connected TLS socket; it becomes non-blocking.
    """

    __slots__ = ("_lock", "_sock")

    def __init__(self, sock: Any) -> None:
        sock.settimeout(0.0)
        self._sock = sock
        self._lock = allocate_lock()

    def recv(self, size: int, /) -> bytes:
        """Read what has come, with what TLS has decrypted already: the system would not report that as readable.

        :raises BlockingIOError: if there is nothing.
        """
        with self._lock:
            try:
                data = bytes(self._sock.recv(size))
                while data and self._sock.pending():
                    data += self._sock.recv(self._sock.pending())
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as exc:
                raise BlockingIOError from exc
            except ssl.SSLEOFError:
                return b""
        return data

    def send(self, data: bytes, /) -> int:
        """Write what fits.

        :raises BlockingIOError: if nothing fits.
        """
        with self._lock:
            try:
                sent = int(self._sock.send(data))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as exc:
                raise BlockingIOError from exc
        if not sent and data:
            raise BlockingIOError  # gevent's says 0
        return sent

    def fileno(self) -> int:
        """The descriptor, for watching."""
        return int(self._sock.fileno())

    def shutdown(self, how: int, /) -> None:
        """TLS ends both directions or none; the server that owns the socket ends them."""

    def close(self) -> None:
        """Leave it to the server, whose request ends now."""
        with contextlib.suppress(OSError):
            self._sock.settimeout(1.0)
