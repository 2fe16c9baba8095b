"""The master's end of the wire: one WebSocket to a slave of ours, for tasks, progress, results and heartbeats.

HTTP is there all the time: what the wire does not bring goes that way, and a wire that broke is dialled again.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..engineio.client import Client
from ..errors import ConnectionError, RequestTimeout, SyncioError
from ..runtime import Call
from .config import MasterConfig
from .errors import HTTPError, get_slave_exception_by_error
from .http_engine import HttpRequest, HttpResponse
from .task import TaskResultType

if TYPE_CHECKING:
    from .connection import SlaveConnection
    from .task import Task

__all__ = ["MasterWire"]

logger = logging.getLogger("syncio.interaction")

SOON = 0.02
"""Seconds after which a result is confirmed, if no task takes that along before."""
RESULTS = {"complete": TaskResultType.COMPLETED, "fail": TaskResultType.FAILED}


class MasterWire:
    """The wire to one slave.

    :param connection: hears what it brings.
    :param path: where it is at the slave.
    """

    def __init__(self, connection: SlaveConnection, path: str, config: MasterConfig) -> None:
        self._connection = connection
        self._path = path
        self._config = config
        self._lock = connection.runtime.lock()
        self._asked: dict[str, tuple[Task, str]] = {}
        self._client: Client | None = None
        self._got: deque[str] = deque()  # the ids of results that the slave still keeps
        self._is_confirming = False
        self._is_dialling = False
        self._closed = False
        self.is_open = False
        """Whether it carries anything."""
        self._meanings: dict[str, Callable[..., None]] = {
            "took": self._took,
            "done": self._done,
            "progress": connection_progress(connection),
            "alive": connection.alive,
            "bye": lambda: connection.lost("the slave was closed"),
        }

    # ------------------------------------------------------------------ its beginning and its end

    def open(self) -> None:
        """Dial; what goes wrong is no harm: HTTP stays."""
        connection, config = self._connection, self._config
        client = Client(
            request_timeout=config.connect_timeout,
            websocket_extra_options={
                "max_message_size": 2 * config.max_body,
                "sslopt": {"context": config.client_tls} if config.client_tls is not None else {},
            },
        )
        client.on("message", self._received)
        client.on("disconnect", partial(self._broken, client))
        with self._lock:
            if self._is_dialling or self.is_open or self._closed:
                return
            self._is_dialling = True
        headers = {"Channel": str(config.channel), "Token": connection.token}
        try:
            client.connect(connection.url, headers, "websocket", self._path)
        except (ConnectionError, SyncioError) as exc:
            logger.debug("%s: no wire, HTTP goes on: %s", connection.name, exc)
            with self._lock:
                self._is_dialling = False
            return
        with self._lock:
            self._is_dialling = False
            closed = self._closed
            if not closed and client.state == "connected":
                self._client = client
                self.is_open = True
        if closed:
            client.disconnect()

    def reopen(self) -> None:
        """The slave has no wire, even if we have not noticed: dial again, on a worker of the relay."""
        if not self._is_dialling and not self._closed:
            self._connection.runtime.relay().submit(Call(self._redial))

    def _redial(self) -> None:
        client = self._client
        if client is not None:
            client.disconnect(abort=True)
            self._broken(client, "the slave has lost it")
        self.open()

    def close(self) -> None:
        """Let it end."""
        with self._lock:
            self._closed = True
            self.is_open = False
            client, self._client = self._client, None
        if client is not None:
            client.disconnect(abort=True)

    def _broken(self, client: Client, reason: str) -> None:
        """It has ended: what the slave has not taken goes by HTTP."""
        with self._lock:
            if self._client is not client:
                return
            self.is_open = False
            self._client = None
            asked = list(self._asked.values())
            self._asked.clear()
        if self._closed:
            return
        logger.debug("%s: the wire broke (%s), HTTP goes on", self._connection.name, reason)
        for task, text in asked:
            # Once more, perhaps: the slave knows a task by its id.
            self._connection.line.errand(self._connection.send_over_http, task, json.loads(text))

    # ------------------------------------------------------------------ out

    def send_task(self, task: Task, text: str) -> bool:
        """Have a task on its way.

        :param text: its data, as JSON.
        :return: False if it has to go by HTTP.
        """
        with self._lock:
            client = self._client
            if client is None or not self.is_open:
                return False
            self._asked[task.id] = task, text
        if self._send(client, f'["task","{task.id}",{text}{self._confirmed()}]'):
            return True
        with self._lock:
            return self._asked.pop(task.id, None) is None  # else whoever took it has sent it by HTTP

    def send_cancel(self, task_id: str) -> bool:
        """Tell the slave that nobody wants a result; False if that has to go by HTTP."""
        client = self._client
        return client is not None and self._send(client, f'["cancel","{task_id}"]')

    def _send(self, client: Client, text: str) -> bool:
        try:
            client.send(text, timeout=0.0)
        except (RequestTimeout, SyncioError):
            return False
        return True

    # ------------------------------------------------------------------ in

    def _received(self, message: Any) -> None:
        try:
            kind, *values = message
            self._meanings[kind](*values)
        except (TypeError, ValueError, KeyError, AttributeError) as exc:
            logger.debug("%s: a message that means nothing: %s", self._connection.name, exc)

    def _took(self, task_id: str, status: int, said: dict[str, Any]) -> None:
        with self._lock:
            self._asked.pop(task_id, None)
        if status < 400:
            values = status, bool(said["success"]), int(said["code"]), said.get("message"), said.get("data")
            self._connection.task_answered(task_id, values)
            return
        request = HttpRequest("POST", self._connection.url + "/task/new", {}, b"")
        error: Exception = HTTPError(HttpResponse(status, {}, json.dumps(said).encode(), request))
        with contextlib.suppress(ValueError):  # a code that no slave has, as behind an error of its hook
            error = get_slave_exception_by_error(error)
        self._connection.task_answered(task_id, error)

    def _done(self, task_id: str, kind: str, result: Any) -> None:
        with self._lock:
            self._asked.pop(task_id, None)
        self._connection.result_received(task_id, RESULTS[kind], result)
        self._got.append(json.dumps(task_id))
        if not self._is_confirming:
            self._is_confirming = True
            relay = self._connection.runtime.relay()
            relay.call_at(relay.now + SOON, self._confirm)

    def _confirmed(self) -> str:
        """The results that have come and are not confirmed yet, as the end of a message."""
        words = ""
        while self._got:
            with contextlib.suppress(IndexError):  # two at once
                words += "," + self._got.popleft()
        return words

    def _confirm(self) -> None:
        """No task has taken them along."""
        self._is_confirming = False
        confirmed, client = self._confirmed(), self._client
        if confirmed and client is not None:
            self._send(client, f'["got"{confirmed}]')


def connection_progress(connection: SlaveConnection) -> Callable[[str, Any], None]:
    """What is done with a message of progress."""

    def progress(number: str, value: Any) -> None:
        connection.progress_received(number, value)

    return progress
