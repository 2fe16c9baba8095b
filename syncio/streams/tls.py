"""A TLS socket as a stream wants it: non-blocking, and safe when one thread reads while another writes."""

from __future__ import annotations

import contextlib
import os
import ssl
from _thread import allocate_lock
from typing import Any

__all__ = ["TlsContext", "TlsSocket", "client_context"]

TlsContext = ssl.SSLContext


def client_context(
    verify: bool = True,
    check_hostname: bool = True,
    ca_certs: str | None = None,
    certfile: str | None = None,
    keyfile: str | None = None,
) -> TlsContext:
    """What a client expects of a server, and shows it.

    :param verify: False believes every certificate.
    :param check_hostname: False believes certificates of other hosts.
    :param ca_certs: a file or folder of authorities; None for the system's.
    :param certfile: our own certificate.
    :param keyfile: its key, if it is not in the same file.
    :raises OSError: if a file cannot be read, or is none.
    """
    is_folder = ca_certs is not None and os.path.isdir(ca_certs)
    context = ssl.create_default_context(cafile=None if is_folder else ca_certs, capath=ca_certs if is_folder else None)
    context.check_hostname = verify and check_hostname
    if not verify:
        context.verify_mode = ssl.CERT_NONE
    if certfile is not None:
        context.load_cert_chain(certfile, keyfile)
    return context


class TlsSocket:
    """An `ssl.SSLSocket` (or gevent's).

    :param sock: a connected TLS socket; it becomes non-blocking.
    :param owned: whether closing closes it; else it stays the property of the server that made it.
    """

    __slots__ = ("_lock", "_owned", "_sock")

    def __init__(self, sock: Any, owned: bool = False) -> None:
        sock.settimeout(0.0)
        self._sock = sock
        self._owned = owned
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
        """TLS ends both directions or none; `close` ends them, or the server that owns the socket."""

    def close(self) -> None:
        """Close it, or leave it to the server, whose request ends now."""
        with contextlib.suppress(OSError):
            if self._owned:
                self._sock.close()
            else:
                self._sock.settimeout(1.0)
