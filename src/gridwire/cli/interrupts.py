"""Ctrl-C and SIGTERM, from the first line of a command to the last: what they end, and when they come too late.

=====================  ==============================================================================================
when one comes         what it does
=====================  ==============================================================================================
at start-up            `KeyboardInterrupt`: nothing was sent, exit code 130
while a loop runs      the command's task is cancelled, and may still say what became of a bid
once `settle` was said nothing: the exit code says what became of a bid, and may not be overruled
=====================  ==============================================================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class _State:
    """The one state of this process's signals."""

    def __init__(self) -> None:
        self.settled = False
        self.running: tuple[asyncio.AbstractEventLoop, asyncio.Task[object]] | None = None

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.settled:
            return
        if self.running is None:
            raise KeyboardInterrupt
        self.running[0].call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self.running is not None and not self.settled:  # settled since the signal came
            self.running[1].cancel()


_state = _State()


@contextlib.contextmanager
def handled(*, own_process: bool) -> Iterator[None]:
    """Handle both signals while a command runs. In a process that ends with it they are ignored from then on.

    SIGINT too, for a shell starts background processes with it ignored.
    """
    before: dict[signal.Signals, object] = {}
    _state.settled = False
    with contextlib.suppress(ValueError):  # threads other than the main one have no handlers
        for number in _NUMBERS:
            before[number] = signal.signal(number, _state.on_signal)
    try:
        yield
    finally:
        _state.settled = True
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if own_process else handler)  # type: ignore[arg-type]


def settle() -> None:
    """From now on nothing interrupts this command: what it came to is known, and the exit code says it."""
    _state.settled = True


@contextlib.contextmanager
def cancelling_this_task() -> Iterator[None]:
    """A signal cancels the task that runs this, instead of raising wherever it hits."""
    task = asyncio.current_task()
    before = _state.running
    _state.running = None if task is None else (asyncio.get_running_loop(), task)
    try:
        yield
    finally:
        _state.running = before
