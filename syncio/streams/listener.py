"""Waits at an address for peers to connect."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import Any, NoReturn

from ..errors import ClosedStream, RequestTimeout
from ..runtime import Runtime
from .address import Place, resolve, show
from .blocking import BlockingStream
from .raw import RawSocket, raw_socket

__all__ = ["Listener"]


class Listener:
    """A listening socket. The file of a UNIX one goes with it.

    :param runtime: threads or greenlets.
    :param address: (host, port), port 0 for any that is free; or the path of a UNIX socket. A file at which somebody
        listens is left alone, one at which nobody does is replaced.
    :param backlog: how many peers may wait to be accepted.
    :param mode: the permissions of the file of a UNIX socket, for instance 0o600; None for what the umask says.
    :raises OSError: if it cannot listen there.
    """

    def __init__(self, runtime: Runtime, address: Any, backlog: int = 1, mode: int | None = None) -> None:
        self._runtime = runtime
        self._forks = runtime.forks
        self._lock = runtime.lock()
        self._closed = False
        self._aborted = False
        self._file: tuple[str, os.stat_result] | None = None
        place = resolve(runtime, address, passive=True)[0]
        self._sock = RawSocket(place.family, socket.SOCK_STREAM)
        try:
            self._sock.setblocking(False)
            self._bind(place, mode)
            self._sock.listen(backlog)
        except BaseException:
            self._unlink()
            self._sock.close()
            raise
        self._readiness = runtime.readiness(self._sock.fileno())
        self.address: Any = place.where if place.family == socket.AF_UNIX else self._sock.getsockname()[:2]
        """Where it listens: with the port that was found if 0 was asked for."""

    def _bind(self, place: Place, mode: int | None) -> None:
        if place.family != socket.AF_UNIX:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._sock.bind(place.where)
            return
        path = place.where
        _remove_stale(path)
        if mode is not None:
            # The mask of the process is everybody's; the socket's own permissions are what bind() starts from on Linux.
            with contextlib.suppress(OSError):
                os.fchmod(self._sock.fileno(), mode)
        self._sock.bind(path)
        if not _is_abstract(path):
            self._file = os.path.abspath(path), os.lstat(path)
            if mode is not None:
                os.chmod(path, mode)

    def accept(self, timeout: float | None = None) -> BlockingStream:
        """Wait for a peer.

        :param timeout: seconds; None waits for ever.
        :raises RequestTimeout: if none came in that time.
        :raises ClosedStream: after `abort`.
        """
        until = None if timeout is None else self._runtime.now() + timeout
        while True:
            left = None if until is None else max(0.0, until - self._runtime.now())
            ready = self._aborted or self._readiness.readable(left)
            stream = self.accept_now()
            if stream is not None:
                return stream
            if not ready:
                raise RequestTimeout(f"waiting for a peer at {show(self.address)}", timeout or 0.0)

    def accept_now(self) -> BlockingStream | None:
        """A peer that has come already; None if there is none.

        :raises ClosedStream: after `abort`.
        """
        accepted = self.accept_socket()
        return None if accepted is None else BlockingStream(self._runtime, accepted[0])

    def accept_socket(self) -> tuple[RawSocket, Any] | None:
        """The socket of a peer that has come already, which does not block, and the peer's address.

        :return: None if there is none.
        :raises ClosedStream: after `abort`.
        :raises OSError: if the system has no room for it.
        """
        try:
            if self._aborted:
                self._refuse()
            fd, peer = self._sock._accept()  # type: ignore[attr-defined]
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return None
        except OSError:
            if self._aborted:
                self._refuse()
            raise
        sock = raw_socket(fd)
        if sock.family != getattr(socket, "AF_UNIX", None):
            with contextlib.suppress(OSError):  # where a peer that is gone already has no options
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock, peer

    def fileno(self) -> int:
        """The descriptor, for watching."""
        return self._sock.fileno()

    def _refuse(self) -> NoReturn:
        raise ClosedStream("the listener was closed on this side")

    def abort(self) -> None:
        """Wake who waits in `accept`: from any thread, any number of times."""
        with self._lock:
            self._aborted = True
            if not self._closed:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Listen no more. Nobody may be waiting in `accept`."""
        with self._lock:
            if self._closed:
                return
            self._closed = self._aborted = True
        self._readiness.close()
        self._unlink()
        self._sock.close()

    def _unlink(self) -> None:
        if self._file is None or self._runtime.forks != self._forks:
            return  # after a fork it is the parent's
        path, mine = self._file
        self._file = None
        with contextlib.suppress(OSError):
            # Somebody may have put another one there, of another number: ours is not given away while it is open.
            if os.path.samestat(os.lstat(path), mine):
                os.unlink(path)


def _is_abstract(path: str) -> bool:
    return path.startswith("\0")


def _remove_stale(path: str) -> None:
    """Remove the file of a UNIX socket at which nobody listens any more.

    :raises OSError: EADDRINUSE if somebody does, or if it is another kind of file.
    """
    if _is_abstract(path):
        return
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError(errno.EADDRINUSE, "there is a file that is no socket", path)
    except FileNotFoundError:
        return
    # A socket of another type is refused in another way if the path has an owner, who does not hear of it. A listener
    # that waits for one peer would take a connection for that peer.
    probe = RawSocket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        code = probe.connect_ex(path)
    finally:
        probe.close()
    if code != errno.ECONNREFUSED:
        raise OSError(errno.EADDRINUSE, "somebody listens there already", path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
