"""A ``syncio`` command in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["SyncioProcess"]

ROOT = Path(__file__).parents[2]
STOP_TIMEOUT = 5.0


class SyncioProcess:
    """A ``syncio`` command that serves something.

    :param arguments: of the command.
    :param folder: where it runs.
    """

    def __init__(self, *arguments: str, folder: Path | None = None) -> None:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "syncio.cli", *arguments]
        pipes: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        pipes["start_new_session"] = True  # so that `kill` finds what it has started as well
        self._process = subprocess.Popen(command, cwd=folder, env=env, **pipes)
        assert self._process.stdout is not None
        found, printed = None, ""
        while found is None:
            line = self._process.stdout.readline()
            assert line, f"it ended without a greeting:\n{printed}"
            printed += line
            found = re.search(r"http://[\d.]+:(\d+)", line)
        self.url, self.port = found[0], int(found[1])

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def prints(self, words: str) -> bool:
        """Wait for a line with these words; False if it ends without one."""
        assert self._process.stdout is not None
        return any(words in line for line in self._process.stdout)

    def stop(self) -> tuple[int, str]:
        """End it with SIGTERM; its exit code, and what it has printed after its greeting."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        """Wait for its end; its exit code, and what it has printed after its greeting."""
        printed, _ = self._process.communicate(timeout=STOP_TIMEOUT)
        return self._process.returncode, printed

    def kill(self) -> None:
        """End it and what it has started at once, if it runs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
