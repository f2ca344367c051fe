"""Where an order's time goes, in nanoseconds per stage."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

STAGES = ("guard", "credential", "journal", "render", "write", "answer", "parse")
"""guard: checks and ids; credential: taking a ready one, or waiting for one; journal: the row before the first byte;
render: the message's bytes; write: handing them to the connection; answer: until the answer is here; parse: until the
outcome is."""


@dataclass(frozen=True, slots=True)
class OrderTiming:
    """One order. ``credential_waited`` says that no credential was ready and one had to be fetched."""

    stages_ns: tuple[int, ...]
    """Nanoseconds, in the order of `STAGES`."""
    credential_waited: bool

    @property
    def total_ns(self) -> int:
        """From the call to its outcome."""
        return sum(self.stages_ns)

    @property
    def to_wire_ns(self) -> int:
        """From the call until the bytes were handed to the connection."""
        return sum(self.stages_ns[:5])


class Timings:
    """The last orders of a desk, bounded."""

    def __init__(self, keep: int = 10_000) -> None:
        self._kept: deque[tuple[tuple[int, ...], bool]] = deque(maxlen=keep)

    def add(self, marks: tuple[int, ...], credential_waited: bool) -> None:
        """Note an order by the eight moments around its stages."""
        self._kept.append((marks, credential_waited))

    def __len__(self) -> int:
        return len(self._kept)

    def orders(self) -> list[OrderTiming]:
        """Every order kept, oldest first."""
        return [
            OrderTiming(tuple(after - before for before, after in pairwise(marks)), waited)
            for marks, waited in self._kept
        ]

    def summary(self, percent: float = 50.0) -> Mapping[str, int]:
        """Nanoseconds per stage, and in ``total``, at this percentile; empty before the first order."""
        orders = self.orders()
        if not orders:
            return {}
        rank = min(int(len(orders) * percent / 100), len(orders) - 1)
        per_stage = {
            stage: sorted(order.stages_ns[position] for order in orders)[rank] for position, stage in enumerate(STAGES)
        }
        return {**per_stage, "total": sorted(order.total_ns for order in orders)[rank]}

    def waited(self) -> int:
        """How many of the orders kept had to wait for a credential."""
        return sum(waited for _, waited in self._kept)
