"""One connection of an `HTTPServer`: requests in, answers out, one at a time."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ..errors import RemoteProtocolError, StreamError
from ..heartbeat import monitor_of
from ..states import Transitions
from ..streams import Stream, TakenStream
from .http1 import HTTPRequest, RequestReader
from .http_answer import Answer, GoneAway, refusal
from .http_environ import environ_of

if TYPE_CHECKING:
    from .http_server import HTTPServer

__all__ = ["HTTPConnection"]

MAX_AHEAD = 65536
"""Bytes that may wait while a request is answered; then reading stops."""
LINGER = 2.0
"""Seconds for the last answer to leave."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Serving(Enum):
    """What a connection is doing."""

    IDLE = auto()  # no request has begun
    READING = auto()
    ANSWERING = auto()
    TAKEN = auto()  # it is somebody else's now
    CLOSED = auto()


IDLE, READING, ANSWERING, TAKEN, CLOSED = Serving

SERVING = Transitions(
    "HTTP connection",
    {
        IDLE: (READING, ANSWERING, CLOSED),
        READING: (ANSWERING, CLOSED),
        ANSWERING: (IDLE, READING, ANSWERING, TAKEN, CLOSED),
        TAKEN: (CLOSED,),
        CLOSED: (),
    },
)


class HTTPConnection:
    """The receiver of a connection, and the work of answering it.

    :param stream: the connection.
    :param peer: the client's address.
    """

    # What it is to who wants its stream: a `streams.Host`.
    name = "syncio"
    can_websocket = True
    can_release = False
    is_upgraded = False

    def __init__(self, server: HTTPServer, stream: Stream, peer: Any) -> None:
        self._server = server
        self._runtime = server.runtime
        self._relay = server.runtime.relay()
        self._lock = server.runtime.lock()
        self._reader = RequestReader(server.limits)
        self._stream = stream
        self._peer = peer
        self._state = IDLE
        self._request: HTTPRequest | None = None
        self._answer: Answer | None = None
        self._since = self._runtime.now()
        self._unsent = 0, self._since  # bytes that the client had not read, and since when it was so many
        self._pace = min(server.request_timeout, server.keep_alive)
        self.runs_greenlets = server.runtime.name == "gevent"
        self._watch = monitor_of(server.runtime).watch(self._since + self._pace, self._check)

    def __repr__(self) -> str:
        return f"<HTTPConnection {self._state.name} {self._peer}>"

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has come."""
        return self._state is IDLE

    # ------------------------------------------------------------------ the relay's side

    def data_received(self, data: bytes) -> None:
        """Bytes came: on the relay's duty worker."""
        with self._lock:
            self._reader.receive_data(data)
            if self._state in (ANSWERING, TAKEN):
                if self._reader.buffered >= MAX_AHEAD:
                    self._stream.pause()
                return
        if self._advance():
            if self._relay.corks():
                self._relay.call_inline(self)
            else:
                self._relay.submit(self)

    def stream_ended(self, error: StreamError) -> None:
        """The connection ended."""
        self._close(0.0)

    def _advance(self) -> bool:
        """Look for the next request; whether there is one to be answered."""
        refused: RemoteProtocolError | None = None
        request: HTTPRequest | None = None
        reader = self._reader
        with self._lock:
            if self._state in (TAKEN, CLOSED):
                return False
            try:
                request = reader.next_request()
            except RemoteProtocolError as exc:
                refused = exc
            self._move(request)
            if self._stream.is_paused and (request is None or reader.buffered < MAX_AHEAD):
                self._stream.resume()
            continues = request is None and reader.wants_continue
            reader.wants_continue = False
        if refused is not None:
            self._refuse(refused.code or 400, str(refused))
        elif continues:
            self._stream.write(CONTINUE)
        return request is not None

    def _move(self, request: HTTPRequest | None) -> None:
        if request is not None:
            self._request = request
            self._unsent = 0, 0.0
            self._state = SERVING.move(self._state, ANSWERING)
            return
        wanted = IDLE if self._reader.is_idle else READING
        if wanted is not self._state:
            self._since = self._runtime.now()
            self._state = SERVING.move(self._state, wanted)

    def _refuse(self, status: int, words: str, has_body: bool = True) -> None:
        self._stream.write(refusal(status, words, has_body))
        self._close(LINGER)

    # ------------------------------------------------------------------ answering

    def run(self) -> None:
        """Answer what has come; called by the relay on a worker of the pool."""
        try:
            while True:
                request = self._request
                assert request is not None, "who has this run has found a request"
                if not self._respond(request) or self._server.is_stopping:
                    self._close(LINGER)
                    return
                if not self._advance():
                    return
        except BaseException:  # what ends a worker (sys.exit, a greenlet that is killed) ends the connection
            self._close(0.0)
            raise

    def _respond(self, request: HTTPRequest) -> bool:
        """Have the application answer; whether another request may follow."""
        answer = self._answer = Answer(self._runtime, self._stream, request, self._server)
        try:
            result = self._server.app(environ_of(request, self._server, self._peer, self), answer.start_response)
            try:
                return answer.send(result)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except GoneAway:
            self._close(0.0)
        except Exception:
            if self._state is not TAKEN:  # else it is how who has taken it ends the request
                self._server.logger.exception("the application failed at %s %s", request.method, request.target)
                if not answer.has_begun:
                    self._refuse(500, "the application failed; its log says more", request.method != "HEAD")
        finally:
            self._request = self._answer = None
        return False

    def take(self) -> TakenStream:
        """Give the connection to who asks, for a WebSocket. At most once in a request, and before its answer.

        :raises OSError: if it is gone already.
        """
        with self._lock:
            answer = self._answer
            if self._state is not ANSWERING or answer is None or answer.has_begun or self._stream.is_closed:
                raise ConnectionResetError("the connection is gone")
            self._state = SERVING.move(self._state, TAKEN)
            answer.revoke()
        self._watch.cancel()
        self._server.forget(self)
        return TakenStream(self._stream, self._rest)

    def _rest(self) -> bytes:
        with self._lock:
            return self._reader.rest

    # ------------------------------------------------------------------ the end

    def _check(self, now: float) -> float | None:
        """Asked by the monitor: clients that send nothing, or send or read too slowly, have to go."""
        with self._lock:
            state = self._state
            if state in (TAKEN, CLOSED):
                return None
            if state is ANSWERING:
                return now + self._pace
            is_stuck = state is IDLE and self._is_stuck(now)
            patience = self._server.request_timeout if state is READING else self._server.keep_alive
            until = self._since + patience
            if now < until and not is_stuck:
                return min(until, now + self._pace)
        if state is READING:
            self._refuse(408, f"the request did not come within {self._server.request_timeout:g} s")
        else:
            self._close(0.0 if is_stuck else LINGER)
        return None

    def _is_stuck(self, now: float) -> bool:
        """Whether the client does not read its answer. As long as it does, the connection is not idle."""
        waiting, (before, since) = self._stream.buffered, self._unsent
        if waiting != before:
            self._unsent = waiting, now
            self._since = now
        return bool(waiting) and waiting == before and now - since >= self._server.request_timeout

    def close(self) -> None:
        """End the connection, unless it is being answered; then it ends behind its answer."""
        self._close(LINGER, spared=ANSWERING)

    def abort(self) -> None:
        """End the connection at once."""
        self._close(0.0)

    def _close(self, linger: float, spared: Serving = TAKEN) -> None:
        with self._lock:
            if self._state in (TAKEN, CLOSED, spared):
                return
            self._state = SERVING.move(self._state, CLOSED)
        self._watch.cancel()
        self._stream.close(linger)
        self._server.forget(self)
