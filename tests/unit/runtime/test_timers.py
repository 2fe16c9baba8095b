"""The heap of timers, which is pure: what fires when, what cancelling costs and what it leaves behind."""

from __future__ import annotations

import random
import threading
import weakref
from collections.abc import Callable

from syncio.runtime.timers import Timers


def fire_due(timers: Timers, now: float) -> int:
    """Call all that is due; how many there were."""
    fired = 0
    while (callback := timers.pop_due(now)) is not None:
        callback()
        fired += 1
    return fired


def test_empty_heap_has_nothing() -> None:
    """Without timers there is no deadline and nothing is due."""
    timers = Timers()
    assert timers.next_deadline() is None
    assert timers.pop_due(1e9) is None
    assert len(timers) == 0


def test_order_is_by_time_and_then_by_age() -> None:
    """Timers fire by their time, equal ones in the order in which they were added."""
    timers = Timers()
    fired: list[tuple[float, int]] = []
    made = [(float(random.Random(number).randrange(20)), number) for number in range(500)]
    for when, number in made:
        timers.add(when, lambda entry=(when, number): fired.append(entry))
    fire_due(timers, 100.0)
    assert fired == sorted(made)


def test_only_what_is_due_fires() -> None:
    """A timer is due at its time, not before."""
    timers = Timers()
    timers.add(5.0, lambda: None)
    timers.add(6.0, lambda: None)
    assert timers.next_deadline() == 5.0
    assert fire_due(timers, 4.999) == 0
    assert fire_due(timers, 5.0) == 1
    assert timers.next_deadline() == 6.0 and len(timers) == 1


def test_cancelled_timer_is_not_seen_any_more() -> None:
    """What is cancelled neither fires nor counts nor sets the deadline."""
    timers = Timers()
    first = timers.add(1.0, lambda: None)
    timers.add(2.0, lambda: None)
    first.cancel()
    assert timers.next_deadline() == 2.0
    assert len(timers) == 1
    assert fire_due(timers, 9.0) == 1


def test_cancelling_twice_or_late_changes_nothing() -> None:
    """`cancel` may come again, and after the timer has fired, and the count stays right."""
    timers = Timers()
    fired = timers.add(1.0, lambda: None)
    assert fire_due(timers, 1.0) == 1
    fired.cancel()
    twice = timers.add(2.0, lambda: None)
    twice.cancel()
    twice.cancel()
    timers.add(3.0, lambda: None)
    assert len(timers) == 1 and timers.next_deadline() == 3.0
    assert len(timers) == 1


class Target:
    """Something that a callback holds."""

    def hit(self) -> None:
        """Be called."""


def test_cancelled_timer_lets_go_of_its_callback() -> None:
    """Nothing that a cancelled timer would have called is kept alive until its time."""
    timers = Timers()
    target = Target()
    gone = weakref.ref(target)
    timer = timers.add(1e9, target.hit)
    del target
    timer.cancel()
    assert gone() is None


def test_cancelled_timers_do_not_pile_up() -> None:
    """Adding and cancelling far timers for ever keeps the heap as small as what is alive."""
    timers = Timers()
    alive = [timers.add(1e9 + number, lambda: None) for number in range(10)]
    for number in range(10_000):
        timers.add(1e6 + number, lambda: None).cancel()
    assert len(timers) == 10
    assert len(timers._heap) < 200
    for timer in alive[:5]:
        timer.cancel()
    assert timers.next_deadline() == 1e9 + 5


def test_compaction_keeps_the_order() -> None:
    """After the cancelled ones were thrown out the others still fire in order."""
    timers = Timers()
    fired: list[int] = []
    made = [timers.add(float(number), lambda n=number: fired.append(n)) for number in range(1000)]
    keep = {number for number in range(1000) if number % 7 == 0}
    for number, timer in enumerate(made):
        if number not in keep:
            timer.cancel()
    timers.add(2000.0, lambda: fired.append(2000))
    assert len(timers) == len(keep) + 1
    fire_due(timers, 1e9)
    assert fired == [*sorted(keep), 2000]


def test_timer_added_by_a_callback_fires_in_its_turn() -> None:
    """A callback may add timers, due ones too."""
    timers = Timers()
    fired: list[str] = []
    timers.add(1.0, lambda: (fired.append("first"), timers.add(1.0, lambda: fired.append("second"))))
    assert fire_due(timers, 1.0) == 2
    assert fired == ["first", "second"]


class CancelledMeanwhile(list[object]):
    """A heap from which, as soon as it is looked at, another thread has cancelled the first timer."""

    def __init__(self, cancel: Callable[[], None], entries: list[object]) -> None:
        super().__init__(entries)
        self._cancel = cancel
        self._looks = 0

    def __getitem__(self, index: object) -> object:
        entry = super().__getitem__(index)
        self._looks += 1
        if self._looks == 2:
            self._cancel()
        return entry


def test_cancelling_in_the_moment_of_firing_hides_no_other() -> None:
    """A timer that is cancelled while it is being taken does not keep the due one behind it from firing."""
    timers = Timers()
    first = timers.add(1.0, lambda: None)
    timers.add(2.0, lambda: None)
    timers._heap = CancelledMeanwhile(first.cancel, [*timers._heap])
    assert timers.pop_due(5.0) is not None
    fire_due(timers, 5.0)
    assert len(timers) == 0


def test_count_is_right_after_many_threads_cancelled() -> None:
    """Threads that add and cancel at once leave a count that is what the heap holds."""
    timers = Timers()
    lock = threading.Lock()
    kept: list[int] = []

    def churn(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(2000):
            with lock:
                timer = timers.add(1e6 + chance.random(), lambda: None)
            if chance.random() < 0.9:
                timer.cancel()
            else:
                kept.append(1)

    threads = [threading.Thread(target=churn, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(timers) == len(kept)
    assert fire_due(timers, 1e9) == len(kept)
    assert len(timers) == 0
