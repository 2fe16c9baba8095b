"""A master's connection to one slave: its tasks, its heartbeats, and how it ends."""

from __future__ import annotations

import json
import logging
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..errors import BusyError, LocalError
from ..heartbeat import Watch, monitor_of
from ..runtime import Call
from ..states import Transitions
from .config import DEFAULT_SLAVE_PORT
from .envelope import Envelope
from .errors import RequestException, ResponseException
from .master_wire import MasterWire
from .service import ControllableContext
from .slave_line import SlaveLine
from .task import Task, TaskResultType
from .task_book import TaskBook
from .tokens import random_token

if TYPE_CHECKING:
    from .master import Master

__all__ = ["ConnectionState", "SlaveConnection"]

logger = logging.getLogger("syncio.interaction")


class ConnectionState(Enum):
    """Where a connection is."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"
    LOST = "lost"


NEW, CONNECTING, CONNECTED, DISCONNECTING, DISCONNECTED, LOST = ConnectionState

CONNECTION_STATES = Transitions(
    "connection to a slave",
    {
        NEW: (CONNECTING,),
        CONNECTING: (CONNECTED, NEW, DISCONNECTED),
        CONNECTED: (DISCONNECTING, DISCONNECTED, LOST),
        DISCONNECTING: (DISCONNECTED, CONNECTED, LOST),
        DISCONNECTED: (CONNECTING,),
        LOST: (CONNECTING,),
    },
)


class SlaveConnection(ControllableContext):
    """A slave as its master sees it, made by `Master.new_connection`. ``with`` connects and disconnects.

    :param master: whose it is.
    :param name: what the master calls it.
    :param host: where the slave is.
    :param port: None for 7236.
    :param https: whether the slave speaks TLS.
    """

    def __init__(self, master: Master, name: str, host: str, port: int | None = None, https: bool = False) -> None:
        self.name = name
        self.runtime = master.runtime
        self.token = ""
        self.slots = 1
        """How many tasks the slave takes at the same time; 0 if it is about to end."""
        self.last_heartbeat = 0.0
        """The monotonic time of the last sign of life."""
        self.since = 0.0
        """The monotonic time at which it was connected."""
        self.completed = 0
        self.failed = 0
        self._master = master
        self._config = master.config
        self._lock = master.runtime.lock()
        self._state = NEW
        self._tasks = TaskBook(master.runtime)
        self._watch: Watch | None = None
        self._wire: MasterWire | None = None
        place = host, DEFAULT_SLAVE_PORT if port is None else port, https
        self.line = SlaveLine(master, *place, lambda: self.token)
        """The requests to it."""

    def __repr__(self) -> str:
        return f"<SlaveConnection {self.name!r} {self.url} {self._state.value} tasks={len(self._tasks)}>"

    # ------------------------------------------------------------------ what there is to know

    @property
    def url(self) -> str:
        """Where the slave is."""
        return self.line.url

    @property
    def state(self) -> ConnectionState:
        """Where the connection is."""
        return self._state

    @property
    def is_connected(self) -> bool:
        """Whether the slave is ours."""
        return self._state in (CONNECTED, DISCONNECTING)

    @property
    def has_wire(self) -> bool:
        """Whether tasks and results travel over a WebSocket."""
        wire = self._wire
        return wire is not None and wire.is_open

    @property
    def tasks(self) -> list[Task]:
        """The tasks that are not over."""
        return self._tasks.all()

    @property
    def free_slots(self) -> int:
        """How many more tasks the slave would take now."""
        return max(0, self.slots - len(self._tasks)) if self._state is CONNECTED else 0

    # ------------------------------------------------------------------ connecting

    def start(self) -> Any:
        """The same as `connect`."""
        return self.connect()

    def close(self) -> Any:
        """The same as `disconnect`."""
        return self.disconnect()

    def connect(self) -> Any:
        """Connect to the slave.

        :return: what `Master._after_connect` returns.
        :raises KeyError: if the master has another connection of this name.
        :raises SlaveResponseException: if the slave refuses.
        :raises RequestException: if it cannot be reached; see `Master._error_connect`.
        :raises BusyError: if this is connected already, or about to be.
        :raises LocalError: if the master does not run.
        """
        master = self._master
        with self._lock:
            if not CONNECTION_STATES.allows(self._state, CONNECTING):
                raise BusyError(f"the connection {self.name!r} is {self._state.value} already")
            self._state = CONNECTION_STATES.move(self._state, CONNECTING)
            self.token = random_token()
            self.line.open()
        try:
            master.reserve(self)
            values, extras = self._ask_for_connection()
            self._connected(extras)
        except BaseException as exc:
            master.release(self)
            self.line.hang_up()
            with self._lock:
                if self._state is CONNECTING:
                    self._state = CONNECTION_STATES.move(self._state, NEW)
            if isinstance(exc, RequestException):
                return master._error_connect(exc)
            raise
        self._open(extras)
        return master._after_connect(*values)

    def _ask_for_connection(self) -> tuple[Envelope, dict[str, Any]]:
        asked = {
            "master": {"address": self.line.my_address()},
            "data": self._master._before_connect() or {},
            "syncio": {"wire": self._config.wire},
        }
        return self.line.ask("POST", "/connect", asked, self._config.secret)

    def _connected(self, extras: dict[str, Any]) -> None:
        now = self.runtime.now()
        slots = extras.get("slots")
        with self._lock:
            if self._state is not CONNECTING:
                raise RequestException(f"{self.name}: its master was closed")
            self._state = CONNECTION_STATES.move(self._state, CONNECTED)
            self.since = self.last_heartbeat = now
            self.slots = slots if isinstance(slots, int) and slots > 0 else 1
        self._watch = monitor_of(self.runtime).watch(now + self._config.heartbeat_tolerance, self._check)

    def _open(self, extras: dict[str, Any]) -> None:
        path = extras.get("wire")
        if self._config.wire and isinstance(path, str):
            wire = MasterWire(self, path, self._config)
            with self._lock:  # it may have ended meanwhile, and would not close this any more
                self._wire = wire if self._state is CONNECTED else None
            if self._wire is wire:
                wire.open()
        self._master.pool.pump()

    # ------------------------------------------------------------------ the end

    def disconnect(self) -> Any:
        """Let the slave go. Tasks that are not over are lost. Nothing happens if it is not connected.

        :return: what `Master._after_disconnect` returns.
        :raises SlaveResponseException: if the slave refuses; it stays connected then.
        :raises RequestException: if it cannot be reached; see `Master._error_disconnect`.
        """
        master = self._master
        with self._lock:
            if self._state is not CONNECTED:
                return None
            self._state = CONNECTION_STATES.move(self._state, DISCONNECTING)
        try:
            values, _ = self.line.ask("DELETE", "/disconnect", {"data": master._before_disconnect() or {}})
        except BaseException as exc:
            with self._lock:
                if self._state is DISCONNECTING:
                    self._state = CONNECTION_STATES.move(self._state, CONNECTED)
            master.pool.pump()  # meanwhile it has had no slot
            if isinstance(exc, RequestException):
                return master._error_disconnect(exc)
            raise
        self._end(DISCONNECTED, "its slave was disconnected")
        return master._after_disconnect(*values)

    def leave(self) -> None:
        """The master ends: tell the slave once, and do not wait long for what it says."""
        with self._lock:
            if self._state is not CONNECTED:
                return
            self._state = CONNECTION_STATES.move(self._state, DISCONNECTING)
        self.line.tell("/disconnect", {"data": {}})
        self._end(DISCONNECTED, "its master was closed")

    def abandon(self) -> None:
        """The master ends: whatever is still asked of the slave is given up."""
        self.line.close()
        self._end(DISCONNECTED, "its master was closed")

    def lost(self, reason: str) -> None:
        """The slave has died, or has gone."""
        if self._end(LOST, reason):
            logger.info("%s: lost, %s", self.name, reason)
            self._master.slave_lost(self, reason)

    def _end(self, state: ConnectionState, reason: str) -> bool:
        with self._lock:
            if not CONNECTION_STATES.allows(self._state, state):
                return False
            self._state = CONNECTION_STATES.move(self._state, state)
            watch, self._watch = self._watch, None
            wire, self._wire = self._wire, None
        if watch is not None:
            watch.cancel()
        self._master.release(self)
        self.line.hang_up()
        if wire is not None:
            wire.close()
        for task in self._tasks.clear():
            task.lost(f"{self.name}: {reason}")
        return True

    # ------------------------------------------------------------------ heartbeats

    def alive(self) -> None:
        """The slave has said something."""
        self.last_heartbeat = self.runtime.now()

    def heartbeat_over_http(self) -> None:
        """The slave lives, and has no wire: perhaps it can be had again."""
        self.alive()
        wire = self._wire
        if wire is not None:
            wire.reopen()

    def _check(self, now: float) -> float | None:
        """Asked by the monitor, on the duty worker."""
        if self._state not in (CONNECTED, DISCONNECTING):
            return None
        deadline = self.last_heartbeat + self._config.heartbeat_tolerance
        if now < deadline:
            return deadline
        self.lost(f"no heartbeat for {now - self.last_heartbeat:.1f} s")
        return None

    # ------------------------------------------------------------------ tasks

    def new_task(self, data: Any = None, timeout: float | None = None) -> Task:
        """A task for this slave, which is not started yet.

        :param data: goes into JSON.
        :param timeout: seconds from its start in which it has to be done; None for any time.
        """
        return Task(self, data, timeout)

    def expect(self, task: Task) -> None:
        """Keep a slot for a task that is about to be sent."""
        self._tasks.add(task)

    def start_task(self, task: Task) -> None:
        """See `Task.start`."""
        self.send_task(task)
        answer = task.await_answer(self._config.request_timeout + self._config.connect_timeout)
        if answer is None:
            answer = RequestException(f"{self.name}: no answer to the start of task {task.id}")
            if not task.not_started(answer):
                return  # its result, or its end, was faster
        if not isinstance(answer, BaseException):
            self._master._after_new_task(*answer)
        elif isinstance(answer, RequestException):
            self._master._error_new_task(answer)
        elif isinstance(answer, (ResponseException, LocalError)):
            raise answer

    def send_task(self, task: Task, waits: bool = True) -> None:
        """Have a task on its way; what becomes of it is told to the task.

        :param waits: whether this waits for the slave's answer if it has to come over HTTP; else a worker does.
        :raises ValueError: if it was started before.
        """
        task.begin()
        try:
            payload = self._master._before_new_task(task.task)
            payload = {} if payload is None else payload
            text = json.dumps(payload)
        except BaseException as exc:
            task.not_started(exc)
            raise
        self._tasks.add(task)
        if self._state is not CONNECTED:
            task.not_started(LocalError(f"the connection {self.name!r} is {self._state.value}: connect() it first"))
            return
        wire = self._wire
        if wire is not None and wire.send_task(task, text):
            return
        if waits:
            self.send_over_http(task, payload)
        else:
            self.line.errand(self.send_over_http, task, payload)

    def send_over_http(self, task: Task, payload: Any) -> None:
        """Bring a task to the slave by a request, and tell the task what comes of it."""
        try:
            values, _ = self.line.ask("POST", "/task/new", {"task": {"id": task.id}, "data": payload})
            task.answered(values)
        except (RequestException, ResponseException) as exc:
            task.not_started(exc)

    def forget_task(self, task: Task, tell: bool) -> None:
        """A task needs no result any more.

        :param tell: whether the slave may stop working on it.
        """
        if self._tasks.close(task.id) is None or self._state is not CONNECTED:
            return
        if tell:
            wire = self._wire
            if wire is None or not wire.send_cancel(task.id):
                self.line.errand(self.line.tell, "/task/cancel", {"task": {"id": task.id}})

    def slot_freed(self) -> None:
        """The slave may have another task, from a worker: this may be the loop, or the pool itself."""
        self.runtime.relay().submit(Call(self._master.pool.pump))

    def result_received(self, task_id: str, kind: TaskResultType, result: Any) -> bool:
        """A result came.

        :return: False if no such task was ever here. One that comes again changes nothing.
        """
        self.alive()
        if self._tasks.find(task_id) is None:
            return self._tasks.is_over(task_id)
        task = self._tasks.close(task_id)
        if task is None:
            return True  # somebody else has it now
        if kind is TaskResultType.COMPLETED:
            self.completed += 1
        else:
            self.failed += 1
        task.ended(kind, result)
        self._master.pool.pump()
        return True

    def progress_received(self, task_id: str, value: Any) -> bool:
        """A slave says how far a task is; False if there is no such task."""
        self.alive()
        task = self._tasks.find(task_id)
        if task is None:
            return False
        task.progressed(value)
        return True

    def task_answered(self, task_id: str, answer: Envelope | BaseException) -> None:
        """The slave says by the wire what it thinks of a task."""
        self.alive()
        task = self._tasks.find(task_id)
        if task is None:
            return
        if isinstance(answer, BaseException):
            task.not_started(answer)
        else:
            task.answered(answer)
