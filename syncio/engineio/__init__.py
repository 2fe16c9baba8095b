"""Engine.IO version 4: the server, the WSGI application around it, and the client."""

from .client import Client, Retry
from .packet import Packet, PacketType
from .reasons import reason
from .server import Server
from .wsgi import WSGIApp

__all__ = ["Client", "Packet", "PacketType", "Retry", "Server", "WSGIApp", "reason"]
