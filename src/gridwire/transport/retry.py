"""Repeating reads, logins and connects; the only module that imports tenacity.

A caller says per error whether, how often and after what pause to try again; this module adds what must hold for all:
full-jitter back-off, a deadline over everything, and a quota, so that a venue that is down is not hammered by a bot
that asks for a thousand things. Writes come here only for failures before their first byte.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState

T = TypeVar("T")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Again:
    """Permission to try again: ``most`` retries in all, after ``after_s`` seconds, or after back-off where None."""

    most: int
    after_s: float | None = None


class RetryQuota:
    """How many retries one client may still make. A retry takes one, a success gives one back."""

    def __init__(self, capacity: int = 20) -> None:
        self._capacity = capacity
        self._left = capacity

    def take(self) -> bool:
        """Take one retry; False if none is left."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def give(self) -> None:
        """Give one back after a success."""
        self._left = min(self._left + 1, self._capacity)


async def retrying(
    attempt: Callable[[], Awaitable[T]],
    *,
    rule: Callable[[BaseException], Again | None],
    deadline_s: float,
    quota: RetryQuota,
    on_retry: Callable[[BaseException, float], None] | None = None,
    until: Callable[[], float] | None = None,
) -> T:
    """Await ``attempt()`` until it succeeds or ``rule`` says no; the last error is raised as it is.

    No pause begins that would end after ``deadline_s`` seconds from now, or after the loop time that ``until`` tells
    when it is asked, where it is given; the error is raised instead.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s

    def permission(state: RetryCallState) -> Again | None:
        error = state.outcome.exception() if state.outcome is not None else None
        return rule(error) if error is not None else None

    def pause_s(state: RetryCallState) -> float:
        again = permission(state)
        if again is not None and again.after_s is not None:
            return again.after_s
        most = min(FIRST_PAUSE_S * 2 ** (state.attempt_number - 1), LONGEST_PAUSE_S)
        return random.uniform(0, most)  # noqa: S311 - jitter is no secret

    def give_up(state: RetryCallState) -> bool:
        again = permission(state)
        if again is None or state.attempt_number > again.most:
            return True
        last = end if until is None else until()
        return loop.time() + state.upcoming_sleep > last or not quota.take()

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if on_retry is not None and error is not None:
            on_retry(error, state.upcoming_sleep)

    result: T = await AsyncRetrying(
        retry=lambda state: permission(state) is not None,
        wait=pause_s,
        stop=give_up,
        before_sleep=tell,
        sleep=asyncio.sleep,
        reraise=True,
    )(attempt)
    quota.give()
    return result
