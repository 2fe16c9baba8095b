"""What Werkzeug had until 2.1: an app that is running can be stopped by one of its own views."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Thread
from typing import Any

from werkzeug.serving import make_server

__all__ = ["serve"]


def serve(app: Any, host: str, port: int) -> None:
    """Serve an app until a view has called `werkzeug.server.shutdown` in its environ.

    One request is served at a time: that one has been answered, then, when the process ends behind it.
    """

    def with_shutdown(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # It waits for the loop that this call comes from.
        environ["werkzeug.server.shutdown"] = Thread(target=server.shutdown, daemon=True).start
        answer: Iterable[bytes] = app(environ, start_response)
        return answer

    server = make_server(host, port, with_shutdown)
    server.serve_forever()
