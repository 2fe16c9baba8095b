"""Engine.IO version 4: the server, and the WSGI application around it."""

from .packet import Packet, PacketType
from .reasons import reason
from .server import Server
from .wsgi import WSGIApp

__all__ = ["Packet", "PacketType", "Server", "WSGIApp", "reason"]
