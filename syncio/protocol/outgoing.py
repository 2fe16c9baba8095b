"""The writing half of a session: whoever sends writes at once; what the kernel does not take waits for a writer task.

The writer is started when something waits for the first time, and ends when nothing has waited for a second, so that an
idle connection has none. First in, first out; bounded in bytes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..errors import ClosedStream, RequestTimeout, StreamError
from ..runtime import Event, Runtime, Task
from ..streams import Duplex
from .errors import OutgoingFull

__all__ = ["Descriptors", "Outgoing"]

CHUNK = 262144
"""Bytes that are joined for one write, about."""
LINGER = 1.0
"""Seconds for which a writer waits for more."""


class Descriptors:
    """Descriptors on their way to the peer: duplicates, so that whoever sends may close his own at once.

    :raises OSError: if one is not open.
    """

    __slots__ = ("fds",)

    def __init__(self, fds: Iterable[int]) -> None:
        self.fds: list[int] = []
        for fd in fds:
            self.fds.append(os.dup(fd))

    def __del__(self) -> None:
        for fd in self.fds:
            os.close(fd)


class _Piece(NamedTuple):
    """Something that waits.

    :param data: bytes, or what is left of them.
    :param descriptors: what is passed beside them.
    """

    data: bytes | memoryview
    descriptors: Descriptors | None = None


class Outgoing:
    """What leaves on one connection.

    :param stream: the connection.
    :param limit: bytes that may wait; a single message may be longer if nothing else waits.
    :param failed: called once, by whoever was writing, if the connection breaks.
    :param name: of the writer task.
    """

    __slots__ = (
        "_broken", "_failed", "_limit", "_lock", "_name", "_pieces", "_runtime", "_size", "_stream", "_waiters",
        "_wake", "_writer", "_writing",
    )  # fmt: skip

    def __init__(
        self, runtime: Runtime, stream: Duplex, limit: int, failed: Callable[[StreamError], None], name: str
    ) -> None:
        self._runtime = runtime
        self._stream = stream
        self._limit = limit
        self._failed = failed
        self._name = name
        self._lock = runtime.lock()
        self._pieces: deque[_Piece] = deque()
        self._size = 0
        self._writing = False  # somebody is inside `write` of the stream, or waits until he may be
        self._broken: StreamError | None = None
        self._waiters: list[Event] = []
        self._writer: Task | None = None
        self._wake: Event | None = None

    def __len__(self) -> int:
        return self._size

    def write(
        self,
        data: bytes,
        timeout: float | None = None,
        wait: bool = True,
        descriptors: Descriptors | None = None,
    ) -> None:
        """Send bytes, in the order of the calls.

        Returns when they have left or wait for their turn; waits itself only while too much waits already.

        :param timeout: seconds to wait for room; None waits as long as the connection lives.
        :param wait: False for the reader, who must not wait.
        :param descriptors: what to pass beside the bytes.
        :raises RequestTimeout: if there was no room in that time; nothing was sent.
        :raises OutgoingFull: if there is none, and the caller may not wait.
        :raises StreamError: if the connection has ended.
        """
        until: float | None = None
        self._lock.acquire()
        while self._size and self._size + len(data) > self._limit and self._broken is None:
            waiting = self._size
            self._lock.release()
            if not wait:
                raise OutgoingFull(waiting, self._limit)
            if timeout is not None and until is None:
                until = self._runtime.now() + timeout
            self._await_room(len(data), until, timeout)
            self._lock.acquire()
        if self._broken is not None:
            self._lock.release()
            raise self._broken
        if self._writing or self._pieces:
            self._pieces.append(_Piece(data, descriptors))
            self._size += len(data)
            self._lock.release()
            return
        self._writing = True
        self._lock.release()
        if descriptors is not None:
            self._wrote(self._push(_Piece(data, descriptors)))
            return
        # What `_push` does, without a piece and a call: 0.6 us of 3.
        try:
            sent = self._stream.write(data)
        except BaseException as exc:
            self._interrupted(exc)
            raise
        self._wrote(None if sent == len(data) else _Piece(memoryview(data)[sent:]))

    def _wrote(self, rest: _Piece | None) -> None:
        self._lock.acquire()
        if self._broken is not None or (rest is None and not self._pieces and not self._stream.unsent):
            self._writing = False
            if self._waiters:
                self._wake_waiters()
            self._lock.release()
            return
        if rest is not None:
            self._pieces.appendleft(rest)
            self._size += len(rest.data)
        self._lock.release()
        self._start_writer()

    def _push(self, piece: _Piece) -> _Piece | None:
        """Write without waiting; what is left. Only one caller at a time is in here: who has set `_writing`."""
        try:
            if piece.descriptors is None:
                sent = self._stream.write(piece.data)
            else:
                sent = self._stream.send_descriptors(bytes(piece.data), piece.descriptors.fds)
            return None if sent == len(piece.data) else _Piece(memoryview(piece.data)[sent:])
        except BlockingIOError:
            return piece  # descriptors pass with the first byte, or not at all
        except BaseException as exc:
            self._interrupted(exc)
            raise

    def _interrupted(self, exc: BaseException) -> None:
        # Also if it is Ctrl-C: nobody knows how much has left, and nothing can follow.
        self._fail(exc if isinstance(exc, StreamError) else ClosedStream(f"sending was interrupted: {exc!r}"))

    # ------------------------------------------------------------------ the writer

    def _start_writer(self) -> None:
        """Leave `_writing`, and what waits, to the writer task."""
        with self._lock:
            lingering = self._wake is not None
            if self._wake is None:
                self._wake = self._runtime.event()
            self._wake.set()
        if not lingering:
            self._writer = self._runtime.start(self._name, self._work, self._wake)

    def _work(self, wake: Event) -> None:
        try:
            while self._has_work(wake):
                self._drain()
                wake.wait(LINGER)
        except StreamError:
            return  # `_fail` has told who has to know

    def _has_work(self, wake: Event) -> bool:
        with self._lock:
            if self._broken is None and wake.is_set():
                wake.clear()
                return True
            self._wake = None  # whoever finds something to wait for from now on starts another one
            return False

    def _drain(self) -> None:
        while True:
            with self._lock:
                piece = self._take()
                if piece is None and (self._broken is not None or not self._stream.unsent):
                    self._writing = False
                    self._wake_waiters()
                    return
            if piece is None:
                piece = _Piece(b"")
            rest = self._push(piece)
            with self._lock:
                if self._broken is None:
                    self._size -= len(piece.data) - (len(rest.data) if rest is not None else 0)
                    if rest is not None:
                        self._pieces.appendleft(rest)
                    if self._size < self._limit // 2:
                        self._wake_waiters()
            if rest is not None or self._stream.unsent:
                self._stream.wait_writable()

    def _take(self) -> _Piece | None:
        pieces = self._pieces
        if not pieces:
            return None
        if len(pieces) == 1 or pieces[0].descriptors or len(pieces[0].data) >= CHUNK:
            return pieces.popleft()
        chunk, size = [], 0
        while pieces and not pieces[0].descriptors and size < CHUNK:
            chunk.append(pieces.popleft().data)
            size += len(chunk[-1])
        return _Piece(b"".join(chunk))

    # ------------------------------------------------------------------ waiting, and the end

    def _await_room(self, size: int, until: float | None, timeout: float | None) -> None:
        def has_room() -> bool:
            return self._broken is not None or not self._size or self._size + size <= self._limit

        if not self._wait(has_room, until):
            raise RequestTimeout("waiting for the peer to read", timeout or 0.0)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all has been given to the kernel.

        :return: whether it has; False after the time, or if the connection has ended.
        """
        until = None if timeout is None else self._runtime.now() + timeout
        done = self._wait(lambda: self._broken is not None or (not self._size and not self._writing), until)
        return done and self._broken is None

    def _wait(self, condition: Callable[[], bool], until: float | None) -> bool:
        while True:
            with self._lock:
                if condition():
                    return True
                event = self._runtime.event()
                self._waiters.append(event)
            if not event.wait(None if until is None else max(0.0, until - self._runtime.now())):
                with self._lock:
                    if event in self._waiters:
                        self._waiters.remove(event)
                return False

    def _wake_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for event in waiters:
            event.set()

    def close(self) -> None:
        """Let nothing out any more and forget what waits."""
        self._end(ClosedStream("the session has ended"))

    def _fail(self, exc: StreamError) -> None:
        first = self._end(exc)
        with self._lock:
            self._writing = False
            self._wake_waiters()
        if first:
            self._failed(exc)

    def _end(self, exc: StreamError) -> bool:
        with self._lock:
            if self._broken is not None:
                return False
            self._broken = exc
            self._pieces.clear()
            self._size = 0
            if self._wake is not None:
                self._wake.set()
            self._wake_waiters()
        return True

    def join(self, timeout: float) -> bool:
        """Wait until nobody is inside `write` of the stream, after `close` and when it is aborted."""
        return self._wait(lambda: not self._writing, self._runtime.now() + timeout)
