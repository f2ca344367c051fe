"""Runs one command's coroutine, so that Ctrl-C and SIGTERM both end it in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``work`` to its end. Raises `KeyboardInterrupt` if it was cancelled by SIGINT or SIGTERM and did not answer.

    Cancellation reaches ``work`` first: a bid whose answer is outstanding still gets to say that it is `Unknown`.
    """

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            # SIGINT too, for a shell starts background processes with it ignored. Windows, and threads other than the
            # main one, have no such handlers.
            with contextlib.suppress(RuntimeError, ValueError):
                loop.add_signal_handler(number, lambda: task and task.cancel())
        return await work()

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
