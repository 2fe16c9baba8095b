"""Things that are started and closed: the order of that, also when something is raised."""

from __future__ import annotations

import pytest

from syncio.interaction import ControllableContext, ControllableService


class Noting(ControllableService):
    """A service that notes what is asked of it."""

    def __init__(self, breaks: str = "") -> None:
        self.calls: list[str] = []
        self._breaks = breaks

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self._breaks:
            raise OSError(call)

    def start(self) -> None:
        """Begin."""
        self._note("start")

    def shutdown(self) -> None:
        """Have it end."""
        self._note("shutdown")

    def join(self) -> None:
        """Wait for its end."""
        self._note("join")


def test_block() -> None:
    """A block begins with `start` and gives the service itself; at its end that is shut down and then joined."""
    service = Noting()
    with service as given:
        assert given is service and service.calls == ["start"]
    assert service.calls == ["start", "shutdown", "join"]


def test_block_that_raises() -> None:
    """What a block raises leaves it, and the service is closed."""
    service = Noting()
    with pytest.raises(KeyError), service:
        raise KeyError
    assert service.calls == ["start", "shutdown", "join"]


def test_start_that_raises() -> None:
    """A service that cannot start has nothing to close."""
    service = Noting("start")
    with pytest.raises(OSError, match="start"), service:
        pass
    assert service.calls == ["start"]


def test_abstract() -> None:
    """Both say what has to be written."""
    for kind in (ControllableContext, ControllableService):
        with pytest.raises(TypeError, match="abstract"):
            kind()  # type: ignore[abstract]
