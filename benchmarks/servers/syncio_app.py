"""The application under test on syncio: threads or greenlets, as the WSGI server that runs it has them."""

import time
from typing import Any

import syncio

server = syncio.Server()
app = syncio.WSGIApp(server)


@server.on("message")
def message(sid: str, data: Any) -> None:
    """Send "b..." to all, answer "z..." after 50 ms, echo anything else."""
    first = data[:1]
    if first == "b":
        server.broadcast(data)
        return
    if first == "z":
        time.sleep(0.05)
    server.send(sid, data)
