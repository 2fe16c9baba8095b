"""Those WSGI servers that are no command: python serve.py HOST MODULE PORT.

HOST is `werkzeug`, `pywsgi`, or `pywsgi-websocket`, which is pywsgi with gevent-websocket's handler. None of them
writes a line for each request.
"""

import importlib
import logging
import sys
from typing import Any


def werkzeug(module: str, port: int) -> None:
    """A thread for each connection."""
    from werkzeug.serving import run_simple

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    run_simple("127.0.0.1", port, importlib.import_module(module).app, threaded=True)


def pywsgi(module: str, port: int, **options: Any) -> None:
    """A greenlet for each connection, in a patched process."""
    from gevent import monkey

    monkey.patch_all()
    from gevent.pywsgi import WSGIServer

    WSGIServer(("127.0.0.1", port), importlib.import_module(module).app, log=None, **options).serve_forever()


def pywsgi_websocket(module: str, port: int) -> None:
    """The same with the handler that some frameworks need for WebSocket."""
    from gevent import monkey

    monkey.patch_all()
    from geventwebsocket.handler import WebSocketHandler

    pywsgi(module, port, handler_class=WebSocketHandler)


HOSTS = {"werkzeug": werkzeug, "pywsgi": pywsgi, "pywsgi-websocket": pywsgi_websocket}

host, module, port = sys.argv[1:]
HOSTS[host](module, int(port))
