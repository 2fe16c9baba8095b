"""A chat that shows what syncio does: the transport, the upgrade, and the latency of every message.

`syncio.demo.app:app` is an app of `syncio.web`; ``syncio demo`` serves it.
"""
