"""The example of `syncio.protocol`: two people chat over sockets, and a name is taken once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 15


def run(*arguments: str) -> subprocess.Popen[str]:
    """The example as a program."""
    command = [sys.executable, "-m", "examples.socket_chat", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1)


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture
def address() -> Iterator[str]:
    """Where the server listens."""
    with run("serve", "127.0.0.1:0") as server:
        yield line_of(server).split()[-1]
        server.kill()


def test_two_people_chat(address: str) -> None:
    """What one says the other hears, behind what was said before."""
    with run("join", address, "ann") as ann:
        assert line_of(ann) == "here: ann\n"
        with run("join", address, "bob") as bob:
            assert line_of(bob) == "here: ann bob\n"
            assert ann.stdin is not None
            ann.stdin.write("hello\nare you there?\n")
            ann.stdin.flush()
            assert [line_of(bob), line_of(bob)] == ["ann: hello\n", "ann: are you there?\n"]
            bob.communicate(timeout=PATIENCE)
            assert bob.returncode == 0
        ann.communicate(timeout=PATIENCE)
        assert ann.returncode == 0


def test_a_name_is_taken_once(address: str) -> None:
    """Whoever comes second is told why he cannot come in, and the first one stays."""
    with run("join", address, "ann") as ann:
        assert line_of(ann) == "here: ann\n"
        with run("join", address, "ann") as second:
            _, errors = second.communicate(timeout=PATIENCE)
            assert second.returncode == 1 and "somebody has this name" in errors
        with run("join", address, "bob") as bob:
            assert line_of(bob) == "here: ann bob\n"
            bob.communicate(timeout=PATIENCE)
        ann.communicate(timeout=PATIENCE)
