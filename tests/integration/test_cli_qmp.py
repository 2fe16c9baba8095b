"""``syncio qmp`` with QEMU and its storage daemon, from scripts and on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import stat
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import require_tool

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
"""Seconds after which something that should have happened has not."""
GONE = r"(the server has ended the connection|the connection was lost: .*)\r?\n"
"""What is told of a server that was killed; the system resets a connection on which something was not read yet."""
Program = subprocess.Popen[bytes]


def program(name: str, *arguments: str) -> Program:
    """Start a program, which must be installed."""
    path = require_tool(name)
    return subprocess.Popen([path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def call_of(*arguments: str) -> list[str]:
    """The call of the command, which waits for a socket that is not there yet."""
    return [sys.executable, "-m", "syncio.cli", "qmp", "--retry", str(PATIENCE), *arguments]


def environment(folder: Path) -> dict[str, str]:
    """Variables for the command, with a folder for what it remembers."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder), "TERM": "xterm", "NO_COLOR": "1"}


def command(*arguments: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = call_of(*arguments)
    return subprocess.run(call, input=lines, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)


def answer(*arguments: str) -> str:
    """What the command prints when all goes well."""
    done = command(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[str]:
    """The socket of a storage daemon, which may not be there yet."""
    path = str(tmp_path / "daemon")
    device = f"socket,id=c,path={path},server=on,wait=off"
    process = program("qemu-storage-daemon", "--chardev", device, "--monitor", "chardev=c")
    yield path
    process.kill()
    process.wait()


class Machine:
    """A machine that does nothing, with two monitors.

    :param folder: where these are.
    """

    def __init__(self, folder: Path) -> None:
        self.monitors = [str(folder / name) for name in ("first", "second")]
        sockets = [word for path in self.monitors for word in ("-qmp", f"unix:{path},server=on,wait=off")]
        options = ["-display", "none", "-machine", "none", "-S", "-name", "vm1"]
        self.process = program("qemu-system-x86_64", *options, *sockets)

    def kill(self) -> None:
        """End it, without a goodbye."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine."""
    made = Machine(tmp_path)
    yield made
    made.kill()


class Screen:
    """A terminal on which a command runs.

    :param folder: where the command keeps what it remembers.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._shown = ""
        self._master, slave = pty.openpty()

        def own_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            call_of(*arguments),
            env=environment(folder),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=own_terminal,
        )
        os.close(slave)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C when the command sleeps: input() misses one between its prompt and its wait for keys."""
        until = time.monotonic() + PATIENCE
        asleep = 0
        while asleep < 3:  # one look may find it waiting for a lock
            assert time.monotonic() < until, "it does not wait for keys"
            state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2][0]
            asleep = asleep + 1 if state == "S" else 0
            time.sleep(0.01)
        self.type("\x03")

    def shows(self, pattern: str) -> bool:
        """Whether something appears behind what was asked for before."""
        until = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self._shown, re.DOTALL)) is None:
            if time.monotonic() > until or not self._read():
                raise AssertionError(f"{pattern!r} did not appear; there is {self._shown!r}")
        self._shown = self._shown[found.end() :]
        return True

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 1.0)[0]:
            return True
        try:
            self._shown += os.read(self._master, 65536).decode()
        except OSError:  # the other side is closed
            return False
        return True

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Callable[..., Screen]]:
    """Makes terminals."""
    made: list[Screen] = []

    def make(*arguments: str) -> Screen:
        made.append(Screen(tmp_path, *arguments))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_storage(daemon: str, tmp_path: Path) -> None:
    """A file is made and attached by key=value, and its job's event is waited for."""
    file = str(tmp_path / "disk")
    options = f"options={{'driver': 'file', 'filename': '{file}', 'size': 65536}}"
    first, event = answer(
        daemon, "-c", "blockdev-create", "job-id=j", options, "--wait", "JOB_STATUS_CHANGE"
    ).splitlines()
    assert (json.loads(first), json.loads(event)["data"]["id"]) == ({}, "j")
    assert answer(
        daemon, "-c", "blockdev-add", "driver=raw", "file.driver=file", f"file.filename={file}", "node-name=d"
    )
    nodes = json.loads(answer(daemon, "query-named-block-nodes"))
    assert "d" in [node["node-name"] for node in nodes]


def test_failures(daemon: str) -> None:
    """The server's words go to the error output."""
    done = command(daemon, "nonsense")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "CommandNotFound: The command nonsense has not been found\n"


def test_lines_and_json(daemon: str) -> None:
    """Both come from the input as well, and a command that fails does not end that."""
    done = command(daemon, "-c", lines="nonsense\nquery-version\nquit\nquery-version\n")
    assert done.returncode == 1
    assert done.stderr == "CommandNotFound: The command nonsense has not been found\n"
    version, nothing = (json.loads(line) for line in done.stdout.splitlines())
    assert version["qemu"]["major"] > 0 and nothing == {}


def test_json(daemon: str) -> None:
    """Commands that are JSON are answered with JSON."""
    done = command(daemon, "-", lines='{"execute": "query-version", "id": 1}\n{"execute": "quit", "id": "b"}\n')
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [1, "b"]


def test_human_monitor(machine: Machine) -> None:
    """It answers with text."""
    assert "paused" in answer(machine.monitors[0], "-H", "info", "status")


@pytest.mark.parametrize(
    "call", [["qemu-storage-daemon"], ["qemu-system-x86_64", "-display", "none", "-machine", "none", "-S"]]
)
def test_launch(call: list[str]) -> None:
    """A program is started for a session."""
    done = command("-c", "--launch", "--", *call, lines="query-version\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["qemu"]["major"] > 0


@pytest.mark.parametrize("by_signal", [False, True])
def test_launched_programs_do_not_stay(tmp_path: Path, by_signal: bool) -> None:
    """A program ends with the session, also if a signal ends that."""
    remember = f'echo $$ > {tmp_path}/pid; exec "$0" "$@"'
    machine = ["qemu-system-x86_64", "-display", "none", "-machine", "none", "-S", "-name", "vm2"]
    call = call_of("-c", "--launch", "--", "sh", "-c", remember, *machine)
    pipe = subprocess.PIPE
    with subprocess.Popen(call, env=environment(tmp_path), stdin=pipe, stdout=pipe, stderr=pipe) as shell:
        assert shell.stdin is not None and shell.stdout is not None
        shell.stdin.write(b"query-name\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == b'{"name": "vm2"}\n'
        pid = int((tmp_path / "pid").read_text())
        if by_signal:
            shell.terminate()
        else:
            shell.stdin.close()
        assert shell.wait(PATIENCE) == (143 if by_signal else 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_server_dies_while_a_line_is_awaited(machine: Machine, tmp_path: Path) -> None:
    """The command ends at once, although its input has not."""
    call = call_of("-c", machine.monitors[0])
    pipe = subprocess.PIPE
    with subprocess.Popen(call, env=environment(tmp_path), stdin=pipe, stdout=pipe, stderr=pipe) as shell:
        assert shell.stdin is not None and shell.stdout is not None and shell.stderr is not None
        shell.stdin.write(b"query-name\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == b'{"name": "vm1"}\n'
        machine.kill()
        assert shell.wait(PATIENCE) == 1
        assert re.fullmatch(GONE, shell.stderr.read().decode())


def test_terminal(machine: Machine, screen: Callable[..., Screen], tmp_path: Path) -> None:
    """TAB completes, an event leaves the line that is typed as it is, Ctrl-C clears a line, and Ctrl-D is the end."""
    shell = screen(machine.monitors[0])
    assert shell.shows(r"\(vm1 prelaunch\) ")
    shell.type("query-named\t")
    assert shell.shows("query-named-block-nodes ")
    shell.type("fl\t")
    assert shell.shows("flat=")
    shell.interrupt()
    assert shell.shows(r"\(vm1 prelaunch\) ")
    shell.type("query-sttus\x1b[D\x1b[D\x1b[D")
    assert shell.shows("query-sttus")
    answer(machine.monitors[1], "cont")
    assert shell.shows(r"\* RESUME[^\r]*\r\n[^\n]*\(vm1 prelaunch\) query-sttus")
    shell.type("a\r")
    assert shell.shows(r'"status": "running"')
    assert shell.shows(r"\(vm1 running\) ")
    shell.type("x y\r")
    assert shell.shows("'y' is not possible")
    shell.type("transaction(\rabort\r")
    assert shell.shows("transaction> .*transaction> ")
    shell.interrupt()
    assert shell.shows(r"\(vm1 running\) ")
    shell.type("\x04")
    assert shell.process.wait(PATIENCE) == 0
    history = tmp_path / "syncio" / "qmp-history"
    assert "query-status\n" in history.read_text() and stat.S_IMODE(history.stat().st_mode) == 0o600


def test_server_dies_while_a_line_is_typed(machine: Machine, screen: Callable[..., Screen]) -> None:
    """That is told, and the command ends."""
    shell = screen(machine.monitors[0])
    assert shell.shows(r"\(vm1 prelaunch\) ")
    shell.type("quer")
    assert shell.shows("quer")
    machine.kill()
    assert shell.shows(GONE)
    assert shell.process.wait(PATIENCE) == 1


def test_terminal_for_the_human_monitor(machine: Machine, screen: Callable[..., Screen]) -> None:
    """Its prompt says so, and 'quit' ends the machine and the command."""
    shell = screen("-v", machine.monitors[0], "-H")
    assert shell.shows(r"\(vm1 prelaunch hmp\) ")
    shell.type("info name\r")
    assert shell.shows('-> {"execute": "human-monitor-command".*vm1')
    shell.type("quit\r")
    assert shell.process.wait(PATIENCE) == 0
    assert machine.process.wait(PATIENCE) == 0
