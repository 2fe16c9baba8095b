"""An HTTP answer that has to wait, and that holds no thread while it does.

The request's thread waits a moment at most; then its connection goes to the relay, and the thread back to its server.
Whoever has the answer writes it, from any thread. Where a server cannot let go of its socket, the thread waits.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from ..errors import StreamError
from ..runtime import Event, Runtime
from ..states import Transitions
from ..streams import Host, Stream
from .answers import Answer

__all__ = ["PENDING_TABLE", "PendingAnswer", "PendingState"]

LINGER = 10.0
"""Seconds that an answer may take to leave once it is written."""


class Dressing(Protocol):
    """Makes complete answers to one request."""

    def __call__(self, body: bytes) -> Answer:
        """A body of packets: with compression, CORS, JSONP."""

    def cover(self, answer: Answer) -> Answer:
        """Any other answer."""


class PendingState(Enum):
    """Where the request is."""

    WAITING = "waiting"  # on its own thread
    PARKED = "parked"  # on the relay
    ANSWERED = "answered"
    GONE = "gone"  # the client went away


WAITING, PARKED, ANSWERED, GONE = PendingState

PENDING_TABLE = Transitions(
    "pending answer",
    {WAITING: (PARKED, ANSWERED, GONE), PARKED: (ANSWERED, GONE), ANSWERED: (), GONE: ()},
)


class PendingAnswer:
    """A request that waits for its answer.

    :param runtime: threads or greenlets.
    :param dress: makes the complete answer.
    :param on_gone: called on the relay if the client goes away while its request is parked.
    """

    __slots__ = ("_answer", "_dress", "_event", "_lock", "_on_gone", "_runtime", "_state", "_stream")

    def __init__(self, runtime: Runtime, dress: Dressing, on_gone: Callable[[PendingAnswer], None]) -> None:
        self._runtime = runtime
        self._dress = dress
        self._on_gone = on_gone
        self._lock = runtime.lock()
        self._state = WAITING
        self._answer: Answer | None = None
        self._event: Event | None = None
        self._stream: Stream | None = None

    def answer(self, body: bytes) -> bool:
        """Answer with a body of packets, from any thread. False if somebody has, or if the client is gone."""
        return self.answer_with(self._dress(body))

    def refuse(self, answer: Answer) -> bool:
        """Answer with an error, in the dress of this request."""
        return self.answer_with(self._dress.cover(answer))

    def answer_with(self, answer: Answer) -> bool:
        """Answer with something else than packets."""
        with self._lock:
            if self._state not in (WAITING, PARKED):
                return False
            stream = self._stream if self._state is PARKED else None
            self._state = PENDING_TABLE.move(self._state, ANSWERED)
            self._answer = answer
            event = self._event
        if stream is not None:
            stream.write(answer.to_bytes())
            stream.close(LINGER)
        elif event is not None:
            event.set()
        return True

    def wait(self, host: Host, most: float) -> Answer | None:
        """Wait for the answer on the request's thread, or park the request.

        :param host: the server that the request came through.
        :param most: seconds to wait where the server cannot let go of its socket.
        :return: the answer; None if the connection went to the relay or is gone.
        """
        patience = self._runtime.hold if host.can_release else most
        if patience and not self._await(patience) and not host.can_release:
            self._expire()
        with self._lock:
            if self._state is ANSWERED:
                return self._answer
        return self._park(host)

    def _await(self, seconds: float) -> bool:
        event = self._runtime.event()
        with self._lock:
            if self._state is not WAITING:
                return True
            self._event = event
        return event.wait(seconds)

    def _expire(self) -> None:
        # Nobody answers within heartbeat interval and time-out only if heartbeats are off.
        self.answer(b"6")

    def _park(self, host: Host) -> Answer | None:
        try:
            taken = host.take()
            stream = Stream(self._runtime, taken.sock)
        except OSError:
            self._vanish()
            return None
        with self._lock:
            self._stream = stream
        try:
            stream.start(self)
        except StreamError as exc:
            self.stream_ended(exc)
            return None
        with self._lock:
            answer = self._answer
            if self._state is WAITING:
                self._state = PENDING_TABLE.move(self._state, PARKED)
        if answer is not None:
            # It came while the connection was changing hands.
            stream.write(answer.to_bytes())
            stream.close(LINGER)
        return None

    def _vanish(self) -> None:
        with self._lock:
            if self._state in (ANSWERED, GONE):
                return
            self._state = PENDING_TABLE.move(self._state, GONE)
        self._on_gone(self)

    # ------------------------------------------------------------------ the relay's side

    def data_received(self, data: bytes) -> None:
        """The client sends more behind its request: it is not answered, because this connection is going to end."""
        if self._stream is not None:
            self._stream.pause()

    def stream_ended(self, error: StreamError) -> None:
        """The client went away."""
        if self._stream is not None:
            self._stream.close()
        self._vanish()
