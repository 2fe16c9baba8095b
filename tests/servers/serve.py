"""``python -m tests.servers.serve KIND PORT module:app``: the servers that have no command line of their own."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

GREENLETS = ("gevent-pywsgi", "gevent-websocket-handler")
WAITING_FOR_THREADS = ("waitress", "cheroot")
"""They wait for their threads before the process may end, so the application has to let go of parked polls itself."""


def main(kind: str, port: int, target: str) -> None:
    """Serve until SIGTERM."""
    if kind in GREENLETS:
        from gevent import monkey

        monkey.patch_all()
    module, _, name = target.partition(":")
    app = getattr(importlib.import_module(module), name)

    def leave(*_: object) -> None:
        if kind in WAITING_FOR_THREADS:
            app.engineio_app.shutdown()
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    SERVERS[kind](port, app)


def serve_werkzeug(port: int, app: Any) -> None:
    """The development server."""
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", port, app, threaded=True)


def serve_pywsgi(port: int, app: Any) -> None:
    """gevent's server."""
    from gevent.pywsgi import WSGIServer

    WSGIServer(("127.0.0.1", port), app).serve_forever()


def serve_gevent_websocket(port: int, app: Any) -> None:
    """gevent's server with gevent-websocket's handler."""
    from gevent.pywsgi import WSGIServer
    from geventwebsocket.handler import WebSocketHandler  # type: ignore[import-untyped]

    WSGIServer(("127.0.0.1", port), app, handler_class=WebSocketHandler).serve_forever()


def serve_waitress(port: int, app: Any) -> None:
    """waitress."""
    import waitress  # type: ignore[import-untyped]

    waitress.serve(app, host="127.0.0.1", port=port, threads=8)


def serve_cheroot(port: int, app: Any) -> None:
    """cheroot."""
    from cheroot.wsgi import Server

    Server(("127.0.0.1", port), app, numthreads=8).safe_start()


SERVERS = {
    "werkzeug": serve_werkzeug,
    "gevent-pywsgi": serve_pywsgi,
    "gevent-websocket-handler": serve_gevent_websocket,
    "waitress": serve_waitress,
    "cheroot": serve_cheroot,
}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
