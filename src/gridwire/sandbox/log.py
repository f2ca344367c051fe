"""The part that every simulator's log of calls has in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

C = TypeVar("C")

KEPT = 100_000


class Log(Generic[C]):
    """Calls in the order in which they were written down; the last 100,000 of a sandbox left running for days."""

    def __init__(self) -> None:
        self._calls: deque[C] = deque(maxlen=KEPT)

    def __iter__(self) -> Iterator[C]:
        return iter(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, index: int) -> C:
        return self._calls[index]

    def append(self, call: C) -> None:
        """Write a call down."""
        self._calls.append(call)
