"""The chat as an app: what each packet of the page does. The page itself is in `static`."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict
from typing import Any

from ..web import App, Response
from .room import Limits, Room

__all__ = ["app"]

LIMITS = Limits()
MAX_PACKET = 16_384
"""Bytes: room for a message of 1,000 characters of four bytes each, escaped."""

app = App(__name__, static_url_path="/")
app.config["REALTIME_OPTIONS"] = {"max_http_buffer_size": MAX_PACKET, "max_sessions": LIMITS.people}
room = Room(secrets.token_hex(4), app.realtime.runtime.lock(), LIMITS)


@app.get("/")
def page() -> Response:
    """The page."""
    return app.send_static_file("index.html")


@app.on("message")
def receive(sid: str, data: Any) -> None:
    """A packet of the page: a JSON object with a `type`."""
    match data:
        case {"type": "echo"}:  # the clock of the page goes back to it: the round trip is its own measurement
            app.send(sid, {"type": "echo", "n": data.get("n"), "t": data.get("t")})
        case {"type": "join"}:
            join(sid, data.get("name"))
        case {"type": "message"}:
            message = room.say(sid, data.get("text"), time.time())
            if message is not None:
                app.broadcast({"type": "message", **asdict(message)})
        case _:
            app.send(sid, {"type": "problem", "text": "This is not a packet of the chat."})


def join(sid: str, wanted: object) -> None:
    """Let somebody in, or give them another name, and tell everybody."""
    before = room.name_of(sid)
    name = room.join(sid, wanted)
    welcome = {"you": name, "history": room.history, "online": room.online, "limits": asdict(LIMITS)}
    app.send(sid, {"type": "welcome", **welcome, "mode": app.realtime.async_mode})
    if before is None:
        app.broadcast({"type": "joined", "name": name, "online": room.online, "at": time.time()})
    elif before != name:
        app.broadcast({"type": "renamed", "before": before, "name": name, "at": time.time()})


@app.on("disconnect")
def leave(sid: str, reason: str) -> None:
    """Tell everybody who has gone."""
    name = room.leave(sid)
    if name is not None:
        app.broadcast({"type": "left", "name": name, "online": room.online, "at": time.time(), "reason": reason})
