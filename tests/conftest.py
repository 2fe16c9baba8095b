"""Fixtures of the tests that need a server, a program or a folder."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.servers.clients import Clients
    from tests.servers.kinds import Kind
    from tests.servers.process import ServerProcess

LOG_TAIL = 6000
"""Characters of a server's log that are shown with a test that fails."""


def pytest_collection_finish() -> None:
    """Have the collector of garbage, which many tests call, look no more at what is there before the first of them."""
    gc.collect()
    gc.freeze()


def require_tool(name: str) -> str:
    """The path of a program that a test needs: without it the test fails in CI, and is skipped elsewhere."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, and CI must have it")
        pytest.skip(f"{name} is not installed")
    return found


def started(
    kind: Kind, folder: Path, options: Mapping[str, Any] | None = None, port: int = 0, app: str | None = None
) -> ServerProcess:
    """A running server of one kind, with the echo application unless `app` names another."""
    from tests.servers.process import ECHO, ServerProcess

    if kind.missing:
        pytest.fail(f"{kind.name} needs {', '.join(kind.missing)}: pip install -e '.[test]'")
    return ServerProcess(kind, folder, options, app or ECHO, port).start()


def served(
    kind: Kind, folder: Path, options: Mapping[str, Any] | None = None, app: str | None = None
) -> Iterator[ServerProcess]:
    """An application, the echo unless another is named, on one kind of server, which must survive the tests."""
    server = started(kind, folder, options, app=app)
    try:
        yield server
        assert server.is_alive, f"{kind.name} died:\n{server.log()}"
    finally:
        server.kill()


class Starter:
    """Starts servers for one test, each with a folder of its own, and ends them.

    :param folder: where those folders are made.
    """

    def __init__(self, folder: Path) -> None:
        self.servers: list[ServerProcess] = []
        self._folder = folder

    def __call__(self, kind: Kind, port: int = 0, app: str | None = None, **options: Any) -> ServerProcess:
        """Start one.

        :param port: where it listens; 0 for any free port.
        :param options: the engine's.
        """
        server = started(kind, self._folder / f"server{len(self.servers)}", options, port, app)
        self.servers.append(server)
        return server

    def stop(self) -> None:
        """End them all."""
        for server in self.servers:
            server.kill()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Starter]:
    """Starts servers for one test."""
    starter = Starter(tmp_path)
    yield starter
    starter.stop()


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the servers' logs with a test that fails."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        from tests.servers.process import ServerProcess

        values: list[Any] = list(item.funcargs.values())
        servers = {id(s): s for v in values for s in (v, *getattr(v, "servers", ())) if isinstance(s, ServerProcess)}
        for server in servers.values():
            report.sections.append((f"log of {server.kind.name}", server.log()[-LOG_TAIL:]))
    return report
