"""syncio: realtime for synchronous Python.

An Engine.IO v4 server that lives inside any WSGI server, on threads or greenlets.
"""

from .engineio import Server, WSGIApp, reason
from .errors import SyncioError

__all__ = ["Server", "SyncioError", "WSGIApp", "__version__", "reason"]

__version__ = "0.1.0"
