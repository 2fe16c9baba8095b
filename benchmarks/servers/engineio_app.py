"""The application under test on python-engineio's Server: gevent in a monkey-patched process, else threads.

Its WebSockets are simple-websocket's, on threads and greenlets alike. Where gevent-websocket is installed it would be
taken instead, and it works only with a handler of its own, so it is hidden unless that handler was loaded before.
"""

import sys
import time
from typing import Any

if "geventwebsocket" not in sys.modules:
    sys.modules["geventwebsocket"] = None  # type: ignore[assignment]

import engineio
from gevent.monkey import is_module_patched

server = engineio.Server(async_mode="gevent" if is_module_patched("socket") else "threading")
app = engineio.WSGIApp(server)


@server.on("message")  # type: ignore[misc]
def message(sid: str, data: Any) -> None:
    """Send "b..." to all, answer "z..." after 50 ms, echo anything else."""
    first = data[:1]
    if first == "b":
        for each in list(server.sockets):
            server.send(each, data)
        return
    if first == "z":
        time.sleep(0.05)
    server.send(sid, data)
