"""``python -m tests.interaction_peers.our_slave OPTIONS``: a Slave of ours, as the original's next to it.

Its options are JSON. What it is sent tells it what to do: see `OurSlave`; and lines on stdin do: see `handle`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any

from syncio.interaction import ConnectionRefuse, DisconnectionRefuse, Slave, TaskFail, TaskRefuse
from tests.interaction_peers.certificates import with_contexts
from tests.interaction_peers.lines import Tell, options, run

__all__ = ["OurSlave"]

LOOK = 0.005
"""Seconds between two looks at whether a task is still wanted."""


class OurSlave(Slave):
    """Adds `a` and `b`, and fails without them. It tells of whatever it is asked.

    {"refuse": DATA} in what comes with a connection, a disconnection or a task has it refuse that, with DATA;
    {"sleep": SECONDS} in a task makes it take longer, {"raise": MESSAGE} has it raise what is no TaskFail,
    {"steps": NUMBER} has it tell its master how far it is, and {"hang": [PORT]} makes it work until nobody wants the
    result any more, if it listens there.
    """

    def __init__(self, tell: Callable[..., None], **options: Any) -> None:
        super().__init__(**options)
        self.tell = tell

    def start(self) -> None:
        """Listen, and tell where."""
        super().start()
        self.tell("listening", port=self.port)

    def _before_connection(self, data: Mapping[str, Any]) -> None:
        self.tell("connection", data=data)
        if "refuse" in data:
            raise ConnectionRefuse(data["refuse"])

    def _before_disconnection(self, data: Mapping[str, Any]) -> None:
        self.tell("disconnection", data=data)
        if "refuse" in data:
            raise DisconnectionRefuse(data["refuse"])

    def _before_task(self, data: Mapping[str, Any]) -> None:
        if "refuse" in data:
            raise TaskRefuse(data["refuse"])

    def _lost_connection(self, master_address: str, err: Exception) -> None:
        self.tell("lost_connection", master=master_address, error=type(err).__name__)

    def _process_task(self, task: Mapping[str, Any]) -> dict[str, Any]:
        self.tell("work", data=task)
        if self.port in task.get("hang", ()):
            while not self.is_cancelled:
                time.sleep(LOOK)
            self.tell("cancelled", data=task)
        for step in range(task.get("steps", 0)):
            self.progress({"step": step})
            time.sleep(0.06)  # two of them within 0.05 s are one
        time.sleep(task.get("sleep", 0))
        if "raise" in task:
            raise RuntimeError(task["raise"])
        if "a" not in task or "b" not in task:
            raise TaskFail({"message": "ab not found"}, "A or B not found in task data.")
        return {"sum": task["a"] + task["b"]}


def handle(slave: OurSlave, line: Mapping[str, Any]) -> None:
    """Do what a line says: {"do": "drain"}, or {"do": "join", "address": URL, "name": NAME}."""
    if line["do"] == "drain":
        slave.tell("drained", all=slave.drain(10.0))
    else:
        try:
            slave.tell("joined", name=slave.join_master(line["address"], line["name"]))
        except Exception as error:
            slave.tell("joined", error=type(error).__name__, message=str(error))


if __name__ == "__main__":
    tell = Tell()
    slave = OurSlave(tell, **with_contexts(options()))
    run(slave, tell, lambda line: Thread(target=handle, args=(slave, line), daemon=True).start())
