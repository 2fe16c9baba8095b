"""``python -m tests.interaction_peers.original_slave OPTIONS``: a Slave of the original.

Its options are JSON. What it is sent tells it what to do: see `PeerSlave`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ding.interaction.slave import (  # type: ignore[import-not-found]
    ConnectionRefuse,
    DisconnectionRefuse,
    Slave,
    TaskFail,
    TaskRefuse,
)

from .lines import Tell, options, run


class PeerSlave(Slave):  # type: ignore[misc]
    """Adds `a` and `b`, and fails without them.

    {"refuse": DATA} in what comes with a connection, a disconnection or a task has it refuse that, with DATA;
    {"sleep": SECONDS} in a task makes it take longer, and {"raise": MESSAGE} has it raise what is no TaskFail.
    """

    def __init__(self, tell: Tell, **options: Any) -> None:
        super().__init__(**options)
        self._tell = tell

    def _before_connection(self, data: Mapping[str, Any]) -> None:
        self._tell("connection", data=data)
        if "refuse" in data:
            raise ConnectionRefuse(data["refuse"])

    def _before_disconnection(self, data: Mapping[str, Any]) -> None:
        self._tell("disconnection", data=data)
        if "refuse" in data:
            raise DisconnectionRefuse(data["refuse"])

    def _before_task(self, data: Mapping[str, Any]) -> None:
        self._tell("task", data=data)
        if "refuse" in data:
            raise TaskRefuse(data["refuse"])

    def _lost_connection(self, master_address: str, err: Exception) -> None:
        self._tell("lost_connection", master=master_address, error=type(err).__name__)

    def _process_task(self, task: Mapping[str, Any]) -> dict[str, Any]:
        time.sleep(task.get("sleep", 0))
        if "raise" in task:
            raise RuntimeError(task["raise"])
        if "a" not in task or "b" not in task:
            raise TaskFail({"message": "ab not found"}, "A or B not found in task data.")
        return {"sum": task["a"] + task["b"]}


if __name__ == "__main__":
    tell = Tell()
    run(PeerSlave(tell, **options()), tell, handle=lambda line: None)
