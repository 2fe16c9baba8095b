"""The runtime of a test: threads, then greenlets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncio.runtime import Relay, Runtime

from .kinds import MODES_HERE, fresh_runtime

WORKERS = 3


@pytest.fixture(params=MODES_HERE)
def mode(request: pytest.FixtureRequest) -> str:
    """The name of the runtime."""
    name: str = request.param
    return name


@pytest.fixture
def runtime(mode: str) -> Iterator[Runtime]:
    """A runtime whose relay has three workers."""
    yield from fresh_runtime(mode, WORKERS)


@pytest.fixture
def relay(runtime: Runtime) -> Relay:
    """Its relay."""
    return runtime.relay()
