"""One real handshake, one polling round and one WebSocket, made against a running server.

No message is sent, so an application notices a client that comes and goes, and nothing else.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from ..errors import HandshakeError
from ..websocket import ClientHandshake, CloseReceived, Connection, Event, ProtocolFailed, Role

__all__ = ["Check", "Probe"]

TIMEOUT = 5.0
"""Seconds for each step."""
OPEN, CLOSE, PONG, NOOP = "0", "1", "3", "6"
SEPARATOR = "\x1e"
READ_SIZE = 65_536


@dataclass(frozen=True)
class Check:
    """What came of one step.

    :param name: the step.
    :param ok: whether it went well.
    :param detail: what was seen, or what went wrong.
    :param seconds: how long it took.
    """

    name: str
    ok: bool
    detail: str
    seconds: float = 0.0


class _Wrong(Exception):
    """A step did not go well; the message says why."""


@dataclass(frozen=True)
class Probe:
    """A client of one engine.

    :param address: host and port.
    :param path: where the engine is mounted.
    :param headers: more header fields, for applications that ask who comes.
    """

    address: tuple[str, int]
    path: str
    headers: dict[str, str] = field(default_factory=dict)

    def run(self, transports: tuple[str, ...]) -> list[Check]:
        """Go through the steps that an engine with these transports offers."""
        steps: list[tuple[str, Callable[[], str]]] = []
        if "polling" in transports:
            steps.append(("handshake over polling", self._handshake))
            steps.append(("polling round", self._polling_round))
        if "websocket" in transports:
            steps.append(("WebSocket", self._websocket))
        return [_check(name, step) for name, step in steps]

    def _handshake(self) -> str:
        opened = self._open_session()
        self._request("POST", CLOSE, sid=str(opened["sid"]))
        upgrades = ", ".join(opened["upgrades"]) or "none"  # type: ignore[arg-type]
        return f"session opened; upgrades offered: {upgrades}"

    def _polling_round(self) -> str:
        """A poll that waits, a packet that is taken meanwhile, and an end that answers the poll."""
        sid = str(self._open_session()["sid"])
        waiting = http.client.HTTPConnection(*self.address, timeout=TIMEOUT)
        try:
            waiting.request("GET", self._target("polling", sid), headers=self.headers)
            taken = self._request("POST", PONG, sid=sid)  # servers ignore a pong that nobody asked for
            if taken != "ok":
                raise _Wrong(f"a POST was answered {taken[:60]!r}")
            self._request("POST", CLOSE, sid=sid)
            answer = _text(waiting.getresponse())
        finally:
            waiting.close()
        if not set(answer.split(SEPARATOR)) <= {CLOSE, NOOP}:
            raise _Wrong(f"the waiting poll was answered {answer[:60]!r}")
        return "a POST was taken while a poll waited, and the poll was answered"

    def _websocket(self) -> str:
        with socket.create_connection(self.address, TIMEOUT) as sock:
            sock.settimeout(TIMEOUT)
            handshake = ClientHandshake(self._host, self._target("websocket"), headers=tuple(self.headers.items()))
            sock.sendall(handshake.request())
            upgraded = None
            while upgraded is None:
                try:
                    upgraded = handshake.receive_data(_read(sock))
                except HandshakeError as exc:
                    raise _Wrong(_refused(exc.status, handshake.received.partition(b"\r\n\r\n")[2].decode())) from exc
            connection = Connection(Role.CLIENT)
            event = _next(sock, connection, upgraded.trailing)
            if not isinstance(event, str) or not event.startswith(OPEN):
                raise _Wrong(f"the first message is {event!r}")
            sock.sendall(connection.close())
            while not isinstance(event, CloseReceived):
                event = _next(sock, connection)
        return f"101, session opened, closed with {event.code}"

    def _open_session(self) -> dict[str, object]:
        text = self._request("GET")
        if not text.startswith(OPEN):
            raise _Wrong(f"the answer is no Engine.IO packet: {text[:60]!r}")
        opened: dict[str, object] = json.loads(text[1:].partition(SEPARATOR)[0])
        return opened

    def _request(self, method: str, body: str | None = None, sid: str | None = None) -> str:
        connection = http.client.HTTPConnection(*self.address, timeout=TIMEOUT)
        try:
            connection.request(method, self._target("polling", sid), body, self.headers)
            response = connection.getresponse()
            text = _text(response)
        finally:
            connection.close()
        if response.status != 200:
            raise _Wrong(_refused(response.status, text))
        return text

    def _target(self, transport: str, sid: str | None = None) -> str:
        query = {"EIO": "4", "transport": transport, **({"sid": sid} if sid else {})}
        return f"{self.path}?{urlencode(query)}"

    @property
    def _host(self) -> str:
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check(name: str, step: Callable[[], str]) -> Check:
    began = time.perf_counter()
    try:
        detail, ok = step(), True
    except TimeoutError:
        detail, ok = f"no answer within {TIMEOUT:g} s", False
    except (OSError, http.client.HTTPException, ValueError, LookupError, _Wrong) as exc:
        detail, ok = str(exc) or type(exc).__name__, False
    return Check(name, ok, detail, time.perf_counter() - began)


def _refused(status: int, body: str) -> str:
    hint = {
        401: "; the connect handler rejects the doctor: give it what it asks for with --header",
        404: "; the engine is not there: name its path with --path",
    }.get(status, "")
    return f"answered {status}: {body.strip()[:120]}{hint}"


def _text(response: http.client.HTTPResponse) -> str:
    return response.read().decode("utf-8", "replace")


def _read(sock: socket.socket) -> bytes:
    data = sock.recv(READ_SIZE)
    if not data:
        raise _Wrong("the connection was closed without an answer")
    return data


def _next(sock: socket.socket, connection: Connection, data: bytes = b"") -> Event:
    """The next message or event; what comes with it is of no interest here."""
    while True:
        events = connection.receive_data(data) if data else []
        if connection.has_data:
            sock.sendall(connection.data_to_send())
        if events and isinstance(events[0], ProtocolFailed):
            raise _Wrong(f"the server broke RFC 6455: {events[0].reason}")
        if events:
            return events[-1] if isinstance(events[-1], CloseReceived) else events[0]
        data = _read(sock)
