"""A server in processes of its own on one core: started, looked at from outside, killed. Linux only."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

OPEN_FILES = 30_000
READY_WITHIN = 20.0
TICKS = os.sysconf("SC_CLK_TCK")


class TrialFailed(Exception):
    """A server did not do what the scenario asks for; the text says what happened."""


def raise_open_files() -> None:
    """Let this process and its children open as many files as 10,000 connections take."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, max(OPEN_FILES, hard)))
    except ValueError:  # to lift the hard limit takes a privilege
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def start(command: Sequence[str], core: int, **options: object) -> subprocess.Popen[str]:
    """Start a command in a group of its own that stays on one core."""
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        command, preexec_fn=lambda: os.sched_setaffinity(0, {core}), start_new_session=True, text=True, **options
    )


def kill(process: subprocess.Popen[str]) -> None:
    """End a command with all that it has started, and wait until the system has cleared it away."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class RunningServer:
    """A server for one trial: `with RunningServer(...) as server`.

    Raises:
        TrialFailed: it did not answer in time.
    """

    def __init__(self, command: Sequence[str], port: int, core: int, folder: Path, environment: Mapping[str, str]):
        self.port = port
        self._command = command
        self._core = core
        self._folder = folder
        self._environment = {**os.environ, **environment}

    def __enter__(self) -> RunningServer:
        self._log = tempfile.TemporaryFile("w+", errors="replace")
        try:
            self._process = start(
                self._command, self._core, cwd=self._folder, env=self._environment, stdout=self._log, stderr=self._log
            )
        except OSError as error:
            raise TrialFailed(f"cannot be started: {error}") from error
        try:
            self._wait_until_ready()
        except TrialFailed:
            kill(self._process)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        kill(self._process)
        self._log.close()

    def _wait_until_ready(self) -> None:
        """Ask until something is answered: a port that listens may still have its application to import."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise TrialFailed(f"ended at once: {self.last_words()}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), READY_WITHIN) as client:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    client.recv(65536)
                    return
            except OSError:
                time.sleep(0.05)
        raise TrialFailed(f"no answer within {READY_WITHIN:.0f} s: {self.last_words()}")

    def last_words(self) -> str:
        """The last line that the server has written."""
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return lines[-1][:200] if lines else "it has written nothing"

    @property
    def has_ended(self) -> bool:
        """Whether its first process is gone."""
        return self._process.poll() is not None

    def processes(self) -> list[int]:
        """The server's processes: the first, and all below it."""
        parents = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(entry.parent.name)] = int(_after_name(entry)[1])
            except OSError:  # it has just ended
                continue
        found = [self._process.pid]
        for each in found:
            found += [pid for pid, parent in parents.items() if parent == each]
        return found

    def memory(self) -> float:
        """Resident memory in KiB, pages that processes share counted once (PSS)."""
        return float(sum(_field(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") for pid in self.processes()))

    def threads(self) -> int:
        """How many threads it has."""
        return sum(_field(Path(f"/proc/{pid}/status"), "Threads:") for pid in self.processes())

    def cpu_seconds(self) -> float:
        """The time that it has spent on a core."""
        fields = [_after_name(Path(f"/proc/{pid}/stat")) for pid in self.processes()]
        return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS


def _after_name(stat: Path) -> list[str]:
    """The fields of a process after its name, which may have spaces in it (proc(5): from the state on)."""
    return stat.read_text().rpartition(")")[2].split()


def _field(path: Path, name: str) -> int:
    """A number from a file with a field on each line."""
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name))
