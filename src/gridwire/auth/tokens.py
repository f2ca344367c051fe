"""One shared token: fetched once however many ask, renewed in time, never brought back after it was refused.

The rules:

1. At most one fetch is in the air. Whoever needs the token waits for that one; a waiter that is cancelled leaves the
   fetch to the others. A failed fetch fails those who waited for it, and is not remembered.
2. Two thresholds. After the first one a caller still gets the token and a fetch starts in the background; after the
   second one callers wait. A failed background fetch is not repeated before a pause.
3. Every `TokenCache.invalidate` and `TokenCache.reset` opens a new generation. A fetch that began in an older one is
   thrown away when it arrives, and those who waited for it go round again.
4. Deadlines count from *before* the fetch began, on the running loop's clock.

One cache holds one token: keep one per (address, client, scope, user).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gridwire.errors import WrongLoop

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lease(Generic[T]):
    """A fetched token and its life, in seconds from before the fetch began."""

    value: T = field(repr=False)
    usable_s: float
    """After this long callers wait for a new one."""
    fresh_s: float = math.inf
    """After this long a new one is fetched in the background; infinite where use itself renews the token."""


class LoopBound:
    """Bound to the event loop of its first use, because its waiters and deadlines live there."""

    _loop: asyncio.AbstractEventLoop | None = None
    _closed = False

    def _bound(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise WrongLoop(
                "Tickets and tokens were first used on another event loop. Open one client per loop. Nothing was sent."
            )
        if self._closed:
            raise WrongLoop("This client is closed. Open a new one. Nothing was sent.")
        return loop


@dataclass(slots=True)
class _Held(Generic[T]):
    value: T = field(repr=False)
    early: float
    late: float


@dataclass(frozen=True, slots=True, eq=False)
class _Flight(Generic[T]):
    task: asyncio.Task[Lease[T]]
    generation: int


class TokenCache(LoopBound, Generic[T]):
    """See the module. ``fetch`` is called with no arguments and returns a `Lease`."""

    def __init__(self, fetch: Callable[[], Awaitable[Lease[T]]], *, early_pause_s: float = 30.0) -> None:
        self._fetch = fetch
        self._early_pause_s = early_pause_s
        self._early_not_before = -math.inf
        self._held: _Held[T] | None = None
        self._flight: _Flight[T] | None = None
        self._generation = 0

    async def get(self) -> T:
        """The token. Raises whatever the fetch this caller waited for raised."""
        while True:
            loop = self._bound()
            held, now = self._held, loop.time()
            if held is not None and now < held.late:
                if now >= max(held.early, self._early_not_before) and self._flight is None:
                    self._take_off(loop)
                return held.value
            self._held = None
            flight = await self._landing(loop)
            if flight.generation == self._generation:
                return flight.task.result().value

    async def renew(self, value: T) -> T:
        """A newer token than ``value``, which stays the current one until the newer is here.

        Raises what the fetch raised; `peek` then tells whether ``value`` can still be used. A fetch that has just failed is
        not begun again before its pause: ``value`` is returned as it is.
        """
        while True:
            loop = self._bound()
            if self._held is None or self._held.value != value:
                return await self.get()
            if self._flight is None and loop.time() < min(self._early_not_before, self._held.late):
                return value
            flight = await self._landing(loop)
            if flight.generation == self._generation:
                return flight.task.result().value

    async def _landing(self, loop: asyncio.AbstractEventLoop) -> _Flight[T]:
        """Wait for the fetch under way, or for one begun now."""
        flight = self._flight or self._take_off(loop)
        await asyncio.wait([flight.task])  # unlike awaiting the task, this leaves it alone when we are cancelled
        if flight.task.cancelled():
            self._bound()  # says that the client was closed
            raise WrongLoop("The fetch of a token was cancelled from outside. Nothing was sent.")
        return flight

    def peek(self) -> T | None:
        """The token if it is usable now, without fetching."""
        if self._held is None or self._loop is None or self._loop.time() >= self._held.late:
            return None
        return self._held.value

    def touch(self, value: T, *, until: float) -> None:
        """Use has prolonged ``value`` to loop time ``until``. Ignored if it is no longer the current token."""
        if self._held is not None and self._held.value == value:
            self._held.late = max(self._held.late, until)

    def invalidate(self, value: T) -> bool:
        """``value`` was refused. Returns whether it was the current token; if not, someone else has renewed it."""
        if self._held is None or self._held.value != value:
            return False
        self.reset()
        return True

    def reset(self) -> None:
        """Forget the token and whatever fetch is in the air."""
        self._held = None
        self._early_not_before = -math.inf
        self._generation += 1

    async def aclose(self) -> None:
        """Stop the fetch in the air, if any. The cache cannot be used afterwards."""
        self._closed = True
        self.reset()
        if self._flight is not None:
            self._flight.task.cancel()
            await asyncio.wait([self._flight.task])

    def _take_off(self, loop: asyncio.AbstractEventLoop) -> _Flight[T]:
        task = loop.create_task(self._fly(loop, self._generation))
        self._flight = flight = _Flight(task, self._generation)
        task.add_done_callback(self._landed)
        return flight

    async def _fly(self, loop: asyncio.AbstractEventLoop, generation: int) -> Lease[T]:
        began = loop.time()
        lease = await self._fetch()
        if generation == self._generation:
            self._held = _Held(lease.value, began + lease.fresh_s, began + lease.usable_s)
        return lease

    def _landed(self, task: asyncio.Task[Lease[T]]) -> None:
        self._flight = None
        # Asking for the exception also keeps a failure nobody waited for from being reported at garbage collection.
        if not task.cancelled() and task.exception() is not None:
            self._early_not_before = task.get_loop().time() + self._early_pause_s
