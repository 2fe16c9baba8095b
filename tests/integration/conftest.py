"""One echo server of each kind serves a module's tests, with the default heartbeat of 25 s and 20 s."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import served
from tests.servers.kinds import KINDS, Kind
from tests.servers.process import ServerProcess


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that wants a `kind` on each kind of server, or on those that its decorator `on_kinds` names."""
    if "kind" in metafunc.fixturenames:
        kinds: tuple[Kind, ...] = getattr(metafunc.function, "kinds", KINDS)
        metafunc.parametrize("kind", [pytest.param(k, id=k.name) for k in kinds], indirect=True, scope="module")


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest) -> Kind:
    """A kind of server."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture(scope="module")
def server(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The echo server on it."""
    yield from served(kind, tmp_path_factory.mktemp(kind.name))
