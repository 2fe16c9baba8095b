"""A protocol for tests: lines of text."""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import Any

from syncio.protocol import Protocol
from syncio.runtime import Runtime
from syncio.streams.raw import RawSocket
from tests.unit.runtime.kinds import PATIENCE, eventually

from ..streams.conftest import Peer


class Lines(Protocol[str]):
    """Notes what it gets.

    :ivar handler: called with each message, in the reader.
    :ivar hello: sent at the beginning, and the peer's first line is awaited.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.handler: Callable[[str], object] | None = None
        self.hello: str | None = None
        self.greeted: str | None = None
        self.received = self._runtime.queue()

    def _establish_session(self) -> None:
        if self.hello is not None:
            if self.hello:
                self._send(self.hello)
            self.greeted = self._recv()
        super()._establish_session()

    def _do_recv(self) -> str:
        return self._readline().decode().rstrip("\n")

    def _do_send(self, message: str, timeout: float | None = None) -> None:
        self._write(message.encode() + b"\n", timeout)

    def _on_message(self, message: str) -> None:
        if self.handler is not None:
            self.handler(message)
        self.received.put(message)

    def next(self) -> str:
        """The next message that was handled."""
        message: str = self.received.get(timeout=PATIENCE)
        return message


class Pair:
    """Two protocols that are connected with each other."""

    def __init__(self, runtime: Runtime, server: Lines, client: Lines, address: Any, **options: Any) -> None:
        self.server = server
        self.client = client
        server.start_server(address, **options)
        accepting = runtime.spawn(server.accept, PATIENCE)
        client.connect(server.address, timeout=PATIENCE)
        accepting.join(PATIENCE)


class Doing:
    """A call in a task of its own.

    :param call: what is called, with the other arguments.
    """

    def __init__(self, runtime: Runtime, call: Callable[..., Any], *args: Any, **options: Any) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self.ended = runtime.event()
        self.began = runtime.now()
        self.seconds = 0.0
        self._runtime = runtime
        self.task = runtime.spawn(self._work, call, args, options)

    def _work(self, call: Callable[..., Any], args: Any, options: Any) -> None:
        try:
            self.value = call(*args, **options)
        except BaseException as exc:
            self.error = exc
        self.seconds = self._runtime.now() - self.began
        self.ended.set()

    def result(self) -> Any:
        """What it returns, or raises."""
        assert self.ended.wait(PATIENCE), "it did not end"
        if self.error is not None:
            raise self.error
        return self.value


def accepting(runtime: Runtime, server: Lines, address: Any, **options: Any) -> Doing:
    """A server that listens already, and waits for its peer."""
    server.start_server(address, **options)
    return Doing(runtime, server.accept, PATIENCE)


def dial(address: Any) -> RawSocket:
    """A plain socket that is connected with a server on this machine; the kernel does not wait for the server."""
    sock = RawSocket(_socket.AF_INET if isinstance(address, tuple) else _socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def send_all(runtime: Runtime, peer: Peer, data: bytes) -> None:
    """Write all, as fast as it is read."""
    rest = memoryview(data)

    def push() -> bool:
        nonlocal rest
        while rest and (sent := peer.send(rest)):
            rest = rest[sent:]
        return not rest

    assert eventually(runtime, push), "it is not read"
