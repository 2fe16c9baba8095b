"""One session's connection, and the attempt to get one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol as Interface

from ..errors import ClosedStream, RequestTimeout, StreamError
from ..runtime import Runtime, Task
from ..streams import Duplex
from .inbound import Inbound
from .outgoing import Outgoing

__all__ = ["Attempt", "Link"]

READ_SIZE = 65536
LARGE_READ_SIZE = 262144
"""Bytes taken by one read, and by one in the middle of a large message."""


class Abortable(Interface):
    """What a task may be waiting in."""

    def abort(self) -> None:
        """Let it raise at once."""


class Attempt:
    """A `connect()` or `accept()` that is under way.

    :param timeout: seconds for all of it.
    """

    def __init__(self, runtime: Runtime, timeout: float | None) -> None:
        self._runtime = runtime
        self._forks = runtime.forks
        self._lock = runtime.lock()
        self._target: Abortable | None = None
        self._is_aborted = False
        self._has_succeeded = False
        self.task = runtime.current()
        self.timeout = timeout
        self.deadline = None if timeout is None else runtime.now() + timeout
        self.done = runtime.event()

    @property
    def is_inherited(self) -> bool:
        """Whether it is made by the process of which this one is a fork."""
        return self._runtime.forks != self._forks

    def hold(self, target: Abortable) -> None:
        """From now on this is what it waits in."""
        with self._lock:
            self._target = target
        if self._is_aborted:
            target.abort()

    def abort(self) -> bool:
        """Let it fail, from any task; False if there is a session already."""
        with self._lock:
            if self._has_succeeded:
                return False
            self._is_aborted = True
            target = self._target
        if target is not None:
            target.abort()
        return True

    def succeed(self) -> None:
        """There is a session: it ends in other ways now.

        :raises ClosedStream: if this was aborted.
        """
        with self._lock:
            if self._is_aborted:
                raise ClosedStream("disconnect() was called")
            self._has_succeeded = True

    def left(self) -> float | None:
        """The seconds that it still has.

        :raises RequestTimeout: if it has none.
        """
        if self.deadline is None:
            return None
        left = self.deadline - self._runtime.now()
        if left <= 0:
            raise RequestTimeout("the connection", self.timeout or 0.0)
        return left


class Link:
    """A connection with what was read and not used, what is on its way out, and its reader.

    :param stream: the connection.
    :param readbuflen: bytes that a line may have.
    :param send_limit: bytes that may wait to be sent.
    :param failed: called if it breaks while something is sent.
    :param name: what its tasks are called.
    """

    __slots__ = (
        "_forks", "_runtime", "attempt", "error", "has_ended", "inbound", "is_stopping", "outgoing", "reader",
        "reader_task", "stream",
    )  # fmt: skip

    def __init__(
        self,
        runtime: Runtime,
        stream: Duplex,
        readbuflen: int,
        send_limit: int,
        failed: Callable[[Link, StreamError], None],
        name: str,
    ) -> None:
        self._runtime = runtime
        self._forks = runtime.forks
        self.stream = stream
        self.inbound = Inbound(readbuflen)
        self.outgoing = Outgoing(runtime, stream, send_limit, lambda exc: failed(self, exc), f"{name}-writer")
        self.attempt: Attempt | None = None  # while the session is being established
        self.reader: Task | None = None
        self.reader_task: object = None
        self.error: BaseException | None = None
        self.is_stopping = False
        self.has_ended = False

    @property
    def is_inherited(self) -> bool:
        """Whether it was made by the process of which this one is a fork."""
        return self._runtime.forks != self._forks

    def is_mine(self) -> bool:
        """Whether the caller is the reader."""
        return self.reader_task is not None and self.reader_task == self._runtime.current()

    def left(self) -> float | None:
        """The seconds that the session's beginning still has; None for any number.

        :raises RequestTimeout: if it has none.
        """
        attempt = self.attempt
        return attempt.left() if attempt is not None else None

    def fill(self) -> bool:
        """Wait for bytes; False at the end of the connection.

        :raises RequestTimeout: if the session takes too long to be established.
        :raises StreamError: if the connection broke.
        """
        data = self._read()
        self.inbound.feed(data)
        return bool(data)

    def _read(self) -> bytes:
        size = READ_SIZE if len(self.inbound) < READ_SIZE else LARGE_READ_SIZE
        attempt = self.attempt
        if attempt is None:
            return self.stream.read(size)
        try:
            return self.stream.read(size, attempt.left())
        except RequestTimeout:
            raise RequestTimeout("the session's beginning", attempt.timeout or 0.0) from None

    def readline(self) -> bytes:
        """Read a line with its newline; at the end of the connection once what there is.

        :raises EOFError: if there is nothing.
        :raises ValueError: if it is too long.
        """
        inbound = self.inbound
        line = inbound.take_line()
        if line is not None:
            return line
        if not inbound:
            data = self._read()
            # Nearly every read is one whole line.
            if data.find(b"\n") + 1 == len(data) <= inbound.limit and data:
                return data
            inbound.feed(data)
        while (line := inbound.take_line()) is None:
            if not self.fill():
                rest = inbound.take_all()
                if not rest:
                    raise EOFError("the peer closed the connection")
                return rest
        return line

    def read_exactly(self, size: int) -> bytes:
        """Read so many bytes.

        :raises EOFError: if the connection ends before them.
        """
        while (data := self.inbound.take_exactly(size)) is None:
            if not self.fill():
                missing = size - len(self.inbound)
                raise EOFError(
                    f"the peer closed the connection with {missing} of {size} bytes missing"
                    if self.inbound
                    else "the peer closed the connection"
                )
        return data
