"""A page of the master that shows its slaves and tasks, live."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..heartbeat import Watch, monitor_of
from ..web import App, Response, jsonify, request
from .tokens import same_token

if TYPE_CHECKING:
    from .connection import SlaveConnection
    from .master import Master

__all__ = ["StatusPage"]

PAGE = Path(__file__).parent / "status.html"
PACE = 1.0
"""Seconds between two looks, while anybody looks."""
REALM = (("WWW-Authenticate", 'Basic realm="syncio master", charset="UTF-8"'),)
MAX_TASKS = 100
"""Tasks that are listed of each slave."""


class StatusPage:
    """The page, and the events that keep it fresh. With a secret the browser asks for it, under any name.

    :param master: what it shows.
    :param app: the master's; it gets the page at '/'.
    """

    def __init__(self, master: Master, app: App) -> None:
        self._master = master
        self._app = app
        self._watch: Watch | None = None
        self._lock = master.runtime.lock()
        app.add_url_rule("/", "status", lambda: self._refusal(request.environ) or self._page())
        app.add_url_rule(
            "/status.json", "status_data", lambda: self._refusal(request.environ) or jsonify(self.snapshot())
        )
        app.realtime.add("connect", self._joined)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The master's application, with the password in front of the events.

        The pages ask for it themselves: there are several ways to write the path of a page.
        """
        refusal = self._refusal(environ) if str(environ.get("PATH_INFO")).startswith("/engine.io") else None
        return (refusal or self._app)(environ, start_response)

    def _refusal(self, environ: dict[str, Any]) -> Response | None:
        if self._may_see(environ):
            return None
        return Response("This master wants a secret.\n", 401, headers=list(REALM))

    def _may_see(self, environ: dict[str, Any]) -> bool:
        secret = self._master.config.secret
        if secret is None:
            return True
        kind, _, given = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            password = base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
        return same_token(password, secret)

    # ------------------------------------------------------------------ what there is to see

    def snapshot(self) -> dict[str, Any]:
        """What the page shows, as JSON has it."""
        master = self._master
        now = master.runtime.now()
        slaves = [self._slave(slave, now) for slave in master.connections()]
        return {
            "address": master.my_address,
            "waiting": master.pool.waiting,
            "under_way": master.pool.under_way,
            "slaves": slaves,
        }

    @staticmethod
    def _slave(slave: SlaveConnection, now: float) -> dict[str, Any]:
        tasks = slave.tasks
        return {
            "name": slave.name,
            "url": slave.url,
            "wire": slave.has_wire,
            "slots": slave.slots,
            "heartbeat": round(now - slave.last_heartbeat, 1),
            "connected": round(now - slave.since, 1),
            "completed": slave.completed,
            "failed": slave.failed,
            "tasks": [
                {"id": str(task.id), "status": task.status.name, "progress": task.progress}
                for task in tasks[:MAX_TASKS]
            ],
        }

    def _page(self) -> Response:
        return Response(PAGE.read_bytes(), mimetype="text/html")

    # ------------------------------------------------------------------ live

    def close(self) -> None:
        """The master ends: so do the events."""
        with self._lock:
            watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
        for sid in list(self._app.realtime.sockets):
            self._app.realtime.disconnect(sid)

    def _joined(self, sid: str) -> None:
        self._app.realtime.send(sid, self.snapshot())
        runtime = self._master.runtime
        with self._lock:
            if self._watch is None:
                self._watch = monitor_of(runtime).watch(runtime.now() + PACE, self._look)

    def _look(self, now: float) -> float | None:
        """Asked by the monitor: tell everybody who looks."""
        with self._lock:
            if not self._app.realtime.sockets:
                self._watch = None  # whoever comes now begins anew
                return None
        self._app.realtime.broadcast(self.snapshot())
        return now + PACE
