"""The QMP client: greeting, capabilities, commands from any number of tasks, events."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from ...errors import BrokenStream, BusyError, RequestTimeout, StreamError
from ...runtime import Mailbox
from ..link import Link
from ..protocol import SEND_LIMIT, Protocol
from ..runstate import Runstate, require, state_error
from .calls import Call, Calls
from .errors import (
    BadReplyError,
    ExecInterruptedError,
    ExecuteError,
    GreetingError,
    NegotiationError,
    ServerParseError,
)
from .listening import Listening
from .message import DeserializationError, Message, UnexpectedTypeError
from .models import ErrorResponse, Greeting

__all__ = ["QMPClient"]

READ_LIMIT = 10 * 1024 * 1024
"""Bytes that one message of the server may have; the answer to query-qmp-schema has more than 200,000."""
OWN_IDS = "__qmp#"
HANGUPS = (EOFError, BrokenStream)
"""How a session ends if the server goes: a reset is one that has left something unread."""


class QMPClient(Listening, Protocol[Message]):
    """A client of the QEMU Machine Protocol (QEMU's docs/interop/qmp-spec).

    Any number of tasks may execute commands on one connection at once.

    :param name: stands in the log and in the names of tasks.
    :param readbuflen: bytes that one message may have.
    :param send_limit: bytes that may wait for a server that does not read.
    :param async_mode: see `Protocol`.
    """

    logger = logging.getLogger(__name__)
    assigns_ids = True
    """Whether commands get an id, unless it is said otherwise."""

    def __init__(
        self,
        name: str | None = None,
        readbuflen: int = READ_LIMIT,
        *,
        send_limit: int = SEND_LIMIT,
        async_mode: str | None = None,
    ) -> None:
        super().__init__(name, readbuflen, send_limit=send_limit, async_mode=async_mode)
        self.await_greeting = True
        """Whether the server speaks first."""
        self.negotiate = True
        """Whether capabilities are negotiated, for which there has to be a greeting."""
        self.greeting: Greeting | None = None
        """What the server said of itself; kept after the session, until the next one begins."""
        self._calls = Calls(self._runtime)
        self._ids = count()
        self._turn: Mailbox[None] = Mailbox(self._runtime, 1)  # who may have a command without an id under way
        self._quitting = False

    # ------------------------------------------------------------------ the session

    def _establish_session(self) -> None:
        self.greeting = None
        self._quitting = False
        self._calls.begin()
        self._open_listeners()
        if self.await_greeting or self.negotiate:
            self.greeting = self._get_greeting()
        if self.negotiate:
            self._negotiate(self.greeting)
        super()._establish_session()

    def _get_greeting(self) -> Greeting:
        """Read the greeting.

        :raises GreetingError: if the first message is none.
        """
        try:
            return Greeting.parse(self._recv())
        except (DeserializationError, UnexpectedTypeError) as exc:
            raise GreetingError("the first message could not be read", exc) from exc
        except (KeyError, TypeError) as exc:
            raise GreetingError("the first message is no greeting", exc) from exc

    def _negotiate(self, greeting: Greeting | None) -> None:
        """Agree on capabilities (qmp-spec, "Capabilities Negotiation").

        :raises NegotiationError: if the server does not.
        """
        offered = greeting.QMP.capabilities if greeting is not None else ()
        arguments = {"enable": ["oob"]} if "oob" in offered else {}
        self._send(self.make_execute_msg("qmp_capabilities", arguments))
        try:
            reply = self._recv()
            while "event" in reply:
                self._on_message(reply)
                reply = self._recv()
            if "error" in reply:
                raise KeyError(f"the server answered with an error: {bytes(reply).decode(errors='replace').strip()}")
            if "return" not in reply:
                raise KeyError("the server's reply has no member 'return'")
        except (DeserializationError, UnexpectedTypeError, KeyError) as exc:
            raise NegotiationError("the negotiation of capabilities failed", exc) from exc

    def _bh_disconnect(self) -> None:
        self._calls.end()
        self._close_listeners()
        super()._bh_disconnect()

    def disconnect(self, timeout: float | None = None) -> None:
        """See `Protocol.disconnect`. That the server hangs up after the command 'quit' is no error."""
        try:
            super().disconnect(timeout)
        except HANGUPS:
            if not self._quitting:
                raise

    # ------------------------------------------------------------------ messages

    def _do_recv(self) -> Message:
        """Read a message.

        :raises DeserializationError: if a line is no JSON.
        :raises UnexpectedTypeError: if it is no object.
        """
        while not (line := self._readline()).strip():
            pass
        return Message(line)

    def _readline(self) -> bytes:
        """See `Protocol._readline`. A server that has left the newline of the last command unread, as QEMU does, resets
        the connection when it goes: that is a hang-up like any other.
        """
        try:
            return super()._readline()
        except BrokenStream as exc:
            if isinstance(exc.__cause__, ConnectionResetError):
                raise EOFError("the server closed the connection") from exc
            raise

    def _do_send(self, message: Message, timeout: float | None = None) -> None:
        self._write(bytes(message) + b"\n", timeout)

    def _on_message(self, message: Message) -> None:
        members = message.members
        if "event" in members:
            self._tell_listeners(message)
            return
        if "QMP" in members and not self.await_greeting:
            return  # a greeting that nobody wanted
        exec_id = members.get("id")
        if self._calls.answer(exec_id, message):
            return
        if "error" in members and "id" not in members:
            words = members["error"].get("desc") if isinstance(members["error"], Mapping) else members["error"]
            raise ServerParseError(f"the server could not read a command: {words}", message)
        level = logging.ERROR if "error" in members else logging.WARNING
        self.logger.log(level, "a reply to nothing that waits (id %r) was dropped: %s", exec_id, message)

    # ------------------------------------------------------------------ commands

    @classmethod
    def make_execute_msg(cls, cmd: str, arguments: Mapping[str, object] | None = None, oob: bool = False) -> Message:
        """Make the message of a command.

        :param cmd: its name.
        :param arguments: its arguments; None leaves the member out, {} does not.
        :param oob: whether it overtakes the others (qmp-spec, "Out-of-band execution").
        """
        message = Message({"exec-oob" if oob else "execute": cmd})
        if arguments is not None:
            message["arguments"] = dict(arguments)
        return message

    def execute(
        self,
        cmd: str,
        arguments: Mapping[str, object] | None = None,
        oob: bool = False,
        *,
        timeout: float | None = None,
        assign_id: bool | None = None,
    ) -> Any:
        """Execute a command, from any task.

        A server that hangs up instead of answering 'quit' has executed it: {} is returned then.

        :param cmd: its name.
        :param arguments: its arguments.
        :param oob: whether it overtakes the others.
        :param timeout: seconds to wait for the answer; None waits as long as the session lives. The server executes it
            nevertheless; an answer that comes later is dropped.
        :param assign_id: False for a server that does not repeat ids: such commands go one after the other.
        :return: the member 'return' of the answer.
        :raises ExecuteError: if the server answers with an error.
        :raises BadReplyError: if its answer is neither.
        :raises ExecInterruptedError: if the session ends before the answer.
        :raises RequestTimeout: if no answer comes in that time.
        :raises StateError: if this is not RUNNING.
        """
        return self.execute_msg(self.make_execute_msg(cmd, arguments, oob), timeout=timeout, assign_id=assign_id)

    def execute_msg(self, msg: Message, *, timeout: float | None = None, assign_id: bool | None = None) -> Any:
        """Execute a command that is a message already; see `execute`. The message stays as it is.

        :raises ValueError: if it has neither 'execute' nor 'exec-oob', or an id that is in use.
        :raises TypeError: if its id is no string.
        """
        if "execute" not in msg.members and "exec-oob" not in msg.members:
            raise ValueError(f"a command has a member 'execute' or 'exec-oob', not only {sorted(msg)}")
        reply = self._raw(msg, assign_id, timeout=timeout)
        members = reply.members
        if "error" in members:
            try:
                response = ErrorResponse.parse(reply)
            except (KeyError, TypeError) as exc:
                raise BadReplyError(f"the reply is an error without its members: {exc.args[0]}", reply, msg) from exc
            raise ExecuteError(response, msg, reply)
        if "return" not in members:
            raise BadReplyError("the reply has neither 'return' nor 'error'", reply, msg)
        return members["return"]

    def _raw(
        self,
        msg: Message | Mapping[str, object] | bytes,
        assign_id: bool | None = None,
        *,
        timeout: float | None = None,
    ) -> Message:
        """Send a message and wait for the one that answers it.

        :param msg: what is sent; it is not changed.
        :param assign_id: whether it gets an id if it has none; None for what is usual with this server.
        :return: the answer, whatever it is.
        """
        link = self._waitable()
        message = Message(msg)
        exec_id = self._identify(message, self.assigns_ids if assign_id is None else assign_id)
        if exec_id is not None:
            return self._exchange(link, exec_id, message, timeout)
        with self._in_turn(timeout) as left:
            return self._exchange(link, None, message, left)

    def _waitable(self) -> Link:
        """The connection, for a caller who is going to wait for an answer on it.

        :raises StateError: if this is not RUNNING.
        :raises BusyError: if the caller is the reader.
        """
        link = self._link
        if self._runstate is not Runstate.RUNNING or link is None:
            raise state_error(self, self._runstate, Runstate.RUNNING)
        if link.is_mine():
            raise BusyError("the reader cannot wait for an answer, which it would have to read: use another task")
        return link

    @contextmanager
    def _in_turn(self, timeout: float | None) -> Iterator[float | None]:
        """The caller alone has a command without an id under way; the seconds that are left for it."""
        until = self._until(timeout)
        try:
            self._turn.put(None, timeout)
        except RequestTimeout:
            raise RequestTimeout("waiting for another command without an id", timeout or 0.0) from None
        try:
            yield self._left(until)
        finally:
            self._turn.get(0)

    def _until(self, timeout: float | None) -> float | None:
        return None if timeout is None else self._runtime.now() + timeout

    def _left(self, until: float | None) -> float | None:
        return None if until is None else max(0.0, until - self._runtime.now())

    def _identify(self, message: Message, assign: bool) -> str | None:
        """The id of a message, which gets one if it has none and shall."""
        exec_id = message.members.get("id")
        if "id" not in message.members:
            if not assign:
                return None
            exec_id = message["id"] = f"{OWN_IDS}{next(self._ids):05d}"
        elif not isinstance(exec_id, str):
            raise TypeError(f"id={exec_id!r}: an id is a string")
        elif exec_id.startswith(OWN_IDS):
            raise ValueError(f"id={exec_id!r}: ids that begin with {OWN_IDS!r} are the client's own")
        return exec_id

    def _exchange(self, link: Link, exec_id: str | None, message: Message, timeout: float | None) -> Message:
        """Send a command and wait for its answer, in the session of that connection and in no later one."""
        until = self._until(timeout)
        call = self._calls.add(exec_id, message) if link is self._link else None
        if call is None:
            raise ExecInterruptedError("Disconnected")
        quits = message.members.get("execute") == "quit"
        if quits:
            self._quitting = True
        try:
            self._give(call, exec_id, timeout)
            reply = self._await(call, exec_id, self._left(until), timeout)
        except ExecInterruptedError:
            if quits and isinstance(link.error, HANGUPS):
                return Message({"return": {}})
            raise
        if quits and "return" not in reply:
            self._quitting = False
        return reply

    def _give(self, call: Call, exec_id: str | None, timeout: float | None) -> None:
        try:
            self.send(call.sent, timeout)
        except StreamError as exc:
            self._calls.drop(exec_id, late=False)
            raise ExecInterruptedError("Disconnected") from exc
        except BaseException as exc:
            # Only what comes from outside, like Ctrl-C, comes when it may have left.
            self._calls.drop(exec_id, late=not isinstance(exc, Exception))
            raise

    def _await(self, call: Call, exec_id: str | None, left: float | None, timeout: float | None) -> Message:
        try:
            answered = call.done.wait(left)
        except BaseException:
            self._calls.drop(exec_id, late=True)
            raise
        if not answered:
            self._calls.drop(exec_id, late=True)
            if call.reply is None:
                name = call.sent.get("execute") or call.sent.get("exec-oob")
                raise RequestTimeout(f"the command {name!r}", timeout or 0.0)
        if call.reply is None:
            raise ExecInterruptedError("Disconnected")
        return call.reply

    @require(Runstate.RUNNING)
    def send_fd_scm(self, fd: int, timeout: float | None = None) -> None:
        """Pass a descriptor to the server, for the command 'getfd' or 'add-fd' that follows.

        :param fd: it stays open here.
        :param timeout: seconds to wait for room.
        :raises ValueError: if the connection is no UNIX socket.
        :raises OSError: if the descriptor is not open.
        :raises StateError: if this is not RUNNING.
        :raises RequestTimeout: if there was no room in that time; nothing was passed.
        """
        if not self._connected().stream.is_local:
            raise ValueError("descriptors can only be passed over a UNIX socket without TLS")
        self._write(b" ", timeout, (fd,))
