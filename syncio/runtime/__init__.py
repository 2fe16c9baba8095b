"""Threads or greenlets behind one small interface: the only part of syncio that knows either."""

from .base import Event, Lock, Readiness, Relay, Runnable, Runtime, Task, Timer
from .call import Call
from .choose import MODES, choose_runtime, installed_modes
from .future import CancelledError, Future
from .lane import Lane
from .latch import Latch
from .mailbox import Mailbox
from .poller import READ, WRITE
from .timers import TimerHandle, Timers

__all__ = [
    "MODES",
    "READ",
    "WRITE",
    "Call",
    "CancelledError",
    "Event",
    "Future",
    "Lane",
    "Latch",
    "Lock",
    "Mailbox",
    "Readiness",
    "Relay",
    "Runnable",
    "Runtime",
    "Task",
    "Timer",
    "TimerHandle",
    "Timers",
    "choose_runtime",
    "installed_modes",
]
