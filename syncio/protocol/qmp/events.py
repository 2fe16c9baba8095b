"""Listeners for events: bounded queues that end with the session."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from ...errors import ConfigurationError, RequestTimeout
from ...runtime import Event, Runtime, choose_runtime
from .errors import ListenerClosed
from .message import Message

__all__ = ["EventListener"]

logger = logging.getLogger(__name__)

Filter = Callable[[Message], bool]

LIMIT = 4096
"""Events that a listener keeps for somebody who does not look."""
HISTORY = 256
"""Events that it remembers when they were taken."""


class EventListener:
    """A queue of events (qmp-spec, "Asynchronous events"). Iterating ends when the session has ended.

    :param names: the events that it wants: a name, several, or none for all.
    :param event_filter: is asked about each of these; in the reader, so it must not wait.
    :param limit: how many it keeps; the oldest ones are forgotten, with a warning. None for any number.
    :param history: how many it remembers; None for all.
    :param async_mode: see `Protocol`; the client at which it is registered has the last word.
    :raises ConfigurationError: if it may keep none.
    """

    def __init__(
        self,
        names: str | Iterable[str] | None = None,
        event_filter: Filter | None = None,
        *,
        limit: int | None = LIMIT,
        history: int | None = HISTORY,
        async_mode: str | None = None,
    ) -> None:
        if limit is not None and limit < 1:
            raise ConfigurationError("limit", limit, "a listener keeps at least one event")
        self.names: set[str] = {names} if isinstance(names, str) else set(names or ())
        self.event_filter = event_filter
        self.dropped = 0
        """How many events were forgotten because nobody took them."""
        self._limit = limit
        self._queue: deque[Message] = deque()
        self._history: deque[Message] = deque(maxlen=history)
        self._runtime = choose_runtime(async_mode)
        self._lock = self._runtime.lock()
        self._waiters: list[Event] = []
        self._closed = False

    def __repr__(self) -> str:
        names = ", ".join(sorted(self.names)) or "all events"
        return f"<EventListener for {names}, pending={len(self._queue)}>"

    @property
    def history(self) -> tuple[Message, ...]:
        """What was accepted lately, taken or not."""
        return tuple(self._history)

    def accept(self, event: Message) -> bool:
        """Whether it wants an event."""
        wanted = not self.names or event.get("event") in self.names
        return wanted and (self.event_filter is None or self.event_filter(event))

    def put(self, event: Message) -> None:
        """Give it an event."""
        with self._lock:
            if self._limit is not None and len(self._queue) >= self._limit:
                self._queue.popleft()
                self.dropped += 1
                full = self.dropped == 1
            else:
                full = False
            self._queue.append(event)
            self._history.append(event)
            self._wake()
        if full:
            logger.warning("nobody takes the events of %r: the oldest of more than %s are dropped", self, self._limit)

    def get(self, timeout: float | None = None) -> Message:
        """Take the oldest event, waiting for one.

        :param timeout: seconds; None waits as long as the session lives, 0 not at all.
        :raises RequestTimeout: if there was none in that time.
        :raises ListenerClosed: if the session has ended, or this is registered no more, and nothing is left.
        """
        until = None if timeout is None else self._runtime.now() + timeout
        while True:
            with self._lock:
                if self._queue:
                    return self._queue.popleft()
                if self._closed:
                    raise ListenerClosed("the session has ended, and all its events were taken")
                event = self._runtime.event()
                self._waiters.append(event)
            if not event.wait(None if until is None else max(0.0, until - self._runtime.now())):
                with self._lock:
                    if event in self._waiters:
                        self._waiters.remove(event)
                    if not self._queue:
                        raise RequestTimeout(f"waiting for an event, {self!r},", timeout or 0.0)

    def __iter__(self) -> Iterator[Message]:
        while True:
            try:
                yield self.get()
            except ListenerClosed:
                return

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._queue

    def clear(self) -> list[Message]:
        """Forget what waits; returns it."""
        with self._lock:
            dropped = list(self._queue)
            self._queue.clear()
        return dropped

    # ------------------------------------------------------------------ for the client

    def bind(self, runtime: Runtime) -> None:
        """Wait in this runtime's way from now on."""
        self._runtime = runtime

    def open(self) -> None:
        """A session has begun."""
        with self._lock:
            self._closed = False

    def close(self) -> None:
        """The session has ended: whoever waits gets what is left, and then hears of it."""
        with self._lock:
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for event in waiters:
            event.set()
