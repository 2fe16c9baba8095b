"""HTTP for a client: the session that it is given or makes, its requests, and what a WebSocket inherits of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from ...errors import ConfigurationError, ConnectionError
from ...streams import Proxy, TlsContext, client_context
from .answer import read_answer

__all__ = ["EngineUrl", "Web"]

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one answer."""
PIECE = 65536
NO_CERTIFICATE = 0
"""`ssl.CERT_NONE`."""
HANDSHAKE_HEADERS = frozenset(
    ("host", "connection", "upgrade", "content-length", "transfer-encoding", "accept", "accept-encoding")
)


class EngineUrl:
    """Where the engine of a server is.

    :param url: http, https, ws or wss; its path plays no part, its query goes along.
    :param path: the engine's own path.
    :raises ConfigurationError: for what is no such URL.
    """

    def __init__(self, url: str, path: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as exc:
            raise ConfigurationError("url", url, f"it cannot be read: {exc}") from exc
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ConfigurationError("url", url, "it begins with http://, https://, ws:// or wss:// and has a host")
        self.is_tls = parts.scheme in ("https", "wss")
        self.host: str = parts.hostname
        self.port: int = port or (443 if self.is_tls else 80)
        self._place = parts.netloc
        self._path = f"/{path.strip('/')}/"
        self._query = parts.query

    @property
    def host_header(self) -> str:
        """The value of the Host header."""
        return self._place.rpartition("@")[2]

    def target(self, transport: str, **query: str) -> str:
        """Path and query of a request."""
        ours = urlencode({"transport": transport, "EIO": "4", **query})
        return f"{self._path}?{self._query}&{ours}" if self._query else f"{self._path}?{ours}"

    def full(self, transport: str, **query: str) -> str:
        """The whole URL of a request, for HTTP."""
        path, _, words = self.target(transport, **query).partition("?")
        return urlunsplit(("https" if self.is_tls else "http", self._place, path, words, ""))


class Web:
    """Makes a client's HTTP requests. All errors are `ConnectionError`.

    :param session: a `requests.Session`; None makes one when it is first needed.
    :param ssl_verify: False believes every certificate.
    :param timeout: seconds for a connection, and for answers that do not wait for news.
    """

    def __init__(self, session: Any, ssl_verify: bool, timeout: float) -> None:
        self._session = session
        self._ssl_verify = ssl_verify
        self.timeout = timeout

    @property
    def session(self) -> Any:
        """The HTTP session.

        :raises ConnectionError: if requests is not installed.
        """
        if self._session is None:
            try:
                import requests
            except ImportError as exc:
                raise ConnectionError(
                    "long polling needs requests: pip install 'syncio[client]', or say transports=['websocket']"
                ) from exc
            self._session = requests.Session()
        return self._session

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        patience: float | None = None,
    ) -> bytes:
        """Make a request and return the body of its answer.

        :param patience: seconds without a byte; None for the time-out of all requests.
        :raises ConnectionError: if there is none, or one with another status than 200.
        """
        options: dict[str, Any] = {} if self._ssl_verify else {"verify": False}
        session = self.session
        try:
            response = session.request(
                method,
                url,
                headers=dict(headers),
                data=body,
                timeout=(self.timeout, patience if patience is not None else self.timeout),
                stream=True,
                **options,
            )
            with response:
                content = _content(response)
        except ConnectionError:
            raise
        except Exception as exc:  # requests has many, and lets some of urllib3's out
            raise ConnectionError(f"{method} {url} failed: {exc}") from exc
        if response.status_code != 200:
            raise ConnectionError(
                f"the server answered {method} with status {response.status_code}",
                read_answer(content),
                response.status_code,
            )
        return content

    def websocket_headers(self, url: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """The headers of a WebSocket's handshake: those given, and the session's, with its cookies and credentials."""
        if self._session is None:
            return list(headers.items())
        import requests

        prepared = self._session.prepare_request(requests.Request("GET", url, headers=dict(headers)))
        return [(name, value) for name, value in prepared.headers.items() if name.lower() not in HANDSHAKE_HEADERS]

    def tls(self, url: str, options: Mapping[str, Any]) -> TlsContext:
        """The context for a WebSocket over TLS: verification is on unless it was switched off.

        :param options: context, or ca_certs, certfile, keyfile, cert_reqs and check_hostname.
        :raises OSError: for files that cannot be read.
        """
        if options.get("context") is not None:
            context: TlsContext = options["context"]
            return context
        _, verify, cert = self._environment(url)
        certfile, keyfile = (cert, None) if isinstance(cert, str) else cert or (None, None)
        return client_context(
            verify=self._ssl_verify and verify is not False and options.get("cert_reqs") != NO_CERTIFICATE,
            check_hostname=options.get("check_hostname") is not False,
            ca_certs=options.get("ca_certs") or (verify if isinstance(verify, str) else None),
            certfile=options.get("certfile") or certfile,
            keyfile=options.get("keyfile") or keyfile,
        )

    def proxy(self, url: str) -> Proxy | None:
        """The proxy on the way to a URL, as the session and the environment say.

        :raises ConnectionError: for one that is no HTTP proxy.
        """
        proxies, _, _ = self._environment(url)
        parts = urlsplit(url)
        chosen = next(
            (
                proxies[key]
                for key in (f"{parts.scheme}://{parts.hostname}", parts.scheme, f"all://{parts.hostname}", "all")
                if proxies.get(key)
            ),
            None,
        )
        if chosen is None:
            return None
        found = urlsplit(chosen if "://" in chosen else f"http://{chosen}")
        if found.scheme != "http" or not found.hostname:
            raise ConnectionError(f"a WebSocket goes through HTTP proxies only, not through {found.scheme}://")
        user = unquote(found.username) if found.username is not None else None
        return Proxy(found.hostname, found.port or 80, user, unquote(found.password or ""))

    def _environment(self, url: str) -> tuple[Mapping[str, str], bool | str | None, Any]:
        if self._session is None:
            return {}, None, None
        found = self._session.merge_environment_settings(url, {}, None, None, None)
        return found["proxies"], found["verify"], found["cert"]


def _content(response: Any) -> bytes:
    content = bytearray()
    for piece in response.iter_content(PIECE):
        content += piece
        if len(content) > MAX_BODY:
            raise ConnectionError(f"the server's answer has more than {MAX_BODY} bytes")
    return bytes(content)
