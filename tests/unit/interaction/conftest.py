"""Masters and slaves for a test, with the wire and without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from syncio.interaction import Master, SlaveConnection

from .peers import DrivenSlave, Ends, ends_of_a_test


@pytest.fixture(params=[True, False], ids=["wire", "http"])
def wire(request: pytest.FixtureRequest) -> Any:
    """Whether tasks and results may travel over a WebSocket."""
    return request.param


@pytest.fixture
def ends(wire: bool) -> Iterator[Ends]:
    """Makes masters, slaves and peers; they end with the test, and none of their threads goes on."""
    yield from ends_of_a_test(wire)


@pytest.fixture
def plain() -> Iterator[Ends]:
    """The same without the wire, for what it has no part in."""
    yield from ends_of_a_test(False)


@pytest.fixture
def master(ends: Ends) -> Master:
    """A master that runs."""
    made: Master = ends.master()
    return made


@pytest.fixture
def slave(ends: Ends) -> DrivenSlave:
    """A slave that runs."""
    made: DrivenSlave = ends.slave()
    return made


@pytest.fixture
def connection(ends: Ends, master: Master, slave: DrivenSlave) -> SlaveConnection:
    """The master's live connection to the slave."""
    return ends.connected(master, slave)
