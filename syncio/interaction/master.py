"""The master: its slaves by name, what they may ask of it, and a pool of all of them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from ..errors import LocalError
from ..runtime import Call
from ..streams import show
from .asking import Asked, Reply
from .codes import MasterErrorCode
from .config import MasterConfig
from .connection import SlaveConnection
from .endpoint import Endpoint, EndpointState
from .envelope import ResponsibleException
from .hooks import MasterHooks
from .http_engine import HttpEngine
from .joining import Joining
from .pool import Pool, TaskRetry
from .status_page import StatusPage
from .task import TaskResultType
from .task_future import TaskFuture

__all__ = ["Master"]

logger = logging.getLogger("syncio.interaction")

LEAVING = 0.1
"""Seconds that slaves have for our goodbye."""
ANY = ("0.0.0.0", "", "::")


class Master(MasterHooks, Endpoint):
    """A coordinator of slaves. ``with`` starts and closes it.

    Its options are described in `syncio.interaction.config.MasterConfig`; None means the default everywhere, and 0
    means 0.

    :param host: where it listens; all addresses by default.
    :param port: 7235 by default; 0 for any free port.
    :param heartbeat_tolerance: seconds for which a slave may be silent; 17 by default.
    :param heartbeat_check_span: seconds by which that may be noticed too late.
    :param request_retries: further attempts of a request that had no answer; 5 by default.
    :param request_retry_waiting: seconds before the first of them; 1 by default.
    :param channel: slaves have to be on the same one; 0 by default.
    :param my_address: the URL at which slaves reach it; by default what it listens on, as each slave sees it.
    :raises ConfigurationError: for a value that cannot work.
    """

    codes = MasterErrorCode
    config: MasterConfig

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        heartbeat_tolerance: float | None = None,
        heartbeat_check_span: float | None = None,
        request_retries: int | None = None,
        request_retry_waiting: float | None = None,
        channel: int | None = None,
        my_address: str | None = None,
        **options: Any,
    ) -> None:
        self.config = MasterConfig.of(
            {
                "host": host,
                "port": port,
                "heartbeat_tolerance": heartbeat_tolerance,
                "heartbeat_check_span": heartbeat_check_span,
                "request_retries": request_retries,
                "request_retry_waiting": request_retry_waiting,
                "channel": channel,
                "my_address": my_address,
                **options,
            }
        )
        super().__init__(self.config)
        self._slaves: dict[str, SlaveConnection] = {}
        self._by_token: dict[bytes, SlaveConnection] = {}
        self.pool = Pool(self.runtime, self.connections, self.config.queue_size)
        self._route("/slave/heartbeat", "GET", self._heartbeat)
        self._route("/slave/task/complete", "PUT", lambda asked: self._result(asked, TaskResultType.COMPLETED))
        self._route("/slave/task/fail", "PUT", lambda asked: self._result(asked, TaskResultType.FAILED))
        self._route("/slave/task/progress", "PUT", self._progress)
        self._route("/slave/leave", "DELETE", self._slave_leaves)
        self._joining = Joining(self) if self.config.accept_slaves else None
        if self._joining is not None:
            self._route("/slave/join", "POST", self._joining.join)
        self._status_page = StatusPage(self, self._app) if self.config.status_page else None

    # ------------------------------------------------------------------ slaves

    @property
    def my_address(self) -> str:
        """The URL at which slaves reach it; of a master that listens on all addresses, the one for this host."""
        return self.config.my_address or self._server.url

    def address_for(self, engine: HttpEngine) -> str:
        """The URL at which a slave reaches it.

        :raises RequestException: if that depends on the slave, and it cannot be reached.
        """
        if self.config.my_address is not None or self.host not in ANY:
            return self.my_address
        return f"{self._server.scheme}://{show((engine.local_host(), self.port))}"

    def new_connection(self, name: str, host: str, port: int | None = None, https: bool = False) -> SlaveConnection:
        """A connection to a slave, which is not connected yet.

        :param name: what the slave is called here; one name has one live connection.
        :param host: where the slave is.
        :param port: None for 7236.
        :param https: whether it speaks TLS.
        :raises KeyError: if a live connection has that name.
        """
        if name in self:
            raise KeyError(f"Connection {name!r} already exist.")
        return SlaveConnection(self, name, host, port, https)

    def connections(self) -> list[SlaveConnection]:
        """All live connections."""
        with self._lock:
            return [slave for slave in self._slaves.values() if slave.is_connected]

    def __contains__(self, name: str) -> bool:
        slave = self._slaves.get(name)
        return slave is not None and slave.is_connected

    def __getitem__(self, name: str) -> SlaveConnection:
        slave = self._slaves.get(name)
        if slave is None or not slave.is_connected:
            raise KeyError(f"Connection {name!r} not found.")
        return slave

    def __delitem__(self, name: str) -> None:
        self[name].disconnect()

    def __iter__(self) -> Iterator[str]:
        return iter([slave.name for slave in self.connections()])

    def __len__(self) -> int:
        return len(self.connections())

    def reserve(self, slave: SlaveConnection) -> None:
        """Called by a connection that is about to connect: the name is its, and its token is known from now on.

        :raises KeyError: if another one has the name.
        :raises LocalError: if this does not run, or ends: nobody would let that slave go.
        """
        with self._lock:
            if self._state is not EndpointState.RUNNING:
                raise LocalError(f"the master is {self._state.value}: start() it first")
            if slave.name in self._slaves:
                raise KeyError(f"Connection {slave.name!r} already exist.")
            self._slaves[slave.name] = slave
            self._by_token[_digest(slave.token)] = slave

    def release(self, slave: SlaveConnection) -> None:
        """Called by a connection that has ended."""
        with self._lock:
            if self._slaves.get(slave.name) is slave:
                del self._slaves[slave.name]
            if self._by_token.get(_digest(slave.token)) is slave:
                del self._by_token[_digest(slave.token)]

    def slave_lost(self, slave: SlaveConnection, reason: str) -> None:
        """Called by a connection that was lost."""
        self.runtime.relay().submit(Call(self._tell_lost, slave.name, reason))
        self.runtime.relay().submit(Call(self.pool.pump))

    def _tell_lost(self, name: str, reason: str) -> None:
        try:
            self._lost_slave(name, reason)
        except Exception:
            logger.exception("_lost_slave failed")

    # ------------------------------------------------------------------ tasks for whoever is free

    def submit(
        self, data: Any = None, timeout: float | None = None, retry: TaskRetry | None = None, wait: float | None = None
    ) -> TaskFuture:
        """Give a task to whichever slave is free, now or later.

        :param data: goes into JSON.
        :param timeout: seconds from its start on a slave in which it has to be done; None for any time.
        :param retry: what happens when it does not end well; None for a new attempt on another slave when one was lost.
        :param wait: seconds to wait while `queue_size` tasks wait already; None for as long as it takes.
        :raises RequestTimeout: if there was no room in that time.
        :raises LocalError: after `drain`, or if the master was closed.
        """
        return self.pool.submit(data, timeout, retry, wait)

    def map(
        self,
        items: Iterable[Any],
        timeout: float | None = None,
        retry: TaskRetry | None = None,
        progress: bool | Callable[[int, int | None], None] = False,
    ) -> Iterator[Any]:
        """The results of many tasks, in the order of their data. As many as the slaves can take are under way.

        :param items: the tasks' data; taken as needed.
        :param timeout: seconds for each of them.
        :param retry: see `submit`.
        :param progress: True draws a bar on the standard error, if that is a terminal; or a function of the number of
            those that are done, and of all if that is known.
        :raises TaskError: where one has not ended well.
        """
        return self.pool.map(items, timeout, retry, progress)

    def wait_for_slaves(self, count: int = 1, timeout: float | None = None) -> None:
        """Wait until so many slaves are connected.

        :param timeout: seconds; None for as long as it takes.
        :raises RequestTimeout: if it takes longer.
        """
        self.pool.wait_for_slaves(count, timeout)

    def drain(self, timeout: float | None = None) -> bool:
        """Take no more tasks, and wait for those that there are.

        :param timeout: seconds; None for as long as it takes.
        :return: whether all are over.
        """
        return self.pool.drain(timeout)

    # ------------------------------------------------------------------ its life

    def _begin(self) -> None:
        self.pool.open()

    def _leave(self) -> None:
        self.pool.close()
        if self._status_page is not None:
            self._status_page.close()
        with self._lock:
            slaves = list(self._slaves.values())  # also those that are being connected
        left = [self.runtime.start("syncio-goodbye", slave.leave) for slave in slaves]
        until = self.runtime.now() + LEAVING
        for task in left:
            task.join(max(0.0, until - self.runtime.now()))
        for slave in slaves:
            slave.abandon()

    def _front(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        page = self._status_page
        return (page or self._app)(environ, start_response)

    # ------------------------------------------------------------------ requests of slaves

    def _check_own(self, asked: Asked) -> None:
        self._check_self(asked, MasterErrorCode.SELF_TOKEN_NOT_GIVEN, MasterErrorCode.SELF_TOKEN_INVALID, "Master")

    def _slave(self, asked: Asked) -> SlaveConnection:
        """Whose request this is."""
        self._check_channel(asked, MasterErrorCode.CHANNEL_NOT_GIVEN)
        token = self._token(asked, MasterErrorCode.SLAVE_TOKEN_NOT_GIVEN, "Slave")
        # By the digest: how long it takes to look that up says nothing about the token.
        slave = self._by_token.get(_digest(token))
        if slave is None:
            raise ResponsibleException(
                MasterErrorCode.SLAVE_TOKEN_INVALID, "No matching slave token found in this endpoint.", status_code=403
            )
        return slave

    def _heartbeat(self, asked: Asked) -> Reply:
        self._slave(asked).heartbeat_over_http()
        return Reply("Received!")

    @staticmethod
    def _task_of(body: dict[str, Any], member: str) -> tuple[str, Any] | str:
        """The task of a request and what is said of it, or what is missing."""
        task = body.get("task")
        if not isinstance(task, dict):
            return "Task information not found."
        if "id" not in task:
            return "Task ID not found."
        try:
            task_id = str(UUID(task["id"]))
        except (ValueError, TypeError, AttributeError):
            raise ResponsibleException(MasterErrorCode.TASK_DATA_INVALID, "Task ID is no UUID.") from None
        if member not in body:
            raise ResponsibleException(MasterErrorCode.TASK_DATA_INVALID, f"Task {member} not found.")
        return task_id, body[member]

    def _result(self, asked: Asked, kind: TaskResultType) -> Reply:
        slave = self._slave(asked)
        found = self._task_of(asked.body(MasterErrorCode.TASK_DATA_INVALID), "result")
        if isinstance(found, str):
            # With the status 200, which is the original's answer to this.
            raise ResponsibleException(MasterErrorCode.TASK_DATA_INVALID, found, status_code=200)
        if not slave.result_received(found[0], kind, found[1]):
            raise ResponsibleException(
                MasterErrorCode.TASK_DATA_INVALID, f"There is no task {found[0]}.", status_code=404
            )
        return Reply("Result received!")

    def _progress(self, asked: Asked) -> Reply:
        slave = self._slave(asked)
        found = self._task_of(asked.body(MasterErrorCode.TASK_DATA_INVALID), "progress")
        if isinstance(found, str):
            raise ResponsibleException(MasterErrorCode.TASK_DATA_INVALID, found)
        if not slave.progress_received(*found):
            raise ResponsibleException(
                MasterErrorCode.TASK_DATA_INVALID, f"There is no task {found[0]}.", status_code=404
            )
        return Reply("Progress received!")

    def _slave_leaves(self, asked: Asked) -> Reply:
        self._slave(asked).lost("the slave was closed")
        return Reply("Goodbye!")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
