"""A non-blocking byte stream over a connected socket that the relay watches.

`OSError` becomes a syncio error here and nowhere else. This module must not know what the bytes mean.
"""

from __future__ import annotations

import contextlib
import os
import socket
from enum import Enum

from ..errors import BrokenStream, ClosedStream, StreamError
from ..runtime import READ, WRITE, Event, Relay, Runtime, Timer
from .outbox import Outbox
from .raw import SocketLike
from .receiver import NOBODY, Receiver

__all__ = ["Stream", "WriteState"]

READ_SIZE = 65536
"""Bytes taken by one read."""
CORK_LIMIT = 65536
"""Bytes that may wait for the end of a read's handling before they are written in its middle."""
ONLY_WRITE = WRITE


class WriteState(Enum):
    """What the writing half is doing."""

    IDLE = "idle"
    CORKED = "corked"  # waits for the end of a read's handling
    WRITING = "writing"  # somebody is inside send()
    BLOCKED = "blocked"  # the kernel takes no more; the relay watches for room
    CLOSED = "closed"


IDLE, CORKED, WRITING, BLOCKED, CLOSED = WriteState


class Stream:
    """A connected socket on the relay.

    :param runtime: threads or greenlets.
    :param sock: non-blocking.
    """

    __slots__ = (
        "_closing",
        "_fd",
        "_lock",
        "_now",
        "_outbox",
        "_paused",
        "_receiver",
        "_relay",
        "_room",
        "_send",
        "_sock",
        "_state",
        "_timer",
        "_watched",
        "recv",
    )

    def __init__(self, runtime: Runtime, sock: SocketLike) -> None:
        self._relay: Relay = runtime.relay()
        self._lock = runtime.lock()
        self._now = runtime.now
        self._sock = sock
        self._fd = sock.fileno()
        self._send = sock.send
        self.recv = sock.recv
        self._receiver: Receiver | None = None
        self._outbox: Outbox | None = None  # made when first needed
        self._state = IDLE
        self._paused = False
        self._closing = False
        self._watched = 0
        self._room: list[Event] | None = None
        self._timer: Timer | None = None

    def __repr__(self) -> str:
        return f"<Stream fd={self._fd} {self._state.value} buffered={self.buffered}>"

    @property
    def buffered(self) -> int:
        """Bytes that were written here and that the kernel has not taken yet."""
        outbox = self._outbox
        return outbox.size if outbox is not None else 0

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._closing or self._state is CLOSED

    # ------------------------------------------------------------------ reading

    def start(self, receiver: Receiver) -> None:
        """Have the relay read from now on. If the stream lingers already, what is read is forgotten.

        :raises BrokenStream: if the socket is unusable already.
        """
        with self._lock:
            # Under the lock, because a write that failed may be closing the descriptor, whose number is then another's.
            if self._state is CLOSED or (self._closing and self._timer is None):
                raise BrokenStream("the connection broke before it was read")
            if not self._closing:
                self._receiver = receiver
            self._watched = READ | (WRITE if self._state is BLOCKED else 0)
            try:
                self._relay.watch(self._fd, self._watched, self.ready)
            except (OSError, ValueError) as exc:
                self._watched = 0
                raise BrokenStream(f"the socket cannot be watched: {exc}") from exc

    def hand_over(self, receiver: Receiver) -> None:
        """Give what comes from now on to another receiver."""
        with self._lock:
            if not self._closing:
                self._receiver = receiver

    def pause(self) -> None:
        """Read nothing until `resume`; the kernel's buffers push back on the peer."""
        self._set_paused(True)

    def resume(self) -> None:
        """Read again."""
        self._set_paused(False)

    @property
    def is_paused(self) -> bool:
        """Whether we have stopped reading ourselves, so that the peer's silence says nothing about it."""
        return self._paused

    def _set_paused(self, paused: bool) -> None:
        with self._lock:
            if self._paused is paused or self._state is CLOSED:
                return
            self._paused = paused
            self._rewatch()

    def _rewatch(self) -> None:
        wanted = (0 if self._paused else READ) | (WRITE if self._state is BLOCKED else 0)
        if wanted != self._watched and self._receiver is not None:
            self._watched = wanted
            with contextlib.suppress(OSError, KeyError, ValueError):
                self._relay.change(self._fd, wanted)

    def ready(self, found: int) -> None:
        """Called by the relay: the socket can be read, or written, or has ended."""
        if found != READ or self._paused:
            if found & WRITE and self._state is BLOCKED:
                self.flush(BLOCKED)
            if found == ONLY_WRITE or (self._paused and found & (READ | WRITE) == found):
                return
        try:
            data = self.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._end(exc)
            return
        if not data:
            if not self._has_last_words(found):
                self._end(None)
        elif self._receiver is not None:
            self._receiver.data_received(data)

    def _has_last_words(self, found: int) -> bool:
        """The peer has closed its direction: whether it may still read what waits for it here, and is let."""
        with self._lock:
            if not self._closing or not self.buffered or found & ~(READ | WRITE):
                return False
            self._paused = True
            self._rewatch()
            return True

    # ------------------------------------------------------------------ writing

    def write(self, data: bytes, limit: int | None = None) -> bool:
        """Send bytes, or keep them until the kernel takes them. Never blocks; order is the order of the calls.

        While a read is being handled on the duty worker the bytes wait for the end of that, to leave together.
        After the end of the stream they are forgotten.

        :param limit: how many bytes may wait, these included; None for any number.
        :return: False if more would wait, and nothing was done.
        """
        # `with` would cost as much again as the lock does; there are three of them in an echo.
        self._lock.acquire()
        state = self._state
        if state is CLOSED or self._closing:
            self._lock.release()
            return True
        outbox = self._outbox
        if outbox is None:
            outbox = self._outbox = Outbox()
        size = outbox.size + len(data)
        if limit is not None and size > limit:
            self._lock.release()
            return False
        outbox.pieces.append(data)
        outbox.size = size
        if state is IDLE:
            # Corked from this moment on for everybody; whoever is not on duty writes at once.
            self._state = CORKED
            self._lock.release()
            if not self._relay.cork(self):
                self.flush()
            return True
        self._lock.release()
        if state is CORKED and size >= CORK_LIMIT and self._relay.corks():
            self.flush()
        return True  # somebody is about to send it

    def hold(self) -> None:
        """Keep what is written until `flush`, for a caller that has more to write."""
        with self._lock:
            if self._state is IDLE:
                self._state = CORKED

    def flush(self, state: WriteState = CORKED) -> None:
        """Write what waits, if the stream is still in that state. The relay calls this when a read was handled."""
        self._lock.acquire()
        outbox = self._outbox
        if self._state is not state or outbox is None:
            if self._state is state is CORKED:
                self._state = IDLE  # held, and nothing came
            self._lock.release()
            return
        self._state = WRITING
        pieces = outbox.pieces
        chunk = pieces.pop() if len(pieces) == 1 else outbox.take_chunk()
        self._lock.release()
        self._drain(chunk)

    def _drain(self, chunk: bytes | None) -> None:
        # Only one caller is in here at a time: the one that moved the state to WRITING.
        while True:
            try:
                sent = self._send(chunk) if chunk is not None else 0
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as exc:
                self._fail(exc)
                return
            self._lock.acquire()
            outbox = self._outbox
            if (
                outbox is not None
                and sent == outbox.size
                # Nothing but the next write depends on the end of this one.
                and self._room is None
                and self._watched == READ
                and not self._closing
            ):
                outbox.size = 0
                self._state = IDLE
                self._lock.release()
                return
            chunk = self._sent(chunk, sent)
            waiting, self._room = self._room, None
            finish = self._state is IDLE and self._closing
            self._lock.release()
            if waiting is not None:
                for event in waiting:
                    event.set()
            if chunk is None:
                break
        if finish:
            self._half_close()

    def _sent(self, chunk: bytes | None, sent: int) -> bytes | None:
        """The kernel took so many bytes of a chunk: what is to be written next, or the state in which that ends."""
        outbox = self._outbox
        assert outbox is not None, "only _close_now and _fail take it away, and neither while somebody writes"
        outbox.size -= sent
        if chunk is not None and sent < len(chunk):
            outbox.put_back(chunk[sent:])
            self._state = BLOCKED
            self._rewatch()
            return None
        following = outbox.take_chunk()
        if following is None:
            self._state = IDLE
            if self._watched != READ:
                self._rewatch()
        return following

    def drop_oldest(self, size: int) -> int:
        """Forget the oldest whole pieces that wait, about `size` bytes of them.

        :return: how many bytes were forgotten.
        """
        with self._lock:
            dropped = self._outbox.drop_oldest(size) if self._outbox is not None else 0
            waiting, self._room = self._room, None
        for event in waiting or ():
            event.set()
        return dropped

    def wait_for_room(self, limit: int, event: Event, timeout: float | None) -> bool:
        """Block until fewer than `limit` bytes wait.

        :param limit: in bytes; -1 waits for the end of the stream, with the time in which it lingers.
        :param event: a new event of the caller's runtime.
        :param timeout: seconds; None waits as long as the stream lives.
        :return: whether there is room; False after the time-out or the end of the stream.
        """
        until = None if timeout is None else self._now() + timeout
        while True:
            with self._lock:
                if self._state is CLOSED or (self._closing and limit >= 0):
                    return False
                if self.buffered < limit:
                    return True
                event.clear()
                self._room = [*(self._room or ()), event]
            if not event.wait(None if until is None else max(0.0, until - self._now())):
                return False

    # ------------------------------------------------------------------ the end

    def close(self, linger: float = 0.0) -> None:
        """Close the stream and tell its receiver nothing any more.

        :param linger: seconds without progress after which what waits is forgotten, and which the peer has to close its
            side; 0 closes at once. Without that time, bytes that are still coming would make the system reset the
            connection, and the peer might never see our last words.
        """
        with self._lock:
            if self._closing or self._state is CLOSED:
                return
            self._closing = True
            self._paused = False
            drained = self._state is IDLE
            started, self._receiver = self._receiver is not None, NOBODY
            if started:  # behind the change of receivers: from here on the duty worker may read
                self._rewatch()
            if linger > 0:
                left = self.buffered
                self._timer = self._relay.call_at(self._now() + linger, lambda: self._linger(linger, left))
        if linger <= 0:
            self._relay.call_at(0.0, self._close_now)
        elif drained:
            self._half_close()

    def _linger(self, seconds: float, left: int) -> None:
        """The time is over; but as long as bytes leave, it starts again."""
        waiting = self.buffered
        if 0 < waiting < left:
            self._timer = self._relay.call_at(self._now() + seconds, lambda: self._linger(seconds, waiting))
        else:
            self._close_now()

    def _half_close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self.resume()  # if the peer has closed its direction, reading that again ends the stream

    def _close_now(self) -> None:
        # Only here, on the duty worker, is the descriptor closed, so that it is never reused under a read.
        with self._lock:
            if self._state is CLOSED:
                return
            busy = self._state is WRITING
            if not busy:
                self._state = CLOSED
                self._outbox = None
            waiting, self._room = self._room, None
        if busy:
            self._relay.call_at(self._relay.now + 0.001, self._close_now)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._relay.forget(self._fd)
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            self._sock.close()
        for event in waiting or ():
            event.set()

    def _fail(self, exc: OSError) -> None:
        # Reached by whoever writes; the receiver hears of it on the duty worker.
        with self._lock:
            self._state = BLOCKED
            self._outbox = None
        self._relay.call_at(0.0, lambda: self._end(exc))

    def _end(self, exc: OSError | None) -> None:
        with self._lock:
            receiver, self._receiver = self._receiver, NOBODY
            self._closing = True
        if exc is None:
            error: StreamError = ClosedStream("the peer closed the connection")
        else:
            error = BrokenStream(f"the connection broke: {os.strerror(exc.errno) if exc.errno else exc}")
            error.__cause__ = exc
        self._close_now()
        if receiver is not None:
            receiver.stream_ended(error)
