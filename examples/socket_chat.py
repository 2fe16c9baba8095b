"""A chat over sockets, without HTTP: names are agreed on first, then everybody hears everybody.

python examples/socket_chat.py serve 127.0.0.1:5000
python examples/socket_chat.py join 127.0.0.1:5000 ann
"""

from __future__ import annotations

import socket
import sys
import threading
from typing import Any

from syncio import SyncioError
from syncio.protocol import JSONLinesProtocol, Runstate


class Guest(JSONLinesProtocol):
    """The server's side of one guest.

    :param room: all guests by their names.
    """

    def __init__(self, room: dict[str, Guest]) -> None:
        super().__init__(send_limit=100_000)
        self.room = room

    def _establish_session(self) -> None:
        hello = self._recv()
        if not isinstance(hello, dict) or not isinstance(hello.get("name"), str):
            self._send({"error": 'say who you are: {"name": ...}'})
            raise ValueError(f"no name in {hello!r}")
        if self.room.setdefault(hello["name"], self) is not self:
            self._send({"error": "somebody has this name"})
            raise ValueError(f"{hello['name']} is there already")
        self.name = hello["name"]
        self._send({"welcome": sorted(self.room)})
        super()._establish_session()

    def _on_message(self, message: Any) -> None:
        for guest in list(self.room.values()):
            if guest is not self:
                try:
                    guest.send({"from": self.name, "text": message}, timeout=1)
                except SyncioError:
                    guest.close(force=True)  # it has gone, or reads nothing

    def _bh_disconnect(self) -> None:
        if self.name is not None:
            self.room.pop(self.name, None)


class Member(JSONLinesProtocol):
    """The client's side: prints what comes."""

    def __init__(self, name: str) -> None:
        super().__init__(name)

    def _establish_session(self) -> None:
        self._send({"name": self.name})
        answer = self._recv()
        if "error" in answer:
            raise ValueError(answer["error"])
        print("here:", *answer["welcome"], flush=True)
        super()._establish_session()

    def _on_message(self, message: Any) -> None:
        print(f"{message['from']}: {message['text']}", flush=True)


def welcome(guest: Guest, sock: socket.socket) -> None:
    """Begin the session of one guest, who has ten seconds to say a name."""
    try:
        guest.open_with_socket(sock)
        guest.accept(timeout=10)
    except SyncioError as exc:
        print(f"a guest could not come in: {exc}", file=sys.stderr, flush=True)


def serve(host: str, port: int) -> None:
    """Let guests in, for ever."""
    room: dict[str, Guest] = {}
    with socket.create_server((host, port)) as listener:
        print(f"listening on {host}:{listener.getsockname()[1]}", flush=True)
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=welcome, args=(Guest(room), sock), daemon=True).start()


def join(host: str, port: int, name: str) -> None:
    """Say what is typed, and print what is said."""
    with Member(name) as member:
        member.connect((host, port), timeout=10)
        for line in sys.stdin:
            if member.runstate is not Runstate.RUNNING:
                break
            member.send(line.rstrip("\n"), timeout=10)


def main() -> None:
    """Serve, or join."""
    what, address, *name = sys.argv[1:]
    host, _, port = address.rpartition(":")
    if what == "serve":
        serve(host, int(port))
    else:
        join(host, int(port), *name)


if __name__ == "__main__":
    main()
