"""The pulse: when the master is called, and when it is given up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from syncio.interaction import HTTPError, MasterResponseException, RequestException
from syncio.interaction.http_engine import HttpRequest, HttpResponse
from syncio.interaction.master_link import MasterLink
from syncio.interaction.pulse import YOUNG, Pulse
from syncio.runtime import choose_runtime

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing
from .peers import OK, DrivenSlave

SPAN = 0.02
LONG = 3600.0
SAID = json.dumps({**OK, "success": False, "code": 502}).encode()
NO = HTTPError(HttpResponse(403, {}, SAID, HttpRequest("GET", "", {}, b"")))


class Beaten(MasterLink):
    """A link that notes its heartbeats; they may fail."""

    def __init__(self) -> None:
        super().__init__(DrivenSlave(), "http://127.0.0.1:1", "t", True)
        self.beats = choose_runtime().queue()
        self.error: Exception | None = None

    def heartbeat(self) -> None:
        self.beats.put(self)
        if self.error is not None:
            raise self.error


class Slavish:
    """Has a pulse and perhaps a master."""

    def __init__(self, span: float, link: Beaten | None) -> None:
        runtime = choose_runtime()
        self.link = link
        self.lost = runtime.queue()
        self.pulse = Pulse(runtime, span, lambda: self.link, self._lost)

    def _lost(self, link: MasterLink, error: Exception) -> None:
        self.link = None
        self.lost.put((link, error))


@pytest.fixture
def made() -> Iterator[list[Slavish]]:
    """What was made, to be stopped."""
    made: list[Slavish] = []
    yield made
    for one in made:
        one.pulse.stop()


def test_it_beats(made: list[Slavish]) -> None:
    """The master is called again and again; a new one is called instead, and none if there is none."""
    first, second = Beaten(), Beaten()
    made.append(slave := Slavish(SPAN, first))
    for _ in range(3):
        assert first.beats.get(timeout=PATIENCE) is first
    slave.link = second
    slave.pulse.restart()
    for _ in range(3):
        assert second.beats.get(timeout=PATIENCE) is second
    assert slave.lost.empty()


def test_a_new_master_is_not_called_at_once(made: list[Slavish]) -> None:
    """`restart` does not call; the first call comes after a span."""
    link = Beaten()
    made.append(slave := Slavish(LONG, link))
    slave.pulse.restart()
    waiting = Doing(choose_runtime(), link.beats.get, True, PATIENCE)
    assert waiting.is_waiting()
    slave.pulse.hurry(link)
    assert waiting.outcome() is link


def test_hurrying(made: list[Slavish]) -> None:
    """A master whose wire broke is called at once, and another one is not."""
    link = Beaten()
    made.append(slave := Slavish(LONG, link))
    slave.pulse.hurry(Beaten())
    waiting = Doing(choose_runtime(), link.beats.get, True, PATIENCE)
    assert waiting.is_waiting()
    slave.pulse.hurry(link)
    assert waiting.outcome() is link


def test_a_master_that_does_not_answer_is_lost(made: list[Slavish]) -> None:
    """No answer is the master's end, and no pause for the pulse: the next one is called."""
    link, error = Beaten(), RequestException("x")
    link.error = error
    made.append(slave := Slavish(SPAN, link))
    assert slave.lost.get(timeout=PATIENCE) == (link, error)
    slave.link = other = Beaten()
    assert other.beats.get(timeout=PATIENCE) is other


def test_stopping(made: list[Slavish]) -> None:
    """What is stopped calls nobody, also if it is hurried."""
    link = Beaten()
    made.append(slave := Slavish(LONG, link))
    slave.pulse.stop()
    slave.pulse.hurry(link)
    waiting = Doing(choose_runtime(), link.beats.get, True, PATIENCE)
    assert waiting.is_waiting()
    link.beats.put(link)
    waiting.outcome()


def test_a_no_is_an_end_when_the_master_knows_us(made: list[Slavish]) -> None:
    """A master that says no is lost once it has had the time to know its slave, and not before."""
    link: Any = Beaten()
    link.error = error = MasterResponseException(NO)
    made.append(slave := Slavish(0.2, link))
    assert slave.lost.get(timeout=PATIENCE) == (link, error)
    assert choose_runtime().now() - link.since >= YOUNG * 0.2 and link.beats.qsize() >= YOUNG
