"""Where a peer is: a host and a port, or a path in the file system; and a connection to it that can be given up."""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import socket
from typing import Any, NamedTuple, NoReturn

from ..errors import BrokenStream, ClosedStream, ConfigurationError, RequestTimeout
from ..runtime import Runtime
from .blocking import BlockingStream
from .raw import RawSocket

__all__ = ["Connecting", "Place", "host_ip", "resolve", "show"]

RETRY = 0.01
"""Seconds after which a UNIX listener is asked again whose queue is full, or an address where nobody listens yet."""
NOBODY_YET = (errno.ECONNREFUSED, errno.ENOENT)


class Place(NamedTuple):
    """What a socket is made of and bound or connected to."""

    family: int
    where: Any


def show(address: Any) -> str:
    """An address as people write it."""
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return os.fspath(address) if isinstance(address, (str, os.PathLike)) else repr(address)


def host_ip() -> str:
    """An address of this host: what its name means, or the loopback's. Nobody outside is asked."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return "127.0.0.1"
    return str(found[0][4][0])


def resolve(runtime: Runtime, address: Any, passive: bool = False) -> list[Place]:
    """The places that an address names. Names of hosts are resolved by the system, in its own time.

    :param passive: for listening: an empty host means all addresses.
    :raises ConfigurationError: if it is no address.
    :raises OSError: if the name is unknown.
    """
    if isinstance(address, (str, os.PathLike)):
        path = os.fspath(address)
        if not path:
            raise ConfigurationError("address", address, "it is (host, port), or the path of a UNIX socket")
        return [Place(socket.AF_UNIX, path)]
    try:
        host, port = address
        port = int(port)
    except (TypeError, ValueError):
        host = port = -1
    if not (host is None or isinstance(host, str)):
        raise ConfigurationError("address", address, "it is (host, port), or the path of a UNIX socket")
    if not 0 <= port <= 65535:
        raise ConfigurationError("address", address, "a port is a number from 0 to 65535")
    flags = socket.AI_PASSIVE if passive else 0
    query = (host or None, port, 0, socket.SOCK_STREAM, 0)
    try:
        found = _socket.getaddrinfo(*query, flags | socket.AI_NUMERICHOST)
    except UnicodeError as exc:
        raise ConfigurationError("address", address, str(exc)) from None
    except socket.gaierror:
        # Only a name has to be asked for, which may take long.
        found = runtime.call_blocking(_socket.getaddrinfo, *query, flags)
    return [Place(family, where) for family, _, _, _, where in found]


class Connecting:
    """A connection that is being made.

    :param runtime: threads or greenlets.
    :param address: (host, port) for TCP, else the path of a UNIX socket.
    """

    def __init__(self, runtime: Runtime, address: Any) -> None:
        self._runtime = runtime
        self._address = address
        self._lock = runtime.lock()
        self._given_up = runtime.event()
        self._sock: RawSocket | None = None

    def connect(self, timeout: float | None = None, retry_for: float = 0.0) -> BlockingStream:
        """Connect. All addresses of a name are tried in the system's order.

        :param timeout: seconds for all of it; None for the system's own patience.
        :param retry_for: seconds during which a peer that does not listen yet is tried again.
        :raises OSError: if nobody listens, or the way there is barred.
        :raises RequestTimeout: if it takes longer than `timeout`.
        :raises ClosedStream: after `abort`.
        """
        now = self._runtime.now
        until = None if timeout is None else now() + timeout
        patience = now() + retry_for
        while True:
            problems: list[OSError] = []
            for place in resolve(self._runtime, self._address):
                try:
                    return BlockingStream(self._runtime, self._reach(place, until, timeout))
                except BrokenStream as exc:
                    assert isinstance(exc.__cause__, OSError)
                    problems.append(exc.__cause__)
            # A name may have addresses that this host cannot reach, beside the one at which somebody will listen.
            if now() >= patience or not any(problem.errno in NOBODY_YET for problem in problems):
                raise problems[0]
            self._pause(until, timeout)

    def _reach(self, place: Place, until: float | None, timeout: float | None) -> RawSocket:
        try:
            sock = RawSocket(place.family, socket.SOCK_STREAM)
        except OSError as exc:
            raise BrokenStream(str(exc)) from exc
        try:
            sock.setblocking(False)
            with self._lock:
                if self._given_up.is_set():
                    self._refuse()
                self._sock = sock
            self._await(sock, place, until, timeout)
            if place.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sock = None
                if self._given_up.is_set():
                    self._refuse()
        except BaseException as exc:
            with self._lock:
                self._sock = None
            sock.close()
            if isinstance(exc, OSError) and not isinstance(exc, RequestTimeout):
                raise BrokenStream(str(exc)) from exc
            raise
        return sock

    def _await(self, sock: RawSocket, place: Place, until: float | None, timeout: float | None) -> None:
        while (code := sock.connect_ex(place.where)) == errno.EAGAIN:
            self._pause(until, timeout)  # the queue of a UNIX listener is full
        if code in (0, errno.EISCONN):
            return
        if code not in (errno.EINPROGRESS, errno.EINTR):
            raise OSError(code, os.strerror(code), *_filename(place))
        readiness = self._runtime.readiness(sock.fileno())
        try:
            # Asked again because `abort` may have come when there was nothing to wake yet.
            while not self._given_up.is_set() and not readiness.writable(self._left(until, timeout)):
                pass
        finally:
            readiness.close()
        if self._given_up.is_set():
            self._refuse()
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        if sock.getsockname() == place.where:
            # Who tries a local port again and again, at which nobody listens, is given that port for his own end one
            # day, and TCP connects him with himself (RFC 9293, section 3.5).
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    def _pause(self, until: float | None, timeout: float | None) -> None:
        left = self._left(until, timeout)
        if self._given_up.wait(RETRY if left is None else min(RETRY, left)):
            self._refuse()

    def _left(self, until: float | None, timeout: float | None) -> float | None:
        left = None if until is None else until - self._runtime.now()
        if left is not None and left <= 0:
            raise RequestTimeout(f"the connection to {show(self._address)}", timeout or 0.0)
        return left

    def _refuse(self) -> NoReturn:
        raise ClosedStream("the connection was given up on this side")

    def abort(self) -> None:
        """Give up: `connect` raises at once, but for the time in which the system resolves a name."""
        with self._lock:
            self._given_up.set()
            if self._sock is not None:
                with contextlib.suppress(OSError):  # not connected yet; on Linux that wakes it nevertheless
                    self._sock.shutdown(socket.SHUT_RDWR)


def _filename(place: Place) -> tuple[str, ...]:
    return (place.where,) if place.family == socket.AF_UNIX else ()
