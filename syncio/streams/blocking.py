"""A connected socket for one task that reads and any that write: what a `Protocol` stands on.

Reading blocks; writing never does, and waiting for room is a call of its own, so that whoever writes can decide under
its own lock and wait outside of it. `abort` wakes everybody from any thread.
"""

from __future__ import annotations

import contextlib
import os
import socket
from array import array
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from ..errors import BrokenStream, ClosedStream, ConfigurationError, RequestTimeout
from ..runtime import Readiness, Runtime
from .raw import RawSocket, raw_socket

__all__ = ["BlockingStream", "Duplex", "adopt_socket", "is_socket"]


class Duplex(Protocol):
    """Bytes in both directions: a `BlockingStream`, or TLS on one."""

    @property
    def unsent(self) -> int:
        """Bytes that `write` has taken and the kernel has not: `write(b"")` goes on with them."""

    @property
    def is_local(self) -> bool:
        """Whether descriptors can be passed: over a UNIX socket, and not through TLS."""

    def read(self, size: int, timeout: float | None = None) -> bytes:
        """Wait for bytes.

        :param size: how many at most.
        :param timeout: seconds; None waits as long as the connection lives.
        :return: at least one; none at the end.
        :raises RequestTimeout: if none came in that time.
        :raises BrokenStream: if the connection broke.
        :raises ClosedStream: if it was aborted here.
        """

    def write(self, data: bytes | memoryview) -> int:
        """Write what there is room for, without waiting.

        :return: how many bytes were taken.
        :raises BrokenStream: if the connection broke.
        :raises ClosedStream: if it was aborted here.
        """

    def wait_writable(self, timeout: float | None = None) -> bool:
        """Wait until there is room, or the end; False if there was none in that time."""

    def send_descriptors(self, data: bytes, fds: list[int]) -> int:
        """Pass descriptors to the peer, beside some bytes.

        :return: how many bytes were taken; the descriptors go with the first.
        """

    def finish(self) -> None:
        """Say that nothing follows; what is on its way still arrives."""

    def abort(self) -> None:
        """End both directions at once, and wake who waits: from any thread, any number of times."""

    def close(self) -> None:
        """Give the descriptor back. Nobody may be reading or writing."""


class BlockingStream:
    """A connected socket.

    :param runtime: threads or greenlets.
    :param sock: any stream socket; it becomes non-blocking.
    """

    __slots__ = ("_aborted", "_closed", "_lock", "_readiness", "_recv", "_send", "_sock", "_wait")

    unsent = 0

    def __init__(self, runtime: Runtime, sock: RawSocket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._recv: Callable[[int], bytes] = sock.recv
        self._send = sock.send
        self._readiness: Readiness = runtime.readiness(sock.fileno())
        self._wait: Callable[[float | None], bool] = self._readiness.readable
        self._lock = runtime.lock()
        self._aborted = False
        self._closed = False

    def __repr__(self) -> str:
        return f"<BlockingStream fd={self._sock.fileno()}>"

    def fileno(self) -> int:
        """The descriptor."""
        return self._sock.fileno()

    @property
    def local_address(self) -> Any:
        """This side's address.

        :raises OSError: if it is closed.
        """
        return self._sock.getsockname()

    @property
    def is_aborted(self) -> bool:
        """Whether it was ended on this side."""
        return self._aborted

    @property
    def is_local(self) -> bool:
        """See `Duplex`."""
        return self._sock.family == getattr(socket, "AF_UNIX", None)

    def read(self, size: int, timeout: float | None = None) -> bytes:
        """See `Duplex`."""
        while True:
            # Waiting first: nearly every read comes before its bytes do, and a read in vain costs as much as a wait.
            if not self._wait(timeout):
                raise RequestTimeout("reading", timeout or 0.0)
            try:
                data = self._recv(size)
            except (BlockingIOError, InterruptedError):
                if self._aborted:
                    _refuse()
                continue
            except OSError as exc:
                self._fail(exc)
            if not data and self._aborted:
                _refuse()
            return data

    def write(self, data: bytes | memoryview) -> int:
        """See `Duplex`."""
        try:
            return self._send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as exc:
            self._fail(exc)

    def _fail(self, exc: OSError) -> NoReturn:
        if self._aborted:
            _refuse()
        raise BrokenStream(f"the connection broke: {os.strerror(exc.errno) if exc.errno else exc}") from exc

    def wait_writable(self, timeout: float | None = None) -> bool:
        """See `Duplex`."""
        return self._closed or self._readiness.writable(timeout)

    def send_descriptors(self, data: bytes, fds: list[int]) -> int:
        """See `Duplex`. Only over UNIX sockets (`unix(7)`, SCM_RIGHTS).

        :raises BrokenStream: if the connection broke.
        :raises BlockingIOError: if there is no room.
        """
        try:
            return self._sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))])
        except BlockingIOError:
            raise
        except OSError as exc:
            self._fail(exc)

    def finish(self) -> None:
        """See `Duplex`."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """See `Duplex`."""
        # The lock keeps the descriptor from being closed, and its number from being another's, in between.
        with self._lock:
            self._aborted = True
            self._recv = _refuse  # what has come already, too
            if not self._closed:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """See `Duplex`."""
        with self._lock:
            if self._closed:
                return
            self._aborted = self._closed = True
            # Its number may be another's from now on.
            self._wait, self._recv = _at_once, _refuse
        self._readiness.close()
        with contextlib.suppress(OSError):
            self._sock.close()


def _refuse(size: int = 0) -> NoReturn:
    raise ClosedStream("the connection was closed on this side")


def _at_once(timeout: float | None) -> bool:
    return True


def is_socket(value: object) -> bool:
    """Whether it is a socket object: the standard library's, or gevent's."""
    return hasattr(value, "detach") and hasattr(value, "getsockopt")


def adopt_socket(runtime: Runtime, sock: Any) -> BlockingStream:
    """Take the connection of a socket object over; the object is closed then.

    :raises ConfigurationError: if it is none, or none that streams.
    :raises OSError: if it is not connected.
    """
    if not is_socket(sock) or sock.type != socket.SOCK_STREAM or hasattr(sock, "do_handshake"):
        raise ConfigurationError("sock", sock, "it is a connected stream socket without TLS, for which there is ssl=")
    sock.getpeername()
    return BlockingStream(runtime, raw_socket(sock.detach()))
