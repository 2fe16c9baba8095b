"""The only files that read or write sockets."""

from .adopt import Host, Released, Taken, find_host
from .outbox import Kept
from .receiver import Receiver
from .socket_ import Stream

__all__ = ["Host", "Kept", "Receiver", "Released", "Stream", "Taken", "find_host"]
