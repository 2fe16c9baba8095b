"""A connection to an HTTP server: one request after the other, on threads or greenlets.

It is for our own ends among themselves, which speak often and little: a request costs 20 us of CPU, through
`http.client` 3.4 times, through urllib3 7.6 times as much (benchmarks/http_clients.py). It knows no cookies, redirects
or proxies.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import BrokenStream, LocalError, RequestTimeout
from ..runtime import Runtime
from ..streams import Connecting, Duplex, TlsContext, TlsStream
from .http1_message import Limits
from .http1_response import HTTPResponse, ResponseReader

__all__ = ["HTTPChannel"]

READ_SIZE = 65536


class HTTPChannel:
    """A connection to one server, which is made by the first request.

    :param host: its name or address.
    :param port: its port.
    :param tls: what is expected of it; None for plain HTTP.
    :param connect_timeout: seconds for the beginning of the connection, with the TLS handshake.
    :param limits: what an answer may be.
    """

    def __init__(
        self,
        runtime: Runtime,
        host: str,
        port: int,
        tls: TlsContext | None = None,
        connect_timeout: float = 5.0,
        limits: Limits | None = None,
    ) -> None:
        self._runtime = runtime
        self._host, self._port = host, port
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._reader = ResponseReader(limits or Limits())
        self._connecting = Connecting(runtime, (host, port))
        self._stream: Duplex | None = None
        self._local_host = ""
        name = f"[{host}]" if ":" in host else host
        self._authority = name if port == (80 if tls is None else 443) else f"{name}:{port}"

    @property
    def is_open(self) -> bool:
        """Whether it is connected, as far as we know."""
        return self._stream is not None

    @property
    def local_host(self) -> str:
        """This host's address as the connection has it; '' before there is one."""
        return self._local_host

    def open(self) -> None:
        """Connect.

        :raises OSError: if nobody listens there.
        :raises RequestTimeout: if it takes too long.
        :raises StreamError: if the certificate is not right, or after `abort`.
        """
        until = self._runtime.now() + self._connect_timeout
        inner = self._connecting.connect(self._connect_timeout)
        try:
            self._local_host = str(inner.local_address[0])
            if self._tls is None:
                self._stream = inner
                return
            stream = TlsStream(self._runtime, inner, self._tls, False, self._host)
            stream.handshake(max(0.0, until - self._runtime.now()))
            self._stream = stream
        except BaseException:
            inner.close()
            raise

    def exchange(
        self, method: str, target: str, fields: Mapping[str, str], body: bytes, timeout: float
    ) -> HTTPResponse:
        """Ask, and read the answer. After an error the channel is to be closed.

        :param target: path and query.
        :param fields: the header fields beside Host and Content-Length.
        :param timeout: seconds for which the server may say, or take, nothing.
        :raises OSError: if it cannot be connected to.
        :raises RequestTimeout: if it says nothing in that time.
        :raises StreamError: if the connection ends before the answer does.
        :raises RemoteProtocolError: if the answer is none.
        :raises LocalError: if a field would be more than one line.
        """
        request = self._written(method, target, fields, body)
        if self._stream is None:
            self.open()
        stream = self._stream
        assert stream is not None, "it is open now"
        self._reader.expect(method)
        self._send(stream, request, timeout)
        while True:
            data = stream.read(READ_SIZE, timeout)
            self._reader.receive_data(data)
            response = self._reader.next_response() if data else self._reader.end()
            if response is not None:
                return response
            if not data:
                raise BrokenStream("the server closed the connection before its answer was complete")

    def _written(self, method: str, target: str, fields: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._authority}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        lines += [f"Content-Length: {len(body)}", "\r\n"]
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) or head.count("\r") != len(lines):
            raise LocalError("a header field of the request has a line break")
        return head.encode("latin-1", "replace") + body

    def _send(self, stream: Duplex, request: bytes, timeout: float) -> None:
        sent = stream.write(request)
        while sent < len(request) or stream.unsent:
            if not stream.wait_writable(timeout):
                raise RequestTimeout("writing", timeout)
            sent += stream.write(memoryview(request)[sent:])

    def abort(self) -> None:
        """Wake who waits here, from any thread; `close` is that one's to call."""
        self._connecting.abort()
        stream = self._stream
        if stream is not None:
            stream.abort()

    def close(self) -> None:
        """End the connection. Nobody may be waiting here."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
