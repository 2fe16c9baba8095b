"""The only files that read or write sockets."""

from .acceptor import Acceptor
from .address import Connecting, host_ip, show
from .adopt import Host, Released, Taken, TakenStream, find_host
from .blocking import BlockingStream, Duplex, adopt_socket, is_socket
from .dial import Proxy, dial
from .listener import Listener
from .outbox import Kept
from .raw import SocketLike, raw_socket
from .receiver import Receiver
from .secure import TlsStream, require_name
from .socket_ import Stream
from .tls import TlsContext, client_context

__all__ = [
    "Acceptor",
    "BlockingStream",
    "Connecting",
    "Duplex",
    "Host",
    "Kept",
    "Listener",
    "Proxy",
    "Receiver",
    "Released",
    "SocketLike",
    "Stream",
    "Taken",
    "TakenStream",
    "TlsContext",
    "TlsStream",
    "adopt_socket",
    "client_context",
    "dial",
    "find_host",
    "host_ip",
    "is_socket",
    "raw_socket",
    "require_name",
    "show",
]
