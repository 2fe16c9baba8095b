"""A master's requests to one slave, over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..runtime import Call, Lane
from .envelope import Envelope, get_values_from_response
from .errors import RequestException, ResponseException, get_slave_exception_by_error
from .http_engine import HttpEngine, get_http_engine_class

if TYPE_CHECKING:
    from .master import Master

__all__ = ["SlaveLine"]

logger = logging.getLogger("syncio.interaction")

ERRANDS = 8
"""Requests that workers make of one slave at the same time. Were all workers busy with that, nobody would be left to
answer what slaves ask of us."""


class SlaveLine:
    """The line to one slave, which is open between `open` and `close`.

    :param master: whose it is.
    :param token: gives the token of the connection.
    """

    def __init__(self, master: Master, host: str, port: int, https: bool, token: Callable[[], str]) -> None:
        self._master = master
        self._config = master.config
        self._place = host, port, https
        self._make = get_http_engine_class(
            headers={"Channel": lambda: str(master.config.channel), "Token": token},
            http_error_gene=get_slave_exception_by_error,
        )()
        self._errands: Lane | None = None
        self._engine = self._new_engine()

    def _new_engine(self) -> HttpEngine:
        return self._make(*self._place, None, self._master.dialling)

    @property
    def url(self) -> str:
        """Where the slave is."""
        return self._engine.base_url

    def my_address(self) -> str:
        """Where the slave reaches the master.

        :raises RequestException: if that depends on the slave, and it cannot be reached.
        """
        return self._master.address_for(self._engine)

    def open(self) -> None:
        """Be ready for requests; also behind a `close`."""
        runtime = self._master.runtime
        self._errands = Lane(runtime.relay(), runtime.lock(), Call.run, ERRANDS)
        self._engine = self._new_engine()

    def hang_up(self) -> None:
        """Keep no connection; one that is needed once more is made anew."""
        self._engine.keep(False)

    def close(self) -> None:
        """Give up whatever is still asked."""
        self._engine.close()

    def ask(
        self, method: str, path: str, data: dict[str, Any], secret: str | None = None
    ) -> tuple[Envelope, dict[str, Any]]:
        """Ask the slave something: what its envelope says, and what a slave of ours says beside that.

        :param secret: goes along.
        :raises RequestException: if there is no answer that can be read.
        :raises SlaveResponseException: if it says no.
        """
        response = self._engine.request(
            method,
            path,
            data,
            headers={"Secret": secret} if secret is not None else None,
            retries=self._config.request_retries,
            retry_waiting=self._config.request_retry_waiting,
        )
        try:
            values = get_values_from_response(response)
        except ValueError as exc:
            raise RequestException(str(exc)) from exc
        extras = response.json().get("syncio")
        return values, extras if isinstance(extras, dict) else {}

    def tell(self, path: str, data: dict[str, Any]) -> None:
        """Delete something at the slave, once; that it does not arrive is no harm."""
        try:
            self._engine.request("DELETE", path, data, retries=0)
        except (RequestException, ResponseException) as exc:
            logger.debug("%s was not told %s: %s", self.url, path, exc)

    def errand(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have a request made by a worker."""
        if self._errands is not None:
            self._errands.put([Call(function, *arguments)])
