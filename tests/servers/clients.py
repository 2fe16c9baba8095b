"""Small clients of our own: what is sent stands in the test, and what comes back is what the server said."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Iterator, Mapping
from http.client import HTTPResponse
from typing import Any

import websocket

__all__ = ["Address", "Answer", "Clients", "Parked", "PollingClient", "WebSocketClient", "WebSocketEnded", "request"]

Address = tuple[str, int]
TIMEOUT = 10.0
SEPARATOR = "\x1e"


class WebSocketEnded(Exception):
    """The server has ended the WebSocket; the argument is its close code, or None."""


class Answer:
    """An HTTP answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")

    @property
    def packets(self) -> list[str]:
        """The body as packets."""
        return self.text.split(SEPARATOR)


class Parked:
    """A request that was sent and whose answer may take its time."""

    def __init__(self, address: Address, head: str, body: bytes = b"", timeout: float = TIMEOUT) -> None:
        self.sock = socket.create_connection(address, timeout)
        self.sock.sendall(head.encode("latin-1") + body)

    def answer(self) -> Answer:
        """Wait for the answer."""
        with contextlib.closing(self.sock):
            response = HTTPResponse(self.sock)
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())

    def close(self) -> None:
        """Go away without having read the answer (FIN)."""
        self.sock.close()

    def reset(self) -> None:
        """Go away at once (RST)."""
        reset(self.sock)


def reset(sock: socket.socket) -> None:
    """Close a connection with an RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def request(
    address: Address,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Answer:
    """One request on a connection of its own."""
    return send(address, method, path, body, headers, timeout).answer()


def send(
    address: Address,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Parked:
    """Send a request and do not wait."""
    fields = {"Host": f"{address[0]}:{address[1]}", "Connection": "close", **(headers or {})}
    if body is not None:
        fields["Content-Length"] = str(len(body))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    return Parked(address, head, body or b"", timeout)


class PollingClient:
    """A session on long polling."""

    def __init__(self, address: Address, query: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.address = address
        opened = request(address, "GET", f"/engine.io/?EIO=4&transport=polling{query}", headers=headers)
        assert opened.status == 200, opened.body
        self.opened = opened
        self.handshake: dict[str, Any] = json.loads(opened.packets[0][1:])
        self.sid: str = self.handshake["sid"]
        self._parked: list[Parked] = []

    @property
    def path(self) -> str:
        """Where its requests go."""
        return f"/engine.io/?EIO=4&transport=polling&sid={self.sid}"

    def get(self) -> Parked:
        """Send a GET and do not wait."""
        parked = send(self.address, "GET", self.path)
        self._parked.append(parked)
        return parked

    def poll(self) -> Answer:
        """A GET and its answer."""
        return self.get().answer()

    def post(self, body: str | bytes, **headers: str) -> Answer:
        """A POST and its answer."""
        return request(self.address, "POST", self.path, body.encode() if isinstance(body, str) else body, headers)

    def close(self) -> None:
        """Give up the requests whose answer nobody has read."""
        for parked in self._parked:
            parked.close()


class WebSocketClient:
    """A WebSocket to the engine; its messages are packets."""

    def __init__(self, address: Address, query: str, headers: Mapping[str, str] | None = None) -> None:
        self.ws = websocket.WebSocket()
        fields = [f"{name}: {value}" for name, value in (headers or {}).items()]
        url = f"ws://{address[0]}:{address[1]}/engine.io/?{query}"
        connect: Any = self.ws.connect
        connect(url, timeout=TIMEOUT, suppress_origin=True, header=fields)
        self.handshake: dict[str, Any] = {}

    @property
    def sid(self) -> str:
        """Its session, if the session began here."""
        sid: str = self.handshake["sid"]
        return sid

    def send(self, message: str | bytes) -> None:
        """Send one message, text or binary."""
        if isinstance(message, bytes):
            self.ws.send_binary(message)
        else:
            self.ws.send(message)

    def receive(self) -> str | bytes:
        """The next message.

        :raises WebSocketEnded: if the server ends the WebSocket instead.
        """
        try:
            opcode, data = self.ws.recv_data()
        except (websocket.WebSocketConnectionClosedException, ConnectionError) as exc:
            raise WebSocketEnded(None) from exc
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise WebSocketEnded(int.from_bytes(data[:2], "big") if data else None)
        content: bytes = data
        return content.decode() if opcode == websocket.ABNF.OPCODE_TEXT else content

    def messages(self) -> Iterator[str | bytes]:
        """All messages until the server ends the WebSocket."""
        with contextlib.suppress(WebSocketEnded):
            while True:
                yield self.receive()

    def wait_for_end(self) -> list[str | bytes]:
        """Wait until the server ends the WebSocket; what came before that."""
        return list(self.messages())

    def close(self) -> None:
        """Say goodbye with a close frame."""
        self.ws.close(timeout=2)

    def send_raw(self, data: bytes) -> None:
        """Send bytes that need not be a frame."""
        sock = self.ws.sock
        assert sock is not None
        sock.sendall(data)

    def send_close(self) -> None:
        """Send a close frame and do not wait for the server's."""
        self.ws.send_close()

    def drop(self) -> None:
        """Go away without a word (FIN)."""
        if self.ws.sock is not None:
            self.ws.sock.close()

    def reset(self) -> None:
        """Go away at once (RST)."""
        sock = self.ws.sock
        assert sock is not None
        reset(sock)


class Clients:
    """Makes clients of one server and closes what is left of them at the end."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._open: list[WebSocketClient] = []
        self._sessions: list[PollingClient] = []

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request."""
        return request(self.address, method, path, body, headers)

    def polling(self, query: str = "") -> PollingClient:
        """A session on long polling."""
        session = PollingClient(self.address, query)
        self._sessions.append(session)
        return session

    def raw_websocket(self, query: str, headers: Mapping[str, str] | None = None) -> WebSocketClient:
        """A WebSocket, of which nothing was read yet."""
        client = WebSocketClient(self.address, query, headers)
        self._open.append(client)
        return client

    def websocket(self) -> WebSocketClient:
        """A session that begins on a WebSocket."""
        client = self.raw_websocket("EIO=4&transport=websocket")
        opened = client.receive()
        assert isinstance(opened, str) and opened.startswith("0"), opened
        client.handshake = json.loads(opened[1:])
        return client

    def probe(self, session: PollingClient) -> WebSocketClient:
        """A WebSocket for a session on polling, whose probe was answered."""
        client = self.raw_websocket(f"EIO=4&transport=websocket&sid={session.sid}")
        client.send("2probe")
        assert client.receive() == "3probe"
        return client

    def upgraded(self) -> tuple[PollingClient, WebSocketClient]:
        """A session that began on polling and has moved to a WebSocket."""
        session = self.polling()
        client = self.probe(session)
        client.send("5")
        return session, client

    def close(self) -> None:
        """Close what is open."""
        for client in self._open:
            client.drop()
        for session in self._sessions:
            session.close()
