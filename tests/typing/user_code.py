"""What a user writes, checked by mypy --strict; it is never run."""

from __future__ import annotations

from typing import Any

import syncio

server = syncio.Server(ping_interval=10, cors_allowed_origins=["https://example.com"])


@server.on("connect")
def connect(sid: str, environ: dict[str, Any]) -> bool:
    return environ.get("HTTP_COOKIE") is not None


@server.on("message")
def message(sid: str, data: Any) -> None:
    with server.session(sid) as session:
        session["last"] = data
    server.send(sid, {"echo": data})
    server.broadcast(b"bytes", sids=[sid])


def disconnect(sid: str, reason: str) -> None:
    if reason == syncio.reason.PING_TIMEOUT:
        return


server.on("disconnect", disconnect)
app = syncio.WSGIApp(server, static_files={"/": "public"})
task = server.start_background_task(server.sleep, 1)
task.join(timeout=2)
