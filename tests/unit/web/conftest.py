"""An app in an empty folder, both runtimes, and what tests of the web ask more than once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncio.runtime import Runtime, choose_runtime
from syncio.web import App
from syncio.web.testing import AppClient
from tests.unit.runtime.kinds import MODES_HERE, PATIENCE

KEY = "a key that signs"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An app with a key, whose folder is the test's. Every test leaves no context behind."""
    from syncio.web import has_app_context

    app = App("tests.unit.web", root_path=str(tmp_path))
    app.secret_key = KEY
    yield app
    if "realtime" in app.__dict__:
        app.realtime.shutdown()
    gc.collect()  # a body that nobody has read ends here, and not in another test
    assert not has_app_context()


@pytest.fixture
def client(app: App) -> AppClient:
    """A client of it, with cookies."""
    return app.test_client()


@pytest.fixture
def template(tmp_path: Path) -> Callable[[str, str], None]:
    """Writes templates."""

    def write(name: str, source: str) -> None:
        path = tmp_path / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    return write


@pytest.fixture(params=MODES_HERE)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Threads, and greenlets."""
    return choose_runtime(request.param)


class Together:
    """Runs functions at the same time, each in a task of its own.

    :param runtime: threads or greenlets.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def __call__(self, *functions: Callable[[], Any]) -> list[Any]:
        """What they return; what one raises is raised."""
        results: list[Any] = [None] * len(functions)
        errors: list[BaseException] = []
        ended = [self.runtime.event() for _ in functions]

        def run(number: int) -> None:
            try:
                results[number] = functions[number]()
            except BaseException as exc:
                errors.append(exc)
            finally:
                ended[number].set()

        tasks = [self.runtime.spawn(run, number) for number in range(len(functions))]
        for task, end in zip(tasks, ended, strict=True):
            task.join(PATIENCE)
            assert end.is_set(), "a task did not end"
        if errors:
            raise errors[0]
        return results


@pytest.fixture
def together(runtime: Runtime) -> Together:
    """Runs functions at the same time."""
    return Together(runtime)


def raw(app: App, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], list[bytes]]:
    """Call an app as a server does, without a client that tidies things up: status, headers, and the pieces."""
    answers: list[tuple[str, list[tuple[str, str]]]] = []
    body = app(environ, lambda status, headers, exc_info=None: answers.append((status, headers)))
    try:
        pieces = list(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    status, headers = answers[-1]
    return status, headers, pieces
