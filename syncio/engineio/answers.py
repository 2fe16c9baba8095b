"""HTTP answers: what the server says to a request, for a WSGI server to send or as bytes for our own socket. Pure."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import json
import zlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

__all__ = ["Answer", "Refused", "compress", "error", "text"]

Headers = tuple[tuple[str, str], ...]

STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
UNSUPPORTED_VERSION = 5
ERRORS = {
    0: (400, "Transport unknown"),
    1: (400, "Session ID unknown"),
    2: (400, "Bad handshake method"),
    3: (400, "Bad request"),
    4: (403, "Forbidden"),
    5: (400, "Unsupported protocol version"),
}
"""The protocol's error codes: HTTP status and message."""


class Answer(NamedTuple):
    """A complete HTTP answer.

    :param status: the status code.
    :param body: the content.
    :param headers: header fields but for Content-Length.
    """

    status: int
    body: bytes = b""
    headers: Headers = ()

    @property
    def status_line(self) -> str:
        """Code and reason, as WSGI wants it."""
        return STATUS_LINES[self.status]

    def with_headers(self, headers: Iterable[tuple[str, str]]) -> Answer:
        """The same with more header fields."""
        return self._replace(headers=(*self.headers, *headers))

    def wsgi_headers(self) -> list[tuple[str, str]]:
        """All header fields, as WSGI wants them."""
        return [*self.headers, ("Content-Length", str(len(self.body)))]

    def to_bytes(self) -> bytes:
        """The answer as HTTP/1.1 bytes, after which the connection is closed (RFC 9112, section 9.6)."""
        lines = [f"HTTP/1.1 {self.status_line}"]
        lines += [f"{name}: {value}" for name, value in self.wsgi_headers()]
        lines += ["Connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


class Refused(Exception):
    """A request that is answered with an error; raised inside the server only.

    :param answer: the answer.
    :param detail: what the log says about it.
    :param code: the protocol's error code, if it has one.
    """

    def __init__(self, answer: Answer, detail: str, code: int | None = None) -> None:
        super().__init__(detail)
        self.answer = answer
        self.detail = detail
        self.code = code


def text(body: bytes) -> Answer:
    """A 200 with packets, or ``ok``."""
    return Answer(200, body, (("Content-Type", "text/plain; charset=UTF-8"),))


def error(code: int, detail: str = "", status: int | None = None) -> Refused:
    """One of the protocol's errors.

    :param code: its code in `ERRORS`.
    :param detail: more words for whoever has to mend it.
    :param status: another status than the table's.
    """
    table_status, message = ERRORS[code]
    words = f"{message}: {detail}" if detail else message
    body = json.dumps({"code": code, "message": words if code in (3, 4, 5) else message}).encode()
    return Refused(Answer(status or table_status, body, (("Content-Type", "application/json"),)), words, code)


# ---------------------------------------------------------------------- compression (RFC 9110, section 12.5.3)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)


ENCODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "deflate": zlib.compress}
PREFERENCE = ("zstd", "br", "gzip", "deflate")


def _find_encoders() -> None:
    with contextlib.suppress(ImportError):
        brotli: Any = importlib.import_module("brotli")
        ENCODERS["br"] = lambda body: bytes(brotli.compress(body, quality=4))
    with contextlib.suppress(ImportError):
        zstandard: Any = importlib.import_module("zstandard")
        ENCODERS["zstd"] = lambda body: bytes(zstandard.ZstdCompressor(level=3).compress(body))


_find_encoders()


def compress(answer: Answer, accepted: str, threshold: int) -> Answer:
    """Compress a body that is worth it, in the way that the client likes best.

    :param accepted: the request's Accept-Encoding.
    :param threshold: smaller bodies stay as they are.
    """
    if len(answer.body) < threshold or answer.status != 200:
        return answer
    answer = answer.with_headers((("Vary", "Accept-Encoding"),))
    name = choose_encoding(accepted)
    if name is None:
        return answer
    return answer._replace(body=ENCODERS[name](answer.body), headers=(*answer.headers, ("Content-Encoding", name)))


def choose_encoding(accepted: str) -> str | None:
    """The encoding with the highest quality that we have; ours decide a tie. None for no encoding."""
    best, best_quality = None, 0.0
    qualities: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.strip().partition(";")
        qualities[name.strip()] = _quality(parameter)
    for name in PREFERENCE:
        quality = qualities.get(name, qualities.get("*", 0.0))
        if name in ENCODERS and quality > best_quality:
            best, best_quality = name, quality
    return best


def _quality(parameter: str) -> float:
    key, _, value = parameter.strip().partition("=")
    if key.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
