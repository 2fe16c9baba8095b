"""The states of a session, who asks for one, and who watches them."""

from __future__ import annotations

from typing import Any

import pytest

from syncio.errors import IllegalTransition, LocalError, RequestTimeout
from syncio.protocol import Runstate, StateError, require
from syncio.protocol.runstate import RUNSTATE_TABLE, UNREAD, Stateful
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import MOMENT, PATIENCE, eventually

from .lines import Doing

IDLE, CONNECTING, RUNNING, DISCONNECTING = Runstate
SESSION = (CONNECTING, RUNNING, DISCONNECTING, IDLE)
SENTENCES = {
    IDLE: "Engine is disconnected and idle.",
    CONNECTING: "Engine is currently connecting.",
    RUNNING: "Engine is already connected and running.",
    DISCONNECTING: "Engine is disconnecting. Call disconnect() to return to IDLE state.",
}


class Engine(Stateful):
    """Something with a state and a method that needs one."""

    def enter(self, *states: Runstate) -> None:
        """Go through these states."""
        for state in states:
            self._move(state)

    def enter_from(self, required: Runstate, wanted: Runstate) -> None:
        """Go there only from here."""
        self._move(wanted, required)

    @require(RUNNING)
    def run(self, *args: Any, **options: Any) -> Any:
        """Give back what it gets."""
        return args, options

    @require(IDLE)
    def rest(self) -> str:
        """Do nothing."""
        return "rested"


@pytest.fixture
def engine(runtime: Runtime) -> Engine:
    """One that is idle."""
    return Engine(runtime)


def test_numbers() -> None:
    """The states have the numbers that users of the original know."""
    assert [(state.name, state.value) for state in Runstate] == [
        ("IDLE", 0),
        ("CONNECTING", 1),
        ("RUNNING", 2),
        ("DISCONNECTING", 3),
    ]


def test_every_way_to_the_end_leads_through_disconnecting() -> None:
    """IDLE is entered from DISCONNECTING only, and that from everywhere."""
    for state in (IDLE, CONNECTING, RUNNING):
        assert RUNSTATE_TABLE.allows(state, DISCONNECTING)
        assert not RUNSTATE_TABLE.allows(state, IDLE)
    assert RUNSTATE_TABLE.allows(DISCONNECTING, IDLE)


@pytest.mark.parametrize("ways", [(), (CONNECTING,), (CONNECTING, RUNNING), (DISCONNECTING,)], ids=str)
def test_require(engine: Engine, ways: tuple[Runstate, ...]) -> None:
    """In another state than the required one a method raises, says in which one, and changes nothing."""
    engine.enter(*ways)
    state = engine.runstate
    for method, required in ((engine.run, RUNNING), (engine.rest, IDLE)):
        if state is required:
            method()
            continue
        with pytest.raises(StateError) as caught:
            method()
        assert (str(caught.value), caught.value.error_message) == (SENTENCES[state],) * 2
        assert (caught.value.state, caught.value.required) == (state, required)
        assert engine.runstate is state


def test_require_keeps_the_method(engine: Engine) -> None:
    """A decorated method keeps its name, its docstring, its arguments and its result."""
    engine.enter(CONNECTING, RUNNING)
    assert engine.run(1, two=2) == ((1,), {"two": 2})
    assert (Engine.run.__name__, Engine.run.__doc__) == ("run", "Give back what it gets.")


def test_state_is_asked_for_before_the_arguments(engine: Engine) -> None:
    """Wrong arguments in a wrong state are an error of the state."""
    with pytest.raises(StateError):
        engine.run(object())
    engine.enter(CONNECTING)
    with pytest.raises(StateError):
        engine.rest("odd")  # type: ignore[call-arg]


def test_move_from_another_state(engine: Engine) -> None:
    """A move that needs a state raises in another one, and no watch hears of it."""
    with engine.watch_runstate() as watch:
        with pytest.raises(StateError, match="idle"):
            engine.enter_from(RUNNING, DISCONNECTING)
        with pytest.raises(IllegalTransition):
            engine.enter(RUNNING)
        assert engine.runstate is IDLE
        with pytest.raises(RequestTimeout):
            watch.get(0)


def test_watch_loses_nothing(engine: Engine) -> None:
    """A watch has every transition in its order, however fast they were."""
    with engine.watch_runstate() as watch, engine.watch_runstate() as other:
        engine.enter(*SESSION, *SESSION)
        for each in (watch, other):
            assert [each.get(0) for _ in range(8)] == [*SESSION, *SESSION]


def test_watch_begins_when_it_is_made(engine: Engine) -> None:
    """What was before is not in a watch, and the same state again is no transition."""
    engine.enter(CONNECTING)
    with engine.watch_runstate() as watch:
        engine.enter(CONNECTING, RUNNING)
        assert watch.get(0) is RUNNING


def test_watch_waits(engine: Engine, runtime: Runtime) -> None:
    """A watch wakes with the transition, or raises after its time."""
    with engine.watch_runstate() as watch:
        with pytest.raises(RequestTimeout, match=r"waiting for a transition did not end within 0\.01 s"):
            watch.get(0.01)
        waiting = Doing(runtime, watch.get, PATIENCE)
        engine.enter(CONNECTING)
        assert waiting.result() is CONNECTING


def test_watch_overflows(engine: Engine) -> None:
    """A watch that nobody looks at keeps the first 1,024 transitions, and then says that it has lost some."""
    with engine.watch_runstate() as watch:
        for _ in range(UNREAD // 4):
            engine.enter(*SESSION)
        engine.enter(CONNECTING, DISCONNECTING)
        assert [watch.get(0) for _ in range(UNREAD)] == [*SESSION] * (UNREAD // 4)
        for look in (watch.get, watch.__next__):
            with pytest.raises(LocalError, match="nobody looked at this watch for 1024 transitions"):
                look()


def test_watch_that_is_closed(engine: Engine, runtime: Runtime) -> None:
    """Closing a watch wakes who waits, gives out what it has, ends its iteration, and may be done twice."""
    watch = engine.watch_runstate()
    waiting = Doing(runtime, watch.get)
    assert not waiting.ended.wait(MOMENT)
    watch.close()
    with pytest.raises(LocalError, match="the watch is closed"):
        waiting.result()
    watch.close()
    engine.enter(CONNECTING)
    assert list(watch) == []


def test_iteration(engine: Engine, runtime: Runtime) -> None:
    """A watch is an iterator of the transitions, which ends when it is closed."""
    with engine.watch_runstate() as watch:
        seen = Doing(runtime, list, watch)
        engine.enter(*SESSION)
        assert not seen.ended.wait(MOMENT)
    assert seen.result() == [*SESSION]


def test_leaving_with_ends_the_subscription(engine: Engine) -> None:
    """After its with-statement a watch gets nothing more, and is not kept."""
    with engine.watch_runstate() as watch:
        pass
    engine.enter(CONNECTING)
    assert list(watch) == []
    assert engine._watches == []


def test_runstate_changed(engine: Engine, runtime: Runtime) -> None:
    """It waits for the next transition and gives the state, or raises after its time."""
    with pytest.raises(RequestTimeout):
        engine.runstate_changed(0.01)
    waiting = Doing(runtime, engine.runstate_changed, PATIENCE)
    assert eventually(runtime, lambda: engine._watches)
    engine.enter(CONNECTING)
    assert waiting.result() is CONNECTING
    assert engine._watches == []


def test_wait_for(engine: Engine, runtime: Runtime) -> None:
    """It returns at once in the state, waits through others, and does not miss one that was left at once."""
    engine.wait_for(IDLE, 0)
    waiting = Doing(runtime, engine.wait_for, RUNNING, PATIENCE)
    assert eventually(runtime, lambda: engine._watches)
    engine.enter(*SESSION)
    waiting.result()
    with pytest.raises(RequestTimeout, match=r"waiting for RUNNING did not end within 0\.01 s"):
        engine.wait_for(RUNNING, 0.01)
    assert engine._watches == []
