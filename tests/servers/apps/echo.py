"""An echo server in front of a small site.

Every event is appended as a line of JSON to the file that SYNCIO_TEST_EVENTS names; the server's options are the JSON
in SYNCIO_TEST_OPTIONS. A client whose query has "unwelcome" is rejected. The message "disconnect-me" makes the server
disconnect its sender, "sleep 0.5" is sent back half a second later, and "flood 64 1000" is answered by 64 messages of
1000 bytes (`flood_message`).
"""

from __future__ import annotations

import gc
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import syncio
from tests.servers.apps.flood import flood_message

Environ = dict[str, Any]

logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")
server = syncio.Server(**json.loads(os.environ.get("SYNCIO_TEST_OPTIONS", "{}")))
_events = os.open(os.environ.get("SYNCIO_TEST_EVENTS", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _record(event: str, sid: str, **more: Any) -> None:
    line = {"event": event, "sid": sid, **more, "t": time.monotonic(), "threads": threading.active_count()}
    os.write(_events, json.dumps(line).encode() + b"\n")


@server.on("connect")
def connect(sid: str, environ: Environ) -> bool:
    """Note who came."""
    if "unwelcome" in environ["QUERY_STRING"]:
        return False
    _record("connect", sid)
    return True


@server.on("message")
def message(sid: str, data: Any) -> None:
    """Send back what came."""
    _record("message", sid, data=str(data)[:80], size=len(data) if isinstance(data, (str, bytes)) else None)
    if data == "disconnect-me":
        server.disconnect(sid)
        return
    words = data.split() if isinstance(data, str) else []
    if words[:1] == ["flood"]:
        count, size = map(int, words[1:])
        for number in range(count):
            server.send(sid, flood_message(number, size))
        return
    if words[:1] == ["sleep"]:
        time.sleep(float(words[1]))
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


def _footprint() -> dict[str, int]:
    """What the process holds. Linux only."""
    gc.collect()
    stats = server.stats()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "memory": resident,
        "sessions": stats["sessions"],
        "timers": stats["relay"]["timers"],
        "watched": stats["relay"]["watched"],
        "busy": stats["relay"]["busy"],
    }


PAGES: dict[str, Callable[[], Any]] = {
    "/": lambda: "hello",
    "/threads": _threads,
    "/footprint": _footprint,
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
