"""A desk whose calls lose their answers, and how the answers of `resolve` read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from gridwire import clock
from gridwire.epias_stp import EpiasStp
from gridwire.epias_stp.desk import StpDesk
from gridwire.outcome import OrderRef, Outcome, Rejected, Unknown
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue
from gridwire.sandbox.matching import Side

CONTRACT = "GG20261201"
EXECUTED, NOT_EXECUTED = "drop_after_execute", "drop_before_execute"


@dataclass
class Trading:
    venue: EpiasStpVenue
    stp: EpiasStp
    desk: StpDesk

    async def bid(self, price: str = "100.00", quantity: int = 10, **more: Any) -> OrderRef:
        """A bid whose answer came."""
        order = (await self.desk.buy(CONTRACT, price=price, quantity=quantity, **more)).accepted()
        assert order is not None
        return order

    async def lost(self, call: Any, operation: str, fault: str = EXECUTED) -> Unknown:
        """The outcome of a call whose answer got lost."""
        self.venue.faults.add(fault, operation=operation)  # type: ignore[arg-type]
        outcome = await call
        assert isinstance(outcome, Unknown)
        return outcome

    async def lost_bid(self, fault: str = EXECUTED, price: str = "100.00", quantity: int = 10, **more: Any) -> Unknown:
        return await self.lost(self.desk.buy(CONTRACT, price=price, quantity=quantity, **more), "bid_save", fault)

    def other(self, side: Side, price: int, quantity: int, offset_s: float = 0.0, user: str = "TRADER2") -> None:
        """A bid entered elsewhere, by another participant unless told otherwise. ``price`` is in kuruş."""
        market, now = self.venue.market, clock.now() + timedelta(seconds=offset_s)
        market.save_bid(
            market.users[user], market.contract(CONTRACT), side, price, quantity, "STANDART_MATCH", "ACTIVE", now
        )

    async def states(self) -> list[str]:
        """States of all rows, oldest first."""
        return [row.state for row in await self.stp._ledger.rows()]


@asynccontextmanager
async def trading(directory: Path, *, exclusive: bool = True) -> AsyncIterator[Trading]:
    async with (
        Sandbox("epias_stp") as box,
        EpiasStp(box.epias_stp, journal=directory, exclusive=exclusive) as stp,
        stp.desk(contracts=[CONTRACT]) as desk,
    ):
        yield Trading(box.venue("epias_stp"), stp, desk)


def still(outcome: Outcome, why: str) -> bool:
    assert isinstance(outcome, Unknown)
    assert outcome.reason.startswith("Still unknown")
    assert outcome.intent.key in outcome.reason
    return why in outcome.reason


def ended(outcome: Outcome, why: str) -> bool:
    """Settled without a yes or no: the bid that the call was about has ended."""
    assert isinstance(outcome, Unknown)
    assert outcome.cause == "order_ended"
    assert outcome.reason.startswith("Settled")
    return why in outcome.reason


def absent(outcome: Outcome) -> bool:
    return isinstance(outcome, Rejected) and (outcome.code, outcome.origin, outcome.repeatable) == (
        "absent",
        "venue",
        True,
    )
