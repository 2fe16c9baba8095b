"""The one class of URLObject, with what the tests use of it."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

__all__ = ["URLObject"]


class URLObject(str):
    """A URL as text."""

    def with_scheme(self, scheme: str) -> URLObject:
        """The same one with a scheme."""
        return URLObject(urlsplit(self)._replace(scheme=scheme).geturl())

    def with_hostname(self, host: str) -> URLObject:
        """The same one at a host, of which it has none yet."""
        return URLObject(urlsplit(self)._replace(netloc=host).geturl())

    def with_port(self, port: int) -> URLObject:
        """The same one at a port, of which it has none yet."""
        parts = urlsplit(self)
        return URLObject(parts._replace(netloc=f"{parts.netloc}:{port}").geturl())

    def add_path(self, path: str) -> URLObject:
        """The same one with a path, which it has not yet."""
        return URLObject(urljoin(self, path))
