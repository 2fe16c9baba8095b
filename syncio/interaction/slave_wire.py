"""The slave's end of the wire: a WebSocket at which its master, and nobody else, may be."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..engineio import Server, WSGIApp
from .envelope import TAKEN, ResponsibleException
from .tokens import same_token

if TYPE_CHECKING:
    from .slave import Slave

__all__ = ["PATH", "SlaveWire"]

logger = logging.getLogger("syncio.interaction")

PATH = "wire"
"""Where it is."""
SOON = 0.004
"""Seconds in which a result says that a task was taken."""
SPARE = 4
"""Messages that are understood while every slot is at work."""
MOST_DIGITS = 64
"""Characters of an id."""
FAREWELL = 0.1
"""Seconds for the wire's end."""


class SlaveWire:
    """The wire to the master.

    :param slave: hears what it brings.
    :param app: what answers all other requests.
    """

    def __init__(self, slave: Slave, app: Callable[..., Iterable[bytes]]) -> None:
        config = slave.config
        self._slave = slave
        self._sid = ""
        self._link_send: Callable[[str], bool] | None = None
        self._server = Server(
            transports=["websocket"],
            ping_interval=max(config.heartbeat_span, 1.0),
            ping_timeout=max(2 * config.heartbeat_span, 1.0),  # heartbeats go astray until a dead wire is noticed
            max_http_buffer_size=2 * config.max_body,
            send_buffer_limit=4 * config.max_body,
            handlers_per_session=config.slots + SPARE,
        )
        self._server.on("connect", self._connected)
        self._server.on("message", self._received)
        self._server.on("disconnect", self._broken)
        self.wsgi_app = WSGIApp(self._server, app, engineio_path=PATH)
        self._meanings: dict[str, Callable[..., Any]] = {"task": self._task, "cancel": self._cancel, "got": self._got}

    def _send(self, sid: str, text: str) -> bool:
        if sid not in self._server.sockets:
            return False
        self._server.send(sid, text)
        return True

    def close(self) -> None:
        """Let it end, with what was sent."""
        self._server.shutdown(FAREWELL)

    def _connected(self, sid: str, environ: dict[str, Any]) -> bool:
        link = self._slave.link
        channel, token = environ.get("HTTP_CHANNEL"), environ.get("HTTP_TOKEN", "")
        if link is None or channel != str(self._slave.config.channel) or not same_token(token, link.token):
            return False
        before = link.send
        self._sid = sid
        link.send = self._link_send = partial(self._send, sid)
        if before is not None:
            self._slave.wire_broke(link)  # the master had noticed earlier than we have
        return True

    def _broken(self, sid: str, reason: str) -> None:
        link = self._slave.link
        if sid == self._sid and link is not None and link.send is self._link_send:
            link.send = None
            self._slave.wire_broke(link)

    def _received(self, sid: str, message: Any) -> None:
        link = self._slave.link
        if link is None or sid != self._sid or link.send is not self._link_send:
            return  # the wire of a master that has let us go
        try:
            kind, number, *values = message
            work = self._meanings[kind](_checked(number), *values)
        except (TypeError, ValueError, KeyError, AttributeError) as exc:
            logger.debug("a message that means nothing: %s", exc)
            return
        if work is None:
            return
        # Here, on the relay's worker, which another one replaces if this takes long: nobody has to be woken. A result
        # says that the task was taken; only of one that takes its time that is said before.
        relay = self._slave.runtime.relay()
        later = relay.call_at(relay.now + SOON, partial(self._say_taken, sid, number))
        try:
            work()
        finally:
            later.cancel()

    def _task(self, task_id: str, data: Any, *confirmed: str) -> Callable[[], None] | None:
        link, sid = self._slave.link, self._sid
        if link is None:
            return None
        for other in confirmed:
            link.confirmed(_checked(other))
        try:
            work = self._slave.take_task(link, task_id, data)
        except ResponsibleException as exc:
            self._refuse(sid, task_id, exc)
            return None
        except Exception as exc:
            logger.exception("_before_task failed")
            words = f"it failed with {type(exc).__name__}; the log says more"
            self._refuse(sid, task_id, ResponsibleException(message=words, status_code=500))
            return None
        if work is None:
            self._say_taken(sid, task_id)
        return work

    def _say_taken(self, sid: str, task_id: str) -> None:
        status, success, code, message, data = TAKEN
        said = {"success": success, "code": code, "message": message, "data": data}
        self._send(sid, json.dumps(["took", task_id, status, said]))

    def _refuse(self, sid: str, task_id: str, why: ResponsibleException) -> None:
        said = {"success": False, "code": int(why.code), "message": why.message, "data": why.data}
        self._send(sid, json.dumps(["took", task_id, why.status_code, said]))

    def _cancel(self, task_id: str) -> None:
        self._slave.cancel_task(task_id)

    def _got(self, *confirmed: str) -> None:
        link = self._slave.link
        if link is not None:
            for task_id in confirmed:
                link.confirmed(_checked(task_id))


def _checked(number: object) -> str:
    """The id of a task.

    :raises TypeError: if it is none.
    """
    if not isinstance(number, str) or len(number) > MOST_DIGITS:
        raise TypeError(f"an id is a text of at most {MOST_DIGITS} characters")
    return number
