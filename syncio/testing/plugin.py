"""Fixtures for pytest, which finds them where syncio is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..engineio import Server
    from .client import TestClient

__all__ = ["syncio_client", "syncio_server"]


@pytest.fixture
def syncio_server() -> Iterator[Server]:
    """A `syncio.Server` with the default options, which ends with the test."""
    from ..engineio import Server

    server = Server()
    yield server
    server.shutdown()


@pytest.fixture
def syncio_client() -> Iterator[Callable[..., TestClient]]:
    """Makes connected clients of an application or a `syncio.Server`; they disconnect with the test.

    The first argument is the application; the others are those of `Client.connect`.
    """
    from .client import TestClient

    made: list[TestClient] = []

    def make(app: Any, **options: Any) -> TestClient:
        client = TestClient(app)
        made.append(client)
        client.connect(**options)
        return client

    yield make
    for client in made:
        client.disconnect()
