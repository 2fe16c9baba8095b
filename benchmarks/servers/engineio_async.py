"""The application under test on python-engineio's AsyncServer."""

import asyncio
from typing import Any

import engineio

server = engineio.AsyncServer(async_mode="asgi")
app = engineio.ASGIApp(server)


@server.on("message")  # type: ignore[misc]
async def message(sid: str, data: Any) -> None:
    """Send "b..." to all, answer "z..." after 50 ms, echo anything else."""
    first = data[:1]
    if first == "b":
        for each in list(server.sockets):
            await server.send(each, data)
        return
    if first == "z":
        await asyncio.sleep(0.05)
    await server.send(sid, data)
