"""Slaves that join of their own accord: they say where they are, and the master connects to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..streams import show
from .asking import Asked, Reply
from .codes import MasterErrorCode
from .config import DEFAULT_SLAVE_PORT
from .envelope import ResponsibleException
from .errors import RequestException, ResponseException

if TYPE_CHECKING:
    from .master import Master

__all__ = ["Joining"]

MAX_NAME = 100


class Joining:
    """Answers slaves that want to join.

    :param master: whom they join.
    """

    def __init__(self, master: Master) -> None:
        self._master = master

    def join(self, asked: Asked) -> Reply:
        """The view: connect to the slave that asks.

        A slave is where the request comes from; it may name another host only if it knows a secret, or else anybody
        could have us call anybody.
        """
        master = self._master
        master._check_channel(asked, MasterErrorCode.CHANNEL_NOT_GIVEN)
        if not master._knows_secret(asked):
            raise ResponsibleException(
                MasterErrorCode.SLAVE_TOKEN_INVALID, "This master wants a secret to join it.", status_code=403
            )
        wanted, here = asked.body(), asked.peer
        host = wanted.get("host") or here
        port = wanted.get("port", DEFAULT_SLAVE_PORT)
        name = wanted.get("name") or f"{host}:{port}"
        if not isinstance(name, str) or len(name) > MAX_NAME or not isinstance(host, str) or not _is_port(port):
            raise ResponsibleException(message="A slave says name, host and port.")
        if host != here and master.config.secret is None:
            raise ResponsibleException(
                message=f"Without a secret a slave is where it calls from, which is {here}.", status_code=403
            )
        self._connect(name, host, port, bool(wanted.get("https")))
        return Reply("Welcome!", {"name": name})

    def _connect(self, name: str, host: str, port: int, https: bool) -> None:
        try:
            if name in self._master:
                there, url = self._master[name], f"{'https' if https else 'http'}://{show((host, port))}"
                if there.has_wire and there.url != url:
                    raise KeyError(name)  # or two of one name would drive each other out, again and again
                if self._master.config.secret is None and urlsplit(there.url).hostname != urlsplit(url).hostname:
                    raise KeyError(name)  # or anybody could put a stranger in a slave's place
                # It would not ask if it still had us for its master.
                there.lost("it has joined anew")
            self._master.new_connection(name, host, port, https).connect()
        except KeyError:
            raise ResponsibleException(message=f"There is a slave called {name!r}.", status_code=409) from None
        except (RequestException, ResponseException) as exc:
            raise ResponsibleException(message=f"The slave at {host}, port {port} cannot be had: {exc}") from exc


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
