"""Bids are closed when STP shows that they certainly rest no more, and not before; over the sandbox, on virtual time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gridwire import clock
from gridwire.epias_stp import EpiasStp, Limits
from gridwire.epias_stp.errors import StpBusinessError
from gridwire.intents.journal import read
from gridwire.outcome import Accepted, Rejected
from tests.epias_stp.resolving import CONTRACT, Trading, trading
from tests.epias_stp.trading import CONTRACT as OTHER
from tests.epias_stp.trading import trading as client_and_desk


async def refreshed(t: Trading, wait_s: float = 10.0) -> list[str | None]:
    """Prices of the bids that refresh() closed."""
    await asyncio.sleep(wait_s)
    return [str(bid.restated["price"]) for bid in await t.desk.refresh()]


async def known(t: Trading) -> list[str]:
    return [str(bid.restated["price"]) for bid in await t.stp.bids.known()]


async def test_a_filled_bid_is_closed_and_counts_no_more(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        await t.bid("100.00")
        await t.bid("90.00")
        t.other("SELL", 10000, 10)
        assert await refreshed(t) == ["100.00"]
        assert await known(t) == ["90.00"]
        assert t.desk.open_notional == 900
        assert sorted(await t.states()) == ["accepted", "closed"]
        assert await refreshed(t) == []


async def test_a_bid_that_was_filled_in_part_rests(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        await t.bid()
        t.other("SELL", 10000, 9)
        assert await refreshed(t) == []
        assert await known(t) == ["100.00"]


async def test_a_bid_is_not_judged_in_its_first_seconds(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        t.other("SELL", 10000, 10)
        await t.bid()
        assert await refreshed(t, 4.0) == []
        assert await refreshed(t, 4.0) == ["100.00"]


async def test_opening_a_desk_looks_before_it_counts(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        for _ in range(6):
            t.other("SELL", 10000, 10)
            await t.bid()
        await t.bid("50.00")
        await asyncio.sleep(10.0)
        limits = Limits(max_open_notional="1500")
        async with EpiasStp(t.venue.account(), journal=tmp_path) as stp, stp.desk(limits=limits) as desk:
            assert desk.open_notional == 500
            assert isinstance(await desk.buy(CONTRACT, price="100.00", quantity=10), Accepted)


async def test_a_desk_opens_although_nothing_can_be_looked_at(tmp_path: Path) -> None:
    async with client_and_desk(journal=tmp_path) as t:
        t.venue.faults.add("silence_before_execute", operation="activecontracts_depth", times=None)
        assert isinstance(await t.desk.buy(CONTRACT, price="100.00", quantity=10), Accepted)
        await t.desk.__aexit__(None, None, None)
        before = asyncio.get_running_loop().time()
        await t.desk.__aenter__()
        assert asyncio.get_running_loop().time() - before < 12.0
        assert "desk.not_refreshed" in t.codes()
        assert t.desk.open_notional == 1000


async def test_several_bids_at_one_price_are_closed_only_when_no_own_mark_is_there(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        await t.bid()
        await t.bid()
        t.other("SELL", 10000, 10)
        assert await refreshed(t) == []  # which of the two was filled is not seen
        t.other("SELL", 10000, 10)
        assert await refreshed(t) == ["100.00", "100.00"]


async def test_an_unknown_bid_is_never_closed_and_keeps_the_one_beside_it(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        lost = await t.lost_bid()
        await t.bid("99.00")
        assert await refreshed(t) == []
        t.other("SELL", 9900, 20)
        assert await refreshed(t) == ["99.00"]
        assert (await t.states())[0] == "unknown"
        assert t.stp.unknown() == [lost]


async def test_a_bid_found_live_without_an_id_is_closed_as_well(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        assert isinstance(await t.desk.resolve(await t.lost_bid()), Accepted)
        assert await refreshed(t) == []
        t.other("SELL", 10000, 10)
        assert await refreshed(t) == ["100.00"]


async def test_a_passive_bid_is_closed_only_with_its_contract(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        await t.bid(bid_status="PASSIVE")
        assert await refreshed(t) == []
        market = t.venue.market
        market.move_gate(market.contract(CONTRACT).gate, None, clock.now() + timedelta(minutes=1), clock.now())
        assert await refreshed(t, 30.0) == []
        assert await refreshed(t, 31.0) == ["100.00"]
        assert "is closed" in read(tmp_path).rows[next(iter(read(tmp_path).rows))].note


async def test_a_bid_that_a_lost_change_may_have_hidden_or_moved_is_kept_while_it_may_stand(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        bid = await t.bid()
        await t.lost(t.desk.modify(bid, price="110.00", quantity=10), "bid_update")
        assert await refreshed(t) == []  # it stands at 110
        other = await t.bid("80.00")
        await t.lost(t.desk.deactivate(other, quantity=10), "bid_update")
        assert await refreshed(t) == []
        t.other("SELL", 11000, 10)
        assert await refreshed(t) == ["100.00"]  # seen at neither price; the other one may be hidden
        assert sorted(await t.states()) == ["accepted", "closed", "resolved_ended", "unknown"]


@pytest.mark.parametrize("offset_s", [0.0, -600.0, 600.0])
async def test_a_bid_expires_by_the_venues_clock(tmp_path: Path, offset_s: float) -> None:
    async with trading(tmp_path) as t:
        t.venue.knobs.clock_offset_s = offset_s
        expires: datetime = clock.now() + timedelta(seconds=offset_s + 60)
        await t.bid(bid_type="MATCH_WITH_TIME_LIMIT", expire_time=expires)
        await t.bid()  # an own mark at the same price
        assert await refreshed(t, 50.0) == []
        assert await refreshed(t, 20.0) == ["100.00"]
        assert sorted(await t.states()) == ["accepted", "closed"]
        assert "expired" in next(row.note for row in read(tmp_path).rows.values() if row.state == "closed")


async def test_without_the_venues_time_nothing_has_expired(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        t.venue.knobs.sends_date = False
        await t.bid(bid_type="MATCH_WITH_TIME_LIMIT", expire_time=clock.now() + timedelta(seconds=60))
        await t.bid()
        assert await refreshed(t, 100.0) == []


async def test_where_an_own_mark_is_unexplained_only_a_fill_closes(tmp_path: Path) -> None:
    """Somebody may have moved the bid on the STP screen."""
    async with trading(tmp_path) as t:
        bid = await t.bid()
        await t.bid("95.00")
        market = t.venue.market
        assert bid.id is not None
        market.update_bid(market.users["TRADER1"], bid.id, 9000, 10, "ACTIVE", clock.now())
        assert await refreshed(t) == []
        t.other("SELL", 9500, 10)
        assert await refreshed(t) == []  # own trades of 10 fit both, and can have filled one alone
        t.other("SELL", 9000, 10)
        assert await refreshed(t) == ["100.00", "95.00"]


async def test_a_bid_that_is_changed_during_the_look_is_left_alone(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        bid = await t.bid()
        await asyncio.sleep(10.0)
        t.venue.knobs.latency_s = 0.5
        looking = asyncio.create_task(t.desk.refresh())
        await asyncio.sleep(0.1)
        assert bid.id is not None
        t.venue.knobs.latency_s = 0.0
        assert isinstance(await t.desk.modify(bid, price="90.00", quantity=10), Accepted)
        assert await looking == []


async def test_a_refusal_of_a_cancellation_closes_nothing(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        bid = await t.bid()
        t.other("SELL", 10000, 10)
        assert isinstance(await t.desk.cancel(bid), Rejected)
        assert await known(t) == ["100.00"]
        assert await refreshed(t) == ["100.00"]


async def test_bids_of_other_accounts_are_theirs_to_close(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        async with EpiasStp(t.venue.account("TRADER2"), journal=tmp_path) as other:
            await other.bids.save(CONTRACT, direction="SELL", price="300.00", quantity=1)
            t.other("BUY", 30000, 1)
            assert await refreshed(t) == []
        assert await t.states() == []


async def test_a_lost_bid_is_settled_once_the_filled_rival_is_closed(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        await t.bid()
        t.other("SELL", 10000, 10)
        assert await refreshed(t) == ["100.00"]
        await asyncio.sleep(60.0)
        lost = await t.lost_bid()
        assert isinstance(await t.desk.resolve(lost), Accepted)


async def test_a_contract_that_is_not_shown_is_raised_after_the_others_were_looked_at(tmp_path: Path) -> None:
    async with client_and_desk(journal=tmp_path) as t:
        market = t.venue.market
        for name in (CONTRACT, OTHER):
            market.save_bid(
                market.users["TRADER2"],
                market.contract(name),
                "SELL",
                10000,
                10,
                "STANDART_MATCH",
                "ACTIVE",
                clock.now(),
            )
            assert isinstance(await t.desk.buy(name, price="100.00", quantity=10), Accepted)
        await asyncio.sleep(10.0)
        t.venue.faults.add("result", operation="activecontracts_depth", result_type="BUSINESSERROR", result_code="X")
        with pytest.raises(StpBusinessError):
            await t.desk.refresh()
        assert t.desk.open_notional == 1000
        assert len(await t.desk.refresh()) == 1
        assert t.desk.open_notional == 0
