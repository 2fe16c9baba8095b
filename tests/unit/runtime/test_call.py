"""A function call as work for the pool."""

from __future__ import annotations

import pytest

from syncio.runtime import Relay, Runtime
from syncio.runtime.call import Call

from .kinds import PATIENCE, eventually


def test_it_calls_with_its_arguments(runtime: Runtime, relay: Relay) -> None:
    """The function is called on a worker, once, with all that was given."""
    done = runtime.event()
    seen: list[object] = []

    def note(*arguments: object) -> None:
        seen.append(arguments)
        done.set()

    relay.submit(Call(note, 1, None, "x"))
    assert done.wait(PATIENCE) and seen == [(1, None, "x")]


def test_errors_are_a_fault_of_ours(runtime: Runtime, relay: Relay, caplog: pytest.LogCaptureFixture) -> None:
    """What the function raises is logged with its traceback, and the workers go on."""
    done = runtime.event()
    for _ in range(5):
        relay.submit(Call(int, "x"))
    relay.submit(Call(done.set))
    assert done.wait(PATIENCE)
    assert eventually(runtime, lambda: len(caplog.records) == 5) and caplog.text.count("invalid literal") == 5
