"""Fixtures of the tests that need a server, a program or a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.servers.clients import Clients
    from tests.servers.kinds import Kind
    from tests.servers.process import ServerProcess


def require_tool(name: str) -> str:
    """The path of a program that a test needs: without it the test fails in CI, and is skipped elsewhere."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, and CI must have it")
        pytest.skip(f"{name} is not installed")
    return found


def served(kind: Kind, folder: Path, options: Mapping[str, Any] | None = None) -> Iterator[ServerProcess]:
    """The echo application on one kind of server, which must still run when the tests are done with it."""
    from tests.servers.process import ServerProcess

    if kind.missing:
        pytest.fail(f"{kind.name} needs {', '.join(kind.missing)}: pip install -e '.[test]'")
    server = ServerProcess(kind, folder, options).start()
    try:
        yield server
        assert server.is_alive, f"{kind.name} died:\n{server.log()}"
    finally:
        server.stop()


@pytest.fixture
def clients(server: ServerProcess) -> Iterator[Clients]:
    """Makes clients of the running server."""
    from tests.servers.clients import Clients

    made = Clients(server.address)
    yield made
    made.close()


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("CI_ARTIFACTS") or Path(__file__).parent.parent / "artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
