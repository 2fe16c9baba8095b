"""A slave's pulse: a task that calls the master again and again, to say that the slave lives."""

from __future__ import annotations

from collections.abc import Callable

from ..runtime import Runtime
from .errors import RequestException, ResponseException
from .master_link import MasterLink

__all__ = ["Pulse"]

YOUNG = 2
"""Spans in which a master that does not know its slave may be about to."""


class Pulse:
    """Calls the master.

    :param span: seconds between two calls.
    :param master: gives the master; None while there is none.
    :param lost: called with a master that does not answer, or does not know us any more.
    """

    def __init__(
        self,
        runtime: Runtime,
        span: float,
        master: Callable[[], MasterLink | None],
        lost: Callable[[MasterLink, Exception], None],
    ) -> None:
        self._now = runtime.now
        self._span = span
        self._master = master
        self._lost = lost
        self._woken = runtime.event()
        self._is_over = False
        self._broken: MasterLink | None = None
        runtime.start("syncio-heartbeat", self._run)

    def restart(self) -> None:
        """There is a new master: the first call comes after a span."""
        self._woken.set()

    def hurry(self, link: MasterLink) -> None:
        """The wire to a master broke: find out now whether it lives."""
        self._broken = link
        self._woken.set()

    def stop(self) -> None:
        """Call nobody any more. Never waits."""
        self._is_over = True
        self._woken.set()

    def _run(self) -> None:
        due = self._now() + self._span
        while not self._is_over:
            woken = self._woken.wait(max(0.0, due - self._now()))
            self._woken.clear()
            broken, self._broken = self._broken, None
            link = self._master()
            if link is not None and not self._is_over and (not woken or broken is link):
                self._call(link)
            due = self._now() + self._span

    def _call(self, link: MasterLink) -> None:
        try:
            link.heartbeat()
        except (RequestException, ResponseException) as exc:
            # The original knows its slave only after our answer to it, and says until then that it does not.
            is_young = self._now() - link.since < YOUNG * self._span
            if isinstance(exc, RequestException) or not is_young:
                self._lost(link, exc)
