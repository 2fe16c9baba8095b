"""Connects to a server: its name, a proxy on the way, TLS. What comes out is a socket for a `Stream`."""

from __future__ import annotations

import base64
import socket
import ssl
from dataclasses import dataclass

from ..errors import BrokenStream, RequestTimeout
from ..runtime import Runtime
from .raw import SocketLike, raw_socket
from .tls import TlsSocket

__all__ = ["Proxy", "dial"]

MAX_PROXY_ANSWER = 16384
"""Bytes of an answer to CONNECT."""


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy that is asked for a tunnel (RFC 9110, section 9.3.6).

    :param host: its name or address.
    :param port: its port.
    :param user: for Basic authentication; None for none.
    :param password: goes with the user.
    """

    host: str
    port: int
    user: str | None = None
    password: str = ""

    def request(self, host: str, port: int) -> bytes:
        """What it is asked."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self.user is not None:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
            lines.append(f"Proxy-Authorization: Basic {token}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def dial(
    runtime: Runtime,
    host: str,
    port: int,
    timeout: float,
    tls: ssl.SSLContext | None = None,
    proxy: Proxy | None = None,
) -> SocketLike:
    """Connect to a server.

    :param host: its name or address, without brackets.
    :param timeout: seconds for all of it, but for the resolving of names, which the system limits itself.
    :param tls: the context for TLS, which is given the name of the host; None for plain TCP.
    :param proxy: who is asked for a tunnel first.
    :return: a non-blocking socket; whoever gets it closes it.
    :raises RequestTimeout: if it takes too long.
    :raises BrokenStream: if nobody listens, the proxy says no, or the certificate is not right.
    """
    until = runtime.now() + timeout
    sock: socket.socket | None = None

    def connected() -> socket.socket:
        assert sock is not None
        sock.settimeout(max(0.001, until - runtime.now()))
        return sock

    try:
        sock = socket.create_connection((proxy.host, proxy.port) if proxy is not None else (host, port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proxy is not None:
            connected().sendall(proxy.request(host, port))
            _await_tunnel(connected(), proxy)
        if tls is not None:
            sock = tls.wrap_socket(connected(), server_hostname=host)
            return TlsSocket(sock, owned=True)
        return raw_socket(sock.detach())
    except TimeoutError as exc:
        _drop(sock)
        raise RequestTimeout(f"the connection to {host}:{port}", timeout) from exc
    except OSError as exc:
        _drop(sock)
        raise BrokenStream(f"no connection to {host}:{port}: {_words(exc)}") from exc
    except BaseException:
        _drop(sock)
        raise


def _await_tunnel(sock: socket.socket, proxy: Proxy) -> None:
    # One byte at a time: what follows the answer belongs to the tunnel.
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        piece = sock.recv(1)
        answer += piece
        if not piece or len(answer) > MAX_PROXY_ANSWER:
            raise OSError(f"the proxy {proxy.host}:{proxy.port} gave no answer that can be read")
    line = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if line.split(" ")[1:2] != ["200"]:
        raise OSError(f"the proxy {proxy.host}:{proxy.port} said {line!r}")


def _drop(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()


def _words(exc: OSError) -> str:
    return exc.strerror or str(exc)
