"""Sockets as the system has them, untouched by monkey-patching, and what a stream needs of one."""

from __future__ import annotations

from _socket import socket as RawSocket
from typing import Protocol

__all__ = ["RawSocket", "SocketLike", "raw_socket"]


class SocketLike(Protocol):
    """What a stream needs of a socket. A call that would block raises BlockingIOError."""

    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes, /) -> int: ...
    def fileno(self) -> int: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...


def raw_socket(fd: int) -> RawSocket:
    """A non-blocking socket object over a descriptor, untouched by monkey-patching; it owns the descriptor."""
    sock = RawSocket(fileno=fd)
    sock.setblocking(False)
    return sock
