"""Accepts connections on the relay: nobody waits for them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

from ..errors import ClosedStream
from ..runtime import READ, Runtime
from .listener import Listener
from .raw import RawSocket, SocketLike
from .tls import TlsContext, TlsSocket

__all__ = ["Acceptor"]

PAUSE = 0.1
"""Seconds in which nothing is accepted after the system has refused it, for it had no descriptor left for instance."""
AT_ONCE = 64
"""Connections that are accepted in one go, before others on the relay have their turn."""


class Acceptor:
    """A listening address on the relay.

    :param runtime: threads or greenlets.
    :param address: see `Listener`.
    :param accepted: called on the relay's duty worker with each connection and the peer's address; must not block.
    :param tls: the certificate and settings; None for plain TCP. The handshake is done by who reads.
    :param backlog: how many peers may wait to be accepted.
    :param has_room: whether one more may be accepted; when that changes, `look` has to be called.
    :raises OSError: if it cannot listen there.
    """

    def __init__(
        self,
        runtime: Runtime,
        address: Any,
        accepted: Callable[[SocketLike, Any], None],
        tls: TlsContext | None = None,
        backlog: int = 1024,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self._runtime = runtime
        self._relay = runtime.relay()
        self._accepted = accepted
        self._tls = tls
        self._has_room = has_room
        self._lock = runtime.lock()
        self._wanted = READ
        self._pauses = False
        self._closed = False
        self._listener = Listener(runtime, address, backlog)
        self._fd = self._listener.fileno()
        self.address: Any = self._listener.address
        """Where it listens: with the port that was found if 0 was asked for."""
        try:
            self._relay.watch(self._fd, READ, self._ready)
        except OSError:
            self._listener.close()
            raise

    def look(self) -> bool:
        """Accept from now on, or no more, as there is room: who connects meanwhile waits in the system's queue.

        :return: whether it accepts.
        """
        # The question is asked under the lock, so that of two who look at once the later one is right.
        with self._lock:
            if self._closed:
                return False
            wanted = 0 if self._pauses or not self._has_room() else READ
            if wanted != self._wanted:
                self._wanted = wanted
                with contextlib.suppress(OSError, ValueError):  # after a fork the relay is the parent's
                    self._relay.change(self._fd, wanted)
            return wanted == READ

    def _pause(self) -> None:
        self._pauses = True
        self.look()
        self._relay.call_at(self._runtime.now() + PAUSE, self._resume)

    def _resume(self) -> None:
        self._pauses = False
        self.look()

    def _ready(self, found: int) -> None:
        for _ in range(AT_ONCE):
            if not self.look():
                return
            try:
                accepted = self._listener.accept_socket()
            except ClosedStream:
                return
            except OSError:
                self._pause()
                return
            if accepted is None:
                return
            self._take(*accepted)

    def _take(self, plain: RawSocket, peer: Any) -> None:
        if self._tls is None:
            self._accepted(plain, peer)
            return
        try:
            plain.getpeername()  # without a peer wrap_socket() loses its socket, or makes one that is not encrypted
            sock = _secured(plain, self._tls)
        except (OSError, ValueError):  # it has left already
            plain.close()
            return
        self._accepted(sock, peer)

    def close(self, timeout: float = 1.0) -> None:
        """Listen no more; the address is free when this returns.

        :param timeout: seconds to wait for the relay, which alone may close what it watches.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._listener.abort()
        if self._relay.corks():
            self._close_now()
            return
        done = self._runtime.event()

        def close() -> None:
            self._close_now()
            done.set()

        self._relay.call_at(0.0, close)
        done.wait(timeout)

    def _close_now(self) -> None:
        self._relay.forget(self._fd)
        self._listener.close()


class _ServerSocket(TlsSocket):
    """A TLS socket that was accepted here, and says goodbye itself."""

    __slots__ = ()

    def shutdown(self, how: int, /) -> None:
        """Send TLS's own end of the stream, so that the peer knows that nothing is missing, and then TCP's."""
        with self._lock:
            with contextlib.suppress(OSError, ValueError):
                self._sock.unwrap()
            self._sock.shutdown(how)


def _secured(plain: RawSocket, context: TlsContext) -> SocketLike:
    """A socket of which the reader does the handshake."""
    sock = socket.socket(fileno=plain.detach())
    try:
        return _ServerSocket(context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), owned=True)
    except BaseException:
        sock.close()
        raise
