"""The runtime under the names that applications know: tasks, pauses, queues and events, on threads or greenlets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..runtime import Runtime, Task

__all__ = ["Background"]


class Background:
    """What a `Server` and a `Client` offer an application beside their protocol."""

    runtime: Runtime

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Task:
        """Run a function in a thread or greenlet of its own. The result can be joined."""
        return self.runtime.spawn(target, *args, **kwargs)

    def sleep(self, seconds: float = 0) -> None:
        """Let others run for that long."""
        self.runtime.sleep(seconds)

    def create_queue(self, *args: Any, **kwargs: Any) -> Any:
        """A queue of the runtime, in the manner of `queue.Queue`."""
        return self.runtime.queue(*args, **kwargs)

    def get_queue_empty_exception(self) -> type[Exception]:
        """What such a queue raises when it is empty."""
        return self.runtime.queue_empty

    def create_event(self) -> Any:
        """An event of the runtime, in the manner of `threading.Event`."""
        return self.runtime.event()
