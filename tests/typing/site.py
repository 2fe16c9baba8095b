"""A site as its author writes it, for `mypy --strict` to read. It is checked and never run.

Where a type has to be exactly so, `assert_type` says it; a line that must be an error carries an ignore, and
`warn_unused_ignores` (part of strict) complains on the day on which it is none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import syncio
from syncio import Server, SyncioError, WSGIApp, reason
from syncio.errors import ConfigurationError

if TYPE_CHECKING:
    from typing_extensions import assert_type

eio = Server(
    async_mode="threading",
    ping_interval=(25.0, 5.0),
    ping_timeout=20,
    cors_allowed_origins=["https://example.com", "https://*.example.org"],
    cookie={"name": "io", "SameSite": "Lax"},
    json=json,
    logger=logging.getLogger("site"),
    max_sessions=10_000,
)


@eio.on("connect")
def connect(sid: str, environ: dict[str, Any]) -> bool | None:
    """Only those with a name come in."""
    with eio.session(sid) as session:
        assert_type(session, dict[str, Any])
        session["name"] = environ.get("HTTP_X_NAME")
        return session["name"] is not None


@eio.on("message")
def message(sid: str, data: Any) -> None:
    """Tell everybody, and the sender twice."""
    eio.broadcast({"from": eio.get_session(sid)["name"], "said": data})
    eio.broadcast(b"\x00", sids=(known for known in eio.sockets if known != sid))
    eio.send(sid, "delivered")
    if eio.buffered_amount(sid) > 1_000_000:
        eio.disconnect(sid)


def disconnect(sid: str, why: str) -> None:
    """Say why."""
    if why != reason.CLIENT_DISCONNECT:
        eio.logger.info("%s was lost on %s: %s", sid, eio.transport(sid), why)


# A decorated handler is still the function that it was.
eio.on("disconnect", disconnect)("sid", "why")
assert_type(connect("sid", {}), "bool | None")
connect("sid")  # type: ignore[call-arg]

task = eio.start_background_task(eio.sleep, 0.5)
task.join(timeout=1.0)
event = eio.create_event()
event.set()


def site(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Any WSGI application."""
    start_response("200 OK", [])
    return [str(eio.stats()["sessions"]).encode()]


app = WSGIApp(eio, site, static_files={"/": "public/index.html"}, engineio_path="engine.io")
inside = WSGIApp(eio)
assert_type(app({}, lambda status, headers: None), Iterable[bytes])
assert_type(syncio.__version__, str)
assert_type(eio.generate_id(), str)
assert_type(eio.async_modes(), list[str])

try:
    Server(ping_timeout=-1)
except ConfigurationError as error:
    assert_type(error.option, str)
    caught: SyncioError = error

eio.send(42, "x")  # type: ignore[arg-type]
eio.on("message", "not a function")  # type: ignore[call-overload]
WSGIApp("not a server")  # type: ignore[arg-type]
eio.shutdown(timeout="soon")  # type: ignore[arg-type]
