"""How sessions begin and end: one attempt at a time, one end for all who ask for it.

This module knows nothing of messages: `protocol` reads and sends them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

from ..errors import BusyError, RequestTimeout, StreamError
from ..runtime import Event, Runtime
from ..streams import Duplex, TlsContext
from .endpoint import Endpoint
from .errors import ConnectError, ConnectTimeout, ProtocolError
from .link import Attempt, Link
from .runstate import Runstate, Stateful, require, state_error

__all__ = ["Lifecycle"]

L = TypeVar("L", bound="Lifecycle")

IDLE, CONNECTING, RUNNING, DISCONNECTING = Runstate
FLUSH_TIMEOUT = 5.0
"""Seconds that `disconnect()` gives what waits to be sent, and the reader to end."""


class Lifecycle(Stateful):
    """The life of a protocol's sessions. See `Protocol` for the parameters."""

    logger: logging.Logger

    def __init__(
        self, runtime: Runtime, name: str | None, readbuflen: int, send_limit: int, flush_timeout: float
    ) -> None:
        super().__init__(runtime)
        self._name: str | None = None
        self.name = name
        self._readbuflen = readbuflen
        self._send_limit = send_limit
        self._flush_timeout = flush_timeout
        self._link: Link | None = None
        self._endpoint = Endpoint(runtime)
        self._attempt: Attempt | None = None
        self._teardown: Event | None = None
        self._ends = 0  # how often this has become IDLE

    def _read_messages(self, link: Link) -> None:
        """The reader of a session: ends with `_end_link`, and closes the stream."""
        raise NotImplementedError

    def __repr__(self) -> str:
        name = f"name={self.name!r} " if self.name is not None else ""
        return f"<{type(self).__name__} {name}runstate={self.runstate.name}>"

    def __enter__(self: L) -> L:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.disconnect()
        else:
            self.close()

    @property
    def name(self) -> str | None:
        """What this is called in the log: settable, and None for no name of its own."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        self._name = name
        base = type(self).logger
        self.logger = base if name is None else base.getChild(name)

    @property
    def _label(self) -> str:
        """What the names of its tasks begin with."""
        return self._name or type(self).__name__

    # ------------------------------------------------------------------ beginning a session

    @property
    def address(self) -> Any:
        """Where `start_server` listens: (host, port), with the port that was found for port 0, or the path."""
        return self._endpoint.address

    sockname = address

    @require(IDLE)
    def start_server(self, address: Any, ssl: TlsContext | None = None, mode: int | None = None) -> None:
        """Listen for one peer, without waiting for it: `accept` does.

        :param address: (host, port) for TCP, port 0 for any that is free; else the path of a UNIX socket. A path at
            which somebody listens is refused; the file goes when the peer has come.
        :param ssl: for TLS: a context with a certificate.
        :param mode: the permissions of a UNIX socket's file, for instance 0o600.
        :raises StateError: if this is not IDLE.
        :raises ConnectError: if it cannot listen there.
        """
        self._move(CONNECTING, required=IDLE)
        with self._attempting(None):
            self._guard("Failed to establish connection", lambda: self._do_start_server(address, ssl, mode))

    def _do_start_server(self, address: Any, ssl: TlsContext | None, mode: int | None) -> None:
        """Listen. A subclass may do it in another way."""
        self._endpoint.listen(address, ssl, mode)

    @require(CONNECTING)
    def accept(self, timeout: float | None = None) -> None:
        """Wait for the peer of `start_server`, or take the socket of `open_with_socket`, and establish the session.

        :param timeout: seconds for all of it; None waits for ever.
        :raises StateError: if this is not CONNECTING.
        :raises ConnectTimeout: if it takes longer; this is IDLE then.
        :raises ConnectError: if it fails, or `disconnect` was called meanwhile; this is IDLE then.
        :raises BusyError: if another task is connecting this already.
        """
        if not self._endpoint.awaits_peer:
            if self._attempt is not None:
                raise BusyError("another task is connecting this already")
            raise ProtocolError("Cannot call accept() before start_server().")
        self._begin_session(timeout, self._do_accept)

    def _do_accept(self, attempt: Attempt) -> Duplex:
        """Wait for a peer: a connection with TLS, if there is any. A subclass may do it in another way."""
        return self._endpoint.accept(attempt, self.logger)

    def start_server_and_accept(
        self,
        address: Any,
        ssl: TlsContext | None = None,
        mode: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """`start_server` and `accept` in one call, with the parameters and errors of both."""
        self.start_server(address, ssl, mode)
        self.accept(timeout)

    @require(IDLE)
    def connect(
        self,
        address: Any,
        ssl: TlsContext | None = None,
        *,
        server_hostname: str | None = None,
        timeout: float | None = None,
        retry_for: float = 0.0,
    ) -> None:
        """Connect to a peer that listens, and establish the session.

        When the peer hangs up right behind the negotiation this returns as usual, and the state is DISCONNECTING.

        :param address: (host, port) for TCP; a connected socket, which is taken over; else the path of a UNIX socket.
        :param ssl: for TLS.
        :param server_hostname: whose certificate is expected; None for the host of the address. A UNIX socket has none,
            so it needs this, or a context that does not check.
        :param timeout: seconds for all of it; None for the system's own patience.
        :param retry_for: seconds during which a peer that does not listen yet is tried again.
        :raises StateError: if this is not IDLE.
        :raises ConnectTimeout: if it takes longer; this is IDLE then.
        :raises ConnectError: if it fails, or `disconnect` was called meanwhile; this is IDLE then.
        """
        self._move(CONNECTING, required=IDLE)
        self._begin_session(
            timeout, lambda attempt: self._do_connect(address, ssl, server_hostname, attempt, retry_for)
        )

    def _do_connect(
        self, address: Any, ssl: TlsContext | None, server_hostname: str | None, attempt: Attempt, retry_for: float
    ) -> Duplex:
        """Connect: a connection with TLS, if there is any. A subclass may do it in another way."""
        return self._endpoint.connect(address, ssl, server_hostname, attempt, retry_for)

    @require(IDLE)
    def open_with_socket(
        self,
        sock: Any,
        ssl: TlsContext | None = None,
        *,
        server_side: bool = True,
        server_hostname: str | None = None,
    ) -> None:
        """Take over a connected socket; `accept` establishes the session on it.

        :param sock: a stream socket of the standard library or of gevent.
        :param ssl: for TLS.
        :param server_side: which side of TLS this is.
        :param server_hostname: whose certificate a client expects.
        :raises StateError: if this is not IDLE.
        :raises ConnectError: if it is no connected stream socket.
        """
        self._move(CONNECTING, required=IDLE)
        with self._attempting(None):
            self._guard(
                "Failed to establish connection",
                lambda: self._endpoint.adopt(sock, ssl, server_side, server_hostname),
            )

    @contextmanager
    def _attempting(self, timeout: float | None) -> Iterator[Attempt]:
        """The caller alone connects this; `disconnect()` makes it fail and waits for it."""
        attempt = Attempt(self._runtime, timeout)
        with self._lock:
            if self._runstate is not CONNECTING:
                raise state_error(self, self._runstate, CONNECTING)
            if self._attempt is not None:
                raise BusyError("another task is connecting this already")
            self._attempt = attempt
        try:
            yield attempt
        finally:
            with self._lock:
                self._attempt = None
            attempt.done.set()

    def _begin_session(self, timeout: float | None, open_stream: Callable[[Attempt], Duplex]) -> None:
        with self._attempting(timeout) as attempt:

            def open_link() -> None:
                stream = open_stream(attempt)
                limits = self._readbuflen, self._send_limit
                self._link = Link(self._runtime, stream, *limits, self._send_failed, self._label)
                self._link.attempt = attempt

            self._guard("Failed to establish connection", open_link)
            self._guard("Failed to establish session", self._establish_session)

    def _guard(self, phase: str, act: Callable[[], None]) -> None:
        """Do a part of a session's beginning; if it fails, this is IDLE again."""
        try:
            act()
        except BaseException as exc:
            self._tear_down(0.0)
            if not isinstance(exc, Exception):
                raise
            kind = ConnectTimeout if isinstance(exc, RequestTimeout) else ConnectError
            raise kind(phase, exc) from exc

    def _establish_session(self) -> None:
        """Begin to read. A subclass negotiates before it calls this, with `_recv` and `_send`, and follows up after."""
        link = self._link
        assert link is not None, "there is a connection in this phase"
        with self._lock:
            if link.error is not None:
                raise link.error
            if link.attempt is not None:
                link.attempt.succeed()
            link.attempt = None
            self._enter(RUNNING, required=CONNECTING)
        link.reader = self._runtime.start(f"{self._label}-reader", self._read_messages, link)

    # ------------------------------------------------------------------ ending a session

    def disconnect(self, timeout: float | None = None) -> None:
        """End the session, or the attempt to get one, and be IDLE; legal in every state and from every task.

        What was sent before still leaves, as far as the peer takes it within `flush_timeout`. Of several tasks that
        call this at once all return when it is done. From the reader, inside `_on_message`, the end is only begun.

        :param timeout: seconds for all of it; None for as long as it takes, which is bounded by `flush_timeout`.
        :raises Exception: what ended the session, if that was not this call: EOFError if the peer hung up, or what
            `_on_message` has raised. It is raised once; the state is IDLE already.
        :raises RequestTimeout: if another task is in the way for so long.
        """
        error = self._disconnect(timeout, self._flush_timeout)
        if error is not None:
            raise error

    def close(self, force: bool = False) -> None:
        """End the session, whatever it is doing and whatever it has come to: `disconnect` without its errors.

        :param force: True forgets what waits to be sent.
        """
        self._disconnect(None, 0.0 if force else self._flush_timeout)

    def _disconnect(self, timeout: float | None, patience: float) -> BaseException | None:
        link = self._link
        if link is not None and link.is_mine():
            self._schedule_disconnect()
            return None
        until = None if timeout is None else self._runtime.now() + timeout

        def left(most: float) -> float:
            return most if until is None else min(most, max(0.0, until - self._runtime.now()))

        ends = self._ends
        while True:
            with self._lock:
                if self._ends != ends:
                    return None  # what is connecting now is another session
                attempt, teardown = self._attempt, self._teardown
                if attempt is not None and attempt.is_inherited:
                    attempt = self._attempt = None
                if attempt is None and teardown is None:
                    self._teardown = mine = self._runtime.event()
                    break
            if attempt is not None:
                self._give_up(attempt, left(patience))
                teardown = attempt.done
            assert teardown is not None, "one of both was there"
            if not teardown.wait(None if until is None else max(0.0, until - self._runtime.now())):
                raise RequestTimeout("disconnect()", timeout or 0.0)
        try:
            return self._tear_down(left(patience), left(FLUSH_TIMEOUT))
        finally:
            with self._lock:
                self._teardown = None
            mine.set()

    def _give_up(self, attempt: Attempt, patience: float) -> None:
        """Let a `connect()` or `accept()` end, which is another task's."""
        if attempt.task == self._runtime.current():
            raise BusyError("disconnect() inside _establish_session(): raise an exception there instead")
        link = self._link
        if not attempt.abort() and link is not None:
            # It has a session, and only has to return; or follows up, and waits for what will not come any more.
            self._stop(link, patience)

    def _tear_down(self, patience: float, grace: float = FLUSH_TIMEOUT) -> BaseException | None:
        """Be IDLE; what ended the session before. Only one task at a time is in here.

        :param patience: seconds for what waits to be sent.
        :param grace: seconds for the reader to end.
        """
        link = self._link
        self._move(DISCONNECTING)
        try:
            if link is not None and not link.is_inherited:
                self._stop(link, patience)
                if link.reader is not None:
                    link.reader.join(grace)
        finally:
            self._cleanup()
            with self._lock:
                self._ends += 1
                self._enter(IDLE)
        return link.error if link is not None else None

    def _stop(self, link: Link, patience: float) -> None:
        """End a session from this side: what waits to be sent still leaves, unless it has failed."""
        self._begin_end(link, None)
        link.is_stopping = True
        try:
            if link.error is None:
                link.outgoing.flush(patience)
        finally:
            self._end_link(link)

    def _cleanup(self) -> None:
        """Let go of everything that belonged to the session. A subclass may have more of it."""
        link, self._link = self._link, None
        self._endpoint.close()
        if link is None or (link.reader is not None and not link.is_inherited):
            return  # the reader closes the stream
        if not link.is_inherited:
            link.outgoing.join(FLUSH_TIMEOUT)
        link.stream.close()

    def _end_link(self, link: Link) -> None:
        """Close the connection, once, and tell the subclass."""
        with self._lock:
            if link.has_ended:
                return
            link.has_ended = True
        link.outgoing.close()
        link.stream.finish()
        link.stream.abort()
        self._bh_disconnect()

    def _bh_disconnect(self) -> None:
        """The session has ended, for whatever reason: called once, by whoever ended it. A subclass wakes who waits."""

    def _schedule_disconnect(self, error: BaseException | None = None) -> None:
        """Begin the end of the session from inside: the state is DISCONNECTING until somebody calls `disconnect()`.

        :param error: what `disconnect()` will raise; the first one counts.
        """
        link = self._link
        if link is not None:
            self._begin_end(link, error)

    def _begin_end(self, link: Link, error: BaseException | None) -> bool:
        with self._lock:
            if link is not self._link or link.is_stopping or link.error is not None:
                return False
            link.error = error
            link.is_stopping = error is None
            if self._runstate is RUNNING:
                self._enter(DISCONNECTING)
        return True

    def _send_failed(self, link: Link, error: StreamError) -> None:
        cause = error.__cause__
        hung_up = isinstance(cause, BrokenPipeError)
        self._note(link, EOFError("the peer closed the connection") if hung_up else error)
        if not isinstance(cause, OSError):
            link.stream.abort()
        # Else the reader finds the end by itself, behind what the peer has said before: that is still handled.

    def _note(self, link: Link, error: BaseException) -> None:
        if not self._begin_end(link, error):
            self.logger.debug("another error of a session that has ended: %r", error)
        elif isinstance(error, EOFError):
            self.logger.info("the session has ended: %s", error)
        else:
            self.logger.error("the session has ended: %s: %s", type(error).__name__, error)
            self.logger.debug("where that came from:", exc_info=error)
