"""What the tests use of `responses`, over a real socket: their hosts' names lead to a server in this process.

It stands for any client of HTTP, whereas the real one stands in for a part of `requests`.
"""

from __future__ import annotations

import _socket
import functools
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

__all__ = ["GET", "RequestsMock", "activate"]

GET = "GET"
F = TypeVar("F", bound=Callable[..., Any])


class Answer(NamedTuple):
    """What a URL answers."""

    body: bytes
    status: int
    content_type: str


class RequestsMock:
    """Answers at URLs for as long as its block lasts.

    :param assert_all_requests_are_fired: False, as there is nothing here that counts them.
    """

    def __init__(self, assert_all_requests_are_fired: bool) -> None:
        assert not assert_all_requests_are_fired
        self._answers: dict[str, Answer] = {}
        self._hosts: set[tuple[str | None, int]] = set()
        self._resolve = _socket.getaddrinfo
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, self._answers))

    def add(self, method: str, url: str, body: str, status: int, content_type: str) -> None:
        """Answer at a URL from now on."""
        assert method == GET
        parts = urlsplit(url)
        self._hosts.add((parts.hostname, parts.port or 80))
        self._answers[url] = Answer(body.encode(), status, content_type)

    def __enter__(self) -> RequestsMock:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self._resolve, _socket.getaddrinfo = _socket.getaddrinfo, self._lead
        return self

    def __exit__(self, *_: object) -> None:
        _socket.getaddrinfo = self._resolve
        self._server.shutdown()
        self._server.server_close()

    def _lead(self, host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if (host, port) in self._hosts:
            return self._resolve("127.0.0.1", self._server.server_port, *more, **named)
        return self._resolve(host, port, *more, **named)


class Handler(BaseHTTPRequestHandler):
    """Answers as it was told, and not at all where it was told nothing: `responses` has no connection there.

    :param answers: by URL.
    """

    protocol_version = "HTTP/1.1"

    def __init__(self, answers: dict[str, Answer], *connection: Any) -> None:
        self._answers = answers
        super().__init__(*connection)

    def do_GET(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self._answers.get(f"http://{self.headers['Host']}{self.path}")
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def activate(function: F) -> F:
    """A decorator: nothing is to be done, for a block of `RequestsMock` says by itself what is led where."""
    return function
