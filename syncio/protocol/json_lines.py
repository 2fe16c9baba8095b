"""A base for protocols whose messages are JSON values, one a line."""

from __future__ import annotations

import json
from typing import Any

from ..errors import RemoteProtocolError
from .protocol import Protocol

__all__ = ["JSONLinesProtocol"]


class JSONLinesProtocol(Protocol[Any]):
    """JSON values, each on a line of UTF-8 (jsonlines.org). A subclass overrides `_on_message`.

    `readbuflen` limits a line while it is read. Empty lines are passed over.
    """

    def _do_recv(self) -> Any:
        """Read a value.

        :raises RemoteProtocolError: if a line is no JSON, or ends in the middle.
        """
        while True:
            line = self._readline()
            if not line.strip():
                continue
            try:
                return json.loads(line)
            except (ValueError, RecursionError) as exc:
                cut = "" if line.endswith(b"\n") else ", and the connection ended in it"
                raise RemoteProtocolError(f"a line is no JSON{cut}: {_shown(line)} ({exc})") from exc

    def _do_send(self, message: Any, timeout: float | None = None) -> None:
        """Send a value.

        :raises TypeError: if it does not go into JSON; nothing was sent.
        :raises ValueError: if it is not a number, or contains itself.
        """
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        self._write(text.encode() + b"\n", timeout)


def _shown(line: bytes) -> str:
    return repr(line[:60].decode(errors="replace")) + ("..." if len(line) > 60 else "")
