"""Random histories of one trading program, with every certain answer held against the sandbox's own records.

A seed decides what is entered, changed and cancelled, which answers get lost, who else trades, how the wall clock is
stepped, and when the program crashes. The venue shows own marks, or none, or cuts its book to nothing, or the marks are
also a second program's of the same organisation. Virtual time; the same seed does the same again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias

from gridwire import clock
from gridwire.epias_stp import EpiasStp, Limits
from gridwire.epias_stp.desk import StpDesk
from gridwire.epias_stp.errors import StpError
from gridwire.intents.journal import read
from gridwire.intents.records import LIVE
from gridwire.outcome import Accepted, OrderRef, Outcome, Unknown
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue
from gridwire.sandbox.epias_stp.records import Bid, User
from gridwire.sandbox.matching import Side
from tests.conftest import EPOCH

Marks: TypeAlias = Literal["shown", "missing", "shared", "shared before", "cut"]
MARKS: tuple[Marks, ...] = ("shown", "missing", "shared", "shared before", "cut")

CONTRACT = "GG20261201"
OWN, COLLEAGUE, COUNTERPARTY = "TRADER1", "TRADER3", "TRADER2"
_PRICES: dict[Side, tuple[str, ...]] = {"BUY": ("100.00", "101.00", "102.00"), "SELL": ("110.00", "111.00", "112.00")}
_LOST = ("drop_before_execute", "drop_after_execute", "half_answer", "close_before_read")
_STEPS_S = (600, -600, 86_400, -86_400)
_ENVELOPE = '{"resultCode":"0","resultDescription":"OK","resultType":"SUCCESS"%s}'
_CUT = ("", ',"body":null', ',"body":{}', ',"body":{"contractBuyDepths":null,"contractSellDepths":null}')


class History:
    """One program's life; `play` lives it. ``certain`` counts the certain answers that were held against the records."""

    def __init__(self, seed: int, directory: Path) -> None:
        self._chance = Random(seed)
        self._directory = directory
        self.marks: Marks = MARKS[seed % len(MARKS)]
        # "Nobody else enters bids" is declared only where it is true from the opening of the first desk on.
        self.exclusive: bool = self.marks != "shared" and self._chance.random() < 0.7
        self._offset_s = 0.0
        self._bids: list[OrderRef] = []
        self._stack = AsyncExitStack()
        self._closed_by_us: set[str] = set()
        self.certain: int = 0
        self.unknown: int = 0

    async def play(self) -> None:
        """Live it. Raises `AssertionError` where an answer was wrong."""
        loop = asyncio.get_running_loop()

        def wall() -> Any:
            return EPOCH + timedelta(seconds=loop.time() + self._offset_s)

        with clock.use(wall):
            async with Sandbox("epias_stp", seed=self._chance.randrange(1000)) as box:
                self._venue: EpiasStpVenue = box.venue("epias_stp")
                own = self._venue.market.users[OWN]
                self._venue.market.users[COLLEAGUE] = User(COLLEAGUE, own.organisation, "participant")
                if self.marks == "missing":
                    self._venue.knobs.shape = "document"
                if self.marks == "shared before":
                    for _ in range(self._chance.randint(1, 3)):
                        self._enter_elsewhere(COLLEAGUE)
                await self._open()
                for _ in range(self._chance.randint(3, 12)):
                    await self._step()
                await asyncio.sleep(70.0)
                await self._look(everything=True)
                await self._stack.aclose()

    # the program

    async def _open(self) -> None:
        account = self._venue.account()
        self._stp = await self._stack.enter_async_context(
            EpiasStp(account, journal=self._directory, exclusive=self.exclusive)
        )
        self._stp._tickets._rng.seed(self._chance.random())
        self._desk: StpDesk = await self._stack.enter_async_context(
            self._stp.desk(contracts=[CONTRACT], limits=Limits(orders_per_second=1000))
        )
        self._bids = [bid for bid in await self._stp.bids.known() if bid.id is not None]

    async def _crash(self) -> None:
        self._stp._ledger.journal._abandon()
        await self._stack.aclose()
        await self._open()

    async def _step(self) -> None:
        chance = self._chance
        if chance.random() < 0.6:
            self._venue.faults.add(
                chance.choice(_LOST),  # type: ignore[arg-type]
                operation=chance.choice(("bid_save", "bid_update", "bid_cancel")),
                user=OWN,
            )
        await self._do(self._choose())
        self._venue.faults.clear()
        if chance.random() < 0.35:
            self._enter_elsewhere(COUNTERPARTY)
        if self.marks == "shared" and chance.random() < 0.5:
            self._enter_elsewhere(COLLEAGUE)
        if chance.random() < 0.12:
            self._step_the_clock()
        await asyncio.sleep(chance.choice((0.0, 0.0, 1.0, 7.0, 31.0, 70.0)))
        if chance.random() < 0.12:
            await self._crash()
            self._held_against_records()
        if chance.random() < 0.4:
            await self._look(everything=chance.random() < 0.3)

    def _step_the_clock(self) -> None:
        """Step our wall clock; the venue's goes on as before."""
        self._offset_s += self._chance.choice(_STEPS_S)
        self._venue.knobs.clock_offset_s = -self._offset_s

    def _choose(self) -> Callable[[], Awaitable[Outcome]]:
        chance, desk = self._chance, self._desk
        bid = chance.choice(self._bids) if self._bids and chance.random() < 0.6 else None
        if bid is not None and chance.random() < 0.5:
            return lambda: desk.cancel(bid)
        side: Side = chance.choice(("BUY", "SELL"))
        if bid is not None:
            side = bid.restated["direction"]
            price = chance.choice(_PRICES[side])
            return lambda: desk.modify(bid, price=price, quantity=chance.randint(1, 9))
        price, quantity = chance.choice(_PRICES[side]), chance.randint(1, 9)
        immediate = chance.random() < 0.1
        kind = "MATCH_AND_DESTROY_REST" if immediate else "STANDART_MATCH"
        enter = desk.buy if side == "BUY" else desk.sell
        return lambda: enter(CONTRACT, price=price, quantity=quantity, bid_type=kind)

    async def _do(self, call: Callable[[], Awaitable[Outcome]]) -> None:
        outcome = await call()
        if isinstance(outcome, Accepted) and outcome.order is not None:
            self._bids = [bid for bid in self._bids if bid.id != outcome.order.id]
            if outcome.intent.operation != "bid_cancel":
                self._bids.append(outcome.order)

    # the others

    def _enter_elsewhere(self, user: str) -> None:
        chance, market, now = self._chance, self._venue.market, self._venue.knobs.now()
        side: Side = chance.choice(("BUY", "SELL"))
        # A counterparty bids where we ask and asks where we bid.
        prices = _PRICES[side if user == COLLEAGUE else "BUY" if side == "SELL" else "SELL"]
        kurus = int(chance.choice(prices).replace(".", ""))
        market.advance(now)
        market.save_bid(
            market.users[user],
            market.contract(CONTRACT),
            side,
            kurus,
            chance.randint(1, 9),
            "STANDART_MATCH",
            "ACTIVE",
            now,
        )

    # the answers, held against the records

    async def _look(self, *, everything: bool) -> None:
        """Refresh, resolve and, with ``everything``, cancel all; what is answered with certainty must be so."""
        if self.marks == "cut":
            for _ in range(self._chance.randint(0, 3)):
                content = _ENVELOPE % self._chance.choice(_CUT)
                self._venue.faults.add("raw", operation="activecontracts_depth", content=content.encode())
            if self._chance.random() < 0.3:
                content = _ENVELOPE % self._chance.choice(("", ',"body":{}'))
                self._venue.faults.add("raw", operation="activecontracts_matchings", content=content.encode())
        with suppress(StpError):
            for closed in await self._desk.refresh():
                self.certain += 1
                bid = self._bid(closed)
                assert bid is None or not bid.is_open, f"closed, but it rests: {closed}"
        for outcome in self._stp.unknown():
            with suppress(StpError):
                self._hold(await self._desk.resolve(outcome), outcome)
        if everything and self._chance.random() < 0.5:
            theirs = self._resting(COLLEAGUE)
            for answer in await self._desk.cancel_all():
                if isinstance(answer, Accepted):
                    bid = self._bid(answer.order)
                    assert bid is not None
                    assert not bid.is_open
            assert self._resting(COLLEAGUE) == theirs, "another program's bid was cancelled"
            self._held_against_records(nothing_live=True)
            self._bids = []
        self._venue.faults.clear()
        self._held_against_records()

    def _hold(self, answer: Outcome, lost: Unknown) -> None:
        key, operation = lost.intent.key, lost.intent.operation
        executed = key in {call.transaction_id for call in self._venue.log.executed(operation)}
        what = f"{self.marks}, exclusive={self.exclusive}: {operation} {key}: {answer}"
        if isinstance(answer, Unknown):
            self.unknown += 1
            if answer.cause == "order_ended":
                bid = self._target(lost)
                assert bid is not None, what
                assert not bid.is_open, what
            return
        self.certain += 1
        if operation == "bid_cancel":
            bid = self._target(lost)
            assert bid is not None
            if isinstance(answer, Accepted):
                assert not bid.is_open, what
                assert bid.remaining > 0, what  # it was not filled
            elif answer.code == "filled":
                assert not bid.is_open, what
                assert bid.remaining == 0, what
            else:
                assert not executed, what
            return
        if isinstance(answer, Accepted):
            assert executed, what
        elif executed:  # of an immediate bid that met nobody nothing was ever at the venue to be seen
            bid = self._bid_of(key)
            assert bid is not None, what
            assert operation == "bid_save", what
            assert bid.type == "MATCH_AND_DESTROY_REST", what
            assert bid.remaining == bid.quantity, what

    def _held_against_records(self, *, nothing_live: bool = False) -> None:
        """Nothing of ours that rests is forgotten; after everything was cancelled nothing known to be live rests."""
        self._stp._ledger.journal.flush()
        rows = read(self._directory).rows
        for bid in self._resting(OWN):
            key = next(call.transaction_id for call in self._venue.log.executed("bid_save") if bid.id in call.bid_ids)
            row = rows[str(key)]
            assert row.state in LIVE | {"unknown", "sending"}, f"{row.state}, but it rests: {row}"
            assert not (nothing_live and row.state in LIVE and row.order_id), f"not cancelled: {row}"

    def _resting(self, user: str) -> list[Bid]:
        return [bid for bid in self._venue.market.bids.values() if bid.user.name == user and bid.is_open]

    def _bid_of(self, key: str) -> Bid | None:
        for call in self._venue.log.executed("bid_save"):
            if call.transaction_id == key:
                return self._venue.market.bids[call.bid_ids[0]]
        return None

    def _bid(self, order: OrderRef | None) -> Bid | None:
        if order is None:
            return None
        return self._bid_of(order.intent.key) if order.id is None else self._venue.market.bids.get(order.id)

    def _target(self, lost: Unknown) -> Bid | None:
        return self._venue.market.bids.get(str(lost.intent.restated.get("bid_id")))


async def play(seed: int, directory: Path) -> History:
    """Live the history of ``seed``."""
    history = History(seed, directory)
    await history.play()
    return history
