"""The only files that read or write sockets."""

from .adopt import Host, Released, Taken, find_host
from .dial import Proxy, dial
from .outbox import Kept
from .raw import SocketLike
from .receiver import Receiver
from .socket_ import Stream
from .tls import TlsContext, client_context

__all__ = [
    "Host",
    "Kept",
    "Proxy",
    "Receiver",
    "Released",
    "SocketLike",
    "Stream",
    "Taken",
    "TlsContext",
    "client_context",
    "dial",
    "find_host",
]
