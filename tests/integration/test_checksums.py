"""The example of `syncio.interaction`: three processes make checksums, one is killed, and the output is right."""

from __future__ import annotations

import hashlib
import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.process import free_port

from .programs import Programs, programs_in, until

FILES = 40
SIZE = 16 * 1024 * 1024
"""Bytes of each, so that the work takes longer than a look at it."""
NAMES = ("one", "two", "three")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Starts programs, and kills them."""
    with programs_in(tmp_path) as programs:
        yield programs


def test_one_of_three_is_killed(programs: Programs) -> None:
    """A slave is killed that has a file in its hands, and every file has its checksum, in the order of the names."""
    folder = programs.folder / "files"
    folder.mkdir()
    for number in range(FILES):
        with (folder / f"{number:02}.bin").open("wb") as file:
            file.write(b"%d" % number)
            file.truncate(SIZE)
    port = str(free_port())
    arguments = ("--port", port, "--slaves", str(len(NAMES)), "--tolerance", "2")
    master = programs.python("-m", "examples.checksums", str(folder), *arguments)
    url = master.url()
    work = ("slave", "examples.checksums:checksum", "--master", url, "--heartbeat", "0.3", "--name")
    first, *_ = [programs.syncio(*work, name) for name in NAMES]
    until(lambda: "one" in busy(url))
    first.signal(signal.SIGSTOP)
    until(lambda: "one" in busy(url))  # it may have brought that one, and has the next one then
    first.signal(signal.SIGKILL)
    code, printed = master.end()
    files = sorted(folder.iterdir())
    assert (code, len(files)) == (0, FILES)
    assert printed.splitlines() == [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}" for path in files]


def busy(url: str) -> list[str]:
    """The names of the slaves that have tasks."""
    with urllib.request.urlopen(f"{url}/status.json", timeout=10) as response:
        return [slave["name"] for slave in json.load(response)["slaves"] if slave["tasks"]]
