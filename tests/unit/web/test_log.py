"""The logger of an app: its own, heard by whoever listens, and by the server if nobody does."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from syncio.web import App


@pytest.fixture
def name() -> Iterator[str]:
    """Of a logger that nobody has, below one that nobody listens to."""
    parent, logger = logging.getLogger("quiet"), logging.getLogger("quiet.app")
    yield "quiet.app"
    parent.propagate = True
    for each in (parent, logger):
        each.handlers.clear()
        each.setLevel(logging.NOTSET)


def silence() -> None:
    """Nobody listens: pytest does, at the root, and only from the beginning of a test on."""
    logging.getLogger("quiet").propagate = False


def test_nobody_listens(name: str) -> None:
    """Without any configuration errors go to the log of the server whose request it is, once for each."""
    silence()
    app = App(name, root_path="/")
    app.add_url_rule("/", "view", lambda: 1 / 0)
    App(name, root_path="/").logger.error("it has one handler, however many apps have its name")
    streams = [io.StringIO(), io.StringIO()]
    for stream in streams:
        app.test_client().get("/", environ_overrides={"wsgi.errors": stream})
    for stream in streams:
        text = stream.getvalue()
        assert text.count("ERROR in dispatching: Exception on / [GET]") == 1
        assert text.count("ZeroDivisionError: division by zero") == 1


def test_outside_of_a_request(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is logged elsewhere goes to the standard error of that moment."""
    silence()
    app = App(name, root_path="/")
    app.logger.warning("outside")
    with app.app_context():
        app.logger.warning("inside")
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()] == ["outside", "inside"]


def test_somebody_listens(name: str) -> None:
    """Who has configured logging is not disturbed: nothing is added."""
    silence()
    records: list[logging.LogRecord] = []

    class Listener(logging.Handler):
        """Notes records."""

        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logging.getLogger("quiet").addHandler(Listener())
    app = App(name, root_path="/")
    app.logger.warning("words")
    assert [record.getMessage() for record in records] == ["words"]
    assert app.logger.handlers == []


@pytest.mark.parametrize(
    ("is_debug", "level", "expected"),
    [(False, 0, logging.NOTSET), (True, 0, logging.DEBUG), (True, logging.ERROR, logging.ERROR)],
)
def test_levels(name: str, is_debug: bool, level: int, expected: int) -> None:
    """In debug mode it hears everything, unless somebody has set its level."""
    silence()
    logging.getLogger(name).setLevel(level)
    app = App(name, root_path="/")
    app.debug = is_debug
    assert (app.logger.level, app.logger.name) == (expected, name)


def test_a_listener_that_does_not_want_it(name: str) -> None:
    """A handler for worse things only is nobody who listens."""
    silence()
    handler = logging.StreamHandler(io.StringIO())
    handler.setLevel(logging.CRITICAL)
    logging.getLogger("quiet").addHandler(handler)
    app: Any = App(name, root_path="/")
    assert len(app.logger.handlers) == 1
