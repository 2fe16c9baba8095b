"""syncio: realtime for synchronous Python.

An Engine.IO v4 server that lives inside any WSGI server, and a client, on threads or greenlets.
"""

from .engineio import Client, Retry, Server, WSGIApp, reason
from .errors import ConnectionError, SyncioError

__all__ = ["Client", "ConnectionError", "Retry", "Server", "SyncioError", "WSGIApp", "__version__", "reason"]

__version__ = "0.1.0"
