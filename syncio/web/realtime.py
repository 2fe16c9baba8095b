"""Realtime in an app: its events run with the app, the session and `g` of the user who is connected; and rooms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.utils import send_file

from ..engineio import Server
from ..engineio.config import takes
from .context import BorrowedContext

if TYPE_CHECKING:
    from .app import App
    from .sessions import Session
    from .wrappers import Request

__all__ = ["SCRIPT", "Realtime"]

SCRIPT = Path(__file__).parent / "static" / "syncio-client.js"
"""The client for browsers, which pages find beside the events: '/engine.io/syncio-client.js'."""

EVENTS = {"connect": (2, 1), "message": (2,), "disconnect": (2, 1)}
"""The events, and how many arguments their handlers may take."""


class Person:
    """Who is connected.

    :param request: the handshake.
    :param session: the user's, as it was then; all events of a connection share it.
    """

    __slots__ = ("request", "rooms", "session")

    def __init__(self, request: Request, session: Session) -> None:
        self.request = request
        self.session = session
        self.rooms: set[Hashable] = set()


class Realtime(Server):
    """The server of an app's events.

    :param app: whose they are.
    :param options: those of `syncio.Server`.
    """

    def __init__(self, app: App, **options: Any) -> None:
        super().__init__(**options)
        self._app = app
        self._functions: dict[str, list[tuple[Callable[..., Any], int]]] = {event: [] for event in EVENTS}
        self._people: dict[str, Person] = {}
        self._rooms: dict[Hashable, set[str]] = defaultdict(set)
        self._rooms_lock = self.runtime.lock()
        self.on("connect", self._connected)
        self.on("message", self._received)
        self.on("disconnect", self._disconnected)

    def handle_request(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer an HTTP request: for the browser's script, or for the engine."""
        if str(environ.get("PATH_INFO")).endswith(f"/{SCRIPT.name}"):
            return send_file(SCRIPT, environ)(environ, start_response)
        return super().handle_request(environ, start_response)

    # ------------------------------------------------------------------ events

    def add(self, event: str, function: Callable[..., Any]) -> None:
        """Have a function called in an event, behind those that were added before.

        :param event: 'connect' (sid, environ) or (sid), 'message' (sid, data), 'disconnect' (sid, reason) or (sid).
        :raises ValueError: for another event.
        :raises TypeError: for a function that takes something else.
        """
        if event not in EVENTS:
            raise ValueError(f"there is no event {event!r}; there are: {', '.join(EVENTS)}")
        for count in EVENTS[event]:
            if takes(function, count):
                self._functions[event].append((function, count))
                return
        wanted = " or ".join("(sid)" if count == 1 else "(sid, ...)" for count in EVENTS[event])
        raise TypeError(f"a function for {event!r} takes {wanted}; see Realtime.add")

    def _connected(self, sid: str, environ: dict[str, Any]) -> Any:
        request = self._app.request_class(_kept(environ))
        with BorrowedContext(self._app, request) as context:
            self._people[sid] = Person(request, context.session)
            verdict: Any = False
            try:
                context.url_adapter  # noqa: B018  raises for a host that is not trusted, as in any request
                verdict = self._ask(sid, environ)
            except HTTPException as exc:
                verdict = exc.description or exc.name
            finally:
                if verdict is not True:
                    self._forget(sid)
            return verdict

    def _ask(self, sid: str, environ: dict[str, Any]) -> Any:
        """Whether everybody accepts a client: True, or the first reason against it."""
        for function, count in self._functions["connect"]:
            verdict = function(*(sid, environ)[:count])
            if verdict is not None and verdict is not True:
                return verdict
        return True

    def _received(self, sid: str, data: Any) -> None:
        with self._context(sid):
            for function, _ in self._functions["message"]:
                function(sid, data)

    def _disconnected(self, sid: str, reason: str) -> None:
        try:
            with self._context(sid):
                for function, count in self._functions["disconnect"]:
                    function(*(sid, reason)[:count])
        finally:
            self._forget(sid)

    def _context(self, sid: str) -> BorrowedContext:
        person = self._people[sid]
        return BorrowedContext(self._app, person.request, person.session)

    def _forget(self, sid: str) -> None:
        with self._rooms_lock:
            person = self._people.pop(sid, None)
            for room in person.rooms if person is not None else ():
                self._out(sid, room)

    # ------------------------------------------------------------------ rooms

    def join(self, sid: str, room: Hashable) -> None:
        """Put a client into a room, which begins with its first one.

        :raises KeyError: if nobody is connected under that sid.
        """
        with self._rooms_lock:
            self._people[sid].rooms.add(room)
            self._rooms[room].add(sid)

    def leave(self, sid: str, room: Hashable) -> None:
        """Take a client out of a room; nothing happens if it is not in there. Who disconnects leaves all."""
        with self._rooms_lock:
            person = self._people.get(sid)
            if person is not None and room in person.rooms:
                person.rooms.discard(room)
                self._out(sid, room)

    def _out(self, sid: str, room: Hashable) -> None:
        members = self._rooms[room]
        members.discard(sid)
        if not members:
            del self._rooms[room]

    def rooms(self, sid: str) -> set[Hashable]:
        """The rooms that a client is in."""
        with self._rooms_lock:
            person = self._people.get(sid)
            return set(person.rooms) if person is not None else set()

    def members(self, room: Hashable) -> set[str]:
        """The clients that are in a room."""
        with self._rooms_lock:
            return set(self._rooms.get(room, ()))

    def broadcast(
        self, data: Any, sids: Iterable[str] | None = None, *, room: Hashable = None, skip: str | None = None
    ) -> None:
        """Send a message to many; it is encoded once per transport.

        :param sids: to whom; None for all.
        :param room: only to those in a room.
        :param skip: not to this one: usually who has said it.
        """
        if room is not None:
            sids = self.members(room)
        if skip is not None:
            sids = [sid for sid in (list(self.sockets) if sids is None else sids) if sid != skip]
        super().broadcast(data, sids)


def _kept(environ: dict[str, Any]) -> dict[str, Any]:
    """What of an environment lives as long as the connection: no sockets and no files."""
    kept: dict[str, Any] = {name: item for name, item in environ.items() if isinstance(item, (str, int, bool, tuple))}
    kept["wsgi.input"] = BytesIO()
    return kept
