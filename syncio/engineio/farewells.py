"""The end of the process: every server says goodbye to its clients.

Workers of WSGI servers leave through `sys.exit`, so an exit hook is enough; nothing is done with signals.
"""

from __future__ import annotations

import atexit
import weakref
from typing import Protocol

__all__ = ["say_goodbye_at_exit"]

PATIENCE = 0.5
"""Seconds that the disconnect handlers of a process that ends may take."""


class Closable(Protocol):
    """A server."""

    def shutdown(self, timeout: float = ...) -> None: ...


_servers: weakref.WeakSet[Closable] = weakref.WeakSet()


def say_goodbye_at_exit(server: Closable) -> None:
    """Have `server` shut down when the process ends."""
    if not _servers:
        atexit.register(_say_goodbye)
    _servers.add(server)


def _say_goodbye() -> None:
    for server in list(_servers):
        server.shutdown(timeout=PATIENCE)
    _servers.clear()
