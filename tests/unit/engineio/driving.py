"""Drives a server in this process through its WSGI callable: no socket, so a GET that has to wait waits on a thread."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from werkzeug.test import Client, TestResponse

from syncio import Server, WSGIApp

__all__ = ["HANDSHAKE", "PATIENCE", "Parked", "Session", "Site", "wait_until"]

HANDSHAKE = "/engine.io/?EIO=4&transport=polling"
PATIENCE = 5.0
"""Seconds after which something that should have happened has not."""


def wait_until(condition: Callable[[], object]) -> bool:
    """Ask again and again until it is true; False if that takes too long."""
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


class Parked:
    """A request on a thread of its own."""

    def __init__(self, server: Server, send: Callable[[], TestResponse]) -> None:
        self._answers: list[TestResponse] = []
        self._task = server.start_background_task(lambda: self._answers.append(send()))

    @property
    def is_answered(self) -> bool:
        """Whether the answer is there."""
        return bool(self._answers)

    def answer(self) -> TestResponse:
        """Wait for it."""
        self._task.join(PATIENCE)
        assert self._answers, "the request was not answered"
        return self._answers[0]


class Session:
    """A client on long polling."""

    def __init__(self, site: Site, opened: TestResponse) -> None:
        self.site = site
        self.opened = opened
        first, *self.more = opened.text.split("\x1e")
        assert first[:1] == "0", opened.text
        self.handshake: dict[str, Any] = json.loads(first[1:])
        self.sid: str = self.handshake["sid"]
        self.path = f"{HANDSHAKE}&sid={self.sid}"

    def post(self, body: str | bytes | None, **more: Any) -> TestResponse:
        """Post a payload."""
        return self.site.client.post(self.path, data=body, **more)

    def get(self, **more: Any) -> TestResponse:
        """Poll for what is there, or will soon be."""
        return self.site.client.get(self.path, **more)

    def park(self) -> Parked:
        """Poll on another thread, and return when that waits."""
        parked = Parked(self.site.server, self.get)
        assert wait_until(lambda: self.is_polled or parked.is_answered)
        return parked

    def later_post(self, body: Any, **more: Any) -> Parked:
        """Post on another thread."""
        return Parked(self.site.server, lambda: self.post(body, **more))

    @property
    def is_polled(self) -> bool:
        """Whether a GET waits."""
        socket = self.site.server.sockets.get(self.sid)
        return socket is not None and socket.machine.poll is not None

    @property
    def is_forgotten(self) -> bool:
        """Whether the server knows it no more."""
        return self.sid not in self.site.server.sockets


class Site:
    """A server that notes what its handlers are told.

    :param options: the server's.
    """

    def __init__(self, **options: Any) -> None:
        self.server = Server(**options)
        self.events: list[tuple[Any, ...]] = []
        self.client = Client(WSGIApp(self.server))
        self.server.on("connect", lambda sid, environ: self.events.append(("connect", sid)))
        self.server.on("message", lambda sid, data: self.events.append(("message", sid, data)))
        self.server.on("disconnect", lambda sid, reason: self.events.append(("disconnect", sid, reason)))

    def open(self, query: str = "", **more: Any) -> TestResponse:
        """A handshake, whatever comes of it."""
        return self.client.get(HANDSHAKE + query, **more)

    def connect(self, query: str = "", **more: Any) -> Session:
        """A handshake that is accepted."""
        opened = self.open(query, **more)
        assert opened.status_code == 200, opened.text
        return Session(self, opened)

    @property
    def messages(self) -> list[Any]:
        """What the message handler was given."""
        return [event[2] for event in self.events if event[0] == "message"]

    @property
    def ends(self) -> list[tuple[str, str]]:
        """Whom the disconnect handler was told of, and why."""
        return [(event[1], event[2]) for event in self.events if event[0] == "disconnect"]

    def has_ended(self, session: Session, reason: str) -> bool:
        """Whether a session ends, once, for this reason, and is forgotten."""
        return wait_until(lambda: session.is_forgotten) and [why for sid, why in self.ends if sid == session.sid] == [
            reason
        ]

    def has_received(self, *messages: Any) -> bool:
        """Whether exactly these messages come, in this order."""
        return wait_until(lambda: len(self.messages) >= len(messages)) and self.messages == list(messages)
