"""Where a session gets its connection from: an address to listen at, one to connect to, or a socket that is there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..runtime import Runtime
from ..streams import (
    BlockingStream,
    Connecting,
    Duplex,
    Listener,
    TlsContext,
    TlsStream,
    adopt_socket,
    is_socket,
    require_name,
)
from .link import Attempt

__all__ = ["Endpoint"]


class Endpoint:
    """What `Protocol` knows of sockets.

    :param runtime: threads or greenlets.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._listener: Listener | None = None
        self._adopted: BlockingStream | None = None
        self._secure: Callable[[BlockingStream, Attempt], Duplex] | None = None
        self.address: Any = None
        """Where it has listened last, with the port that was found."""

    @property
    def awaits_peer(self) -> bool:
        """Whether `accept` has something to do."""
        return self._listener is not None or self._adopted is not None

    def listen(self, address: Any, ssl: TlsContext | None, mode: int | None) -> None:
        """Listen for a peer.

        :raises OSError: if that is not possible there.
        """
        self._set_tls(ssl, True, None)
        self._listener = Listener(self._runtime, address, mode=mode)
        self.address = self._listener.address

    def adopt(self, sock: Any, ssl: TlsContext | None, server_side: bool, server_hostname: str | None) -> None:
        """Take over a connected socket, for `accept`.

        :raises ConfigurationError: if it is none.
        :raises OSError: if it is not connected.
        """
        self._set_tls(ssl, server_side, server_hostname)
        self._adopted = adopt_socket(self._runtime, sock)

    def accept(self, attempt: Attempt, logger: logging.Logger | logging.LoggerAdapter[Any]) -> Duplex:
        """Wait for the peer, and listen no more.

        :param logger: is told of peers that come too late.
        """
        stream, self._adopted = self._adopted, None
        listener = self._listener
        if stream is None:
            assert listener is not None, "see `awaits_peer`"
            attempt.hold(listener)
            stream = listener.accept(attempt.left())
            try:
                self._turn_away(listener, logger)
            except BaseException:
                stream.close()
                raise
        return self._finish(stream, attempt)

    def _turn_away(self, listener: Listener, logger: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        """Listen no more; who has come meanwhile came too late."""
        while (surplus := listener.accept_now()) is not None:
            logger.warning("a second peer came to %s; its connection is closed", self.address)
            surplus.close()
        self._listener = None
        listener.close()

    def connect(
        self,
        address: Any,
        ssl: TlsContext | None,
        server_hostname: str | None,
        attempt: Attempt,
        retry_for: float,
    ) -> Duplex:
        """Connect to a peer, or take over a socket that is connected."""
        host = address[0] if isinstance(address, tuple) and address else None
        self._set_tls(ssl, False, server_hostname or host)
        if is_socket(address):
            return self._finish(adopt_socket(self._runtime, address), attempt)
        connecting = Connecting(self._runtime, address)
        attempt.hold(connecting)
        return self._finish(connecting.connect(attempt.left(), retry_for), attempt)

    def _set_tls(self, context: TlsContext | None, server_side: bool, hostname: str | None) -> None:
        if context is None:
            self._secure = None
            return
        name = None if server_side else hostname
        require_name(context, server_side, name)

        def secure(stream: BlockingStream, attempt: Attempt) -> Duplex:
            encrypted = TlsStream(self._runtime, stream, context, server_side, name)
            encrypted.handshake(attempt.left())
            return encrypted

        self._secure = secure

    def _finish(self, stream: BlockingStream, attempt: Attempt) -> Duplex:
        try:
            attempt.hold(stream)
            return self._secure(stream, attempt) if self._secure is not None else stream
        except BaseException:
            stream.close()
            raise

    def close(self) -> None:
        """Listen no more, and close a socket that was not accepted."""
        listener, self._listener = self._listener, None
        adopted, self._adopted = self._adopted, None
        if listener is not None:
            listener.close()
        if adopted is not None:
            adopted.close()
