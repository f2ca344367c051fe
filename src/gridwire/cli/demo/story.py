"""What happens in the demo: two traders at the sandbox, one lost answer, and how it is settled.

The moves follow from the seed alone, not from the clock: the same seed and length give the same bids.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from gridwire.cli.demo.tally import Tally
from gridwire.cli.demo.traders import Bid, Prices, Trader, own_level
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown

if TYPE_CHECKING:
    from gridwire.cli.demo.faces import Face
    from gridwire.epias_stp.models import ContractSummary, Match
    from gridwire.sandbox.epias_stp import EpiasStpVenue

SECONDS_A_ROUND = 0.8
FEWEST_ROUNDS = 10
LOST_QUANTITY = 77
ABOVE_THE_CEILING = Decimal("31000.00")


@dataclass(frozen=True, slots=True)
class View:
    """What a face shows: the market as TRADER1 sees it, everybody's bids, and the counts so far."""

    contracts: tuple[ContractSummary, ...] = ()
    bids: tuple[Bid, ...] = ()
    matches: tuple[Match, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Lost:
    """The bid whose answer got lost, and what the venue showed before and after."""

    bid: Bid
    outcome: Unknown
    matches_before: frozenset[str]
    executed: bool | None = None
    match_id: str | None = None


class Story:
    """One run at one simulated venue."""

    def __init__(self, venue: EpiasStpVenue, traders: tuple[Trader, Trader], seed: int, face: Face) -> None:
        self._venue = venue
        self._buyer, self._seller = traders
        self._random = Random(seed)  # noqa: S311 - it draws play prices
        self._prices = Prices(self._random)
        self._face = face
        self._contracts: tuple[str, ...] = ()
        self._outcomes: list[Outcome] = []
        self._bids: list[Bid] = []
        self._view = View()
        self.lost: Lost | None = None

    async def play(self, seconds: float) -> Tally:
        """Trade for about ``seconds``, and hold the outcomes against the venue's own log."""
        loop = asyncio.get_running_loop()
        started, rounds = loop.time(), max(FEWEST_ROUNDS, int(seconds / SECONDS_A_ROUND))
        listed = await self._buyer.stp.contracts.standard()
        self._contracts = tuple(contract.name for contract in listed if contract.is_open())[-2:]
        losing = rounds * 35 // 100
        for number in range(rounds):
            if number == losing:
                await self._lose_an_answer()
            elif number == losing + 1:
                await self._settle()
            elif number == losing + 2:
                await self._trade_with_the_lost_one()
            elif number == rounds * 7 // 10:
                await self._break_a_rule()
            elif number == rounds - 1:
                await self._clear_up()
            else:
                await self._move(self._buyer)
                await self._move(self._seller)
            await self._look()
            await asyncio.sleep(max(0.0, started + seconds * (number + 1) / rounds - loop.time()))
        return self._tally()

    def _tally(self) -> Tally:
        executed = [call for call in self._venue.log.executed() if call.operation.startswith("bid_")]
        lost = self.lost
        settled = {} if lost is None or lost.executed is None else {lost.outcome.intent.key: lost.executed}
        return Tally.of(self._outcomes, settled, [call.transaction_id or "" for call in executed])

    # Ordinary moves

    async def _move(self, trader: Trader) -> None:
        """Enter a bid, take the other side's best price, change a bid, or cancel one."""
        resting = trader.resting()
        kind = self._random.choices(("enter", "take", "change", "cancel"), (50, 24, 16, 10))[0]
        if len(resting) < 2 or (kind == "enter" and len(resting) < 5):
            await self._enter(trader, self._random.choice(self._contracts))
        elif kind == "take":
            await self._take(trader, self._random.choice(self._contracts))
        elif kind == "change":
            await self._change(trader, self._random.choice(resting))
        else:
            await self._cancel(trader, resting[0])

    async def _enter(self, trader: Trader, contract: str) -> None:
        price = self._prices.passive(contract, trader.side)
        await self._save(trader, contract, price, self._random.randrange(20, 300))

    async def _take(self, trader: Trader, contract: str) -> None:
        best = next(
            c.best_sell if trader.side == "BUY" else c.best_buy for c in self._view.contracts if c.name == contract
        )
        if best is None or best.price is None or best.amount is None:
            await self._enter(trader, contract)
            return
        # A price of its own, a little beyond the other's, so that it meets that level first.
        beyond = Decimal("0.05") if trader.side == "BUY" else Decimal("-0.05")
        price = self._prices.near(best.price + beyond)
        await self._save(trader, contract, price, min(best.amount, self._random.randrange(20, 150)))

    async def _save(self, trader: Trader, contract: str, price: Decimal, quantity: int) -> Outcome:
        bid = Bid(trader.name, contract, trader.side, price, quantity)
        trader.bids.append(bid)
        self._bids.append(bid)
        outcome = await trader.stp.bids.save(contract, direction=trader.side, price=price, quantity=quantity)
        bid.told(outcome)
        verb = "buys" if trader.side == "BUY" else "sells"
        self._noted(outcome, f"{trader.name} {verb} {quantity} of {contract} at {price}")
        return outcome

    async def _change(self, trader: Trader, bid: Bid) -> None:
        price, quantity = self._prices.passive(bid.contract, trader.side), self._random.randrange(20, 300)
        outcome = await trader.stp.bids.update(bid.order or "", price=price, quantity=quantity, bid_status="ACTIVE")
        self._noted(outcome, f"{trader.name} changes bid {_number(bid)} to {quantity} at {price}")
        if isinstance(outcome, Accepted):
            bid.order, bid.price, bid.quantity = outcome.order, price, quantity

    async def _cancel(self, trader: Trader, bid: Bid) -> None:
        outcome = await trader.stp.bids.cancel(bid.order or "")
        self._noted(outcome, f"{trader.name} cancels bid {_number(bid)}")
        if isinstance(outcome, Accepted):
            bid.state, bid.left = "cancelled", 0

    def _noted(self, outcome: Outcome, what: str) -> None:
        self._outcomes.append(outcome)
        self._view.counts["sent"] += 1
        self._view.counts[type(outcome).__name__.lower()] += 1
        match outcome:
            case Accepted(order=order):
                ended = "Accepted" + (f", bid {order.id}" if order and outcome.intent.operation == "bid_save" else "")
            case Rejected():
                ended = "Rejected by its rules" if outcome.origin == "venue" else f"Rejected by {outcome.origin}"
            case Unknown():
                ended = "no answer came. Unknown"
        self._face.said(f"{what}: {ended}", outcome)

    # What the demo is about

    async def _lose_an_answer(self) -> None:
        """Have the venue execute a bid and the connection end before it says so. The bid is the best of its side."""
        contract = self._contracts[-1]
        book = await self._buyer.stp.contracts.depth(contract)
        matches = await self._buyer.stp.matches.of(contract)
        bought, sold = (side[0].price if side else None for side in (book.buys, book.sells))
        middle = self._prices.wander(contract)
        low, high = bought or (sold or middle) - 4, sold or (bought or middle) + 4
        price = self._prices.near((low + high) / 2)
        while (
            own_level(book, self._buyer.side, price) is not None
        ):  # the evidence needs a level that is not ours before
            price = self._prices.near(price)
        self._venue.faults.add("drop_after_execute", operation="bid_save", user=self._buyer.name)
        outcome = await self._save(self._buyer, contract, price, LOST_QUANTITY)
        if isinstance(outcome, Unknown):
            before = frozenset(match.match_id for match in matches)
            self.lost = Lost(self._buyer.bids[-1], outcome, before)

    async def _settle(self) -> None:
        """Ask the venue's own marks: a level or a match that can be no other bid's, because no other has its price."""
        lost = self.lost
        if lost is None:
            return
        bid, stp = lost.bid, self._buyer.stp
        level = own_level(await stp.contracts.depth(bid.contract), bid.side, bid.price)
        matched = await self._own_match(lost)
        lost.executed = level is not None or matched is not None
        self._view.counts["resolved"] += 1
        bid.state = "accepted" if lost.executed else "not there"
        what = (
            f"{level.amount} at {bid.price} rest there marked {bid.trader}'s: it was executed"
            if level is not None
            else f"a match at {bid.price} is marked {bid.trader}'s: it was executed"
            if matched is not None
            else f"nothing at {bid.price} is marked {bid.trader}'s: it was not executed"
        )
        self._face.said(f"settled: {what}", None)

    async def _own_match(self, lost: Lost) -> Match | None:
        found = await self._buyer.stp.matches.of(lost.bid.contract)
        return next(
            (
                match
                for match in found
                if match.my_own_matching and match.price == lost.bid.price and match.match_id not in lost.matches_before
            ),
            None,
        )

    async def _trade_with_the_lost_one(self) -> None:
        if self.lost is None:
            return
        bid = self.lost.bid
        await self._save(self._seller, bid.contract, bid.price, LOST_QUANTITY)
        match = await self._own_match(self.lost)
        if match is not None:
            self.lost.match_id = match.match_id
            self._face.said(
                f"match {match.match_id} at {bid.price} is marked {bid.trader}'s: the lost one traded", None
            )

    async def _break_a_rule(self) -> None:
        await self._save(self._buyer, self._contracts[0], self._prices.near(ABOVE_THE_CEILING), 10)

    async def _clear_up(self) -> None:
        for trader in (self._buyer, self._seller):
            for bid in trader.resting():
                await self._cancel(trader, bid)

    async def _look(self) -> None:
        """Read the market, and show it."""
        await self._buyer.look(self._contracts)
        await self._seller.look(self._contracts)
        contracts = await self._buyer.stp.contracts.standard()
        matches = await self._buyer.stp.matches.of(self._contracts)
        bids = tuple(replace(bid) for bid in self._bids)
        self._view = View(tuple(contracts), bids, tuple(matches), self._view.counts)
        self._face.looked(self._view)


def _number(bid: Bid) -> str:
    return bid.order.id or "?" if bid.order is not None else "?"
