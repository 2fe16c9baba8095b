"""The workbench: which tasks are taken, and what is said of them whatever they raise."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
import pytest

from syncio.errors import LocalError
from syncio.interaction import ResponsibleException, SlaveErrorCode, TaskFail, TaskRefuse
from syncio.interaction.master_link import MasterLink, Outcome
from syncio.interaction.slots import Job
from syncio.interaction.workbench import MOST_TRACE, REMEMBERED, Workbench
from syncio.runtime import choose_runtime

from .peers import DrivenSlave


class Notes(MasterLink):
    """A link that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(DrivenSlave(), "http://127.0.0.1:1", "t", True)
        self.reports: list[tuple[str, str, Any]] = []
        self.said: list[tuple[str, Any]] = []

    def report(self, task_id: str, outcome: Outcome) -> None:
        self.reports.append((task_id, outcome.kind, json.loads(outcome.text)))

    def progress(self, task_id: str, text: str) -> None:
        self.said.append((task_id, json.loads(text)))


@pytest.fixture
def link() -> Notes:
    """Keeps what it is told."""
    return Notes()


def bench(process: Callable[[Any], Any], ask: Callable[[Any], None] = lambda data: None, slots: int = 1) -> Workbench:
    """A workbench for functions."""
    return Workbench(choose_runtime(), slots, ask, process)


def taken(bench: Workbench, link: MasterLink, task_id: str = "x", data: Any = None) -> Job:
    """A job that was taken."""
    job = bench.take(link, task_id, data)
    assert job is not None
    return job


def raising(error: BaseException) -> Callable[[Any], Any]:
    """A function that raises."""

    def fail(data: Any) -> Any:
        raise error

    return fail


class Mute(Exception):
    """An error that cannot even say what it is."""

    def __str__(self) -> str:
        raise ZeroDivisionError


class Sly(TaskFail):
    """A failure whose result cannot be had."""

    @property
    def result(self) -> Any:
        raise ZeroDivisionError

    @result.setter
    def result(self, value: Any) -> None:
        pass


def deep() -> Any:
    """What is too deep for JSON."""
    value: Any = []
    for _ in range(100_000):
        value = [value]
    return value


# ---------------------------------------------------------------------- results


@pytest.mark.parametrize("value", [{"a": 1}, [1, None], 0, "", False, "\ud800"], ids=repr)
def test_results(link: Notes, value: Any) -> None:
    """A result is reported as it is."""
    work = bench(lambda data: data)
    work.run(taken(work, link, data=value))
    assert link.reports == [("x", "complete", value)]


def test_no_result_is_an_empty_one(link: Notes) -> None:
    """None becomes {}."""
    work = bench(lambda data: None)
    work.run(taken(work, link))
    assert link.reports == [("x", "complete", {})]


def test_a_failure_has_its_result(link: Notes) -> None:
    """What a `TaskFail` carries is reported as it is."""
    work = bench(raising(TaskFail({"why": "x"}, "for the log")))
    work.run(taken(work, link))
    assert link.reports == [("x", "fail", {"why": "x"})]


@pytest.mark.parametrize(
    ("process", "kind"),
    [
        (raising(ValueError("x")), "ValueError"),
        (raising(SystemExit(1)), "SystemExit"),
        (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
        (raising(GeneratorExit()), "GeneratorExit"),
        (raising(gevent.Timeout(1)), "Timeout"),
        (raising(gevent.GreenletExit()), "GreenletExit"),
        (raising(Mute()), "Mute"),
        (raising(Sly()), "ZeroDivisionError"),
        (raising(TaskFail({"object": object()})), "TypeError"),
        (raising(TaskFail({"deep": deep()})), "RecursionError"),
        (lambda data: object(), "TypeError"),
        (lambda data: {(1, 2): 3}, "TypeError"),
        (lambda data: deep(), "RecursionError"),
    ],
)
def test_whatever_is_raised(link: Notes, process: Callable[[Any], Any], kind: str) -> None:
    """Whatever comes of a task is reported, with its type, and its slot is free for the next one."""
    work = bench(process)
    for number in range(2):
        work.run(taken(work, link, str(number)))
    for number, (task_id, what, said) in enumerate(link.reports):
        assert (task_id, what, said["error"]["type"]) == (str(number), "fail", kind)
        assert len(said["error"]["traceback"]) <= MOST_TRACE
    assert len(link.reports) == 2 and work.join(0.0)


# ---------------------------------------------------------------------- which tasks


def test_a_task_that_comes_twice_is_taken_once(link: Notes) -> None:
    """A task is known by its id, while it is done and when it is done."""
    work = bench(lambda data: data, slots=3)
    job = taken(work, link, "x", 1)
    assert work.take(link, "x", 1) is None
    work.run(job)
    assert work.take(link, "x", 1) is None
    assert link.reports == [("x", "complete", 1)]


def test_a_task_that_was_refused_may_come_again(link: Notes) -> None:
    """Whether the hook, a lack of slots or an error has refused a task, it may be offered again."""
    errors: list[BaseException] = [TaskRefuse({"why": "x"}), ZeroDivisionError()]

    def ask(data: Any) -> None:
        if errors:
            raise errors.pop(0)

    work = bench(lambda data: data, ask)
    with pytest.raises(TaskRefuse):
        work.take(link, "x", 1)
    with pytest.raises(ZeroDivisionError):
        work.take(link, "x", 1)
    first = taken(work, link, "y", 2)
    with pytest.raises(ResponsibleException) as caught:
        work.take(link, "x", 1)
    assert caught.value.code == SlaveErrorCode.TASK_ALREADY_EXIST
    work.run(first)
    work.run(taken(work, link, "x", 1))
    assert link.reports == [("y", "complete", 2), ("x", "complete", 1)]


def test_only_so_many_ids_are_known(link: Notes) -> None:
    """Ids are forgotten in the order in which they came, beyond a number of them."""
    work = bench(lambda data: data, slots=REMEMBERED + 2)
    for number in range(REMEMBERED + 1):
        taken(work, link, str(number))
    assert work.take(link, "1", None) is None
    assert taken(work, link, "0").id == "0"


def test_closing_while_a_hook_thinks(link: Notes) -> None:
    """A task whose hook agrees after `close` is not taken: who drains finds nothing begun behind his back."""
    work = bench(lambda data: data, lambda data: work.close())
    with pytest.raises(ResponsibleException) as caught:
        work.take(link, "x", 1)
    assert caught.value.code == SlaveErrorCode.SYSTEM_SHUTTING_DOWN and caught.value.status_code == 401
    with pytest.raises(ResponsibleException):
        work.take(link, "y", 1)
    assert work.join(0.0)


# ---------------------------------------------------------------------- in the middle of one


def test_what_nobody_wants_is_not_reported(link: Notes) -> None:
    """A cancelled task is not begun, or not reported; others are."""
    begun: list[Any] = []
    seen: list[bool] = []

    def process(data: Any) -> Any:
        begun.append(data)
        if data == "cancelled":
            work.cancel("two")
        seen.append(Workbench.current().is_cancelled)
        return data

    work = bench(process, slots=3)
    one, two, three = taken(work, link, "one", 1), taken(work, link, "two", "cancelled"), taken(work, link, "three", 3)
    work.cancel("one")
    work.cancel("nobody")
    for job in (one, two, three):
        work.run(job)
    assert begun == ["cancelled", 3] and seen == [True, False] and link.reports == [("three", "complete", 3)]
    assert work.join(0.0)


def test_the_tasks_of_a_master_that_is_gone(link: Notes) -> None:
    """When a master is gone its tasks are cancelled, and not those of the next one."""
    work, other = bench(lambda data: data, slots=2), Notes()
    mine, theirs = taken(work, link, "mine"), taken(work, other, "theirs")
    work.abandon(link)
    assert mine.is_cancelled and not theirs.is_cancelled


def test_progress_has_a_pace(link: Notes) -> None:
    """Of many messages of progress at once the first goes; a cancelled task says nothing."""

    def process(data: Any) -> Any:
        if data == "cancelled":
            work.cancel("y")
        for number in range(50):
            work.progress(number)

    work = bench(process)
    work.run(taken(work, link, "x"))
    assert link.said[0] == ("x", 0) and len(link.said) < 50
    link.said.clear()
    work.run(taken(work, link, "y", "cancelled"))
    assert link.said == []


def test_outside_of_a_task(link: Notes) -> None:
    """Where no task is worked on there is no current one, also behind one that has failed."""
    work = bench(raising(ZeroDivisionError()))
    for _ in range(2):
        with pytest.raises(LocalError, match="_process_task"):
            Workbench.current()
        with pytest.raises(LocalError):
            work.progress(1)
        with suppress(ResponsibleException):
            work.run(taken(work, link))
            break
