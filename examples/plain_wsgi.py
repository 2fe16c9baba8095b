"""Realtime without a framework: whoever connects hears what anybody says.

syncio run examples.plain_wsgi:app
gunicorn --threads 8 examples.plain_wsgi:app
"""

from collections.abc import Callable, Iterable
from typing import Any

import syncio

server = syncio.Server(decode_json=False)


@server.on("message")
def say(sid: str, data: str | bytes) -> None:
    """Pass a message on to everybody."""
    server.broadcast(data)


def site(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The site around it: any WSGI application."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{len(server.sockets)} connected\n".encode()]


app = syncio.WSGIApp(server, site)
