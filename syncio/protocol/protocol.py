"""The base of message protocols over sockets: its reader and its sends.

A subclass says how one message is read and written; everything else is here and in `lifecycle`. One task reads: it
waits for a message, handles it, and only then reads the next. Whoever sends writes at once.
"""

from __future__ import annotations

import logging
from typing import Generic, TypeVar

from ..runtime import choose_runtime
from .errors import ProtocolError
from .lifecycle import FLUSH_TIMEOUT, Lifecycle
from .link import Link
from .outgoing import Descriptors
from .runstate import Runstate, require, state_error

__all__ = ["Protocol"]

T = TypeVar("T")

SEND_LIMIT = 16 * 1024 * 1024
"""Bytes that may wait for a peer that does not read."""


class Protocol(Lifecycle, Generic[T]):
    """A message protocol over a stream socket, on threads or greenlets.

    An object goes through any number of sessions, one at a time. A subclass overrides `_do_recv`, `_do_send` and
    `_on_message`, and `_establish_session` if it negotiates.

    :param name: stands in the log and in the names of tasks.
    :param readbuflen: bytes that one line may have in `_readline`.
    :param send_limit: bytes that may wait for a peer that does not read; then `send` waits.
    :param flush_timeout: seconds that `disconnect()` gives what waits.
    :param async_mode: 'threading', 'gevent', or None for gevent in a monkey-patched process and threads in any other.
    """

    logger = logging.getLogger(__name__)

    def __init__(
        self,
        name: str | None = None,
        readbuflen: int = 65536,
        *,
        send_limit: int = SEND_LIMIT,
        flush_timeout: float = FLUSH_TIMEOUT,
        async_mode: str | None = None,
    ) -> None:
        super().__init__(choose_runtime(async_mode), name, readbuflen, send_limit, flush_timeout)

    # ------------------------------------------------------------------ in

    def _read_messages(self, link: Link) -> None:
        link.reader_task = self._runtime.current()
        try:
            while True:
                message = self._cb_inbound(self._do_recv())
                if link.is_stopping:
                    continue  # what comes is read, so that the peer can read what we still send
                self._on_message(message)
                if link.is_stopping:
                    break
        except BaseException as exc:
            if not link.is_stopping:
                self._note(link, exc)
        finally:
            link.outgoing.flush(self._flush_timeout if link.error is None else 0.0)
            self._end_link(link)
            link.outgoing.join(FLUSH_TIMEOUT)
            link.stream.close()
            link.reader_task = None

    def _do_recv(self) -> T:
        """Read one message, with `_readline` or `_read_exactly`. To be overridden.

        :raises Exception: ends the session, and comes out of `disconnect()`.
        """
        raise NotImplementedError

    def _on_message(self, message: T) -> None:
        """Handle one message; the next is read when this returns. To be overridden.

        It may send, which never waits here, and call `disconnect()`, which only begins the end.

        :raises Exception: ends the session, and comes out of `disconnect()`.
        """
        raise NotImplementedError

    def _cb_inbound(self, message: T) -> T:
        """See, and change, a message before it is handled."""
        self.logger.debug("<-- %s", message)
        return message

    @require(Runstate.CONNECTING)
    def _recv(self) -> T:
        """Read one message while the session is being established.

        :raises StateError: at any other time: the reader has them then.
        """
        return self._cb_inbound(self._do_recv())

    def _readline(self) -> bytes:
        """Read a line with its newline; a last one may have none. Only for `_do_recv`.

        :raises EOFError: at the end of the connection.
        :raises ValueError: if it is longer than `readbuflen`.
        """
        return self._connected().readline()

    def _read_exactly(self, size: int) -> bytes:
        """Read so many bytes. Only for `_do_recv`.

        :raises EOFError: if the connection ends before them.
        """
        return self._connected().read_exactly(size)

    def _connected(self) -> Link:
        link = self._link
        if link is None:
            raise state_error(self, self._runstate, Runstate.RUNNING)
        return link

    # ------------------------------------------------------------------ out

    def send(self, message: T, timeout: float | None = None) -> None:
        """Send a message, behind those that were sent before: from any task, at once.

        :param timeout: seconds to wait while more than `send_limit` bytes wait for the peer; None waits as long as the
            session lives. In the reader this never waits.
        :raises StateError: if this is not Runstate.RUNNING.
        :raises RequestTimeout: if there was no room in that time; nothing was sent.
        :raises OutgoingFull: if there is no room, and the reader sends.
        :raises StreamError: if the connection breaks.
        """
        if self._runstate is not Runstate.RUNNING:
            raise state_error(self, self._runstate, Runstate.RUNNING)
        self._do_send(self._cb_outbound(message), timeout)

    def _do_send(self, message: T, timeout: float | None = None) -> None:
        """Encode a message and give it to `_write`, in one call. To be overridden."""
        raise NotImplementedError

    def _cb_outbound(self, message: T) -> T:
        """See, and change, a message before it is sent."""
        self.logger.debug("--> %s", message)
        return message

    @require(Runstate.CONNECTING)
    def _send(self, message: T) -> None:
        """Send a message while the session is being established.

        :raises StateError: at any other time: `send` is for that.
        """
        self._do_send(self._cb_outbound(message), self._connected().left())

    def _write(self, data: bytes, timeout: float | None = None, fds: tuple[int, ...] = ()) -> None:
        """Send bytes. Only for `_do_send`.

        :param fds: descriptors to pass beside them, over a UNIX socket; the caller keeps his own.
        :raises OSError: if one of them is not open; nothing was sent.
        """
        link = self._connected()
        if link.is_inherited:
            raise ProtocolError(f"{type(self).__name__} was connected by the process of which this one is a fork")
        descriptors = None
        if fds:
            if not link.stream.is_local:
                raise ProtocolError("descriptors pass over a UNIX socket only, and not through TLS")
            descriptors = Descriptors(fds)
        link.outgoing.write(data, timeout, not link.is_mine(), descriptors)
