"""The realtime half: a server that any view may use."""

from typing import Any

import syncio

server = syncio.Server()


@server.on("message")
def say(sid: str, data: Any) -> None:
    """Pass a message on to everybody."""
    server.broadcast({"from": sid[:6], "text": str(data)})
