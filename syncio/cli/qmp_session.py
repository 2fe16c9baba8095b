"""The session of ``syncio qmp``: how it begins, and why it ended."""

from __future__ import annotations

import argparse
import logging

from ..errors import SyncioError
from ..protocol.qmp import ConnectError, GuestAgentClient, QEMUMonitorProtocol, QMPBadPortError, QMPClient
from .problem import Problem

__all__ = ["connect", "ending", "make_client"]


def make_client(options: argparse.Namespace) -> QMPClient:
    """A client as the options want it; not connected."""
    # What goes wrong is told by the commands.
    logging.getLogger("syncio.protocol").addHandler(logging.NullHandler())
    if options.guest_agent:
        agent = GuestAgentClient()
        agent.sync_on_connect = not options.no_negotiation
        return agent
    client = QMPClient()
    client.await_greeting = client.negotiate = not options.no_negotiation
    return client


def connect(options: argparse.Namespace) -> QMPClient:
    """A client that is connected.

    :raises Problem: if that is not possible.
    """
    client = make_client(options)
    try:
        address = QEMUMonitorProtocol.parse_address(options.socket)
        if isinstance(address, tuple):
            address = address[0].strip("[]"), address[1]
        client.connect(address, timeout=options.timeout + options.retry, retry_for=options.retry)
    except (ConnectError, QMPBadPortError) as exc:
        words = str(exc)
        raise Problem(words if options.socket in words else f"{options.socket}: {words}") from exc
    return client


def ending(client: QMPClient) -> str:
    """End a session that is over, and say why it is."""
    try:
        client.disconnect()
    except EOFError:
        pass
    except (SyncioError, OSError, ValueError) as exc:
        return f"the connection was lost: {exc}"
    return "the server has ended the connection"
