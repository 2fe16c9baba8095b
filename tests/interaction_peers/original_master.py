"""``python -m tests.interaction_peers.original_master OPTIONS``: a Master of the original, driven by lines of JSON.

Its options are JSON. A line on stdin is {"id": NUMBER, "do": NAME, ...}, which calls that method of `Commands`. Its
answer has the same number, and what the method returned or how it failed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from threading import Thread
from typing import Any

from ding.interaction.exception import ResponseException  # type: ignore[import-not-found]
from ding.interaction.master import Master  # type: ignore[import-not-found]

from .lines import Tell, options, run

Answer = dict[str, Any]


class PeerMaster(Master):  # type: ignore[misc]
    """Sends `data` with the next connection or disconnection, and gives back what was answered."""

    data: Mapping[str, Any] | None = None

    def _before_connect(self) -> Mapping[str, Any] | None:
        return self.data

    def _before_disconnect(self) -> Mapping[str, Any] | None:
        return self.data

    def _after_connect(self, status_code: int, success: bool, code: int, message: str, data: Any) -> Answer:
        return {"status_code": status_code, "success": success, "code": code, "message": message, "data": data}

    _after_disconnect = _after_connect


class Commands:
    """What the master can be told."""

    def __init__(self, master: PeerMaster, tell: Tell) -> None:
        self._master = master
        self._tell = tell
        self._connections: dict[str, Any] = {}
        self._tasks: list[Any] = []

    def handle(self, line: dict[str, Any]) -> None:
        """Do what a line says, in a thread of its own: much of the original may wait for good."""
        Thread(target=self._answer, kwargs=line, daemon=True).start()

    def _answer(self, id: int, do: str, **arguments: Any) -> None:
        try:
            self._tell("answer", id=id, result=getattr(self, do)(**arguments))
        except Exception as error:
            more = {name: getattr(error, name) for name in ("status_code", "code", "data") if _has(error, name)}
            self._tell("answer", id=id, error=type(error).__name__, message=str(error), **more)

    def connect(self, name: str, port: int, host: str = "127.0.0.1", data: Any = None) -> Answer:
        """A new connection, whether or not there was one of that name; what the slave has answered."""
        self._master.data = data
        self._connections[name] = self._master.new_connection(name, host, port)
        answer: Answer = self._connections[name].connect()
        return answer

    def disconnect(self, name: str, data: Any = None) -> Answer:
        """End it; what the slave has answered."""
        self._master.data = data
        answer: Answer = self._connections[name].disconnect()
        return answer

    def is_connected(self, name: str) -> Answer:
        """What the connection and what the master say."""
        return {"connection": self._connections[name].is_connected, "master": name in self._master}

    def new_task(self, name: str, data: Any = None) -> int:
        """Make a task; its number."""
        self._tasks.append(self._connections[name].new_task(data))
        number = len(self._tasks) - 1
        for event in ("complete", "fail"):
            hook = getattr(self._tasks[number], f"on_{event}")
            hook(lambda task, result, event=event: self._tell(event, task=number, data=task, result=result))
        return number

    def start(self, task: int) -> Answer:
        """Send it; its status."""
        self._tasks[task].start()
        return self.status(task)

    def join(self, task: int, within: float) -> Answer:
        """Wait for it, but no longer than so many seconds; its status, and whether it was waited for until its end."""
        waiting = Thread(target=self._tasks[task].join, daemon=True)
        waiting.start()
        waiting.join(within)
        return {**self.status(task), "joined": not waiting.is_alive()}

    def status(self, task: int) -> Answer:
        """What has become of a task."""
        return {"status": self._tasks[task].status.name, "result": self._tasks[task].result}

    def ping(self) -> bool:
        """Whether its own service answers."""
        return bool(self._master.ping())

    def time_tasks(self, name: str, data: Any, count: int) -> float:
        """The seconds for tasks that are started and joined, one after the other."""
        began = time.perf_counter()
        for _ in range(count):
            assert self._connections[name].new_task(data).start().join().result is not None
        return time.perf_counter() - began

    def time_connections(self, port: int, count: int, host: str = "127.0.0.1") -> float:
        """The seconds for connections that are made and ended, one after the other."""
        self._master.data = None
        began = time.perf_counter()
        for _ in range(count):
            with self._master.new_connection("timed", host, port):
                pass
        return time.perf_counter() - began

    def kill(self) -> None:
        """End at once, without a word."""
        os.kill(os.getpid(), signal.SIGKILL)


def _has(error: Exception, name: str) -> bool:
    return isinstance(error, ResponseException) and hasattr(error, name)


if __name__ == "__main__":
    tell = Tell()
    master = PeerMaster(**options())
    run(master, tell, Commands(master, tell).handle)
