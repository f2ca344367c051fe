"""The demo's two traders: what each decides, and what it knows of its own bids.

STP has no call that lists a participant's bids. So a trader knows its bids from outcomes, and what became of them from the
marks that the venue puts on depth levels (``owner``). That works because each bid of the demo has a price of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from gridwire.outcome import Accepted, OrderRef, Outcome, Rejected

if TYPE_CHECKING:
    from gridwire.epias_stp import EpiasStp
    from gridwire.epias_stp.models import AmountPrice, ContractDepth

KURUS = Decimal("0.01")


@dataclass(slots=True)
class Bid:
    """A bid as its trader knows it. ``left`` is what still rests; None before the venue has shown it."""

    trader: str
    contract: str
    side: str
    price: Decimal
    quantity: int
    order: OrderRef | None = None
    state: str = "sent"
    left: int | None = None

    @property
    def rests(self) -> bool:
        """Whether it is in the book, as far as is known, and could be changed."""
        return self.order is not None and self.state in ("resting", "partly matched")

    def told(self, outcome: Outcome) -> None:
        """Take in what became of the write that entered it."""
        if isinstance(outcome, Accepted):
            self.order, self.state = outcome.order, "accepted"
        else:
            self.state = "rejected" if isinstance(outcome, Rejected) else "UNKNOWN"

    def seen(self, book: ContractDepth) -> None:
        """Take in the venue's marks: a level of ours at our price is this bid, for no other bid has that price."""
        if self.state in ("cancelled", "rejected", "UNKNOWN"):
            return
        level = own_level(book, self.side, self.price)
        self.left = 0 if level is None else level.amount
        whole = self.left == self.quantity
        self.state = "matched" if level is None else "resting" if whole else "partly matched"


def own_level(book: ContractDepth, side: str, price: Decimal) -> AmountPrice | None:
    """The level at ``price`` that the venue marks as the asking organisation's, or None."""
    levels = book.buys if side == "BUY" else book.sells
    return next((level for level in levels if level.owner and level.price == price), None)


@dataclass(frozen=True, slots=True)
class Prices:
    """Draws prices around a middle that wanders, each only once."""

    random: Random
    taken: set[Decimal] = field(default_factory=set)
    middle: dict[str, Decimal] = field(default_factory=dict)

    def wander(self, contract: str) -> Decimal:
        """Move the middle of ``contract`` a little; it begins near 12,000 TL."""
        start = self.middle.setdefault(contract, Decimal(11_900 + self.random.randrange(200)))
        self.middle[contract] = start + self.random.choice((-2, -1, 0, 1, 2))
        return self.middle[contract]

    def near(self, wanted: Decimal) -> Decimal:
        """``wanted`` with kuruş that no other bid has."""
        price = wanted.quantize(KURUS)
        while price in self.taken:
            price += KURUS
        self.taken.add(price)
        return price

    def passive(self, contract: str, side: str) -> Decimal:
        """A price that waits on its side of the middle."""
        distance = Decimal(self.random.randrange(100, 3000)) / 100
        middle = self.wander(contract)
        return self.near(middle - distance if side == "BUY" else middle + distance)


@dataclass(slots=True)
class Trader:
    """One participant with a client of its own. It takes one side only, so nobody trades with himself."""

    name: str
    side: str
    stp: EpiasStp
    bids: list[Bid] = field(default_factory=list)

    def resting(self) -> list[Bid]:
        """Its bids that it could change or cancel, oldest first."""
        return [bid for bid in self.bids if bid.rests]

    async def look(self, contracts: tuple[str, ...]) -> dict[str, ContractDepth]:
        """Read the depth of ``contracts`` and take in what it says of the own bids."""
        books = {name: await self.stp.contracts.depth(name) for name in contracts}
        for bid in self.bids:
            bid.seen(books[bid.contract])
        return books
