"""Requests to one server: kept connections, time-outs, and further attempts with back-off.

Everything that is asked here may be asked twice: a task has an id, a connection has a token.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from ..engineio.client.retry import Retry
from ..errors import ConfigurationError, RemoteProtocolError, RequestTimeout, StreamError
from ..runtime import choose_runtime
from ..streams import TlsContext, client_context
from ..web.http1_message import Limits
from ..web.http_channel import HTTPChannel
from .config import DEFAULT_REQUEST_RETRIES, DEFAULT_REQUEST_RETRY_WAITING
from .errors import HTTPError, RequestException

__all__ = [
    "Dialling",
    "HttpEngine",
    "HttpRequest",
    "HttpResponse",
    "get_http_engine_class",
    "split_http_address",
    "translate_dict_func",
]

KEPT = 8
"""Connections that are kept for the next requests."""
LONGEST_WAIT = 4
"""How many times as long as the first wait the longest one is."""


class HttpRequest(NamedTuple):
    """What was asked."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class HttpResponse(NamedTuple):
    """What was answered."""

    status_code: int
    headers: dict[str, str]
    content: bytes
    request: HttpRequest

    def json(self) -> Any:
        """The content as a value.

        :raises ValueError: if it is none.
        """
        try:
            return json.loads(self.content)
        except RecursionError:
            raise ValueError("the content is nested too deeply") from None


class Dialling(NamedTuple):
    """How a server is called.

    :param tls: for https; None for the system's authorities.
    :param connect_timeout: seconds for the beginning of a connection.
    :param request_timeout: seconds for which an answer may keep one waiting.
    :param max_body: bytes of an answer.
    """

    tls: TlsContext | None = None
    connect_timeout: float = 5.0
    request_timeout: float = 30.0
    max_body: int = 16 * 1024 * 1024


class HttpEngine:
    """Calls one server.

    :param host: its name or address.
    :param port: its port.
    :param https: whether to use TLS.
    :param path: what stands in front of every path.
    :param dialling: how.
    """

    def __init__(
        self, host: str, port: int, https: bool = False, path: str | None = None, dialling: Dialling | None = None
    ) -> None:
        self.host, self.port = host, port
        self._https = https
        self._path = "/".join(part for part in (path or "").split("/") if part)
        self._dialling = dialling or Dialling()
        self._tls: TlsContext | None = None
        self._runtime = runtime = choose_runtime()
        self._lock = runtime.lock()
        self._closed = runtime.event()
        self._keeps = True
        self._idle: list[HTTPChannel] = []
        self._busy: set[HTTPChannel] = set()

    def _data_process(self, data: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        return data if data is not None else {}

    def _base_headers(self) -> Mapping[str, str]:
        return {}

    def _error_handler(self, err: Exception) -> NoReturn:
        raise err

    @property
    def base_url(self) -> str:
        """Where the server is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._https else 'http'}://{host}:{self.port}"

    def get_url(self, path: str | None = None) -> str:
        """The URL of a path."""
        return self.base_url + self._target(path)

    def _target(self, path: str | None) -> str:
        return _joined(self._path, path or "")

    def request(
        self,
        method: str,
        path: str,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        raise_for_status: bool = True,
        retries: int | None = None,
        retry_waiting: float | None = None,
    ) -> HttpResponse:
        """Ask the server something, again if there is no answer.

        :param data: becomes the body, as JSON.
        :param headers: beside those of every request.
        :param params: the query.
        :param raise_for_status: whether an answer of 400 or more is an error.
        :param retries: how many further attempts there are; None for 5.
        :param retry_waiting: seconds before the first of them; None for 1.
        :raises RequestException: if there was no answer.
        :raises HTTPError: for an answer of 400 or more; `get_http_engine_class` may put another error in its place.
        """
        target = self._target(path) + (f"?{urlencode(params)}" if params else "")
        body = json.dumps(self._data_process(data)).encode()
        fields = {"Content-Type": "application/json", **self._base_headers(), **(headers or {})}
        asked = HttpRequest(method, self.base_url + target, fields, body)
        waiting = DEFAULT_REQUEST_RETRY_WAITING if retry_waiting is None else retry_waiting
        attempts = DEFAULT_REQUEST_RETRIES if retries is None else retries
        patience = _patience(attempts, waiting)
        waits: Iterator[float] | None = None
        while True:
            try:
                response = self._attempt(asked, target)
                break
            except RequestException as exc:
                if waits is None:
                    waits = patience.waits()
                wait = next(waits, None)
                if wait is None or self._closed.wait(wait):
                    self._error_handler(exc)
        if raise_for_status and response.status_code >= 400:
            self._error_handler(HTTPError(response))
        return response

    # ------------------------------------------------------------------ one attempt

    def _attempt(self, asked: HttpRequest, target: str) -> HttpResponse:
        with self._lock:
            channel = self._idle.pop() if self._idle else None
        if channel is not None:
            # The server may have closed it while nobody looked: that is no failure yet.
            with contextlib.suppress(StreamError):
                return self._exchange(channel, asked, target)
        try:
            return self._exchange(self._channel(), asked, target)
        except StreamError as exc:
            raise RequestException(f"{asked.method} {asked.url} had no answer: {exc}") from exc

    def _channel(self) -> HTTPChannel:
        dialling = self._dialling
        if self._https and self._tls is None:
            self._tls = dialling.tls or client_context()  # which reads all authorities of the system
        limits = Limits(body=dialling.max_body)
        return HTTPChannel(self._runtime, self.host, self.port, self._tls, dialling.connect_timeout, limits)

    def _exchange(self, channel: HTTPChannel, asked: HttpRequest, target: str) -> HttpResponse:
        keep = False
        try:
            self._begin(channel)
            answer = channel.exchange(asked.method, target, asked.headers, asked.body, self._dialling.request_timeout)
            keep = answer.keeps_alive
            return HttpResponse(answer.status, answer.fields, answer.body, asked)
        except (OSError, RequestTimeout, RemoteProtocolError, ConfigurationError) as exc:
            raise RequestException(f"{asked.method} {asked.url} had no answer: {exc or type(exc).__name__}") from exc
        finally:
            with self._lock:
                self._busy.discard(channel)
                keep = keep and self._keeps and not self._closed.is_set() and len(self._idle) < KEPT
                if keep:
                    self._idle.append(channel)
            if not keep:
                channel.close()

    def _begin(self, channel: HTTPChannel) -> None:
        with self._lock:
            self._busy.add(channel)
            if self._closed.is_set():
                raise RequestException(f"no request to {self.base_url} any more: the engine was closed")

    def local_host(self) -> str:
        """The address of this host as the server sees it.

        :raises RequestException: if it cannot be reached.
        """
        channel = self._channel()
        try:
            self._begin(channel)
            channel.open()
            return channel.local_host
        except (OSError, StreamError, RequestTimeout, ConfigurationError) as exc:
            raise RequestException(f"nobody can be reached at {self.base_url}: {exc}") from exc
        finally:
            with self._lock:
                self._busy.discard(channel)
            channel.close()

    def keep(self, wanted: bool) -> None:
        """Whether connections are kept for the next requests; if not, those that wait for one are closed now."""
        with self._lock:
            self._keeps = wanted
            idle, self._idle = self._idle, []
        for channel in idle:
            channel.close()

    def close(self) -> None:
        """Ask nothing any more; requests that wait for an answer fail at once."""
        with self._lock:
            self._closed.set()
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for channel in idle:
            channel.close()
        for channel in busy:
            channel.abort()


@lru_cache(maxsize=64)
def _patience(attempts: int, waiting: float) -> Retry:
    """How often and how soon one tries again; nearly always the same."""
    return Retry(attempts, waiting, waiting * LONGEST_WAIT)


@lru_cache(maxsize=256)
def _joined(front: str, path: str) -> str:
    """The path of a request; nearly all of them are a handful."""
    parts = [part for part in (front, *path.split("/")) if part]
    return quote("/" + "/".join(parts), safe="/%:@!$&'()*+,;=-._~")


def get_http_engine_class(
    headers: Mapping[str, Callable[..., str]],
    data_processor: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    http_error_gene: Callable[[HTTPError], Exception] | None = None,
) -> Callable[..., type[HttpEngine]]:
    """A factory of engine classes.

    :param headers: names and functions of the factory's arguments, which are called for every request.
    :param data_processor: what is done with the data of every request.
    :param http_error_gene: makes the error of an answer of 400 or more; what it cannot read (ValueError) stays an
        `HTTPError`.
    """
    make_headers = translate_dict_func(headers)

    def make(*args: Any, **kwargs: Any) -> type[HttpEngine]:
        class Engine(HttpEngine):
            """As it was ordered."""

            def _data_process(self, data: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
                given = data if data is not None else {}
                return given if data_processor is None else data_processor(given)

            def _base_headers(self) -> Mapping[str, str]:
                return make_headers(*args, **kwargs)

            def _error_handler(self, err: Exception) -> NoReturn:
                if http_error_gene is not None and isinstance(err, HTTPError):
                    try:
                        found = http_error_gene(err)
                    except ValueError:
                        raise err from None
                    raise found from err
                raise err

        return Engine

    return make


def translate_dict_func(functions: Mapping[str, Callable[..., Any]]) -> Callable[..., dict[str, Any]]:
    """Make one function of many: it calls all of them, and returns a dict of what they return."""
    return lambda *args, **kwargs: {name: function(*args, **kwargs) for name, function in functions.items()}


def split_http_address(address: str, default_port: int | None = None) -> tuple[str, int, bool, str]:
    """Host, port, whether it is https, and path of a URL.

    :param default_port: the port of a URL that has none; None for 80 or 443.
    :raises ConfigurationError: if it is no http or https URL.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except (ValueError, TypeError, AttributeError):
        raise ConfigurationError("address", address, "it is a URL like 'http://10.0.0.1:7236'") from None
    host = parts.hostname
    # Older Pythons take anything in brackets for an address of IPv6.
    if parts.scheme not in ("http", "https") or not host or ("[" in parts.netloc and ":" not in host):
        raise ConfigurationError("address", address, "it is a URL like 'http://10.0.0.1:7236'")
    https = parts.scheme == "https"
    if port is None:
        port = default_port if default_port is not None else (443 if https else 80)
    return host, port, https, parts.path
