"""``python -m tests.interaction_peers.our_master OPTIONS``: a Master of ours, to be killed in the middle of its work.

Its options are JSON. A line on stdin is {"port": PORT, "tasks": [DATA, ...]}: it connects to that slave, and gives it
those tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncio.interaction import Master
from tests.interaction_peers.lines import Tell, options, run


class OurMaster(Master):
    """Tells where it listens."""

    def __init__(self, tell: Tell, **options: Any) -> None:
        super().__init__(**options)
        self._tell = tell

    def start(self) -> None:
        """Listen, and tell where."""
        super().start()
        self._tell("listening", port=self.port)

    def handle(self, line: Mapping[str, Any]) -> None:
        """Do what a line says."""
        slave = self.new_connection(f"slave {line['port']}", "127.0.0.1", line["port"])
        slave.connect()
        for data in line["tasks"]:
            slave.new_task(data).start()
        self._tell("given", wire=slave.has_wire)


if __name__ == "__main__":
    tell = Tell()
    master = OurMaster(tell, **options())
    run(master, tell, master.handle)
