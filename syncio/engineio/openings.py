"""Openings: how a request becomes a WebSocket. The handshake is checked, the connection taken over, the 101 written.

RFC 6455, section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import HandshakeError, StreamError
from ..runtime import Runtime
from ..streams import Host, Stream, Taken, find_host
from ..websocket import Connection, DeflateParameters, Role, ServerHandshake
from .answers import error
from .websocket_transport import WebSocketTransport

if TYPE_CHECKING:
    from .server import Server
    from .socket import Socket

__all__ = ["Opening", "Openings"]

Environ = dict[str, Any]
POLICY_VIOLATION = 1008


class Opening:
    """A handshake that was found good.

    :param runtime: threads or greenlets.
    :param host: the server that the request came through.
    :param handshake: the client's half; None if the server has answered it already.
    :param deflate: what was agreed on for permessage-deflate, and the words that say so.
    """

    __slots__ = ("_runtime", "_stream", "_taken", "deflate", "handshake", "host")

    def __init__(
        self,
        runtime: Runtime,
        host: Host,
        handshake: ServerHandshake | None,
        deflate: tuple[DeflateParameters, str] | None,
    ) -> None:
        self._runtime = runtime
        self.host = host
        self.handshake = handshake
        self.deflate = deflate
        self._taken: Taken | None = None
        self._stream: Stream | None = None

    def take(self, headers: Sequence[tuple[str, str]]) -> Stream:
        """Take the connection over and write the 101, which leaves with what else is written before `start`.

        :param headers: more header fields for it.
        :raises OSError: if the connection is gone.
        """
        self._taken = self.host.take()
        stream = self._stream = self._taken.stream(self._runtime)
        if self.handshake is not None:
            stream.hold()
            words = self.deflate[1] if self.deflate is not None else ""
            stream.write(self.handshake.response(extensions=words, headers=headers))
        return stream

    def start(self, websocket: WebSocketTransport) -> None:
        """Have the relay read. Where the server cannot let go of its socket, return when the connection has ended."""
        assert self._taken is not None and self._stream is not None
        stream, taken = self._stream, self._taken
        stream.flush()

        def begin() -> None:
            try:
                taken.start(stream, websocket)
            except StreamError as exc:
                websocket.stream_ended(exc)
                return
            leftover = taken.leftover
            if leftover:
                websocket.data_received(leftover)

        # On the duty worker, which alone may tell a receiver anything. What was read ahead comes before what it reads.
        self._runtime.relay().call_at(0.0, begin)
        if self._taken.held:
            stream.wait_for_room(-1, self._runtime.event(), None)


class Openings:
    """Opens WebSockets for one server.

    :param server: whose options count.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        config = server.config
        self._wanted = DeflateParameters() if config.per_message_deflate else None

    def check(self, host: Host, environ: Environ) -> Opening:
        """Check a client's half of the handshake.

        :raises Refused: with the status that the error has.
        """
        runtime = self._server.runtime
        if not host.can_websocket:
            raise error(3, f"WebSocket is not possible under {host.name}")
        if host.is_upgraded:
            return Opening(runtime, host, None, None)
        try:
            handshake = ServerHandshake(environ)
            deflate = handshake.negotiate(self._wanted) if self._wanted is not None else None
        except HandshakeError as exc:
            refused = error(3, exc.message, exc.status)
            refused.answer = refused.answer.with_headers(exc.headers)
            raise refused from exc
        return Opening(runtime, host, handshake, deflate)

    def take_over(
        self, socket: Socket, opening: Opening, headers: Sequence[tuple[str, str]]
    ) -> WebSocketTransport | None:
        """Take the connection of a request; None if it is gone."""
        config = self._server.config
        try:
            stream = opening.take(headers)
        except (OSError, StreamError):
            return None
        connection = Connection(
            Role.SERVER,
            max_message_size=config.max_http_buffer_size,
            deflate=opening.deflate[0] if opening.deflate is not None else None,
            deflate_threshold=config.compression_threshold,
        )
        return WebSocketTransport(self._server.runtime, socket, stream, connection)

    def close_upgraded(self, environ: Environ, words: str) -> bool:
        """Refuse a request whose 101 the server has sent already: by a close frame.

        :return: whether it was such a request.
        """
        host = find_host(environ)
        if not host.is_upgraded:
            return False
        try:
            stream = Opening(self._server.runtime, host, None, None).take([])
            stream.start(_Deaf())
            stream.write(Connection(Role.SERVER).close(POLICY_VIOLATION, words))
            stream.close(1.0)
        except (OSError, StreamError):
            pass
        return True


class _Deaf:
    """The receiver of a WebSocket that is refused."""

    def data_received(self, data: bytes) -> None:
        """Forget it."""

    def stream_ended(self, error: StreamError) -> None:
        """So be it."""
