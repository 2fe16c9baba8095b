"""The server that the cases of the Socket.IO protocol, version 5, are asked of: python-socketio on syncio."""

from __future__ import annotations

import json
import os
from typing import Any

from syncio.compat import socketio

options = {"ping_interval": 0.3, "ping_timeout": 2.0, **json.loads(os.environ.get("SYNCIO_TEST_OPTIONS", "{}"))}
sio = socketio.Server(always_connect=True, async_handlers=False, **options)


class Cases(socketio.Namespace):  # type: ignore[misc, name-defined, unused-ignore]
    """One namespace."""

    def on_connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        """Show what the client brought."""
        self.emit("auth", auth if auth is not None else {}, to=sid)

    def on_message(self, sid: str, *data: Any) -> None:
        """Send it back."""
        self.emit("message-back", data, to=sid)

    def on_ack(self, sid: str, *data: Any) -> tuple[Any, ...]:
        """Acknowledge it with itself."""
        return data

    def trigger_event(self, event: str, *arguments: Any) -> Any:
        """The protocol's event has a dash, which no method can have."""
        return super().trigger_event("ack" if event == "message-with-ack" else event, *arguments)


sio.register_namespace(Cases("/"))
sio.register_namespace(Cases("/custom"))


def site(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Whatever else there is."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"site\n"]


app = socketio.WSGIApp(sio, site)
engine_app = socketio.WSGIApp(sio, site, socketio_path="engine.io")
