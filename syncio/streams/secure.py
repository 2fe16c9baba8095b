"""TLS on a blocking stream: the bytes between OpenSSL and the socket pass through memory.

So it works the same on threads and greenlets, over TCP and UNIX sockets, and whatever monkey-patching has done to the
module `ssl`. The lock is held around calls of OpenSSL and of the stream's `write`, none of which ever waits: what TLS
has encrypted must leave in its order.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Any

from ..errors import BrokenStream, ClosedStream, ConfigurationError, RequestTimeout, StreamError
from ..runtime import Runtime
from .blocking import BlockingStream

__all__ = ["TlsStream", "require_name"]

READ_SIZE = 65536
WRITE_SIZE = 65536
"""Bytes that are encrypted at a time, so that little waits here when the kernel takes no more."""


class TlsStream:
    """A `Duplex` whose bytes are encrypted on the way.

    :param inner: the connection; it is closed with this.
    :param context: the settings, and for a server the certificate.
    :param server_hostname: whom the client expects; None for a server, or for a client that does not check.
    :raises ConfigurationError: if it is none, and the context checks it.
    """

    __slots__ = ("_ended", "_incoming", "_inner", "_lock", "_outgoing", "_runtime", "_tls", "_unsent")

    def __init__(
        self,
        runtime: Runtime,
        inner: BlockingStream,
        context: ssl.SSLContext,
        server_side: bool,
        server_hostname: str | None = None,
    ) -> None:
        self._runtime = runtime
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        require_name(context, server_side, server_hostname)
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)
        except ValueError as exc:
            raise ConfigurationError("server_hostname", server_hostname, str(exc)) from None
        self._lock = runtime.lock()
        self._unsent = b""
        self._ended = False

    def __repr__(self) -> str:
        return f"<TlsStream on {self._inner!r}>"

    @property
    def unsent(self) -> int:
        """See `Duplex`."""
        return len(self._unsent)

    is_local = False

    def handshake(self, timeout: float | None) -> None:
        """Do the handshake (RFC 8446, section 4). Before it nothing can be read or written.

        :param timeout: seconds for all of it.
        :raises RequestTimeout: if it takes longer.
        :raises BrokenStream: if the peer speaks no TLS, or the certificate is not right.
        """
        until = self._until(timeout)
        done = False
        try:
            while not done or self._unsent:
                done = done or self._step("the TLS handshake failed", self._tls.do_handshake)[0]
                if self._unsent:  # the peer waits for it
                    self._drain(self._left(until))
                elif not done:
                    self._fill(self._left(until))
        except RequestTimeout:
            raise RequestTimeout("the TLS handshake", timeout or 0.0) from None

    def _until(self, timeout: float | None) -> float | None:
        return None if timeout is None else self._runtime.now() + timeout

    def _left(self, until: float | None) -> float | None:
        return None if until is None else max(0.0, until - self._runtime.now())

    def _drain(self, timeout: float | None) -> None:
        if not self._inner.wait_writable(timeout):
            raise RequestTimeout("writing", timeout or 0.0)
        self.write(b"")

    def read(self, size: int, timeout: float | None = None) -> bytes:
        """See `Duplex`."""
        until = self._until(timeout)
        try:
            while not self._inner.is_aborted:
                done, data = self._step("TLS failed", self._tls.read, size)
                if done or self._ended:
                    return bytes(data or b"")
                self._fill(self._left(until))
        except RequestTimeout:
            raise RequestTimeout("reading", timeout or 0.0) from None
        raise ClosedStream("the connection was closed on this side")

    def _fill(self, timeout: float | None) -> None:
        data = self._inner.read(READ_SIZE, timeout)
        with self._lock:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _step(self, problem: str, call: Any, *args: Any) -> tuple[bool, Any]:
        """Let OpenSSL do something; False if it needs more from the peer first. What it has to say is sent."""
        with self._lock:
            try:
                return True, call(*args)
            except ssl.SSLWantReadError:
                return False, None
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as exc:
                if call == self._tls.do_handshake:
                    raise BrokenStream(f"{problem}: the peer closed the connection") from exc
                self._ended = True
                return False, None
            except OSError as exc:  # an SSLError, a CertificateError
                raise BrokenStream(f"{problem}: {_words(exc)}") from exc
            finally:
                self._push()

    def _push(self) -> None:
        # Under the lock. An alert that does not leave any more is not worth an error.
        if self._outgoing.pending:
            self._unsent += self._outgoing.read()
        if self._unsent:
            with contextlib.suppress(BrokenStream):
                self._unsent = self._unsent[self._inner.write(self._unsent) :]

    def write(self, data: bytes | memoryview) -> int:
        """See `Duplex`."""
        with self._lock:
            if self._unsent:
                self._unsent = self._unsent[self._inner.write(self._unsent) :]
            if self._unsent or not data:
                return 0
            try:
                taken = self._tls.write(data[:WRITE_SIZE])
            except OSError as exc:
                raise BrokenStream(f"TLS failed: {_words(exc)}") from exc
            self._unsent = self._outgoing.read()
            self._unsent = self._unsent[self._inner.write(self._unsent) :]
            return taken

    def wait_writable(self, timeout: float | None = None) -> bool:
        """See `Duplex`."""
        return self._inner.wait_writable(timeout)

    def send_descriptors(self, data: bytes, fds: list[int]) -> int:
        """Not possible through TLS."""
        raise NotImplementedError("descriptors cannot be passed through TLS")

    def finish(self) -> None:
        """Say that nothing follows (RFC 8446, section 6.1), without waiting for the peer's word.

        What has come is still read, but for the rest of a record of which a part was read. Where there is no room this
        is `unsent`, and then the connection itself ends with `close` only.
        """
        with self._lock:
            # OpenSSL would look for the peer's word, and fail for good if it found bytes in front of it.
            unread = self._incoming.read()
            with contextlib.suppress(OSError):
                self._tls.unwrap()
            if unread:
                self._incoming.write(unread)
            with contextlib.suppress(StreamError):
                self._push()
            if not self._unsent:
                self._inner.finish()

    def abort(self) -> None:
        """See `Duplex`."""
        self._inner.abort()

    def close(self) -> None:
        """See `Duplex`."""
        self._inner.close()


def require_name(context: ssl.SSLContext, server_side: bool, server_hostname: str | None) -> None:
    """Refuse a client's context that checks a name where there is none.

    OpenSSL would check nothing then, and say nothing: a certificate of any name would do.

    :raises ConfigurationError: if it is so.
    """
    if not server_side and context.check_hostname and not server_hostname:
        raise ConfigurationError("server_hostname", server_hostname, "the context checks it: whose is expected?")


def _words(exc: OSError) -> str:
    return str(getattr(exc, "verify_message", "") or getattr(exc, "reason", "") or exc)
