"""What the venue shows settles a call whose answer got lost; over the sandbox, on virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gridwire import clock
from gridwire.epias_stp import EpiasStp
from gridwire.errors import InvalidInput
from gridwire.intents.journal import Journal, read
from gridwire.intents.records import JournalError
from gridwire.outcome import Accepted, Rejected, Unknown
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp.records import User
from tests.epias_stp.resolving import CONTRACT, EXECUTED, NOT_EXECUTED, absent, still, trading


class TestNewBid:
    async def test_one_that_rests_is_live_without_an_id_and_says_how_to_cancel_it(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid()
            found = await t.desk.resolve(lost)
            assert isinstance(found, Accepted)
            assert found.order is not None
            assert found.order.id is None
            assert found.order.restated["price"] == Decimal("100.00")
            assert await t.states() == ["resolved_live"]
            assert t.stp.unknown() == []
            (known,) = await t.stp.bids.known()
            assert (known.id, known.intent.key) == (None, lost.intent.key)
            for call in (t.desk.cancel, t.stp.bids.cancel):
                with pytest.raises(InvalidInput, match=f"screen.*{lost.intent.key}"):
                    await call(found.order)
            (refused,) = await t.desk.cancel_all()
            assert isinstance(refused, Rejected)
            assert (refused.code, refused.origin) == ("no_id", "guard")
            assert t.desk.open_notional == 1000

    async def test_one_that_never_arrived_is_absent_after_a_minute_and_not_before(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid(NOT_EXECUTED)
            await asyncio.sleep(15.0)
            assert still(await t.desk.resolve(lost), "in 45 s")
            assert await t.states() == ["unknown"]
            assert t.stp.unknown() == [lost]
            await asyncio.sleep(44.9)
            assert still(await t.desk.resolve(lost), "look again in")
            assert t.desk.open_notional == 1000
            await asyncio.sleep(0.1)
            assert absent(await t.desk.resolve(lost))
            assert await t.states() == ["resolved_absent"]
            assert t.stp.unknown() == []
            assert t.desk.open_notional == 0
            assert absent(await t.desk.resolve(lost))  # settled, and told again as it was settled

    async def test_one_that_was_filled_is_done(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            t.other("SELL", 9990, 10)
            lost = await t.lost_bid()
            found = await t.desk.resolve(lost)
            assert isinstance(found, Accepted)
            assert await t.states() == ["resolved_done"]
            assert await t.stp.bids.known() == []

    async def test_one_that_was_filled_in_part_and_rests_is_live(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            t.other("SELL", 9990, 4)
            assert isinstance(await t.desk.resolve(await t.lost_bid()), Accepted)
            assert await t.states() == ["resolved_live"]

    async def test_a_sale_is_looked_for_on_its_own_side(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            await t.bid("100.00")
            lost = await t.lost(t.desk.sell(CONTRACT, price="200.00", quantity=1), "bid_save")
            assert isinstance(await t.desk.resolve(lost), Accepted)
            absent_one = await t.lost(t.desk.sell(CONTRACT, price="300.00", quantity=1), "bid_save", NOT_EXECUTED)
            await asyncio.sleep(60.0)
            assert absent(await t.desk.resolve(absent_one))

    @pytest.mark.parametrize("fault", [EXECUTED, NOT_EXECUTED])
    async def test_a_twin_leaves_it_unknown_for_ever_and_says_why(self, tmp_path: Path, fault: str) -> None:
        async with trading(tmp_path) as t:
            await t.bid()
            lost = await t.lost_bid(fault)
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "1 other own order(s) could be that one")
            assert sorted(await t.states()) == ["accepted", "unknown"]

    async def test_of_two_lost_twins_both_stay_unknown(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = [await t.lost_bid(EXECUTED), await t.lost_bid(NOT_EXECUTED)]
            await asyncio.sleep(61.0)
            for one in lost:
                assert still(await t.desk.resolve(one), "could be that one")

    async def test_a_twin_that_was_cancelled_before_is_none(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            await t.desk.cancel(await t.bid())
            await asyncio.sleep(31.0)
            assert isinstance(await t.desk.resolve(await t.lost_bid()), Accepted)

    async def test_a_passive_one_cannot_be_seen(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid(bid_status="PASSIVE")
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "passive")

    async def test_an_immediate_one_is_done_if_it_was_filled_and_absent_if_nothing_of_it_is_left(
        self, tmp_path: Path
    ) -> None:
        async with trading(tmp_path) as t:
            t.other("SELL", 9990, 3)
            filled = await t.lost_bid(bid_type="MATCH_AND_DESTROY_REST")
            assert isinstance(await t.desk.resolve(filled), Accepted)
            nothing = await t.lost_bid(NOT_EXECUTED, price="50.00", bid_type="MATCH_AND_DESTROY_REST")
            assert still(await t.desk.resolve(nothing), "look again in")
            await asyncio.sleep(60.0)
            assert absent(await t.desk.resolve(nothing))
            assert await t.states() == ["resolved_done", "resolved_absent"]

    async def test_another_bid_that_a_lost_change_may_have_moved_there_could_be_it(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            elsewhere = await t.bid("90.00")
            lost = await t.lost_bid(NOT_EXECUTED)
            await t.lost(
                t.desk.modify(elsewhere, price="100.00", quantity=elsewhere.restated["quantity"]), "bid_update"
            )
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "could be that one")

    async def test_another_bid_that_stood_there_meanwhile_could_have_been_matched(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid(NOT_EXECUTED)
            twin = await t.bid(quantity=20)
            t.other("SELL", 10000, 10)
            await t.desk.modify(twin, price="90.00", quantity=10)
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "also fit another own order")

    async def test_a_bid_entered_while_the_venue_is_looked_at_could_be_it(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid(NOT_EXECUTED)
            await asyncio.sleep(61.0)
            t.venue.knobs.latency_s = 0.5
            looking = asyncio.create_task(t.desk.resolve(lost))
            await asyncio.sleep(0.1)
            t.venue.knobs.latency_s = 0.0
            await t.bid()
            assert still(await looking, "could be that one")

    async def test_of_two_programs_one_settles_what_a_dead_one_left(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid()
            t.stp._ledger.journal.flush()
            t.stp._ledger.journal._abandon()
            async with (
                EpiasStp(t.venue.account(), journal=tmp_path, exclusive=True) as stp,
                stp.desk(contracts=[CONTRACT]) as desk,
            ):
                (left,) = stp.unknown()
                assert left.intent.key == lost.intent.key
                assert desk.open_notional == 1000
                found = await desk.resolve(left)
                assert isinstance(found, Accepted)
                assert stp.unknown() == []


OFFSETS = [0, -40, 40, -120, 120, -600, 600]


class TestClocks:
    """The venue's clock is not ours: ages are compared, and never moments."""

    @pytest.mark.parametrize("offset_s", OFFSETS)
    async def test_a_filled_one_is_done_wherever_the_venues_clock_stands(self, tmp_path: Path, offset_s: float) -> None:
        async with trading(tmp_path) as t:
            t.venue.knobs.clock_offset_s = offset_s
            t.other("SELL", 9990, 10, offset_s)
            lost = await t.lost_bid()
            for _ in range(2):  # at once, and when nothing could arrive any more
                twin = await t.desk.resolve(replace(lost))
                await asyncio.sleep(61.0)
                assert isinstance(twin, Accepted)
            assert await t.states() == ["resolved_done"]

    @pytest.mark.parametrize("offset_s", OFFSETS)
    async def test_an_older_trade_is_none_of_it_wherever_the_venues_clock_stands(
        self, tmp_path: Path, offset_s: float
    ) -> None:
        async with trading(tmp_path) as t:
            t.venue.knobs.clock_offset_s = offset_s
            t.other("SELL", 9990, 10, offset_s)
            await t.bid(bid_type="MATCH_AND_DESTROY_REST")
            await asyncio.sleep(45.0)
            lost = await t.lost_bid(NOT_EXECUTED)
            assert still(await t.desk.resolve(lost), "could still arrive")
            await asyncio.sleep(61.0)
            assert absent(await t.desk.resolve(lost))

    @pytest.mark.parametrize("fault", [EXECUTED, NOT_EXECUTED])
    @pytest.mark.parametrize("date", ["none", "absurd", "of another clock"])
    async def test_where_the_venues_time_is_not_known_a_trade_settles_nothing(
        self, tmp_path: Path, date: str, fault: str
    ) -> None:
        async with trading(tmp_path) as t:
            t.venue.knobs.sends_date = date != "none"
            if fault == NOT_EXECUTED:  # an older trade, then
                t.other("SELL", 9990, 10)
                await t.bid(bid_type="MATCH_AND_DESTROY_REST")
                await asyncio.sleep(45.0)
            else:
                t.other("SELL", 9990, 10)
            lost = await t.lost_bid(fault)
            await asyncio.sleep(61.0)
            t.venue.knobs.clock_offset_s = {"none": 0.0, "absurd": 7200.0, "of another clock": -600.0}[date]
            assert still(await t.desk.resolve(lost), "clocks are not known well enough")
            assert await t.states() == ["unknown"] if fault == EXECUTED else ["done", "unknown"]

    async def test_without_a_trade_that_fits_the_venues_time_is_not_needed(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            t.venue.knobs.sends_date = False
            live = await t.lost_bid(price="90.00")
            lost = await t.lost_bid(NOT_EXECUTED)
            await asyncio.sleep(61.0)
            assert isinstance(await t.desk.resolve(live), Accepted)
            assert absent(await t.desk.resolve(lost))

    @pytest.mark.parametrize("jump_s", [70.0, -70.0])
    async def test_a_jump_of_our_own_clock_makes_nothing_absent_too_early(self, tmp_path: Path, jump_s: float) -> None:
        async with trading(tmp_path) as t:
            t.venue.knobs.latency_s = 15.0
            lost = await t.desk.buy(CONTRACT, price="100.00", quantity=10)
            assert isinstance(lost, Unknown)
            t.venue.knobs.latency_s = 0.0
            source = clock._source
            with clock.use(lambda: source() + timedelta(seconds=jump_s)):
                assert still(await t.desk.resolve(lost), "could still arrive")
                await asyncio.sleep(61.0)
                assert isinstance(await t.desk.resolve(lost), Accepted)

    async def test_tickets_believed_to_die_young_make_nothing_absent_within_a_minute(self, tmp_path: Path) -> None:
        async with Sandbox("epias_stp") as box:
            account = replace(box.epias_stp, profile=replace(box.epias_stp.profile, st_ttl_s=10.0))
            venue = box.venue("epias_stp")
            async with (
                EpiasStp(account, journal=tmp_path, exclusive=True) as stp,
                stp.desk(contracts=[CONTRACT]) as desk,
            ):
                venue.knobs.latency_s = 40.0
                lost = await desk.buy(CONTRACT, price="100.00", quantity=10)
                assert isinstance(lost, Unknown)
                venue.knobs.latency_s = 0.0
                await asyncio.sleep(11.0)
                assert still(await desk.resolve(lost), "could still arrive")
                await asyncio.sleep(30.0)
                assert isinstance(await desk.resolve(lost), Accepted)


class TestRivals:
    """What else can have left a mark: whatever any account's journal knows to have been put there."""

    async def test_a_bid_entered_elsewhere_that_a_change_of_ours_moved_there(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            t.other("BUY", 9000, 10, user="TRADER1")
            (bid_id,) = t.venue.market.bids
            moved = await t.stp.bids.update(bid_id, price="100.00", quantity=10, bid_status="ACTIVE")
            assert isinstance(moved, Accepted)
            await asyncio.sleep(600.0)
            lost = await t.lost_bid(NOT_EXECUTED)
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "1 other own order(s) could be that one")
            assert isinstance(await t.stp.bids.cancel(bid_id), Accepted)
            await asyncio.sleep(61.0)
            lost = await t.lost_bid(EXECUTED, price="101.00")
            assert isinstance(await t.desk.resolve(lost), Accepted)  # and is none when it is gone

    async def test_a_bid_of_another_account_of_the_same_environment(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            users = t.venue.market.users
            users["TRADER3"] = User("TRADER3", users["TRADER1"].organisation, "participant")
            t.venue.cas.passwords["TRADER3"] = "x" * 20
            async with EpiasStp(t.venue.account("TRADER3"), journal=tmp_path) as colleague:
                await colleague.bids.save(CONTRACT, direction="BUY", price="100.00", quantity=10)
            lost = await t.lost_bid(NOT_EXECUTED)
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "1 other own order(s) could be that one")


class TestJournal:
    async def test_a_call_of_a_live_program_is_its_own_affair(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            await t.bid()
            t.stp._ledger.journal.flush()
            other = Journal.open(tmp_path)
            other.record("sending", "K", v="epias_stp", a="sandbox/TRADER1", o="bid_save", f={"contract": CONTRACT})
            bid = (await t.stp.bids.known())[0]
            asked = Unknown(replace(bid.intent, key="K"), "timeout", "")
            assert still(await t.desk.resolve(asked), "the process that sent it is alive")
            other._abandon()
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(asked), "without a price")  # looked for, now that its writer is dead
            assert sorted(await t.states()) == ["accepted", "unknown"]

    async def test_an_outcome_that_could_not_be_written_down_can_be_settled(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            journal = t.stp._ledger.journal
            write = journal._write

            def full(lines: bytes) -> None:
                if b'"sending"' not in lines:
                    raise JournalError("The disk is full.")
                write(lines)

            journal._write = full  # type: ignore[method-assign]
            lost = await t.lost_bid()
            with pytest.raises(JournalError, match="disk is full"):  # what was found cannot be written down either
                await t.desk.resolve(lost)
            assert await t.states() == ["unknown"]
            journal._write = write  # type: ignore[method-assign]
            assert isinstance(await t.desk.resolve(lost), Accepted)
            assert await t.states() == ["resolved_live"]

    async def test_two_that_settle_the_same_write_it_down_once(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid()
            found = await asyncio.gather(t.desk.resolve(lost), t.desk.resolve(lost))
            assert isinstance(found[0], Accepted)
            assert isinstance(found[1], Accepted)
            assert read(tmp_path).damaged == 0

    async def test_what_another_program_settles_during_the_look_is_settled_once(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid()
            t.venue.knobs.latency_s = 0.5
            looking = asyncio.create_task(t.desk.resolve(lost))
            await asyncio.sleep(0.1)
            other = await asyncio.to_thread(Journal.open, tmp_path)
            other.record("resolved_live", lost.intent.key)
            other.close()
            assert isinstance(await looking, Accepted)
            assert read(tmp_path).damaged == 0

    @pytest.mark.parametrize("wrong", [None, "K", Rejected("x", "x", "venue")])
    async def test_what_is_not_unknown_is_refused_in_a_sentence(self, tmp_path: Path, wrong: Any) -> None:
        async with trading(tmp_path) as t:
            with pytest.raises(InvalidInput, match=r"takes the Unknown that a call returned, not (None|a )"):
                await t.desk.resolve(wrong)

    async def test_what_is_not_in_this_journal_cannot_be_looked_for(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid()
            foreign = Unknown(replace(lost.intent, key="of another journal"), "timeout", "")
            assert still(await t.desk.resolve(foreign), "not in this journal")
