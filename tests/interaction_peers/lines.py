"""What both programs share: they tell of themselves in lines of JSON, and end with whoever has started them."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["Tell", "options", "run"]

PATIENCE = 5.0
"""Seconds that a service may take to close: the original's may wait for good."""


class Tell:
    """Writes events where stdout was; what else is printed goes to stderr.

    A thread that dies is told of as well: one of the original's that does so takes a part of its service with it.
    """

    def __init__(self) -> None:
        self._lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._lock = threading.Lock()
        os.dup2(2, 1)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        threading.excepthook = self._thread_died

    def __call__(self, event: str, **more: Any) -> None:
        """Tell of an event.

        :param more: what goes with it.
        """
        with self._lock:
            self._lines.write(json.dumps({"event": event, **more}) + "\n")
            self._lines.flush()

    def _thread_died(self, died: threading.ExceptHookArgs) -> None:
        threading.__excepthook__(died)
        name = None if died.thread is None else died.thread.name
        self("thread_died", thread=name, error=died.exc_type.__name__, message=str(died.exc_value))


def options() -> dict[str, Any]:
    """What the program was started with: a service's keyword arguments."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    return given


def run(service: Any, tell: Tell, handle: Callable[[dict[str, Any]], None]) -> NoReturn:
    """Serve until SIGTERM or the end of stdin, close, and end the process whatever is left in it.

    :param service: a Master or a Slave.
    :param handle: takes what comes on stdin, line by line.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        service.start()
        tell("started")
        for line in sys.stdin:
            handle(json.loads(line))
    except SystemExit:
        pass
    finally:
        leave = threading.Timer(PATIENCE, os._exit, [1])
        leave.daemon = True
        leave.start()
        service.close()
        tell("closed")
        os._exit(0)
