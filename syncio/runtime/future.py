"""Futures, as `concurrent.futures` has them: its `wait` and `as_completed` work with them.

On greenlets they need monkey-patching, as everything has that waits in the way of threads.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, Future

__all__ = ["CancelledError", "Future"]
