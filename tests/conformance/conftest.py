"""Each server is started once for each timing, and serves all cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import served
from tests.servers.kinds import WEBSOCKET_KINDS, Kind
from tests.servers.process import ECHO, ServerProcess


@dataclass(frozen=True)
class Timing:
    """A heartbeat, in seconds."""

    name: str
    interval: float
    timeout: float


BRISK = Timing("brisk", 0.3, 0.2)
CALM = Timing("calm", 25, 20)
SOCKETIO = "tests.servers.apps.sio_protocol:engine_app"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a case on every kind of server, with every timing that makes sense for it, and under python-socketio."""
    if "hosted" not in metafunc.fixturenames:
        return
    timings = getattr(metafunc.module, "TIMINGS", (BRISK, CALM))
    combinations = [(ECHO, kind, timing) for kind in WEBSOCKET_KINDS for timing in timings]
    if getattr(metafunc.module, "ON_SOCKETIO", True):
        combinations += [(SOCKETIO, kind, BRISK) for kind in WEBSOCKET_KINDS]
    hosted = [
        pytest.param((app, kind, timing), id=f"{kind.name}-{timing.name}{'-socketio' if app is SOCKETIO else ''}")
        for app, kind, timing in combinations
    ]
    metafunc.parametrize("hosted", hosted, indirect=True, scope="session")


@pytest.fixture(scope="session")
def hosted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The echo server, or python-socketio's, on one kind of server with one timing."""
    app, kind, timing = request.param
    options = {"ping_interval": timing.interval, "ping_timeout": timing.timeout}
    yield from served(kind, tmp_path_factory.mktemp(kind.name), options, app)


@pytest.fixture
def server(hosted: ServerProcess) -> ServerProcess:
    """The running server."""
    return hosted


@pytest.fixture
def kind(server: ServerProcess) -> Kind:
    """What it runs in."""
    return server.kind


@pytest.fixture
def timing(request: pytest.FixtureRequest, hosted: ServerProcess) -> Timing:
    """Its heartbeat."""
    chosen: Timing = request.node.callspec.params["hosted"][2]
    return chosen
