"""The public server: events, sends and sessions of an Engine.IO v4 server inside a WSGI site.

How a request is answered is in `exchange`; how a session works is in `socket` and `session`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, overload

from ..runtime import choose_runtime, installed_modes
from .background import Background
from .config import ServerConfig, takes
from .exchange import Exchange
from .farewells import say_goodbye_at_exit
from .packet import MESSAGE, Packet, PacketType
from .reasons import reason
from .socket import Socket

__all__ = ["Server"]

H = TypeVar("H", bound=Callable[..., Any])
EVENTS = ("connect", "message", "disconnect")
Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Server(Background):
    """An Engine.IO v4 server for synchronous Python.

    Its options are keyword arguments, described in `syncio.engineio.config.ServerConfig`; each is an attribute too.
    Handlers are registered with `on`; requests come in through `handle_request`, most easily with `syncio.WSGIApp`.

    :raises TypeError: for an unknown option.
    :raises ConfigurationError: for a value that cannot work.
    """

    reason = reason
    event_names = EVENTS
    socket_class = Socket

    def __init__(self, **options: Any) -> None:
        self.config = ServerConfig.of(options)
        self.runtime = choose_runtime(self.config.async_mode)
        self.async_mode = self.runtime.name
        self.logger = _logger(self.config.logger)
        self.handlers: dict[str, Callable[..., Any]] = {}
        self.sockets: dict[str, Socket] = {}
        self.leaving: dict[str, Socket] = {}
        self._lock = self.runtime.lock()
        self._disconnect_takes_reason = True
        self._counts = {"accepted": 0, "rejected": 0}
        self._is_shut = False
        self._exchange = Exchange(self)
        if self.config.cors_allowed_origins == "*" and self.config.cors_credentials:
            self.logger.warning(
                "cors_allowed_origins='*' with cors_credentials=True lets every site act with your users' cookies; "
                "name the origins, or set cors_credentials=False"
            )
        say_goodbye_at_exit(self)

    def __getattr__(self, name: str) -> Any:
        config = self.__dict__.get("config")
        if config is not None and name in config.__dataclass_fields__:
            return getattr(config, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # ------------------------------------------------------------------ events

    @overload
    def on(self, event: str, handler: None = None) -> Callable[[H], H]: ...
    @overload
    def on(self, event: str, handler: H) -> H: ...
    def on(self, event: str, handler: Any = None) -> Any:
        """Register the handler of an event; also as a decorator. The last one wins.

        :param event: 'connect' (sid, environ), 'message' (sid, data), or 'disconnect' (sid, reason) or (sid).
        :param handler: the function; None to decorate one.
        :raises ValueError: for another event.
        :raises TypeError: for a disconnect handler that can be called with neither.
        """
        if event not in EVENTS:
            raise ValueError(f"there is no event {event!r}; there are: {', '.join(EVENTS)}")

        def register(function: H) -> H:
            if event == "disconnect":
                self._disconnect_takes_reason = takes(function, 2)
                if not self._disconnect_takes_reason and not takes(function, 1):
                    raise TypeError("a disconnect handler takes (sid, reason) or (sid)")
            self.handlers[event] = function
            return function

        return register if handler is None else register(handler)

    def fire_connect(self, sid: str, environ: Environ) -> Any:
        """Call the connect handler. True accepts; anything else is the reason for which the client is rejected."""
        handler = self.handlers.get("connect")
        if handler is None:
            return True
        try:
            verdict = handler(sid, environ)
        except Exception:  # what is more than that, like a WSGI server's own sys.exit(), is for the request's thread
            self.logger.exception("the connect handler failed; the client is rejected")
            return False
        return True if verdict is None else verdict

    def fire_disconnect(self, socket: Socket, why: str) -> None:
        """Call the disconnect handler, while the session can still be read, and forget the session then."""
        handler = self.handlers.get("disconnect")
        try:
            if handler is not None:
                arguments = (socket.sid, why) if self._disconnect_takes_reason else (socket.sid,)
                handler(*arguments)
        except BaseException:
            self.logger.exception("the disconnect handler failed")
        finally:
            self.logger.info("%s: disconnected, %s", socket.sid, why)
            self.forget(socket)

    # ------------------------------------------------------------------ out

    def send(self, sid: str, data: Any) -> None:
        """Send a message to a client. Legal in every handler and from every thread; an unknown sid is only logged.

        :param data: str, bytes, or a value that goes into JSON.
        """
        socket = self.sockets.get(sid)
        if socket is None:
            self.logger.warning("cannot send to %s: there is no such session", sid)
            return
        # Text and bytes for a WebSocket need no packet, which nobody else would share: 2 us less.
        websocket = socket.websocket
        if websocket is not None:
            kind = data.__class__
            if kind is str:
                if websocket.send_text(data):
                    return
            elif kind is bytes and websocket.send_binary(data):
                return
        socket.send(Packet(MESSAGE, data, self.config.codec))

    def send_packet(self, sid: str, pkt: Any) -> None:
        """Send a packet.

        :param pkt: a `Packet`, or any object with packet_type, data and binary.
        """
        socket = self.sockets.get(sid)
        if socket is None:
            self.logger.warning("cannot send to %s: there is no such session", sid)
            return
        socket.send(_own_packet(pkt, self.config.codec))

    def broadcast(self, data: Any, sids: Iterable[str] | None = None) -> None:
        """Send one message to many; it is encoded once per transport, not once per client.

        :param sids: to whom; None for all.
        """
        packet = Packet(MESSAGE, data, self.config.codec)
        sockets = self.sockets
        for sid in list(sockets) if sids is None else sids:
            socket = sockets.get(sid)
            if socket is not None:
                websocket = socket.websocket
                if websocket is None or not websocket.offer(packet):
                    socket.send(packet)

    def buffered_amount(self, sid: str) -> int:
        """Bytes that were sent to a client and are still waiting here.

        :raises KeyError: for an unknown sid.
        """
        return self._socket(sid).buffered

    # ------------------------------------------------------------------ sessions

    def get_session(self, sid: str) -> dict[str, Any]:
        """The user's session of a client: a dict; what is changed in it is kept.

        :raises KeyError: for an unknown sid.
        """
        return self._socket(sid).session

    def save_session(self, sid: str, session: dict[str, Any]) -> None:
        """Replace the user's session of a client.

        :raises KeyError: for an unknown sid.
        """
        self._socket(sid).session = session

    @contextmanager
    def session(self, sid: str) -> Iterator[dict[str, Any]]:
        """The user's session for a ``with`` block, saved at its end.

        :raises KeyError: for an unknown sid.
        """
        session = self.get_session(sid)
        yield session
        socket = self.sockets.get(sid)
        if socket is not None:
            socket.session = session

    def transport(self, sid: str) -> str:
        """'polling' or 'websocket'.

        :raises KeyError: for an unknown sid.
        """
        return "websocket" if self._socket(sid).upgraded else "polling"

    def disconnect(self, sid: str | None = None) -> None:
        """Disconnect a client, or all. Never waits for the peer; an unknown sid is ignored."""
        for socket in list(self.sockets.values()) if sid is None else [self.sockets.get(sid)]:
            if socket is not None:
                socket.close(reason.SERVER_DISCONNECT)

    def _socket(self, sid: str) -> Socket:
        try:
            return self.sockets[sid]
        except KeyError:
            raise KeyError("Session not found") from None

    # ------------------------------------------------------------------ requests

    def handle_request(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer an HTTP request: a WSGI callable. Polls and WebSockets give their connection to the relay.

        :param environ: the WSGI environment.
        :param start_response: the WSGI callable.
        """
        return self._exchange.handle(environ, start_response)

    def admit(self, socket: Socket) -> bool:
        """Register a session that begins; False if there are as many as allowed, or if the server shuts down."""
        most = self.config.max_sessions
        with self._lock:
            if self._is_shut or (most is not None and len(self.sockets) >= most):
                return False
            self.sockets[socket.sid] = socket
            return True

    def count(self, verdict: str) -> None:
        """Count a client that was 'accepted' or 'rejected'."""
        with self._lock:
            self._counts[verdict] += 1

    @property
    def is_shut(self) -> bool:
        """Whether `shutdown` was called."""
        return self._is_shut

    def find(self, sid: str) -> Socket | None:
        """The session of a request: also one that has still to be told of its end."""
        return self.sockets.get(sid) or self.leaving.get(sid)

    def forget(self, socket: Socket) -> None:
        """A session is over. One whose client has still to be told stays reachable for the length of a ping."""
        with self._lock:
            self.sockets.pop(socket.sid, None)
            if not socket.machine.is_leaving:
                self.leaving.pop(socket.sid, None)
                return
            self.leaving[socket.sid] = socket
        self.runtime.relay().call_at(self.runtime.now() + self.config.ping_timeout, lambda: self._give_up(socket))

    def _give_up(self, socket: Socket) -> None:
        socket.machine.finish()
        with self._lock:
            self.leaving.pop(socket.sid, None)

    def shutdown(self, timeout: float = 5.0) -> None:
        """Take no more clients, disconnect all with 'server disconnect' and wait for their handlers.

        :param timeout: how long to wait for them, in seconds.
        """
        self._is_shut = True
        self.disconnect()
        until = self.runtime.now() + timeout
        while self.sockets and self.runtime.now() < until:
            self.runtime.sleep(0.005)

    def stats(self) -> dict[str, Any]:
        """Numbers for people: sessions by transport, those accepted and rejected so far, the relay's figures."""
        upgraded = [socket.upgraded for socket in list(self.sockets.values())]
        return {
            "sessions": len(upgraded),
            "polling": upgraded.count(False),
            "websocket": upgraded.count(True),
            **self._counts,
            "relay": self.runtime.relay().stats(),
        }

    # ------------------------------------------------------------------ beside the protocol

    def generate_id(self) -> str:
        """A new session id: 20 URL-safe characters, 120 bits from the system's random source."""
        return secrets.token_urlsafe(15)

    def is_asyncio_based(self) -> bool:
        """False: threads or greenlets."""
        return False

    def async_modes(self) -> list[str]:
        """The modes that this environment can offer."""
        return installed_modes()


class _Quiet(logging.Logger):
    """The library's logger from WARNING on, without a level being set on that one: it is shared."""

    def __init__(self, shared: logging.Logger) -> None:
        super().__init__(shared.name)
        self.parent = shared

    def isEnabledFor(self, level: int) -> bool:
        """Whether the shared logger takes it, and it is serious enough."""
        return level >= logging.WARNING and self.parent is not None and self.parent.isEnabledFor(level)


def _logger(wanted: bool | logging.Logger) -> logging.Logger:
    if isinstance(wanted, logging.Logger):
        return wanted
    shared = logging.getLogger("syncio.server")
    return shared if wanted else _Quiet(shared)


def _own_packet(pkt: Any, codec: Any) -> Packet:
    if isinstance(pkt, Packet):
        return pkt
    own: Packet | None = getattr(pkt, "_syncio_packet", None)
    if own is None:
        data = bytes(pkt.data) if getattr(pkt, "binary", False) and pkt.data is not None else pkt.data
        own = Packet(PacketType(int(pkt.packet_type)), data, codec)
        with suppress(AttributeError):
            pkt._syncio_packet = own  # it may have many recipients, for whom it is encoded once
    return own
