"""Listeners for events: what they take, how they wait, how they end, what they keep."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncio.errors import BusyError, ConfigurationError, RequestTimeout
from syncio.protocol import Runstate
from syncio.protocol.qmp import EventListener, ListenerClosed, ListenerError, Message
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import MOMENT, PATIENCE, eventually

from .qmp_server import Stage, event


@pytest.fixture
def stage(runtime: Runtime, mode: str, tmp_path: Path) -> Iterator[Stage]:
    """Clients and the servers that they talk to."""
    with Stage(runtime, mode, tmp_path) as stage:
        yield stage


def names(events: Any) -> list[str]:
    """The names of events."""
    return [message["event"] for message in events]


def passed(client: Any, peer: Any, stage: Stage) -> None:
    """Have a command answered: what was sent before it was handled."""
    call = stage.call(client.execute, "sync")
    peer.answer(peer.command())
    call.result()


# ---------------------------------------------------------------------- what a listener takes


@pytest.mark.parametrize(
    ("listener", "taken"),
    [
        (EventListener(), ["STOP", "RESUME", "RESET"]),
        (EventListener(()), ["STOP", "RESUME", "RESET"]),
        (EventListener("STOP"), ["STOP"]),
        (EventListener(("STOP", "RESET")), ["STOP", "RESET"]),
        (EventListener(name for name in ["RESET"]), ["RESET"]),
        (EventListener(None, lambda message: "E" in message["event"]), ["RESUME", "RESET"]),
        (EventListener(("STOP", "RESUME"), lambda message: "E" in message["event"]), ["RESUME"]),
        (EventListener("NONE"), []),
    ],
)
def test_names_and_filter(listener: EventListener, taken: list[str]) -> None:
    """A listener wants what has one of its names, and that its filter likes; no names are all."""
    assert [name for name in ("STOP", "RESUME", "RESET") if listener.accept(Message(event(name)))] == taken


def test_first_in_first_out(mode: str) -> None:
    """Events are taken in their order, and empty() says whether there are any."""
    listener = EventListener(async_mode=mode)
    assert listener.empty()
    for name in "ABC":
        listener.put(Message(event(name)))
    assert not listener.empty()
    assert [listener.get(0)["event"] for _ in range(3)] == ["A", "B", "C"]
    assert listener.empty()


def test_clear_returns_what_waited(mode: str) -> None:
    """clear() forgets what waits, and gives it."""
    listener = EventListener(async_mode=mode)
    listener.put(Message(event("A")))
    listener.put(Message(event("B")))
    assert names(listener.clear()) == ["A", "B"]
    assert listener.empty() and listener.clear() == []
    assert names(listener.history) == ["A", "B"]


def test_repr_shows_what_waits() -> None:
    """A listener shows its names, and how many events wait."""
    listener = EventListener(("STOP", "RESUME"))
    listener.put(Message(event("STOP")))
    assert repr(listener) == "<EventListener for RESUME, STOP, pending=1>"
    assert "all events" in repr(EventListener())


def test_get_gives_up(mode: str, runtime: Runtime) -> None:
    """get() waits as long as it is told, and 0 is not at all."""
    listener = EventListener("STOP", async_mode=mode)
    with pytest.raises(RequestTimeout):
        listener.get(0)
    began = runtime.now()
    with pytest.raises(RequestTimeout, match="STOP") as caught:
        listener.get(MOMENT)
    assert MOMENT * 0.9 <= runtime.now() - began < PATIENCE
    assert caught.value.timeout == MOMENT and isinstance(caught.value, TimeoutError)


def test_get_wakes_up(mode: str, stage: Stage) -> None:
    """get() returns the event that comes while it waits."""
    listener = EventListener(async_mode=mode)
    call = stage.call(listener.get, PATIENCE)
    listener.put(Message(event("A")))
    assert call.result()["event"] == "A"


def test_every_event_goes_to_one_of_several(mode: str, stage: Stage) -> None:
    """Of tasks that wait at one listener each event wakes one, and none is lost."""
    listener = EventListener(async_mode=mode)
    calls = [stage.call(listener.get, PATIENCE) for _ in range(8)]
    for number in range(8):
        listener.put(Message(event(f"E{number}")))
    assert sorted(call.result()["event"] for call in calls) == [f"E{number}" for number in range(8)]


# ---------------------------------------------------------------------- bounds


def test_queue_is_bounded(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """A listener that nobody looks at forgets the oldest events, counts them, and warns once."""
    listener = EventListener(limit=3, async_mode=mode)
    for number in range(10):
        listener.put(Message(event(str(number))))
    assert names(listener.clear()) == ["7", "8", "9"] and listener.dropped == 7
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_bounds_are_the_default(mode: str) -> None:
    """Without being asked a listener keeps 4,096 events, and remembers 256."""
    listener = EventListener(async_mode=mode)
    for number in range(5000):
        listener.put(Message(event(str(number))))
    assert len(listener.history) == 256
    assert len(listener.clear()) == 4096


def test_no_bounds_for_those_who_ask(mode: str) -> None:
    """limit=None and history=None keep everything."""
    listener = EventListener(limit=None, history=None, async_mode=mode)
    for number in range(5000):
        listener.put(Message(event(str(number))))
    assert len(listener.clear()) == 5000 and len(listener.history) == 5000 and listener.dropped == 0


def test_limit_of_nothing_is_refused() -> None:
    """A listener that could keep nothing is not made."""
    with pytest.raises(ConfigurationError):
        EventListener(limit=0)


# ---------------------------------------------------------------------- at a client


def test_client_has_a_listener_for_all(stage: Stage) -> None:
    """What no listener asked for is in `events`, as it came."""
    client, peer = stage.session()
    peer.send(event("STOP", a=1))
    assert client.events.get(PATIENCE) == event("STOP", a=1)


def test_each_listener_has_its_own_copy(stage: Stage) -> None:
    """What one listener does to an event the others do not see."""
    client, peer = stage.session()
    with client.listener() as first, client.listener() as second:
        peer.send(event("STOP", list=[1]))
        first.get(PATIENCE)["data"]["list"].append(2)
        assert second.get(PATIENCE)["data"]["list"] == [1]
        assert client.events.get(PATIENCE)["data"]["list"] == [1]


def test_names_filter_at_a_client(stage: Stage) -> None:
    """A listener gets what it wants and nothing else."""
    client, peer = stage.session()
    with client.listener(("A", "B"), lambda message: message["data"]["ok"]) as listener:
        peer.send(event("A", ok=True), event("A", ok=False), event("C", ok=True), event("B", ok=True))
        passed(client, peer, stage)
        assert names(listener.clear()) == ["A", "B"]
    assert names(client.events.clear()) == ["A", "A", "C", "B"]


def test_subscription_is_in_force_inside(stage: Stage) -> None:
    """The events of a command inside a `with` are not missed, also if they come before its answer."""
    client, peer = stage.session()
    with client.listener("STOP") as listener:
        call = stage.call(client.execute, "stop")
        command = peer.command()
        peer.send(event("STOP"))
        peer.answer(command)
        call.result()
        assert listener.get(0)["event"] == "STOP"


def test_leaving_ends_the_subscription(stage: Stage) -> None:
    """Behind a `with` a listener gets nothing, has nothing, and holds nobody."""
    client, peer = stage.session()
    with client.listener() as listener:
        peer.send(event("A"))
        passed(client, peer, stage)
        assert not listener.empty()
    assert listener.empty()
    peer.send(event("B"))
    passed(client, peer, stage)
    assert listener.empty()
    with pytest.raises(ListenerClosed):
        listener.get(PATIENCE)


def test_removing_wakes_who_waits(stage: Stage) -> None:
    """Somebody who waits at a listener that is removed hears of it."""
    client, _peer = stage.session()
    listener = EventListener(async_mode=stage.mode)
    client.register_listener(listener)
    call = stage.call(list, listener)
    client.remove_listener(listener)
    assert call.result() == []


def test_registering_twice_is_refused(stage: Stage) -> None:
    """A listener is registered once; after its removal it can be again."""
    client, peer = stage.session()
    listener = EventListener(async_mode=stage.mode)
    client.register_listener(listener)
    with pytest.raises(ListenerError):
        client.register_listener(listener)
    client.remove_listener(listener)
    with pytest.raises(ListenerError):
        client.remove_listener(listener)
    client.register_listener(listener)
    peer.send(event("A"))
    assert listener.get(PATIENCE)["event"] == "A"


def test_default_listener_stays(stage: Stage) -> None:
    """The listener for all events can neither be removed nor registered again."""
    client = stage.make()
    with pytest.raises(ListenerError):
        client.remove_listener(client.events)
    with pytest.raises(ListenerError):
        client.register_listener(client.events)


def test_listen_takes_several_or_none(stage: Stage) -> None:
    """If one of several listeners cannot be registered, none is, and the ones that were before stay."""
    client, peer = stage.session()
    one, two = EventListener(async_mode=stage.mode), EventListener(async_mode=stage.mode)
    with client.listen(one, two):
        peer.send(event("A"))
        assert one.get(PATIENCE) == two.get(PATIENCE) == event("A")
    client.register_listener(two)
    with pytest.raises(ListenerError), client.listen(one, two):
        pytest.fail("the body was run")
    client.register_listener(one)  # it was not registered any more
    with pytest.raises(ListenerError):
        client.register_listener(two)  # it still was


def test_filter_may_not_execute(stage: Stage) -> None:
    """A command on the reader, where a filter runs, is a clear error instead of a dead lock."""
    client, peer = stage.session()
    found: list[BaseException] = []

    def ask(message: Message) -> bool:
        try:
            client.execute("stop", timeout=PATIENCE)
        except BusyError as exc:
            found.append(exc)
        return True

    with client.listener("A", ask) as listener:
        peer.send(event("A"))
        assert listener.get(PATIENCE)["event"] == "A"
    assert "reader" in str(found[0])
    passed(client, peer, stage)


def test_filter_that_fails_ends_the_session(stage: Stage) -> None:
    """What a filter raises comes out of disconnect(), once."""
    client, peer = stage.session()

    def broken(message: Message) -> bool:
        raise LookupError("of the filter")

    client.register_listener(EventListener("A", broken, async_mode=stage.mode))
    peer.send(event("A"))
    client.wait_for(Runstate.DISCONNECTING, PATIENCE)
    with pytest.raises(LookupError, match="of the filter"):
        client.disconnect()
    client.disconnect()


# ---------------------------------------------------------------------- the end


def test_iterating_ends_with_the_session(stage: Stage) -> None:
    """Whoever iterates gets what has come, and then ends, when the server goes."""
    client, peer = stage.session()
    call = stage.call(list, client.events)
    peer.send(event("A"), event("B"))
    peer.hang_up()
    assert names(call.result()) == ["A", "B"]
    with pytest.raises(EOFError):
        client.disconnect()


def test_iterating_ends_with_disconnect(stage: Stage) -> None:
    """Whoever iterates ends when this side disconnects."""
    client, _peer = stage.session()
    calls = [stage.call(list, client.events) for _ in range(4)]
    client.disconnect()
    assert [call.result() for call in calls] == [[]] * 4


def test_get_ends_with_the_session(stage: Stage) -> None:
    """get() gives what is left, and then ListenerClosed instead of waiting."""
    client, peer = stage.session()
    waiting = stage.call(EventListener.get, client.events)
    peer.send(event("A"))
    assert waiting.result()["event"] == "A"
    waiting = stage.call(EventListener.get, client.events)
    peer.hang_up()
    assert isinstance(waiting.error(), ListenerClosed)
    with pytest.raises(ListenerClosed):
        client.events.get()
    client.close()


def test_what_is_left_can_be_taken_after_the_end(stage: Stage) -> None:
    """Events that came before the end are still there after disconnect()."""
    client, peer = stage.session()
    peer.send(event("A"))
    assert eventually(stage.runtime, lambda: not client.events.empty())
    client.disconnect()
    assert names(client.events) == ["A"]


def test_registering_after_the_end(stage: Stage) -> None:
    """A listener that is registered when the session is over does not wait for what cannot come."""
    client, peer = stage.session()
    peer.hang_up()
    client.wait_for(Runstate.DISCONNECTING, PATIENCE)
    assert eventually(stage.runtime, lambda: client._link is None or client._link.has_ended)
    with client.listener() as listener, pytest.raises(ListenerClosed):
        listener.get(PATIENCE)
    client.close()


def test_listeners_live_in_the_next_session(stage: Stage) -> None:
    """Listeners that are registered stay so, and those that come back work again."""
    client, peer = stage.session()
    kept, back = EventListener(async_mode=stage.mode), EventListener(async_mode=stage.mode)
    client.register_listener(kept)
    with client.listen(back):
        pass
    client.disconnect()
    with pytest.raises(ListenerClosed):
        kept.get(PATIENCE)
    _client, peer = stage.session(client)
    with client.listen(back):
        peer.send(event("A"))
        assert kept.get(PATIENCE) == back.get(PATIENCE) == client.events.get(PATIENCE)


def test_registering_before_the_first_session(stage: Stage) -> None:
    """Somebody may wait at a listener before there is a session."""
    client = stage.make()
    with client.listener("A") as listener:
        call = stage.call(listener.get, PATIENCE)
        _client, peer = stage.session(client)
        peer.send(event("A"))
        assert call.result()["event"] == "A"
