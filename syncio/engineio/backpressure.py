"""What happens when a client is slower than what is sent to it: `send_buffer_policy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .packet import Packet
from .reasons import reason

if TYPE_CHECKING:
    from .socket import Socket

__all__ = ["make_room"]

LOOK = 0.01
"""Seconds between two looks whether a poll has come and taken what waits."""


def make_room(socket: Socket, packet: Packet) -> bool:
    """More would wait for a client than may. Returns whether the packet may be sent all the same.

    :param socket: whose packet it is. It may be closed here.
    :param packet: what is to be sent; only messages are subject to the policy.
    """
    config = socket.server.config
    if not packet.is_message or socket.closed:
        return not socket.closed
    policy, limit = config.send_buffer_policy, config.send_buffer_limit
    if policy == "drop_new":
        return False
    if policy == "drop_oldest":
        socket.drop_oldest(packet.size)
        return packet.size <= limit
    if policy == "block" and packet.size <= limit:
        return _wait_for_room(socket, limit - packet.size + 1)
    socket.server.logger.info("%s has more than %d bytes waiting for it and is closed", socket.sid, limit)
    socket.close(reason.TRANSPORT_ERROR)
    return False


def _wait_for_room(socket: Socket, limit: int) -> bool:
    """Wait for as long as a client may be silent until fewer than `limit` bytes wait for it."""
    runtime, config = socket.server.runtime, socket.server.config
    patience = config.interval + config.ping_timeout
    if socket.websocket is not None:
        roomy = socket.websocket.wait_for_room(limit, patience)
    else:
        until = runtime.now() + patience
        while not (roomy := socket.buffered < limit) and not socket.closed and runtime.now() < until:
            runtime.sleep(LOOK)
    if not roomy:
        socket.close(reason.TRANSPORT_ERROR)  # a message is missing from here on
    return roomy
