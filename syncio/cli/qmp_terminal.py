"""A person at a terminal, with a history, TAB, and events that come while a line is typed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections import deque
from pathlib import Path
from types import FrameType, TracebackType

from ..protocol.qmp import Message
from .qmp_completion import Completer
from .qmp_console import Console
from .qmp_output import Output

try:
    import readline
except ImportError:  # Windows has none
    readline = None  # type: ignore[assignment]

__all__ = ["Terminal", "history_file"]

HISTORY_LINES = 1000
CLEAR_LINE = "\r\x1b[K"


def history_file() -> Path:
    """Where lines are remembered (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "syncio", "qmp-history")


class TypedLine:
    """The line that is being typed, as it is on the screen. Only for the thread that waits in readline."""

    def __init__(self) -> None:
        self.prompt = ""
        self._library: ctypes.CDLL | None
        try:
            # Python's module has neither of the two functions that only GNU readline has: it knows where the cursor is.
            self._library = ctypes.CDLL(getattr(readline, "__file__", None))
            self._hide, self._show = self._library.rl_clear_visible_line, self._library.rl_forced_update_display
        except (OSError, AttributeError, TypeError):
            self._library = None

    def hide(self) -> None:
        """Remove it from the screen."""
        if self._library is None:
            print(CLEAR_LINE, end="", flush=True)
        else:
            self._hide()
            self._library.fflush(None)

    def show(self) -> None:
        """Draw it again, where the cursor is."""
        if self._library is None:
            print(self.prompt + readline.get_line_buffer(), end="", flush=True)
        else:
            self._show()


class Terminal(Console):
    """Lines that a person types.

    An event is printed above the line that is being typed, by the thread that waits in readline: it alone knows what
    is on the screen.

    :param output: where events go.
    :param completer: what TAB offers; None for nothing.
    """

    is_interactive = True

    def __init__(self, output: Output, completer: Completer | None) -> None:
        super().__init__(sys.stdin, output)
        self._completer = completer
        self._candidates: list[str] = []
        self._waiting: deque[Message] = deque()  # events that came while a line is typed
        self._has_prompt = False
        self._line = TypedLine()

    def __enter__(self) -> Terminal:
        if readline is not None:
            with contextlib.suppress(OSError):  # there is none yet
                readline.read_history_file(history_file())
            readline.set_completer_delims(" ")
            readline.set_completer(self._complete)
            readline.parse_and_bind("tab: complete")
            readline.set_pre_input_hook(self._prompted)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, exc, traceback)
        if readline is not None:
            readline.set_completer(None)
            readline.set_pre_input_hook(None)
            readline.set_history_length(HISTORY_LINES)
            with contextlib.suppress(OSError):  # a home that cannot be written
                history_file().parent.mkdir(parents=True, exist_ok=True)
                readline.write_history_file(history_file())

    def ask(self, prompt: str) -> str:
        """See `Console.ask`."""
        try:
            return super().ask(prompt)
        except EOFError:
            print()
            raise
        finally:
            self._show_waiting()

    def _read(self, prompt: str) -> str:
        self._line.prompt = prompt
        try:
            return input(prompt)
        finally:
            self._has_prompt = False

    def event(self, event: Message) -> None:
        """See `Console.event`."""
        with self._lock:
            if not self._is_asking or not self._has_bell or readline is None:
                super().event(event)
                return
            self._waiting.append(event)
        self._ring(lambda: self._waiting)

    def _prompted(self) -> None:
        self._has_prompt = True

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if self._has_prompt and self._waiting:
            self._line.hide()
            self._show_waiting()
            self._line.show()
        super()._answer(number, frame)

    def _show_waiting(self) -> None:
        while self._waiting:
            self._output.event(self._waiting.popleft())

    def _complete(self, stem: str, number: int) -> str | None:
        if self._completer is None:
            return None
        if number == 0:
            before = readline.get_line_buffer()[: readline.get_begidx()]
            self._candidates = self._completer.candidates(before.split(), stem)
        return self._candidates[number] if number < len(self._candidates) else None
