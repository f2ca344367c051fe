"""What could be somebody else's proves nothing of a call of ours, unless the client was declared exclusive."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gridwire.epias_stp import EpiasStp
from gridwire.intents.journal import read
from gridwire.outcome import Accepted, Rejected
from gridwire.sandbox import Sandbox
from tests.epias_stp.resolving import CONTRACT, NOT_EXECUTED, Trading, absent, ended, still, trading
from tests.epias_stp.trading import CONTRACT as OTHER
from tests.epias_stp.trading import EXCLUSIVE
from tests.epias_stp.trading import trading as client_and_desk


@pytest.mark.parametrize("quantity", [10, 3])
@pytest.mark.parametrize("before", [True, False])
async def test_another_machines_bid_at_the_same_price_is_not_ours(tmp_path: Path, before: bool, quantity: int) -> None:
    async with trading(tmp_path / "a", exclusive=False) as t, AsyncExitStack() as stack:
        other = await stack.enter_async_context(EpiasStp(t.venue.account(), journal=tmp_path / "b"))
        desk = await stack.enter_async_context(other.desk(contracts=[CONTRACT]))
        if before:
            await desk.buy(CONTRACT, price="100.00", quantity=quantity)
        lost = await t.lost_bid(NOT_EXECUTED)
        if not before:
            await desk.buy(CONTRACT, price="100.00", quantity=quantity)
        await asyncio.sleep(61.0)
        found = await t.desk.resolve(lost)
        assert still(found, "only 3 rest there" if quantity == 3 else "another machine's, program's or person's")
        assert t.stp.unknown() == [lost]
        assert isinstance((await desk.cancel_all())[0], Accepted)
        assert absent(await t.desk.resolve(lost))  # without the mark it is certain


async def test_an_own_trade_could_be_another_machines(tmp_path: Path) -> None:
    async with trading(tmp_path, exclusive=False) as t:
        lost = await t.lost_bid(NOT_EXECUTED)
        market = t.venue.market
        t.venue.market.users["COLLEAGUE"] = market.users["TRADER1"]
        t.other("BUY", 10000, 10, user="COLLEAGUE")
        t.other("SELL", 10000, 10)
        await asyncio.sleep(61.0)
        assert still(await t.desk.resolve(lost), "they could be another machine's")


async def test_of_a_lost_cancellation_only_the_end_of_the_bid_is_certain_where_trades_could_be_others(
    tmp_path: Path,
) -> None:
    async with trading(tmp_path, exclusive=False) as t:
        bid = await t.bid()
        t.other("SELL", 10000, 10)
        lost = await t.lost(t.desk.cancel(bid), "bid_cancel", NOT_EXECUTED)
        assert ended(await t.desk.resolve(lost), "own trades of 10 could be its")
        assert await t.states() == ["closed", "resolved_ended"]


async def test_a_mark_that_could_be_anothers_does_not_prove_that_a_cancellation_never_arrived(tmp_path: Path) -> None:
    async with trading(tmp_path, exclusive=False) as t:
        bid = await t.bid()
        lost = await t.lost(t.desk.cancel(bid), "bid_cancel")
        elsewhere(t, "100.00")
        await asyncio.sleep(61.0)
        assert still(await t.desk.resolve(lost), "another machine's")


async def test_a_mark_at_the_new_price_does_not_prove_a_change(tmp_path: Path) -> None:
    async with trading(tmp_path, exclusive=False) as t:
        bid = await t.bid()
        lost = await t.lost(t.desk.modify(bid, price="99.00", quantity=10), "bid_update", NOT_EXECUTED)
        elsewhere(t, "99.00")
        assert still(await t.desk.resolve(lost), "own orders rest at both prices")
        await t.desk.cancel(bid)
        assert ended(await t.desk.resolve(lost), "the bid was cancelled")


def elsewhere(t: Trading, price: str, quantity: int = 10) -> None:
    """A bid of our organisation that another machine entered."""
    t.venue.market.users["COLLEAGUE"] = t.venue.market.users["TRADER1"]
    t.other("BUY", int(price.replace(".", "")), quantity, user="COLLEAGUE")


class TestExclusive:
    async def test_the_declaration_is_in_the_journal(self, tmp_path: Path) -> None:
        for declared in (False, True):
            async with trading(tmp_path / str(declared), exclusive=declared) as t:
                await t.bid()
                await t.stp.bids.save(CONTRACT, direction="BUY", price="90.00", quantity=1)
                t.stp._ledger.journal.flush()
                assert [row.exclusive for row in read(tmp_path / str(declared)).rows.values()] == [declared, declared]

    async def test_both_the_call_and_the_look_need_it(self, tmp_path: Path) -> None:
        async with trading(tmp_path, exclusive=False) as t:
            lost = await t.lost_bid()
            await asyncio.sleep(1.0)
            async with (
                EpiasStp(t.venue.account(), journal=tmp_path, exclusive=True) as stp,
                stp.desk(contracts=[CONTRACT]) as desk,
            ):
                assert still(await desk.resolve(lost), "could be that one")

    async def test_a_bid_that_rested_before_the_desk_opened_is_not_taken_for_ours(self, tmp_path: Path) -> None:
        async with Sandbox("epias_stp") as box:
            events: list[str] = []
            venue = box.venue("epias_stp")
            async with EpiasStp(box.epias_stp, journal=tmp_path / "b") as other:
                await other.bids.save(CONTRACT, direction="BUY", price="100.00", quantity=10)
                for _ in range(2):  # a restart does not forget it either
                    async with (
                        EpiasStp(
                            box.epias_stp,
                            journal=tmp_path / "a",
                            exclusive=True,
                            on_event=lambda event: events.append(event.name),
                        ) as stp,
                        stp.desk(contracts=[CONTRACT]) as desk,
                    ):
                        if not stp.unknown():
                            assert "desk.foreign_bids" in events
                            venue.faults.add("drop_before_execute", operation="bid_save")
                            await desk.buy(CONTRACT, price="100.00", quantity=10)
                        (lost,) = stp.unknown()
                        await asyncio.sleep(61.0)
                        assert still(await desk.resolve(lost), "an own order rests at 100.00")

    async def test_a_bid_that_nothing_here_explains_contradicts_it(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            told: list[str] = []
            t.stp._events._listener = lambda event: told.append(event.name)
            lost = await t.lost_bid()
            elsewhere(t, "95.00")
            for _ in range(2):
                assert still(await t.desk.resolve(lost), "another machine's")
            assert told.count("exclusive.contradicted") == 1

    async def test_an_amount_that_is_too_small_denies_it_even_then(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid(NOT_EXECUTED)
            elsewhere(t, "100.00", 3)
            assert still(await t.desk.resolve(lost), "only 3 rest there, and 10 would be left of it")

    async def test_a_part_that_was_filled_is_taken_off_the_amount(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid()
            t.other("SELL", 10000, 7)
            assert isinstance(await t.desk.resolve(lost), Accepted)


class TestScope:
    """cancel_all() of a desk that names contracts keeps to them."""

    async def test_the_desks_own_contracts_unless_told_otherwise(self) -> None:
        async with client_and_desk(contracts=[CONTRACT], client=EXCLUSIVE) as t:
            await t.desk.buy(CONTRACT, price="100.00", quantity=1)
            await t.stp.bids.save(OTHER, direction="BUY", price="101.00", quantity=1)
            (cancelled,) = await t.desk.cancel_all()
            assert isinstance(cancelled, Accepted)
            assert str(cancelled.intent.restated["price"]) == "100.00"
            (rest,) = await t.stp.bids.known()
            assert rest.restated["contract"] == OTHER
            assert [type(one) for one in await t.desk.cancel_all(contract=OTHER)] == [Accepted]
            assert await t.stp.bids.known() == []

    async def test_everything_and_references(self) -> None:
        async with client_and_desk(contracts=[CONTRACT]) as t:
            await t.desk.buy(CONTRACT, price="100.00", quantity=1, client_ref="quote-1")
            await t.desk.buy(CONTRACT, price="99.00", quantity=1, client_ref="hedge-1")
            await t.desk.buy(CONTRACT, price="98.00", quantity=1)
            await t.stp.bids.save(OTHER, direction="BUY", price="101.00", quantity=1, client_ref="quote-2")
            assert len(await t.desk.cancel_all(ref_prefix="quote-")) == 1
            assert len(await t.desk.cancel_all(ref_prefix="quote-", everything=True)) == 1
            assert len(await t.desk.cancel_all(everything=True)) == 2
            assert await t.stp.bids.known() == []

    async def test_a_desk_for_any_contract_takes_the_account(self) -> None:
        async with client_and_desk(contracts=None) as t:
            for contract in (CONTRACT, OTHER):
                await t.desk.buy(contract, price="100.00", quantity=1)
            assert len(await t.desk.cancel_all()) == 2

    async def test_unknown_ones_of_other_contracts_are_not_named(self) -> None:
        async with client_and_desk(contracts=[CONTRACT]) as t:
            t.venue.faults.add("drop_after_execute", operation="bid_save")
            await t.stp.bids.save(OTHER, direction="BUY", price="101.00", quantity=1)
            assert await t.desk.cancel_all() == []
            assert len(await t.desk.cancel_all(everything=True)) == 1

    async def test_another_programs_desk_learns_of_it_at_its_next_refresh(self, tmp_path: Path) -> None:
        async with trading(tmp_path, exclusive=False) as t:
            bid = await t.bid()
            await asyncio.sleep(1.0)
            async with EpiasStp(t.venue.account(), journal=tmp_path) as stp, stp.desk(contracts=[CONTRACT]) as desk:
                await desk.buy(CONTRACT, price="90.00", quantity=1)
                assert len(await desk.cancel_all(ref_prefix="none-")) == 0
                (first, second) = await desk.cancel_all()
                assert not isinstance(first, Rejected)
                assert not isinstance(second, Rejected)
                await desk.buy(CONTRACT, price="80.00", quantity=1)
                assert t.desk.open_notional == 1000
                assert [one.id for one in await t.desk.refresh()] == [bid.id]
                assert t.desk.open_notional == 80
