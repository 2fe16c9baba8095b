"""Both runtimes for tests of protocols, and peers to talk with."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncio.runtime import Runtime, choose_runtime
from tests.unit.runtime.kinds import MODES_HERE

from ..streams.conftest import Peer, raw_pair
from .lines import Lines, Pair

SMALL = 16384
"""A buffer that is full soon, in bytes."""


@pytest.fixture(params=MODES_HERE)
def mode(request: pytest.FixtureRequest) -> str:
    """The name of the runtime."""
    name: str = request.param
    return name


@pytest.fixture
def runtime(mode: str) -> Runtime:
    """The process's runtime of that name."""
    return choose_runtime(mode)


@pytest.fixture
def make(mode: str) -> Iterator[Callable[..., Lines]]:
    """Makes protocols that are closed when the test ends."""
    made: list[Lines] = []

    def make(*args: Any, **options: Any) -> Lines:
        made.append(Lines(*args, async_mode=mode, **options))
        return made[-1]

    yield make
    for lines in made:
        lines.close(force=True)


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Where to listen: a port that is free, and a path."""
    return ("127.0.0.1", 0) if request.param == "tcp" else str(tmp_path / "s")


@pytest.fixture
def pair(make: Callable[..., Lines], runtime: Runtime, tmp_path: Path) -> Pair:
    """Two protocols that are connected with each other."""
    return Pair(runtime, make("server"), make("client"), str(tmp_path / "pair"))


@pytest.fixture
def peers(runtime: Runtime) -> Iterator[Callable[..., tuple[Any, Peer]]]:
    """Makes pairs of a socket for a protocol and the peer at its other end, with small buffers if that is asked."""
    made: list[Peer] = []

    def make(kind: str = "unix", small: bool = False) -> tuple[Any, Peer]:
        here, there = raw_pair(kind)
        if small:
            here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
            there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        made.append(Peer(runtime, there))
        return socket.socket(fileno=here.detach()), made[-1]

    yield make
    for peer in made:
        peer.close()
