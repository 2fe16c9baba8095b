"""Which origins may talk to the server, and what the answer says to a browser about it. Pure.

Fetch standard, "HTTP-CORS protocol"; RFC 6454 for origins.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from .answers import error
from .config import ServerConfig, takes

__all__ = ["Cors"]

logger = logging.getLogger("syncio.server")

Environ = dict[str, Any]
VERDICT = "syncio.origin_allowed"
"""Where a request keeps what was decided about its origin, so that a callable is asked once."""
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Cors:
    """The rule that a server's options make.

    :param config: the server's options.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._allowed = config.cors_allowed_origins
        self._credentials = config.cors_credentials
        self._proxies = config.trusted_proxies
        self._is_off = isinstance(self._allowed, list) and not self._allowed
        self._takes_environ = callable(self._allowed) and takes(self._allowed, 2)

    def check(self, environ: Environ) -> None:
        """Let a request pass whose origin may talk to us, or that has none.

        :raises Refused: 403 otherwise; it names the origin, those allowed, and the line that would allow it.
        """
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or self._is_off or self._allows_once(origin, environ):
            return
        allowed = self._own_origins(environ) if self._allowed is None else self._allowed
        names = "those that your function accepts" if callable(allowed) else ", ".join(_as_list(allowed)) or "none"
        shown = origin[:200]
        raise error(
            4,
            f"the origin {shown!r} may not connect; allowed: {names}. "
            f"To allow it: Server(cors_allowed_origins=[{shown!r}])",
        )

    def headers(self, environ: Environ) -> list[tuple[str, str]]:
        """What an answer says to the browser."""
        if self._is_off:
            return []
        headers = [("Vary", "Origin")]
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or not self._allows_once(origin, environ):
            return headers
        headers.append(("Access-Control-Allow-Origin", origin))
        if self._credentials:
            headers.append(("Access-Control-Allow-Credentials", "true"))
        if environ.get("REQUEST_METHOD") == "OPTIONS":
            headers.append(("Access-Control-Allow-Methods", "GET, POST, OPTIONS"))
            asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
            if asked:
                headers.append(("Access-Control-Allow-Headers", asked))
            headers.append(("Access-Control-Max-Age", "600"))
        return headers

    def _allows_once(self, origin: str, environ: Environ) -> bool:
        judge, judged, verdict = environ.get(VERDICT, (None, None, False))
        if judge is not self or judged != origin:
            try:
                verdict = self._allows(origin, environ)
            except Exception:
                logger.exception("cors_allowed_origins failed for %r; the origin is refused", origin[:200])
                verdict = False
            environ[VERDICT] = (self, origin, verdict)
        return bool(verdict)

    def _allows(self, origin: str, environ: Environ) -> bool:
        allowed = self._allowed
        if allowed is None:
            return _normal(origin) in [_normal(own) for own in self._own_origins(environ)]
        if callable(allowed):
            return bool(allowed(origin, environ) if self._takes_environ else allowed(origin))
        return any(pattern == "*" or _matches(pattern, origin) for pattern in _as_list(allowed))

    def _own_origins(self, environ: Environ) -> list[str]:
        host = environ.get("HTTP_HOST")
        if not host:
            return []
        scheme = environ.get("wsgi.url_scheme", "http")
        own = [f"{scheme}://{host}"]
        if self._proxies:
            scheme = self._forwarded(environ, "HTTP_X_FORWARDED_PROTO") or scheme
            host = self._forwarded(environ, "HTTP_X_FORWARDED_HOST") or host
            own.append(f"{scheme}://{host}")
        return own

    def _forwarded(self, environ: Environ, name: str) -> str:
        # The last entry is the nearest proxy's; each trusted one in front of it adds one on its left.
        values = [value.strip() for value in environ.get(name, "").split(",") if value.strip()]
        return values[-min(self._proxies, len(values))] if values else ""


def _as_list(allowed: Any) -> list[str]:
    return [allowed] if isinstance(allowed, str) else list(allowed)


def _normal(origin: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(origin.strip().lower())
        if parts.scheme and parts.hostname:
            return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        pass
    return "", origin, None


def _matches(pattern: str, origin: str) -> bool:
    if "*" not in pattern:
        return _normal(pattern) == _normal(origin)
    scheme, _, host = pattern.lower().partition("://*.")
    theirs = _normal(origin)
    name, _, port = host.partition(":")
    wanted = int(port) if port.isdigit() else DEFAULT_PORTS.get(scheme)
    return theirs[0] == scheme and theirs[2] == wanted and theirs[1].endswith("." + name)
