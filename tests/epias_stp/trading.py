"""A sandbox, a client and its open desk, for the tests of desks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from gridwire.epias_stp import EpiasStp, Limits
from gridwire.epias_stp.desk import StpDesk
from gridwire.observe.events import Event
from gridwire.outcome import Accepted, OrderRef, Outcome, Rejected
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue

CONTRACT, OTHER = "GG20261202", "GG20261201"
EXCLUSIVE = {"exclusive": True}
"""Options of a client whose organisation enters bids through its journal only."""


class Trading:
    """A sandbox, a client and its open desk."""

    def __init__(self, box: Sandbox, stp: EpiasStp, desk: StpDesk, events: list[Event]) -> None:
        self.venue: EpiasStpVenue = box.venue("epias_stp")
        self.box = box
        self.stp = stp
        self.desk = desk
        self.events = events

    def codes(self) -> list[str]:
        return [event.name for event in self.events]

    def saves(self) -> int:
        return len(self.venue.log.calls("bid_save"))


@asynccontextmanager
async def trading(
    limits: Limits | None = None,
    *,
    journal: Path | None = None,
    tls: bool = False,
    client: Any = None,
    **desk_options: Any,
) -> AsyncIterator[Trading]:
    events: list[Event] = []
    options = {"contracts": [CONTRACT, OTHER], "limits": limits, **desk_options}
    async with (
        Sandbox("epias_stp", tls=tls) as box,
        EpiasStp(box.epias_stp, journal=journal, on_event=events.append, **(client or {})) as stp,
        stp.desk(**options) as desk,
    ):
        yield Trading(box, stp, desk, events)


def accepted(outcome: Outcome) -> OrderRef:
    assert isinstance(outcome, Accepted), outcome
    assert outcome.order is not None
    return outcome.order


def refused(outcome: Outcome, code: str, origin: str = "guard") -> Rejected:
    assert isinstance(outcome, Rejected), outcome
    assert (outcome.code, outcome.origin) == (code, origin)
    assert outcome.intent is not None
    return outcome


async def buy(desk: StpDesk, price: str = "12000.50", quantity: int = 10, **more: Any) -> Outcome:
    return await desk.buy(CONTRACT, price=price, quantity=quantity, **more)


@contextmanager
def full_disk() -> Iterator[int]:
    """A descriptor of a disk with no room on it."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        yield full.fileno()
