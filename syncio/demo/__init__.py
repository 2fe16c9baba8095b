"""A chat that shows what syncio does: the transport, the upgrade, and the latency of every message.

`create_app()` is an ordinary WSGI application; ``syncio demo`` serves it.
"""

from .app import STATIC, create_app

__all__ = ["STATIC", "create_app"]
