"""The states of a protocol's session, the decorator that asks for one, and subscriptions to its transitions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from enum import Enum
from types import TracebackType
from typing import Any, TypeVar, cast

from ..errors import LocalError, MailboxClosed, RequestTimeout
from ..runtime import Mailbox, Runtime
from ..states import Transitions
from .errors import StateError

__all__ = ["RUNSTATE_TABLE", "Runstate", "RunstateWatch", "Stateful", "require", "state_error"]

F = TypeVar("F", bound=Callable[..., Any])

UNREAD = 1024
"""Transitions that a watch keeps for somebody who does not look."""


class Runstate(Enum):
    """What a protocol's session is doing."""

    IDLE = 0
    """There is none."""
    CONNECTING = 1
    """A peer is awaited, sought, or negotiated with."""
    RUNNING = 2
    """Messages flow."""
    DISCONNECTING = 3
    """It has ended, or is ending; `disconnect()` leads to IDLE."""


RUNSTATE_TABLE = Transitions(
    "runstate",
    {
        Runstate.IDLE: (Runstate.CONNECTING, Runstate.DISCONNECTING),
        Runstate.CONNECTING: (Runstate.RUNNING, Runstate.DISCONNECTING),
        Runstate.RUNNING: (Runstate.DISCONNECTING,),
        Runstate.DISCONNECTING: (Runstate.IDLE,),
    },
)

_WORDS = {
    Runstate.IDLE: "is disconnected and idle.",
    Runstate.CONNECTING: "is currently connecting.",
    Runstate.RUNNING: "is already connected and running.",
    Runstate.DISCONNECTING: "is disconnecting. Call disconnect() to return to IDLE state.",
}


def state_error(owner: object, state: Runstate, required: Runstate) -> StateError:
    """The error of an object that is in one state and should be in another."""
    return StateError(f"{type(owner).__name__} {_WORDS[state]}", state, required)


def require(required: Runstate) -> Callable[[F], F]:
    """Decorate a method that needs its object, which has a `runstate`, to be in a state.

    :param required: the state.
    :raises StateError: from the method, before it looks at its arguments; the object is as it was.
    """

    def decorate(method: F) -> F:
        @functools.wraps(method)
        def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
            if self.runstate is not required:
                raise state_error(self, self.runstate, required)
            return method(self, *args, **kwargs)

        return cast(F, checked)

    return decorate


class RunstateWatch:
    """Every transition since it was made, in order: an iterator, and a context manager that ends the subscription.

    :param end: called with it when it is closed.
    """

    def __init__(self, runtime: Runtime, end: Callable[[RunstateWatch], None]) -> None:
        self._states: Mailbox[Runstate] = Mailbox(runtime, UNREAD)
        self._end = end
        self._overflown = False

    def notify(self, state: Runstate) -> None:
        """A transition has happened: called by the protocol, which must not wait."""
        try:
            self._states.put(state, timeout=0)
        except RequestTimeout:
            self._overflown = True
            self._states.close()
        except MailboxClosed:
            pass

    def get(self, timeout: float | None = None) -> Runstate:
        """The next state that was entered.

        :param timeout: seconds; None waits for ever.
        :raises RequestTimeout: if there was no transition in that time.
        :raises LocalError: if the watch was closed, or nobody looked at it for 1,024 transitions.
        """
        try:
            return self._states.get(timeout)
        except RequestTimeout:
            raise RequestTimeout("waiting for a transition", timeout or 0.0) from None
        except MailboxClosed:
            words = (
                f"nobody looked at this watch for {UNREAD} transitions" if self._overflown else "the watch is closed"
            )
            raise LocalError(words) from None

    def __iter__(self) -> Iterator[Runstate]:
        return self

    def __next__(self) -> Runstate:
        try:
            return self.get()
        except LocalError:
            if self._overflown:
                raise
            raise StopIteration from None

    def close(self) -> None:
        """End the subscription, and whoever waits."""
        self._end(self)
        self._states.close()

    def __enter__(self) -> RunstateWatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Stateful:
    """Something with a run state that others can wait for.

    :param runtime: threads or greenlets.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._runstate = Runstate.IDLE
        self._watches: list[RunstateWatch] = []

    @property
    def runstate(self) -> Runstate:
        """What the session is doing."""
        return self._runstate

    def runstate_changed(self, timeout: float | None = None) -> Runstate:
        """Wait for the next transition.

        Transitions between two calls are not seen: `watch_runstate` sees all.

        :param timeout: seconds; None waits for ever.
        :return: the state that is found then.
        :raises RequestTimeout: if there was none in that time.
        """
        with self.watch_runstate() as watch:
            watch.get(timeout)
            return self._runstate

    def watch_runstate(self) -> RunstateWatch:
        """Subscribe to the transitions from now on; none is lost.

        :return: an iterator with `get(timeout)`, and a context manager.
        """
        watch = RunstateWatch(self._runtime, self._end_watch)
        with self._lock:
            self._watches.append(watch)
        return watch

    def _end_watch(self, watch: RunstateWatch) -> None:
        with self._lock:
            if watch in self._watches:
                self._watches.remove(watch)

    def wait_for(self, state: Runstate, timeout: float | None = None) -> None:
        """Wait until a state is entered; returns at once if it is the present one.

        :param timeout: seconds; None waits for ever.
        :raises RequestTimeout: if it is not entered in that time.
        """
        until = None if timeout is None else self._runtime.now() + timeout
        with self.watch_runstate() as watch:
            seen = self._runstate
            while seen is not state:
                try:
                    seen = watch.get(None if until is None else max(0.0, until - self._runtime.now()))
                except RequestTimeout:
                    raise RequestTimeout(f"waiting for {state.name}", timeout or 0.0) from None

    def _move(self, wanted: Runstate, required: Runstate | None = None) -> None:
        """Enter a state, if this is the required one.

        :raises StateError: if it is not.
        """
        with self._lock:
            self._enter(wanted, required)

    def _enter(self, wanted: Runstate, required: Runstate | None = None) -> None:
        # Under the lock.
        if required is not None and self._runstate is not required:
            raise state_error(self, self._runstate, required)
        if self._runstate is not wanted:
            self._runstate = RUNSTATE_TABLE.move(self._runstate, wanted)
            for watch in self._watches:
                watch.notify(wanted)
