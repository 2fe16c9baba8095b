"""What ``syncio master`` and ``syncio slave`` have in common: where they listen, whom they trust, and numbers.

This module must not import `syncio.interaction`, which needs packages that not everybody has installed.
"""

from __future__ import annotations

import argparse
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..streams import client_context
from .problem import Problem
from .run import port_number
from .serving import cannot_listen

if TYPE_CHECKING:
    from ..interaction import Master, Slave

__all__ = ["SECRET", "add_end", "end_options", "number_of", "require_packages", "running", "seconds"]

SECRET = "SYNCIO_SECRET"
"""The variable of the environment that has the secret."""


def add_end(parser: argparse.ArgumentParser, port: int) -> None:
    """The options that both commands have.

    :param port: the one that is listened on if none is named.
    """
    which = port or "any free one"
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1; 0.0.0.0 for all)")
    parser.add_argument("--port", type=port_number, default=port, help=f"0 for any free port (default: {which})")
    parser.add_argument(
        "--secret-file",
        metavar="FILE",
        help=f"the secret that master and slaves share is in it (default: in the variable {SECRET}, or there is none)",
    )
    parser.add_argument("--channel", type=int, default=0, metavar="N", help="both have to be on the same (default: 0)")
    parser.add_argument("--cert", metavar="FILE", help="serve TLS with this certificate")
    parser.add_argument("--key", metavar="FILE", help="its key, if that is not in the same file")
    parser.add_argument(
        "--ca", metavar="FILE", help="who has to have signed the other's certificate (default: as usual)"
    )


def end_options(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_end`'s options mean to a `Master` or a `Slave`.

    :raises Problem: if a file cannot be read, or is none of that kind.
    """
    tls, client_tls = _tls(options)
    return {
        "host": options.host,
        "port": options.port,
        "channel": options.channel,
        "secret": _secret(options.secret_file),
        "tls": tls,
        "client_tls": client_tls,
    }


def _secret(file: str | None) -> str | None:
    if file is None:
        return os.environ.get(SECRET, "").strip() or None
    try:
        secret = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise Problem(f"the secret cannot be read: {exc}") from exc
    if not secret:
        raise Problem(f"there is no secret in {file}")
    return secret


def _tls(options: argparse.Namespace) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """With what an end serves, and what it shows and expects where it calls."""
    cert, key, ca = options.cert, options.key, options.ca
    if key and not cert:
        raise Problem("--key is of no use without --cert")
    try:
        served = None
        if cert:
            served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            served.load_cert_chain(cert, key)
        called = client_context(ca_certs=ca, certfile=cert, keyfile=key) if cert or ca else None
    except OSError as exc:
        names = ", ".join(name for name in (cert, key, ca) if name)
        raise Problem(f"no certificate can be had of {names}: {exc}") from exc
    return served, called


def require_packages(command: str) -> None:
    """See that there is what `syncio.interaction` needs.

    :raises Problem: if something is missing.
    """
    if find_spec("jinja2") is None or find_spec("itsdangerous") is None:
        raise Problem(f"syncio {command} needs jinja2 and itsdangerous", "pip install 'syncio[interaction]'")


@contextmanager
def running(end: Master | Slave) -> Iterator[None]:
    """Start a master or slave, and close it at the end.

    :raises Problem: if it cannot listen.
    """
    try:
        end.start()
    except OSError as exc:
        raise cannot_listen(end.config.host, end.config.port, exc) from exc
    try:
        yield
    finally:
        end.close()


def number_of(least: int) -> Callable[[str], int]:
    """A type of arguments: whole numbers."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"it is a whole number of at least {least}")
        return value

    return number


def seconds(text: str) -> float:
    """A type of arguments: times."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("it is a number of seconds")
    return value
