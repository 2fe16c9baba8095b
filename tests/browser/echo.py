"""An echo with the JavaScript client for browsers beside it, and with limits and heartbeats that tests can reach."""

from __future__ import annotations

from pathlib import Path

import syncio
from syncio import demo
from syncio.web.realtime import SCRIPT

STATIC = Path(demo.__file__).parent / "static"
server = syncio.Server(ping_interval=0.6, ping_timeout=0.4, max_http_buffer_size=20_000, decode_json=False)
app = syncio.WSGIApp(server, static_files={"/": str(STATIC), "/syncio-client.js": str(SCRIPT)})


@server.on("message")
def echo(sid: str, data: str | bytes) -> None:
    """Send it back; end the session if asked to."""
    if data == "disconnect me":
        server.disconnect(sid)
    else:
        server.send(sid, data)
