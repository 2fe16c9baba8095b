"""A connection to an HTTP server: one request after the other, on threads or greenlets.

It is for our own ends among themselves, which speak often and little: a request costs 20 us of CPU, through
`http.client` 3.4 times, through urllib3 7.6 times as much (benchmarks/http_clients.py). It knows no cookies, redirects
or proxies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from ..errors import BrokenStream, ClosedStream, LocalError, RequestTimeout
from ..runtime import Runtime
from ..streams import Connecting, Duplex, TlsContext, TlsStream
from .http1_message import Limits
from .http1_response import HTTPResponse, ResponseReader

__all__ = ["HTTPChannel"]

READ_SIZE = 65536
GLANCE = 0.1
"""Seconds without room to write after which one looks whether there is an answer already."""


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
        self._host = host
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._limits = limits or Limits()
        self._reader = ResponseReader(self._limits)
        self._connecting = Connecting(runtime, (host, port))
        self._stream: Duplex | None = None
        self._aborted = False
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
        self._stream = inner
        try:
            if self._aborted:  # in between, when `abort` saw neither of the two
                raise ClosedStream("the connection was given up on this side")
            self._local_host = str(inner.local_address[0])
            self._reader = ResponseReader(self._limits)
            if self._tls is not None:
                stream = TlsStream(self._runtime, inner, self._tls, False, self._host)
                stream.handshake(max(0.0, until - self._runtime.now()))
                self._stream = stream
        except BaseException:
            self._stream = None
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
        response = self._send(stream, request, timeout) or self._receive(stream, timeout)
        # What follows the answer would be taken for the answer to the next request.
        return response._replace(keeps_alive=False) if self._reader.buffered else response

    def _written(self, method: str, target: str, fields: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._authority}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        lines += [f"Content-Length: {len(body)}", "\r\n"]
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) or head.count("\r") != len(lines):
            raise LocalError("a header field of the request has a line break")
        return head.encode("latin-1", "replace") + body

    def _send(self, stream: Duplex, request: bytes, timeout: float) -> HTTPResponse | None:
        """Write a request; the answer, if it comes before all of that is written: to a body that is too long."""
        waited = 0.0
        try:
            sent = stream.write(request)
            while sent < len(request) or stream.unsent:
                step = min(GLANCE, timeout - waited)
                if stream.wait_writable(step):
                    waited = 0.0
                    sent += stream.write(memoryview(request)[sent:])
                    continue
                early = self._early(stream)
                if early is not None:
                    return early
                waited += step
                if waited >= timeout:
                    raise RequestTimeout("writing", timeout)
        except BrokenStream:
            # Who refuses a body may close without reading it. What he has said before that is here.
            with contextlib.suppress(BrokenStream):
                early = self._early(stream)
                if early is not None:
                    return early
            raise
        return None

    def _early(self, stream: Duplex) -> HTTPResponse | None:
        try:
            return self._receive(stream, 0.0)._replace(keeps_alive=False)
        except RequestTimeout:
            return None

    def _receive(self, stream: Duplex, timeout: float) -> HTTPResponse:
        while True:
            data = stream.read(READ_SIZE, timeout)
            self._reader.receive_data(data)
            response = self._reader.next_response() if data else self._reader.end()
            if response is not None:
                return response
            if not data:
                raise BrokenStream("the server closed the connection before its answer was complete")

    def abort(self) -> None:
        """Wake who waits here, from any thread; `close` is that one's to call."""
        self._aborted = True
        self._connecting.abort()
        stream = self._stream
        if stream is not None:
            stream.abort()

    def close(self) -> None:
        """End the connection. Nobody may be waiting here."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
