"""Runs one command's coroutine, so that Ctrl-C and SIGTERM both end it in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from gridwire.cli.interrupts import cancelling_this_task

T = TypeVar("T")


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``work`` to its end. Raises `KeyboardInterrupt` if it was cancelled by SIGINT or SIGTERM and did not answer.

    Cancellation reaches ``work`` first: a bid whose answer is outstanding still gets to say that it is `Unknown`.
    """

    async def guarded() -> T:
        with cancelling_this_task():
            return await work()

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
