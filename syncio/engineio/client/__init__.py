"""The Engine.IO client: long polling, WebSocket and the upgrade between them."""

from .client import Client
from .retry import Retry

__all__ = ["Client", "Retry"]
