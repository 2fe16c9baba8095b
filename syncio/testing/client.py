"""A client that talks to a WSGI application in its own process: the real protocol, and no network.

Every connection is a pair of sockets, of which the application gets one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..engineio import Client, Retry, Server, WSGIApp
from ..engineio.client.polling import ClientPolling
from ..errors import LocalError, RequestTimeout
from ..runtime import choose_runtime
from .memory import MemorySession, memory_dial

__all__ = ["TestClient"]

URL = "http://testserver"

_clients: weakref.WeakSet[TestClient] = weakref.WeakSet()


class TestClient(Client):
    """A `syncio.Client` of an application, which notes what it gets.

    :param app: a WSGI application with a server in it, or a `syncio.Server` itself.
    :param options: those of `syncio.Client`.
    """

    __test__ = False  # for pytest: this is no test

    def __init__(self, app: Server | Callable[..., Iterable[bytes]], **options: Any) -> None:
        if isinstance(app, Server):
            app = WSGIApp(app)
        if not callable(app):
            raise LocalError(f"{app!r} is no WSGI application, and no Server")
        super().__init__(http_session=MemorySession(choose_runtime(), app, URL), **options)
        self._opener.dial = memory_dial(app)
        self.received: list[Any] = []
        """Messages that came and that nobody has asked for by `receive`."""
        self.end: str | None = None
        """The reason for which the session has ended."""
        self.has_vanished = False
        """Whether `vanish` was called."""
        self._came = self.runtime.event()
        _clients.add(self)
        super().on("message", self._note)
        super().on("disconnect", self._note_end)

    @staticmethod
    def all() -> list[TestClient]:
        """Those of this process."""
        return list(_clients)

    def _note(self, data: Any) -> None:
        self.received.append(data)
        self._came.set()

    def _note_end(self, why: str) -> None:
        self.end = why
        self._came.set()

    def connect(
        self,
        url: str = URL,
        headers: Mapping[str, str] | None = None,
        transports: str | Sequence[str] | None = None,
        engineio_path: str = "engine.io",
        retry: Retry | int | bool | None = None,
    ) -> None:
        """Connect, as `syncio.Client` does.

        :raises ConnectionError: if the application refuses.
        """
        self.end = None
        self.has_vanished = False
        super().connect(url, headers, transports, engineio_path, retry)

    def _received(self, session: Any, packets: Any, end: str | None) -> None:
        if not self.has_vanished:
            super()._received(session, packets, end)

    def rests(self, parked: bool) -> bool:
        """Whether nothing of it is on its way to the server.

        :param parked: whether a poll of it waits there.
        """
        link = self._link
        return not isinstance(link, ClientPolling) or (not link.is_posting and (parked or not link.is_polling))

    def vanish(self) -> None:
        """Be gone as a client is whose network fails: nothing is said, and nothing is answered from now on. To the
        server that is silence, which its heartbeat notices; see `Clock`."""
        self.has_vanished = True
        if isinstance(self._link, ClientPolling):
            self._link.stop()

    def receive(self, timeout: float = 5.0) -> Any:
        """The next message.

        :param timeout: seconds to wait for it.
        :raises RequestTimeout: if none came in that time, or the session has ended.
        """
        until = self.runtime.now() + timeout
        while not self.received:
            left = until - self.runtime.now()
            if left <= 0 or self.end is not None:
                raise RequestTimeout("waiting for a message" + (f" ({self.end})" if self.end else ""), timeout)
            self._came.wait(left)
            self._came.clear()
        return self.received.pop(0)
