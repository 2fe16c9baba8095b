"""A chat in rooms with Flask-SocketIO, on syncio by one line."""

from __future__ import annotations

import os
from typing import Any

import syncio.compat

syncio.compat.install()

import flask  # noqa: E402
import flask_socketio  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: E402

app = flask.Flask(__name__)
app.config["SECRET_KEY"] = "the tests'"
socketio = flask_socketio.SocketIO(app, async_mode="threading", async_handlers=False)


@app.get("/")
def page() -> str:
    """Log in, so that the session has a name."""
    flask.session["name"] = flask.request.args.get("name", "nobody")
    return "chat\n"


@app.get("/threads")
def threads() -> dict[str, int]:
    """How many the process has."""
    return {"threads": len(os.listdir("/proc/self/task"))}


@socketio.on("joined", namespace="/chat")
def joined(data: Any) -> None:
    """Somebody enters a room; his name is in Flask's session."""
    flask_socketio.join_room(data["room"])
    name = flask.session.get("name", "nobody")
    flask_socketio.emit("status", f"{name} has entered", to=data["room"])


@socketio.on("text", namespace="/chat")
def text(data: Any) -> None:
    """Somebody says something in a room."""
    flask_socketio.emit("message", data["text"], to=data["room"])
