"""Commands of syncio, and examples, in processes of their own, whose lines are waited for."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

__all__ = ["PATIENCE", "Program", "Programs", "programs_in", "until"]

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


class Program:
    """One of them.

    :param arguments: of Python.
    :param folder: where it runs.
    :param environ: what its environment has besides.
    """

    def __init__(self, *arguments: str, folder: Path, environ: dict[str, str] | None = None) -> None:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(environ or {})}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=env,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self.pid = self._process.pid
        self.input = self._process.stdin
        self.output = self._process.stdout
        self.said = ""
        """What it has said on its error output, as far as that was waited for."""
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._lines.put(line)
        self._lines.put("")

    def says(self, words: str) -> str:
        """Wait for a line of the error output with these words."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"it did not say {words!r}:\n{self.said}") from None
            self.said += line
            if words in line:
                return line
            assert line, f"it ended and did not say {words!r}:\n{self.said}"

    def url(self) -> str:
        """The next URL that it says."""
        found = re.search(r"https?://[\d.]+:\d+", self.says("://"))
        assert found is not None, self.said
        return found[0]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Wait for its end, behind a signal if one is named; its exit code, and what it has printed."""
        if number is not None:
            self.signal(number)
        printed = self.output.read() if not self.output.closed else ""
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        while not self._lines.empty():
            self.said += self._lines.get()
        return code, printed

    def kill(self) -> None:
        """End it at once, if it runs, and forget it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self._process.stderr is not None
        for stream in (self.input, self.output, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):  # it has not read what was left
                stream.close()


class Programs:
    """Starts programs in one folder.

    :param folder: where they run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Program] = []

    def python(self, *arguments: str, **environ: str) -> Program:
        """Start Python."""
        self.all.append(Program(*arguments, folder=self.folder, environ=environ))
        return self.all[-1]

    def syncio(self, *arguments: str, **environ: str) -> Program:
        """Start a command of syncio."""
        return self.python("-m", "syncio.cli", *arguments, **environ)


@contextlib.contextmanager
def programs_in(folder: Path) -> Iterator[Programs]:
    """Programs which all end at the end."""
    programs = Programs(folder)
    try:
        yield programs
    finally:
        for program in programs.all:
            program.kill()


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds that announces itself to nobody."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.01)
