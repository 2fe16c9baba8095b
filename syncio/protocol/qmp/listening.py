"""The part of a QMP client that knows who wants to hear of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..runstate import Stateful
from .errors import ListenerError
from .events import EventListener, Filter
from .message import Message

__all__ = ["Listening"]


class Listening(Stateful):
    """Registers listeners, and tells them. They open and close with each session."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.events = EventListener(async_mode=self._runtime.name)
        """All events, for those who register no listener of their own. It forgets the oldest of more than 4,096."""
        self._listeners: list[EventListener] = [self.events]
        self._is_over = False  # whether there was a session, and no other one has begun

    def _open_listeners(self) -> None:
        with self._lock:
            self._is_over = False
            for listener in self._listeners:
                listener.open()

    def _close_listeners(self) -> None:
        with self._lock:
            self._is_over = True
            for listener in self._listeners:
                listener.close()

    def _tell_listeners(self, event: Message) -> None:
        for listener in self._listeners:  # which is replaced and never changed
            if listener.accept(event):
                listener.put(event.copy())

    def register_listener(self, listener: EventListener) -> None:
        """Let a listener have what it wants from now on, in this session and in later ones.

        :raises ListenerError: if it is registered already.
        """
        with self._lock:
            if listener in self._listeners:
                raise ListenerError("this listener is registered already")
            listener.bind(self._runtime)
            if self._is_over:
                listener.close()
            else:
                listener.open()
            self._listeners = [*self._listeners, listener]

    def remove_listener(self, listener: EventListener) -> None:
        """Give a listener nothing any more, and forget what it has; whoever waits for it hears that.

        :raises ListenerError: if it is not registered, or is `events`.
        """
        if listener is self.events:
            raise ListenerError("the listener for all events cannot be removed")
        with self._lock:
            if listener not in self._listeners:
                raise ListenerError("this listener is not registered")
            self._listeners = [other for other in self._listeners if other is not listener]
        listener.clear()
        listener.close()

    @contextmanager
    def listen(self, *listeners: EventListener) -> Iterator[None]:
        """Register listeners for the body of a `with`.

        :raises ListenerError: if one is registered already; none is then.
        """
        registered: list[EventListener] = []
        try:
            for listener in listeners:
                self.register_listener(listener)
                registered.append(listener)
            yield
        finally:
            for listener in registered:
                self.remove_listener(listener)

    @contextmanager
    def listener(
        self, names: str | Iterable[str] | None = (), event_filter: Filter | None = None
    ) -> Iterator[EventListener]:
        """A listener for the body of a `with`. It gets what the commands inside bring about, from the first one on.

        :param names: the events that it wants; none for all.
        :param event_filter: is asked about each of these.
        """
        listener = EventListener(names, event_filter)
        with self.listen(listener):
            yield listener
