"""An echo server in front of a small site.

Every event is appended as a line of JSON to the file that SYNCIO_TEST_EVENTS names; the server's options are the JSON
in SYNCIO_TEST_OPTIONS. The message "disconnect-me" makes the server disconnect its sender, and
"sleep 0.5" is sent back half a second later.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import syncio

Environ = dict[str, Any]

logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")
server = syncio.Server(**json.loads(os.environ.get("SYNCIO_TEST_OPTIONS", "{}")))
_events = os.open(os.environ.get("SYNCIO_TEST_EVENTS", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _record(event: str, sid: str, **more: Any) -> None:
    line = {"event": event, "sid": sid, **more, "t": time.monotonic(), "threads": threading.active_count()}
    os.write(_events, json.dumps(line).encode() + b"\n")


@server.on("connect")
def connect(sid: str, environ: Environ) -> None:
    """Note who came."""
    _record("connect", sid)


@server.on("message")
def message(sid: str, data: Any) -> None:
    """Send back what came."""
    _record("message", sid, data=str(data)[:80], size=len(data) if isinstance(data, (str, bytes)) else None)
    if data == "disconnect-me":
        server.disconnect(sid)
        return
    if isinstance(data, str) and data.startswith("sleep "):
        time.sleep(float(data.split()[1]))
    server.send(sid, data)


@server.on("disconnect")
def disconnect(sid: str, reason: str) -> None:
    """Note who left, and why."""
    _record("disconnect", sid, reason=reason)


def _threads() -> dict[str, int | None]:
    tasks = "/proc/self/task"
    return {
        "python": threading.active_count(),
        "system": len(os.listdir(tasks)) if os.path.isdir(tasks) else None,
    }


PAGES: dict[str, Callable[[], Any]] = {
    "/": lambda: "hello",
    "/threads": _threads,
    "/stats": server.stats,
}


def site(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The site behind the engine."""
    page = PAGES.get(environ["PATH_INFO"])
    found = page() if page is not None else "not found"
    body = (found if isinstance(found, str) else json.dumps(found)).encode()
    status = "200 OK" if page is not None else "404 Not Found"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


app = syncio.WSGIApp(server, site)
