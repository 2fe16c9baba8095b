"""The public client: events, connect, send, wait and disconnect of an Engine.IO v4 client.

What the packets mean is in `session`; how they travel is in `polling` and `websocket`.
"""

from __future__ import annotations

import json as standard_json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar, overload

from ...errors import BusyError, ConfigurationError, ConnectionError, RequestTimeout
from ...heartbeat import Watch, monitor_of
from ...runtime import Lane, choose_runtime
from ..background import Background
from ..config import takes
from ..packet import MESSAGE, UPGRADE, Packet, PacketType, decode_json
from ..reasons import reason
from .opener import Opener
from .polling import ClientPolling
from .retry import Retry
from .session import CLIENT_STATES, ClientSession, ClientState, Sent
from .web import EngineUrl, Web
from .websocket import ClientWebSocket

__all__ = ["Client"]

EVENTS = ("connect", "message", "disconnect")
TRANSPORTS = ("polling", "websocket")
LANE_LIMIT = 256
"""Messages that may wait for the handler before reading stops."""
SLICE = 3600.0
"""Seconds. Without any time-out a wait could look to gevent like one that nobody will ever end."""

DISCONNECTED, CONNECTING, CONNECTED, DISCONNECTING = ClientState

H = TypeVar("H", bound=Callable[..., Any])
Packets = list[tuple[PacketType, "str | bytes"]]

_inside: ContextVar[object] = ContextVar("syncio_client", default=None)
"""The client whose handler runs here."""


class _Ended:
    """The last item of a session's lane.

    :param reason: why it ended.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Client(Background):
    """An Engine.IO v4 client on threads, or on greenlets where the process is monkey-patched.

    A WebSocket costs no thread of its own; long polling has one. Handlers run in the order of what they are for, one
    at a time, on the relay's pool, and may block. It is a context manager, which disconnects at the end.

    :param logger: True for INFO and more in the library's own logger, or a logger.
    :param json: a module with dumps and loads.
    :param request_timeout: seconds for a connection, for the upgrade, and for every request but those that wait for
        news.
    :param http_session: a `requests.Session`; its cookies, credentials, proxies and certificates count for WebSockets
        too. None makes one where polling needs it.
    :param ssl_verify: False believes every certificate.
    :param handle_sigint: whether an interrupted `wait` disconnects before it raises KeyboardInterrupt. No signal
        handler is installed.
    :param websocket_extra_options: header (a mapping), cookie, sslopt (context, or ca_certs, certfile, keyfile,
        cert_reqs, check_hostname), subprotocols, timeout, max_message_size.
    :param timestamp_requests: whether each request of polling has a URL of its own, against caches.
    :raises ConfigurationError: for an option that cannot work.
    """

    reason = reason
    event_names = EVENTS

    def __init__(
        self,
        logger: bool | logging.Logger = False,
        json: Any = None,
        request_timeout: float = 5.0,
        http_session: Any = None,
        ssl_verify: bool = True,
        handle_sigint: bool = True,
        websocket_extra_options: Mapping[str, Any] | None = None,
        timestamp_requests: bool = True,
    ) -> None:
        if not request_timeout > 0:
            raise ConfigurationError("request_timeout", request_timeout, "it is a number of seconds")
        self.runtime = choose_runtime()
        self.async_mode = self.runtime.name
        self.logger = logger if isinstance(logger, logging.Logger) else logging.getLogger("syncio.client")
        self.handlers: dict[str, Callable[..., Any]] = {}
        self.request_timeout = request_timeout
        self.handle_sigint = handle_sigint
        self._tells = bool(logger)
        self._json = json if json is not None else standard_json
        web = Web(http_session, ssl_verify, request_timeout)
        self._opener = Opener(self.runtime, web, request_timeout, timestamp_requests, websocket_extra_options or {})
        self._lock = self.runtime.lock()
        self._state = DISCONNECTED
        self._session: ClientSession | None = None
        self._link: ClientPolling | ClientWebSocket | None = None
        self._early: list[Any] | None = None  # what came before the connect handler has returned
        self._lane: Lane | None = None
        self._beat: Watch | None = None
        self._disconnect_takes_reason = True
        self._ended = self.runtime.event()
        self._ended.set()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def __repr__(self) -> str:
        return f"<Client {self.sid} {self._state.value} {self.current_transport or ''}>"

    # ------------------------------------------------------------------ what there is to know

    @property
    def sid(self) -> str | None:
        """The session's id; None while there is none."""
        session = self._session
        return session.sid if session is not None else None

    @property
    def state(self) -> str:
        """'disconnected', 'connected' or 'disconnecting'."""
        state = self._state
        return (DISCONNECTED if state is CONNECTING else state).value

    @property
    def current_transport(self) -> str | None:
        """'polling' or 'websocket'; None while there is none."""
        link = self._link
        return link.name if link is not None else None

    def transport(self) -> str | None:
        """'polling' or 'websocket'; None while there is none."""
        return self.current_transport

    # ------------------------------------------------------------------ events

    @overload
    def on(self, event: str, handler: None = None) -> Callable[[H], H]: ...
    @overload
    def on(self, event: str, handler: H) -> H: ...
    def on(self, event: str, handler: Any = None) -> Any:
        """Register the handler of an event; also as a decorator. The last one wins.

        :param event: 'connect' (), 'message' (data), or 'disconnect' (reason) or ().
        :param handler: the function; None to decorate one.
        :raises ValueError: for another event.
        """
        if event not in EVENTS:
            raise ValueError(f"there is no event {event!r}; there are: {', '.join(EVENTS)}")

        def register(function: H) -> H:
            if event == "disconnect":
                self._disconnect_takes_reason = takes(function, 1)
            self.handlers[event] = function
            return function

        return register if handler is None else register(handler)

    def _fire(self, event: str, *arguments: Any) -> None:
        handler = self.handlers.get(event)
        if handler is None:
            return
        token = _inside.set(self)
        try:
            handler(*arguments)
        except BaseException as exc:
            if event == "connect" and not isinstance(exc, Exception):
                raise  # it runs where connect() was called, and Ctrl-C, sys.exit() and time-outs are for that
            self.logger.exception("the %s handler failed", event)
        finally:
            _inside.reset(token)

    def _handle(self, item: Any) -> None:
        """Called by the lane."""
        if item.__class__ is not _Ended:
            self._fire("message", decode_json(item, self._json) if isinstance(item, str) else item)
            return
        self._tell("disconnected, %s", item.reason)
        self._fire("disconnect", *((item.reason,) if self._disconnect_takes_reason else ()))
        with self._lock:
            if self._state is DISCONNECTED:  # and not connected again by the handler
                self._ended.set()

    def _tell(self, words: str, *values: object) -> None:
        if self._tells:
            self.logger.info(words, *values)

    # ------------------------------------------------------------------ connecting

    def connect(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        transports: str | Sequence[str] | None = None,
        engineio_path: str = "engine.io",
        retry: Retry | int | bool | None = None,
    ) -> None:
        """Connect, call the connect handler, and return when that has returned.

        :param url: http, https, ws or wss, and the host; its query goes along, its path plays no part.
        :param headers: for every request.
        :param transports: 'polling', 'websocket' or both; None for both.
        :param engineio_path: where the engine is on the server.
        :param retry: what to do when it fails: a `Retry`, a number of further attempts, or True without end.
        :raises ConnectionError: if it fails, with the server's answer.
        :raises BusyError: if the client is connected, or about to be.
        :raises ConfigurationError: for a URL or transports that cannot be.
        """
        wanted = _transports(transports)
        place = EngineUrl(url, engineio_path)
        waits = Retry.of(retry).waits()
        with self._lock:
            if self._state is not DISCONNECTED:
                raise BusyError(f"the client is {self._state.value}; disconnect() it, or wait() for its end, first")
            self._state = CLIENT_STATES.move(self._state, CONNECTING)
            self._ended.clear()
        try:
            while True:
                try:
                    self._open(place, dict(headers or {}), wanted)
                    return
                except ConnectionError as exc:
                    wait = next(waits, None)
                    if wait is None or self._state is not CONNECTING:
                        raise
                    self._tell("%s; the next attempt is in %.1f s", exc, wait)
                    if self._ended.wait(wait):
                        raise ConnectionError("disconnect() was called while connecting") from exc
        finally:
            with self._lock:
                if self._state is CONNECTING:
                    self._state = CLIENT_STATES.move(self._state, DISCONNECTED)
                    self._ended.set()

    def _open(self, place: EngineUrl, headers: dict[str, str], transports: tuple[str, ...]) -> None:
        if "polling" not in transports:
            self._open_websocket(place, headers)
            return
        polling = self._opener.polling(place, headers)
        session, packets = polling.open()
        deliver = self._begin(session, polling)
        deliver(packets, None)
        self._greet()
        upgraded = False
        if "websocket" in transports and "websocket" in session.upgrades and self._state is CONNECTED:
            upgraded = self._upgrade(place, headers, polling)
        self._release()
        if not upgraded and self._state is CONNECTED:
            polling.start(deliver)

    def _begin(self, session: ClientSession, link: ClientPolling | ClientWebSocket) -> Callable[..., None]:
        """A session begins. Returns what takes its packets."""
        relay = self.runtime.relay()
        lane = Lane(relay, self.runtime.lock(), self._handle, 1, LANE_LIMIT)
        with self._lock:
            if self._state is not CONNECTING:
                raise ConnectionError("disconnect() was called while connecting")
            self._state = CLIENT_STATES.move(self._state, CONNECTED)
            self._session, self._link, self._lane, self._early = session, link, lane, []
        self._beat = monitor_of(self.runtime).watch(session.deadline, lambda now: self._check(session, now))
        self._tell("connected by %s as %s", link.name, session.sid)
        return lambda packets, end: self._received(session, packets, end)

    def _greet(self) -> None:
        """Call the connect handler, here."""
        try:
            self._fire("connect")
        except BaseException:
            self._end(reason.CLIENT_DISCONNECT, tell=True)
            self._release()
            raise

    def _release(self) -> None:
        """The connect handler has returned: what came meanwhile is for the other handlers now."""
        with self._lock:
            early, self._early = self._early, None
            if early and self._lane is not None:
                self._lane.put(early)

    def _open_websocket(self, place: EngineUrl, headers: dict[str, str]) -> None:
        websocket = self._opener.websocket(place, headers)
        try:
            deliver = self._begin(self._opener.session(websocket), websocket)
        except BaseException:
            websocket.abandon()
            raise
        self._greet()
        self._release()
        websocket.hand_over(deliver)

    def _upgrade(self, place: EngineUrl, headers: dict[str, str], polling: ClientPolling) -> bool:
        """Try to move the session to a WebSocket; nobody polls meanwhile. False if it stays where it is."""
        session = self._session
        if session is None:
            return True  # the connect handler has disconnected
        try:
            websocket = self._opener.probed(place, headers, session.sid)
        except ConnectionError as exc:
            self._tell("no upgrade to WebSocket: %s", exc)
            return False
        websocket.send(Packet(UPGRADE))

        def switch() -> None:
            self._link = websocket

        polling.move(websocket, switch)
        websocket.hand_over(lambda packets, end: self._received(session, packets, end))
        if session is not self._session:
            websocket.close(tell=True)
        self._tell("upgraded to websocket")
        return True

    # ------------------------------------------------------------------ in

    def _received(self, session: ClientSession, packets: Packets, end: str | None) -> None:
        """Packets of a session came, or its end, or both."""
        if session is not self._session:
            return
        received = session.received(packets, self.runtime.now())
        link, lane = self._link, self._lane
        for answer in received.answers:
            if link is not None:
                link.send(answer)
        if received.messages:
            self._deliver(received.messages)
        if (why := received.end or end) is not None:
            self._end(why, tell=False)
        elif lane is not None and lane.is_full:
            self._hold(link, lane)

    def _deliver(self, items: list[Any]) -> None:
        lane = self._lane
        if self._early is not None:
            with self._lock:
                if self._early is not None:
                    self._early.extend(items)
                    return
        if lane is not None:
            lane.put(items, lane.relay.call_inline if lane.relay.corks() else None)

    def _hold(self, link: ClientPolling | ClientWebSocket | None, lane: Lane) -> None:
        """The handler is slow: read no more until it has caught up."""
        if isinstance(link, ClientWebSocket):
            link.pause()
            if not lane.when_roomy(link.resume):
                link.resume()
            return
        roomy = self.runtime.event()
        if lane.when_roomy(roomy.set):
            while not roomy.wait(SLICE):
                pass

    def _check(self, session: ClientSession, now: float) -> float | None:
        """Asked by the monitor, on the duty worker."""
        if session is not self._session or self._state is not CONNECTED:
            return None
        if self._lane is not None and self._lane.is_full:
            session.alive(now)  # we do not read, so its silence says nothing
        if now < session.deadline:
            return session.deadline
        self._tell("the server was silent for %g s", session.patience)
        self._end(reason.PING_TIMEOUT, tell=False)
        return None

    # ------------------------------------------------------------------ out

    def send(self, data: Any, timeout: float | None = None) -> None:
        """Send a message. Waits while a megabyte waits already; without a connection it is only logged.

        :param data: str, bytes, or a value that goes into JSON.
        :param timeout: seconds to wait for room; None for as long as the connection lasts.
        :raises RequestTimeout: if there was no room in that time: nothing was sent.
        :raises LocalError: for a message that long polling cannot bring to the server, because it is too big.
        """
        packet = Packet(MESSAGE, data, self._json)
        while True:
            link = self._link
            if link is None or self._state is not CONNECTED:
                self.logger.warning("cannot send: the client is %s", self.state)
                return
            sent = link.send(packet, timeout)
            if sent is Sent.FULL:
                raise RequestTimeout("waiting for room to send", timeout or 0.0)
            if sent is Sent.TAKEN or link is self._link:
                return

    # ------------------------------------------------------------------ the end

    def _end(self, why: str, tell: bool) -> bool:
        """End the session, from any thread; the first reason counts."""
        with self._lock:
            if self._state not in (CONNECTED, DISCONNECTING) or self._session is None:
                return False
            link, lane, beat = self._link, self._lane, self._beat
            self._state = CLIENT_STATES.move(self._state, DISCONNECTED)
            self._session = self._link = self._beat = None
            is_early = self._early is not None
            if self._early is not None:
                self._early.append(_Ended(why))
        if beat is not None:
            beat.cancel()
        if isinstance(link, ClientPolling):
            link.close(tell, self.request_timeout)
        elif link is not None:
            link.close(tell)
        if not is_early and lane is not None:
            lane.put([_Ended(why)])
        return True

    def disconnect(self, abort: bool = False, reason: str | None = None) -> None:
        """Disconnect. What was sent leaves first; the disconnect handler has run when this returns, unless this is
        called by a handler, or the handler takes longer than `request_timeout`.

        :param abort: True says no goodbye and forgets what still waits.
        :param reason: what the disconnect handler is told; None for 'client disconnect'.
        """
        with self._lock:
            if self._state is CONNECTING:
                self._state = CLIENT_STATES.move(self._state, DISCONNECTED)
                self._ended.set()
                return
            if self._state is CONNECTED:
                self._state = CLIENT_STATES.move(self._state, DISCONNECTING)
        self._end(reason or self.reason.CLIENT_DISCONNECT, tell=not abort)
        if _inside.get() is not self:
            self._ended.wait(self.request_timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the connection and of its disconnect handler.

        :param timeout: in seconds; None waits as long as it lasts.
        :return: whether it has ended.
        """
        until = None if timeout is None else self.runtime.now() + timeout
        try:
            while not self._ended.wait(SLICE if until is None else max(0.0, min(SLICE, until - self.runtime.now()))):
                if until is not None and self.runtime.now() >= until:
                    return False
        except KeyboardInterrupt:
            if self.handle_sigint:
                self.disconnect()
            raise
        return True


def _transports(wanted: str | Sequence[str] | None) -> tuple[str, ...]:
    if wanted is None:
        return TRANSPORTS
    names = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    if not names or any(name not in TRANSPORTS for name in names):
        raise ConfigurationError("transports", wanted, "'polling', 'websocket' or both")
    return names
