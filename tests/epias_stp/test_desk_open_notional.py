"""epias_stp/desk.py: what counts as open, through everything that can become of an order."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gridwire.epias_stp import EpiasStp, Limits
from gridwire.outcome import Accepted, Rejected, Unknown
from gridwire.sandbox import Sandbox
from tests.epias_stp.trading import CONTRACT, EXCLUSIVE, accepted, buy, refused, trading

# open notional


async def test_open_notional_follows_orders_changes_and_cancellations() -> None:
    async with trading(Limits(max_open_notional="1000000")) as t:
        desk = t.desk
        first = accepted(await buy(desk, price="1000.00", quantity=100))
        assert desk.open_notional == 100_000
        second = accepted(await buy(desk, price="500.00", quantity=100))
        assert desk.open_notional == 150_000
        second = accepted(await desk.modify(second, price="600.00", quantity=second.restated["quantity"]))
        assert desk.open_notional == 160_000
        refused(await desk.modify(second, price=second.restated["price"], quantity=1501), "max_open_notional")
        accepted(await desk.modify(second, price=second.restated["price"], quantity=1500))
        assert desk.open_notional == 1_000_000
        refused(await buy(desk, price="0.01", quantity=1), "max_open_notional")
        accepted(
            await desk.modify(second, price=second.restated["price"], quantity=10)
        )  # through a reference of the past
        assert desk.open_notional == 106_000
        accepted(await desk.cancel(first))
        assert desk.open_notional == 6_000


async def test_unknown_orders_count_until_evidence_closes_them() -> None:
    async with trading(Limits(max_open_notional="1000000")) as t:
        t.venue.faults.add("drop_before_execute", operation="bid_save")
        lost = await buy(t.desk, price="1000.00", quantity=900)
        assert isinstance(lost, Unknown)
        assert t.desk.open_notional == 900_000
        assert t.stp.unknown() == [lost]
        refused(await buy(t.desk, price="1000.00", quantity=101), "max_open_notional")
        assert isinstance(await t.desk.resolve(lost), Unknown)  # it could still arrive
        assert t.desk.open_notional == 900_000
        await asyncio.sleep(61)
        refused(await t.desk.resolve(lost), "absent", "venue")
        assert t.desk.open_notional == 0
        assert t.stp.unknown() == []
        accepted(await buy(t.desk, price="1000.00", quantity=101))


async def test_lost_order_found_live_goes_on_counting_and_one_found_filled_does_not() -> None:
    async with trading(Limits(max_open_notional="1000000000"), client=EXCLUSIVE) as t:
        t.venue.faults.add("drop_after_execute", operation="bid_save")
        live = await buy(t.desk, price="1000.00", quantity=10)
        assert isinstance(live, Unknown)
        accepted(await t.desk.resolve(live))
        assert t.desk.open_notional == 10_000
        async with EpiasStp(t.venue.account("TRADER2")) as other:
            assert isinstance(
                await other.bids.save(CONTRACT, direction="SELL", price="2000", quantity=7, bid_type="STANDART_MATCH"),
                Accepted,
            )
        t.venue.faults.add("drop_after_execute", operation="bid_save")
        filled = await t.desk.buy(CONTRACT, price="2000.00", quantity=7)
        assert isinstance(filled, Unknown)
        assert t.desk.open_notional == 24_000
        assert isinstance(await t.desk.resolve(filled), Accepted)
        assert t.desk.open_notional == 10_000


@pytest.mark.parametrize("executed", [False, True])
async def test_lost_change_counts_as_the_larger_of_both_until_it_is_settled(executed: bool, tmp_path: Path) -> None:
    limits = Limits(max_open_notional="1000000")
    async with Sandbox("epias_stp") as box:
        venue = box.venue("epias_stp")
        async with EpiasStp(box.epias_stp, journal=tmp_path) as stp, stp.desk(limits=limits) as desk:
            bid = accepted(await desk.buy(CONTRACT, price="1000.00", quantity=100))
            venue.faults.add("drop_after_execute" if executed else "drop_before_execute", operation="bid_update")
            lost = await desk.modify(bid, price="2000.00", quantity=300)
            assert isinstance(lost, Unknown)
            assert desk.open_notional == 600_000
            accepted(
                await desk.modify(bid, price="1500.00", quantity=bid.restated["quantity"])
            )  # settles nothing about the lost one
            assert desk.open_notional == 600_000
        async with EpiasStp(box.epias_stp, journal=tmp_path) as stp, stp.desk(limits=limits) as desk:
            assert desk.open_notional == 600_000  # opened again, it still may be


@pytest.mark.parametrize("executed", [False, True])
async def test_settled_change_counts_as_what_it_is(executed: bool) -> None:
    async with trading(Limits(max_open_notional="1000000"), client=EXCLUSIVE) as t:
        bid = accepted(await buy(t.desk, price="1000.00", quantity=100))
        t.venue.faults.add("drop_after_execute" if executed else "drop_before_execute", operation="bid_update")
        lost = await t.desk.modify(bid, price="2000.00", quantity=300)
        assert isinstance(lost, Unknown)
        await asyncio.sleep(61)
        settled = await t.desk.resolve(lost)
        if executed:
            assert accepted(settled).restated["price"] == Decimal("2000.00")
            assert t.desk.open_notional == 600_000
        else:
            refused(settled, "absent", "venue")
            assert t.desk.open_notional == 100_000


@pytest.mark.parametrize("executed", [False, True])
async def test_lost_cancellation_counts_until_it_is_settled(executed: bool) -> None:
    async with trading(Limits(max_open_notional="1000000"), client=EXCLUSIVE) as t:
        bid = accepted(await buy(t.desk, price="1000.00", quantity=100))
        t.venue.faults.add("drop_after_execute" if executed else "drop_before_execute", operation="bid_cancel")
        lost = await t.desk.cancel(bid)
        assert isinstance(lost, Unknown)
        assert t.desk.open_notional == 100_000
        await asyncio.sleep(61)
        settled = await t.desk.resolve(lost)
        assert isinstance(settled, Accepted if executed else Rejected)
        assert t.desk.open_notional == (0 if executed else 100_000)


async def test_refused_change_through_an_old_reference_leaves_the_count_at_what_rests() -> None:
    async with trading(Limits(max_open_notional="1000000")) as t:
        old = accepted(await buy(t.desk, price="1000.00", quantity=10))
        accepted(await t.desk.modify(old, price=old.restated["price"], quantity=500))
        t.venue.faults.add("result", operation="bid_update", result_type="BUSINESSERROR", result_code="X-1")
        assert isinstance(await t.desk.modify(old, price=old.restated["price"], quantity=20), Rejected)
        assert t.desk.open_notional == 500_000


async def test_orders_sent_while_something_is_resolved_are_counted() -> None:
    async with trading(Limits(max_open_notional="1000000", orders_per_second=100)) as t:
        t.venue.faults.add("drop_before_execute", operation="bid_save")
        lost = await buy(t.desk, price="1000.00", quantity=100)
        assert isinstance(lost, Unknown)
        await asyncio.sleep(61)
        resolving = asyncio.create_task(t.desk.resolve(lost))
        sent = []
        while not resolving.done():
            sent.append(await buy(t.desk, price="100.00", quantity=100))
            assert t.desk.open_notional >= 10_000 * sum(isinstance(one, Accepted) for one in sent)
        assert t.desk.open_notional == 10_000 * len(sent)


async def test_what_goes_past_the_desk_counts_as_well() -> None:
    async with trading(Limits(max_open_notional="1500")) as t:
        bids, desk = t.stp.bids, t.desk
        own: dict[str, Any] = {"direction": "BUY", "quantity": 10}
        first = accepted(await bids.save(CONTRACT, price="100.00", **own))
        assert desk.open_notional == 1000
        refused(await buy(desk, price="60.00"), "max_open_notional")
        first = accepted(await bids.update(first, price="50.00", quantity=10))
        assert desk.open_notional == 500
        t.venue.faults.add("drop_after_execute", operation="bid_update")
        assert isinstance(await bids.update(first, price="90.00", quantity=10), Unknown)
        assert desk.open_notional == 900
        t.venue.faults.add("result", operation="bid_save", result_type="BUSINESSERROR", result_code="X")
        assert isinstance(await bids.save(CONTRACT, price="1.00", **own), Rejected)
        assert desk.open_notional == 900
        accepted(await bids.cancel(first))
        assert desk.open_notional == 0
        t.venue.faults.add("drop_before_execute", operation="bid_save")
        assert isinstance(await bids.save(CONTRACT, price="10.00", **own), Unknown)
        assert desk.open_notional == 100
        accepted(await bids.save(CONTRACT, price="10.00", bid_type="MATCH_AND_DESTROY_REST", **own))
        assert desk.open_notional == 100


async def test_what_leaves_or_is_answered_while_a_desk_opens_is_counted_once() -> None:
    async with trading() as t:
        await t.desk.__aexit__(None, None, None)
        for pause_s in (0.0, 0.01, 0.02, 0.05):
            entering = asyncio.create_task(t.stp.bids.save(CONTRACT, direction="BUY", price="1.00", quantity=1))
            refusing = asyncio.create_task(t.stp.bids.save(CONTRACT, direction="BUY", price="99999.00", quantity=1))
            await asyncio.sleep(pause_s)
            await t.desk.__aenter__()
            accepted(await entering)
            assert isinstance(await refusing, Rejected)
            assert t.desk.open_notional == len(await t.stp.bids.known())
            await t.desk.__aexit__(None, None, None)
        await t.desk.__aenter__()


async def test_halt_is_the_desk_s() -> None:
    async with trading() as t:
        t.desk.halt("enough")
        refused(await buy(t.desk), "halted")
        accepted(await t.stp.bids.save(CONTRACT, direction="BUY", price="1.00", quantity=1))
