"""A task: what is done with it, from its start to its result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import IntEnum, unique
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, RequestTimeout
from ..heartbeat import Watch, monitor_of
from ..runtime import Future, Lane, Latch
from ..states import Transitions
from .envelope import TAKEN, Envelope
from .errors import RequestException, TaskCancelled, TaskFailed, TaskLost, TaskTimeout
from .task_future import TaskFuture
from .tokens import new_id

if TYPE_CHECKING:
    from .connection import SlaveConnection

__all__ = ["TASK_STATES", "Task", "TaskResultType", "TaskStatus"]

logger = logging.getLogger("syncio.interaction")

Callback = Callable[[Any, Any], Any]
"""Called with the task's data and its result (or progress)."""


@unique
class TaskResultType(IntEnum):
    """How a task ended, as its slave says."""

    COMPLETED = 1
    FAILED = 2


@unique
class TaskStatus(IntEnum):
    """Where a task is."""

    IDLE = 0x00
    """Not started."""
    STARTING = 0x11
    """On its way to the slave."""
    STARTED = 0x12
    """The slave has it."""
    START_FAILED = 0x13
    """The slave could not be reached, or has refused it."""
    COMPLETED = 0x21
    """It has a result."""
    FAILED = 0x22
    """It has failed, or was not done in time."""
    LOST = 0x23
    """Its slave has died, or was disconnected."""
    CANCELLED = 0x24
    """Nobody wants its result any more."""


IDLE, STARTING, STARTED, START_FAILED, COMPLETED, FAILED, LOST, CANCELLED = TaskStatus
ENDS = (COMPLETED, FAILED, LOST, CANCELLED)

TASK_STATES = Transitions(
    "task",
    {
        IDLE: (STARTING, CANCELLED),
        STARTING: (STARTED, START_FAILED, *ENDS),  # a result may come before the answer that the task has started
        STARTED: ENDS,
        START_FAILED: (),
        COMPLETED: (),
        FAILED: (),
        LOST: (),
        CANCELLED: (),
    },
)


class Task:
    """One task for one slave, made by `SlaveConnection.new_task`. Its methods can be chained.

    :param connection: whose task it is.
    :param data: what the slave is given; goes into JSON.
    :param timeout: seconds from its start in which it has to be done; None for any time.
    """

    def __init__(self, connection: SlaveConnection, data: Any, timeout: float | None = None) -> None:
        self.id = new_id()
        self.timeout = checked_timeout(timeout)
        self._connection = connection
        self._runtime = connection.runtime
        self._data = data
        self._lock = connection.runtime.lock()
        self._status = IDLE
        self._result: Any = None
        self._error: BaseException | None = None
        self._progress: Any = None
        self._answered = Latch(connection.runtime)
        self._answer: Envelope | BaseException | None = None
        self._over = Latch(connection.runtime)
        self._callbacks: list[tuple[str, Callback]] = []
        self._told = ""  # whose callbacks have been called: of others it is too late to hear
        self._lane: Lane | None = None
        self._watch: Watch | None = None
        self._future: TaskFuture | None = None
        self.then: Callable[[Task], None] | None = None
        """Called when it is over, before anybody else; must not block."""

    def __repr__(self) -> str:
        return f"<Task {self.id} {self._status.name}>"

    # ------------------------------------------------------------------ what there is to know

    @property
    def status(self) -> TaskStatus:
        """Where it is."""
        return self._status

    @property
    def task(self) -> Any:
        """The data that it was made with."""
        return self._data

    @property
    def result(self) -> Any:
        """What the slave has said at its end; None until then."""
        return self._result

    @property
    def progress(self) -> Any:
        """What the slave has said last while it works; None until then."""
        return self._progress

    @property
    def error(self) -> BaseException | None:
        """What went wrong; None until then, and if it was completed."""
        return self._error

    @property
    def future(self) -> TaskFuture:
        """The same as a future: `result(timeout)`, `exception(timeout)`, `concurrent.futures.wait`."""
        with self._lock:
            future = self._future
            if future is None:
                future = self._future = TaskFuture(self.cancel)
            over = self._over.is_set
        if over:
            self._settle(future)
        return future

    def done(self) -> bool:
        """Whether it is over, well or not, and its callbacks have run."""
        return self._over.is_set

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for its end. What went wrong, or None if it was completed.

        :param timeout: seconds; None for as long as it takes.
        :raises RequestTimeout: if it takes longer.
        """
        self.join(timeout)
        return self._error

    # ------------------------------------------------------------------ doing it

    def start(self) -> Task:
        """Send it to the slave, and wait until that has taken it.

        :raises ValueError: if it was started before.
        :raises SlaveResponseException: if the slave refuses it, or is busy.
        :raises RequestException: if the slave cannot be reached; see `Master._error_new_task`.
        """
        self._connection.start_task(self)
        return self

    def join(self, timeout: float | None = None) -> Task:
        """Wait for its end, and for its callbacks; not for that of a task that was not started.

        :param timeout: seconds; None for as long as it takes.
        :raises RequestTimeout: if it takes longer.
        """
        if self._status not in (IDLE, START_FAILED) and not self._over.wait(timeout):
            raise RequestTimeout(f"the task {self.id}", timeout or 0.0)
        return self

    def cancel(self) -> bool:
        """Want its result no more. A slave of ours is told, and may end it early.

        :return: False if it is over already.
        """
        if not self._move_to_end(CANCELLED, None, TaskCancelled("the task was cancelled")):
            return False
        self._give_up(tell=True)
        return True

    def on_complete(self, callback: Callback) -> Task:
        """Have a function called with the data and the result when it was completed, before `join` returns."""
        return self._add(COMPLETED.name, callback)

    def on_fail(self, callback: Callback) -> Task:
        """Have a function called with the data and what is known when it has failed, was lost or took too long."""
        return self._add(FAILED.name, callback)

    def on_progress(self, callback: Callback) -> Task:
        """Have a function called with the data and what the slave says while it works."""
        return self._add("PROGRESS", callback)

    def add_done_callback(self, callback: Callable[[Future[Any]], object]) -> None:
        """Have a function called with the task's future when it is over."""
        self.future.add_done_callback(callback)

    def _add(self, kind: str, callback: Callback) -> Task:
        with self._lock:
            self._callbacks.append((kind, callback))
            is_late = self._told == kind
        if is_late:
            self._call([(callback, (self._data, self._result))])
        return self

    # ------------------------------------------------------------------ what the connection says

    def begin(self) -> None:
        """It is about to be sent.

        :raises ValueError: if it was started before.
        """
        with self._lock:
            if self._status is not IDLE:
                raise ValueError(f"only a task with status 'IDLE' can be started; this one is {self._status.name!r}")
            self._status = TASK_STATES.move(self._status, STARTING)
        if self.timeout is not None:
            deadline = self._runtime.now() + self.timeout
            self._watch = monitor_of(self._runtime).watch(deadline, self._too_late)

    def answered(self, answer: Envelope) -> None:
        """The slave has taken it."""
        with self._lock:
            if self._status is STARTING:
                self._status = TASK_STATES.move(self._status, STARTED)
            if self._answer is None or self._answer is TAKEN:
                self._answer = answer
        self._answered.set()

    def not_started(self, error: BaseException) -> bool:
        """It could not be sent, or was refused; whether that is how it ends: a result may have come before."""
        with self._lock:
            if self._status is not STARTING:
                return False
            self._status = TASK_STATES.move(self._status, START_FAILED)
            self._answer = self._error = error
        # A slave that was asked, and has not said no, may have it all the same.
        self._give_up(tell=isinstance(error, RequestException))
        return True

    def await_answer(self, timeout: float) -> Envelope | BaseException | None:
        """Wait for what the slave says to its start; None if it says nothing in that time."""
        self._answered.wait(timeout)
        return self._answer

    def ended(self, kind: TaskResultType, result: Any) -> bool:
        """The slave has a result; whether anybody was still waiting for it."""
        completed = kind is TaskResultType.COMPLETED
        error = None if completed else TaskFailed(result)
        # Who has a result has taken the task, also if that was not said before.
        if not self._move_to_end(COMPLETED if completed else FAILED, result, error, TAKEN):
            return False
        self._finish()
        return True

    def lost(self, reason: str) -> None:
        """Nobody will bring a result any more."""
        result = {"error": {"type": "TaskLost", "message": reason}}
        if self._move_to_end(LOST, result, TaskLost(reason)):
            self._finish()

    def progressed(self, value: Any) -> None:
        """The slave says how far it is."""
        if self._status is STARTING:
            self.answered(TAKEN)
        with self._lock:
            if self._status not in (STARTING, STARTED):
                return
            self._progress = value
            calls = [(callback, (self._data, value)) for kind, callback in self._callbacks if kind == "PROGRESS"]
        self._call(calls)

    def _too_late(self, now: float) -> None:
        message = f"the task was not done within {self.timeout:g} s"
        if self._move_to_end(FAILED, {"error": {"type": "TaskTimeout", "message": message}}, TaskTimeout(message)):
            self._give_up(tell=True)

    def _give_up(self, tell: bool) -> None:
        self._connection.forget_task(self, tell)
        self._finish()
        self._connection.slot_freed()  # behind the pool, which may let that slave rest

    def _move_to_end(
        self, status: TaskStatus, result: Any, error: BaseException | None, answer: Envelope | None = None
    ) -> bool:
        with self._lock:
            if not TASK_STATES.allows(self._status, status):
                return False
            self._status = TASK_STATES.move(self._status, status)
            self._result, self._error = result, error
            if self._answer is None:
                self._answer = answer if answer is not None else error
        return True

    # ------------------------------------------------------------------ who hears of its end

    def _finish(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self.then is not None:
            self.then(self)
        self._answered.set()
        wanted = COMPLETED.name if self._status is COMPLETED else FAILED.name if self._status in (FAILED, LOST) else ""
        with self._lock:
            self._told = wanted
            calls = [(callback, (self._data, self._result)) for kind, callback in self._callbacks if kind == wanted]
            future = self._future
        if not calls and self._lane is None and (future is None or not future.has_callbacks):
            self._release()
        else:
            self._call([*calls, (self._release, ())])

    def _release(self) -> None:
        with self._lock:
            self._over.set()
            future = self._future
        if future is not None:
            self._settle(future)

    def _settle(self, future: TaskFuture) -> None:
        future.finish(self._result, self._error)

    def _call(self, calls: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
        """Call functions in order, on a worker that may wait."""
        if not calls:
            return
        with self._lock:
            if self._lane is None:
                self._lane = Lane(self._runtime.relay(), self._runtime.lock(), _call_one)
        self._lane.put(calls)


def checked_timeout(timeout: float | None) -> float | None:
    """The seconds in which a task has to be done; None for any time.

    :raises ConfigurationError: if that is no time.
    """
    is_time = isinstance(timeout, (int, float)) and not isinstance(timeout, bool) and timeout > 0
    if timeout is not None and not is_time:
        raise ConfigurationError("timeout", timeout, "it is a number of seconds, or None")
    return timeout


def _call_one(call: tuple[Callable[..., Any], tuple[Any, ...]]) -> None:
    function, arguments = call
    try:
        function(*arguments)
    except Exception:
        logger.exception("a callback of a task failed")
