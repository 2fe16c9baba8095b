"""Tasks that are lines of JSON, done by a master's slaves: a line of the output for each, in the same order."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO

from ..errors import LocalError, SyncioError
from ..interaction import Master, TaskFailed, TaskFuture, TaskRetry
from ..interaction.progress_bar import ProgressBar

__all__ = ["Batch"]

MOST_AHEAD = 1000
"""Tasks behind the first one whose result is not written yet."""


class Batch:
    """The tasks of a file.

    :param master: gives them to its slaves.
    :param source: a task a line. Empty lines are none.
    :param out: a result a line; ``{"error": {...}}`` stands for a task that did not end well.
    :param timeout: seconds for each task; None for any time.
    :param retry: see `Master.submit`.
    """

    def __init__(
        self, master: Master, source: BinaryIO, out: TextIO, timeout: float | None, retry: TaskRetry | None
    ) -> None:
        self._master = master
        self._source = source
        self._out = out
        self._timeout = timeout
        self._retry = retry
        self._ahead = master.runtime.queue(MOST_AHEAD)
        self._is_stopped = False
        self._failed = 0
        self._is_done = False
        self.is_unread = False
        """Whether nobody reads the output any more."""

    @property
    def is_whole(self) -> bool:
        """Whether every task has a result."""
        return self._is_done and not self._failed

    def run(self) -> None:
        """Do them all."""
        total = self._count()
        # In between the lines of a terminal a bar would be in the way.
        bar = None if self._out.isatty() else ProgressBar(sys.stderr)
        self._master.runtime.start("syncio-tasks", self._read)
        done = 0
        for line in self._results():
            try:
                print(line, file=self._out, flush=True)
            except BrokenPipeError:
                self.is_unread = True
                return
            done += 1
            if bar is not None:
                bar.show(done, total)
        if bar is not None and done and total is None:
            bar.show(done, done)
        self._is_done = not self._is_stopped

    def stop(self) -> None:
        """Write nothing any more. Never waits."""
        self._is_stopped = True

    def _count(self) -> int | None:
        """How many tasks there are; None if that can only be known at their end."""
        if not self._source.seekable():
            return None
        begin = self._source.tell()
        total = sum(1 for line in self._source if line.strip())
        self._source.seek(begin)
        return total

    def _read(self) -> None:
        try:
            for line in self._source:
                if self._is_stopped:
                    return
                if line.strip():
                    self._ahead.put(self._submitted(line))
        except LocalError:  # the master was closed
            pass
        finally:
            self._ahead.put(None)

    def _submitted(self, line: bytes) -> TaskFuture | ValueError:
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as exc:
            return ValueError(f"the line is no JSON: {exc}")
        return self._master.submit(data, self._timeout, self._retry)

    def _results(self) -> Iterator[str]:
        """The lines of the output, as they can be written."""
        while (item := self._ahead.get()) is not None:
            try:
                if isinstance(item, ValueError):
                    raise item
                result = item.result()
            except (SyncioError, ValueError) as exc:
                self._failed += 1
                result = {"error": _described(exc)}
            if self._is_stopped:
                return
            yield json.dumps(result)


def _described(error: Exception) -> dict[str, Any]:
    """What a line says of a task that did not end well: what the slave has said of it, if it is that."""
    said = {"type": type(error).__name__, "message": str(error)}
    if not isinstance(error, TaskFailed):
        return said
    found = error.result.get("error") if isinstance(error.result, dict) else None
    return found if isinstance(found, dict) and "type" in found else {**said, "result": error.result}
