"""python-socketio on syncio: namespaces, rooms, acknowledgements and bytes.

``module:app`` has the server of `syncio.compat.socketio`. Every handler runs in its session's order.
"""

from __future__ import annotations

import json
import os
from typing import Any

from syncio.compat import socketio

sio = socketio.Server(async_handlers=False, **json.loads(os.environ.get("SYNCIO_TEST_OPTIONS", "{}")))
sio.instrument(auth=False, mode="development", server_stats_interval=0.2)
_events = os.open(os.environ.get("SYNCIO_TEST_EVENTS", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _record(event: str, sid: str, **more: Any) -> None:
    os.write(_events, json.dumps({"event": event, "sid": sid, **more}).encode() + b"\n")


@sio.event
def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
    """Note who came; those without manners are rejected."""
    if auth == {"manners": False}:
        raise socketio.exceptions.ConnectionRefusedError("no manners")
    _record("connect", sid, path=environ["PATH_INFO"])
    sio.save_session(sid, {"auth": auth})


@sio.event
def disconnect(sid: str, reason: str) -> None:
    """Note who left, while the session can still be read."""
    _record("disconnect", sid, reason=reason, auth=sio.get_session(sid)["auth"])


@sio.event
def echo(sid: str, *data: Any) -> Any:
    """Send back what came, as an event and as the acknowledgement."""
    sio.emit("echo", data, to=sid)
    return data[0] if len(data) == 1 else list(data)


@sio.event
def join(sid: str, room: str) -> None:
    """Enter a room."""
    sio.enter_room(sid, room)


@sio.event
def tell(sid: str, room: str, data: Any) -> None:
    """Send to everybody in a room but the sender."""
    sio.emit("told", data, room=room, skip_sid=sid)


@sio.event
def shout(sid: str, data: Any) -> None:
    """Send to everybody."""
    sio.emit("shouted", data)


@sio.event
def transport(sid: str) -> str:
    """Which transport the engine says that the client has."""
    return str(sio.transport(sid))


@sio.event
def leave(sid: str) -> None:
    """Disconnect the client."""
    sio.disconnect(sid)


@sio.on("echo", namespace="/other")
def other_echo(sid: str, data: Any) -> Any:
    """Send back what came in another namespace."""
    return {"namespace": "/other", "data": data}


def site(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Whatever else there is."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"site\n"]


app = socketio.WSGIApp(sio, site)
