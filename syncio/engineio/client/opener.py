"""Opens a client's transports: polling, a WebSocket for a new session, a WebSocket that takes a session over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigurationError, ConnectionError, LocalError, RemoteProtocolError, RequestTimeout, StreamError
from ...runtime import Runtime
from ...streams import dial
from ...websocket import ClientHandshake
from ..packet import PING, PONG, Packet
from .polling import ClientPolling
from .session import ClientSession
from .web import EngineUrl, Web
from .websocket import ClientWebSocket

__all__ = ["Opener"]

MAX_MESSAGE_SIZE = 64 * 1024 * 1024
"""Bytes of one WebSocket message, if the options do not say otherwise."""
OPTIONS = ("header", "cookie", "sslopt", "subprotocols", "timeout", "max_message_size")


class Opener:
    """Knows how a client wants its connections.

    :param web: makes HTTP requests, and knows proxies and certificates.
    :param timeout: seconds for every step.
    :param stamp: whether each URL of polling gets a parameter of its own.
    :param options: websocket_extra_options of the client.
    :raises ConfigurationError: for options that there are not.
    """

    def __init__(self, runtime: Runtime, web: Web, timeout: float, stamp: bool, options: Mapping[str, Any]) -> None:
        unknown = [name for name in options if name not in OPTIONS]
        if unknown:
            raise ConfigurationError("websocket_extra_options", unknown, f"there are {', '.join(OPTIONS)}")
        self._runtime = runtime
        self._web = web
        self._timeout = timeout
        self._stamp = stamp
        self._options = dict(options)
        self.dial = dial

    def polling(self, place: EngineUrl, headers: Mapping[str, str]) -> ClientPolling:
        """Long polling, on which nothing has happened yet."""
        return ClientPolling(self._runtime, self._web, place, headers, self._stamp)

    def websocket(self, place: EngineUrl, headers: Mapping[str, str], **query: str) -> ClientWebSocket:
        """An open WebSocket.

        :param query: what its URL says beside the transport.
        :raises ConnectionError: if it is not to be had.
        """
        options = self._options
        url = place.full("websocket", **query)
        given = {**headers, **options.get("header", {})}
        if options.get("cookie"):
            given["Cookie"] = options["cookie"]
        try:
            handshake = ClientHandshake(
                place.host_header,
                place.target("websocket", **query),
                subprotocols=tuple(options.get("subprotocols") or ()),
                headers=self._web.websocket_headers(url, given),
            )
            timeout = float(options.get("timeout") or self._timeout)
            tls = self._web.tls(url, options.get("sslopt") or {}) if place.is_tls else None
            sock = self.dial(self._runtime, place.host, place.port, timeout, tls, self._web.proxy(url))
        except (StreamError, RequestTimeout, LocalError, OSError) as exc:
            raise ConnectionError(str(exc)) from exc
        most = int(options.get("max_message_size") or MAX_MESSAGE_SIZE)
        websocket = ClientWebSocket(self._runtime, sock, handshake, most)
        websocket.open(self._timeout)
        return websocket

    def session(self, websocket: ClientWebSocket) -> ClientSession:
        """The session that begins on a WebSocket; the packets behind its first one stay there.

        :raises ConnectionError: if the server says something else, or nothing.
        """
        packets = websocket.first_packets(self._timeout)
        if not packets:
            raise ConnectionError(f"the server sent no OPEN packet within {self._timeout:g} s")
        try:
            return ClientSession.of(packets, self._runtime.now())
        except RemoteProtocolError as exc:
            raise ConnectionError(f"this is no Engine.IO server: {exc}") from exc

    def probed(self, place: EngineUrl, headers: Mapping[str, str], sid: str) -> ClientWebSocket:
        """A WebSocket on which the server is ready to take a session over ("Upgrade" of the protocol).

        :param sid: the session.
        :raises ConnectionError: if it is not to be had.
        """
        websocket = self.websocket(place, headers, sid=sid)
        websocket.send(Packet(PING, "probe"))
        packets = websocket.first_packets(self._timeout)
        if not packets or packets.pop(0) != (PONG, "probe"):
            websocket.abandon()
            raise ConnectionError("the server did not answer the probe")
        return websocket
