"""QMP servers for tests: the other end of the wire, which a test plays itself or has a script play."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import gevent.socket

from syncio.protocol.qmp import QMPClient
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import PATIENCE

VERSION = {"qemu": {"major": 9, "minor": 2, "micro": 0}, "package": ""}


def greeting(*capabilities: str) -> dict[str, Any]:
    """A server's first message."""
    return {"QMP": {"version": VERSION, "capabilities": list(capabilities)}}


def event(name: str, /, **data: object) -> dict[str, Any]:
    """An event as QEMU sends it."""
    return {"timestamp": {"seconds": 1, "microseconds": 0}, "event": name, "data": data}


class Job:
    """A call in a task of its own, and what came of it."""

    def __init__(self, runtime: Runtime, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.done = runtime.event()
        self._value: Any = None
        self._error: BaseException | None = None
        runtime.spawn(self._run, function, args, kwargs)

    def _run(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        try:
            self._value = function(*args, **kwargs)
        except BaseException as exc:
            self._error = exc
        finally:
            self.done.set()

    def result(self) -> Any:
        """What it has returned, or raised."""
        assert self.done.wait(PATIENCE), "the call did not end"
        if self._error is not None:
            raise self._error
        return self._value

    def error(self) -> BaseException | None:
        """What it has raised; None if it has not."""
        assert self.done.wait(PATIENCE), "the call did not end"
        return self._error


class Peer:
    """A server's side of a connection. It takes a stream of JSON: qemu.qmp puts nothing behind a command."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)
        self._text = ""

    def send(self, *messages: object) -> None:
        """Send messages, each on a line; bytes are sent as they are. All in one write."""
        self.sock.sendall(b"".join(m if isinstance(m, bytes) else json.dumps(m).encode() + b"\r\n" for m in messages))

    def command(self) -> Any:
        """The client's next message.

        :raises EOFError: if there is none.
        """
        while True:
            self._text = self._text.lstrip()
            try:
                value, end = json.JSONDecoder().raw_decode(self._text)
            except ValueError:
                data = self.sock.recv(65536)
                if not data:
                    raise EOFError("the client has gone") from None
                self._text += data.replace(b"\xff", b"").decode()
            else:
                self._text = self._text[end:]
                return value

    def answer(self, command: Any, value: object = None, **members: object) -> None:
        """Answer a command: with a value, or with other members."""
        reply: dict[str, object] = dict(members) if members else {"return": {} if value is None else value}
        self.send({**reply, "id": command["id"]} if "id" in command else reply)

    def fail(self, command: Any, kind: str = "GenericError", words: str = "no") -> None:
        """Answer a command with an error."""
        self.answer(command, error={"class": kind, "desc": words})

    def greet(self, *capabilities: str) -> Any:
        """Open a session as QEMU does; returns the client's negotiating command."""
        self.send(greeting(*capabilities))
        command = self.command()
        self.answer(command)
        return command

    def serve(self) -> None:
        """Answer each command with its arguments, until the client goes."""
        while True:
            try:
                command = self.command()
            except (EOFError, ConnectionError):
                return
            self.answer(command, command.get("arguments", {}))

    def hang_up(self) -> None:
        """Close the connection."""
        self.sock.close()


class Stage:
    """Clients under test and their servers; all are closed with it.

    :param mode: the clients' runtime.
    :param path: a directory for sockets.
    """

    def __init__(self, runtime: Runtime, mode: str, path: Path) -> None:
        self.runtime = runtime
        self.mode = mode
        self._path = path
        self._sockets: Any = gevent.socket if mode == "gevent" else socket
        self._open: list[Any] = []
        self._clients: list[Any] = []
        self._jobs: list[Job] = []

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close(**({"force": True} if isinstance(client, QMPClient) else {}))
        for sock in self._open:
            sock.close()
        for job in self._jobs:
            assert job.done.wait(PATIENCE), "a call outlived its session"

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Job:
        """Call something in a task of its own."""
        self._jobs.append(Job(self.runtime, function, *args, **kwargs))
        return self._jobs[-1]

    def make(self, kind: Callable[..., Any] = QMPClient, *args: Any, **options: Any) -> Any:
        """A client, which is closed when the test ends."""
        self._clients.append(kind(*args, async_mode=self.mode, **options))
        return self._clients[-1]

    def listen(self, tcp: bool = False) -> tuple[Any, Any]:
        """A listening socket and its address."""
        sock = self._sockets.socket(socket.AF_INET if tcp else socket.AF_UNIX, socket.SOCK_STREAM)
        self._open.append(sock)
        sock.bind(("127.0.0.1", 0) if tcp else str(self._path / f"s{len(self._open)}"))
        sock.listen(8)
        sock.settimeout(PATIENCE)
        return sock, sock.getsockname()

    def accept(self, listening: Any) -> Peer:
        """The next client of a listening socket."""
        sock, _address = listening.accept()
        self._open.append(sock)
        return Peer(sock)

    def dial(self, client: Any, tcp: bool = False, **options: Any) -> tuple[Job, Peer]:
        """Have a client connect; the call, and what plays its server."""
        listening, address = self.listen(tcp)
        job = self.call(client.connect, address, timeout=PATIENCE, **options)
        return job, self.accept(listening)

    def session(self, client: Any = None, *capabilities: str, tcp: bool = False) -> tuple[Any, Peer]:
        """A client that is connected, and its server."""
        client = self.make() if client is None else client
        job, peer = self.dial(client, tcp)
        peer.greet(*capabilities)
        job.result()
        return client, peer

    def played(self, script: Callable[[Peer], object], times: int = 1) -> Any:
        """The address of a server that a script plays, once or several times, one client after the other."""
        listening, address = self.listen()

        def play() -> None:
            for _time in range(times):
                peer = self.accept(listening)
                try:
                    script(peer)
                except (EOFError, ConnectionError):
                    pass  # the client has gone, which is its right
                finally:
                    peer.hang_up()

        self.call(play)
        return address
