"""The chat as a WSGI application: what each packet of the page does. The page itself is in `static`."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..engineio import Server, WSGIApp
from .room import Limits, Room

__all__ = ["STATIC", "Chat", "create_app"]

STATIC = Path(__file__).parent / "static"
MAX_PACKET = 16_384
"""Bytes: room for a message of 1,000 characters of four bytes each, escaped."""


def create_app(limits: Limits | None = None, **options: Any) -> WSGIApp:
    """The demo: an Engine.IO server with a chat in it, and its page at ``/``.

    :param limits: how much of everything the chat allows.
    :param options: options of `syncio.Server`.
    """
    limits = limits or Limits()
    options = {"max_http_buffer_size": MAX_PACKET, "max_sessions": limits.people, **options}
    server = Server(**options)
    Chat(server, limits)
    return WSGIApp(server, static_files={"/": str(STATIC)})


class Chat:
    """The handlers of the page's packets, which are JSON objects with a `type`.

    :param server: where the handlers are registered.
    :param limits: how much of everything there may be.
    """

    def __init__(self, server: Server, limits: Limits) -> None:
        self._server = server
        self._limits = limits
        self.room = Room(secrets.token_hex(4), server.runtime.lock(), limits)
        self._actions: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "echo": self._echo,
            "join": self._join,
            "message": self._say,
        }
        server.on("message", self._receive)
        server.on("disconnect", self._leave)

    def _receive(self, sid: str, data: Any) -> None:
        action = self._actions.get(str(data.get("type"))) if isinstance(data, dict) else None
        if action is None:
            self._send(sid, type="problem", text="This is not a packet of the chat.")
        else:
            action(sid, data)

    def _echo(self, sid: str, data: dict[str, Any]) -> None:
        """Send the clock of the page back to it: the round trip is its own measurement."""
        self._send(sid, type="echo", n=data.get("n"), t=data.get("t"))

    def _join(self, sid: str, data: dict[str, Any]) -> None:
        before = self.room.name_of(sid)
        name = self.room.join(sid, data.get("name"))
        welcome = {"you": name, "history": self.room.history, "online": self.room.online}
        self._send(sid, type="welcome", **welcome, limits=asdict(self._limits), mode=self._server.async_mode)
        if before is None:
            self._tell_all(type="joined", name=name, online=self.room.online, at=time.time())
        elif before != name:
            self._tell_all(type="renamed", before=before, name=name, at=time.time())

    def _say(self, sid: str, data: dict[str, Any]) -> None:
        message = self.room.say(sid, data.get("text"), time.time())
        if message is not None:
            self._tell_all(type="message", **asdict(message))

    def _leave(self, sid: str, why: str) -> None:
        name = self.room.leave(sid)
        if name is not None:
            self._tell_all(type="left", name=name, online=self.room.online, at=time.time(), reason=why)

    def _send(self, sid: str, **packet: Any) -> None:
        self._server.send(sid, json.dumps(packet))

    def _tell_all(self, **packet: Any) -> None:
        self._server.broadcast(json.dumps(packet))
