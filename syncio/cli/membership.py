"""A slave made of a function, and its membership in a master: it joins, and joins again when that was lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engineio import Retry
from ..interaction import (
    DEFAULT_MASTER_PORT,
    HTTPError,
    MasterChannelInvalid,
    MasterSlaveTokenInvalid,
    RequestException,
    ResponseException,
    Slave,
    get_values_from_response,
    split_http_address,
)
from ..streams import show

__all__ = ["FunctionSlave", "Membership"]

LOOK = 0.5
"""Seconds between two looks whether the master is still there."""
FIRST_WAIT = 0.5
LONGEST_WAIT = 15.0
"""Seconds between two attempts to join; a bit more or less by chance, so that not all slaves come at once."""
NOT_THERE = (404, 405)


class FunctionSlave(Slave):
    """A slave whose tasks are calls of a function.

    :param function: takes a task's data, and returns the result.
    :param options: those of a `Slave`.
    """

    def __init__(self, function: Callable[[Any], Any], **options: Any) -> None:
        super().__init__(**options)
        self._function = function
        self.why_lost = ""
        """How it was noticed that the master was lost; empty if it has let us go."""

    def _process_task(self, task: Any) -> Any:
        return self._function(task)

    def _lost_connection(self, master_address: str, err: Exception) -> None:
        self.why_lost = str(err)


class Membership:
    """Keeps a slave in a master.

    :param slave: the slave.
    :param master: where the master is: a URL, or 'host' or 'host:port'.
    :param name: what the slave is called there; None for its host and port.
    :param note: tells people what happens.
    :param over: called when the master has refused the slave, and will do so again.
    :raises ConfigurationError: if the address is none.
    """

    def __init__(
        self,
        slave: FunctionSlave,
        master: str,
        name: str | None,
        note: Callable[[str], None],
        over: Callable[[], None],
    ) -> None:
        self._slave = slave
        url = master if "://" in master else f"http://{master}"
        host, port, https, path = split_http_address(url, DEFAULT_MASTER_PORT)
        self._master = f"{'https' if https else 'http'}://{show((host, port))}{path}"
        self._name = name
        self._note = note
        self._over = over
        self._stopped = slave.runtime.event()
        self.has_joined = False
        """Whether it ever has."""
        self.refusal: str | None = None
        """Why the master does not want this slave; None if it does."""

    def start(self) -> None:
        """Join, and go on joining, on a thread or greenlet."""
        self._slave.runtime.start("syncio-membership", self._run)

    def stop(self) -> None:
        """Join no more. Never waits."""
        self._stopped.set()

    def _run(self) -> None:
        while self._join():
            self._stay()
        if self.refusal is not None:
            self._over()

    def _join(self) -> bool:
        """Try until the master has us; False if it refuses us, or if nobody wants that any more."""
        waits = Retry(delay=FIRST_WAIT, max_delay=LONGEST_WAIT).waits()
        said = ""
        while not self._stopped.is_set():
            try:
                name = self._slave.join_master(self._master, self._name)
            except (RequestException, ResponseException) as exc:
                why = _told(exc)
                if _is_final(exc):
                    self.refusal = f"{self._master} refuses this slave: {why}"
                    return False
                if why != said:
                    self._note(f"{self._master} cannot be joined, trying on: {why}")
                said = why
                self._stopped.wait(next(waits))
                continue
            self._note(f"joined {self._master} {'again ' if self.has_joined else ''}as {name}")
            self.has_joined = True
            return True
        return False

    def _stay(self) -> None:
        """Wait until the master is lost."""
        self._slave.why_lost = ""
        while self._slave.is_connected and not self._stopped.is_set():
            self._stopped.wait(LOOK)
        if not self._stopped.is_set():
            self._note(f"lost {self._master}: {self._slave.why_lost or 'it has said goodbye'}")


def _told(error: Exception) -> str:
    """What an error says, in the words of the other end if it has some."""
    if isinstance(error, ResponseException):
        return str(error.message)
    if isinstance(error, HTTPError):
        try:
            return str(get_values_from_response(error.response)[3])
        except ValueError:
            pass
    return str(error)


def _is_final(error: Exception) -> bool:
    """Whether another attempt would be in vain."""
    if isinstance(error, HTTPError):
        return error.response.status_code in NOT_THERE
    return isinstance(error, (MasterSlaveTokenInvalid, MasterChannelInvalid))
