"""What the venue shows settles lost changes and cancellations; over the sandbox, on virtual time."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from gridwire.intents.journal import read
from gridwire.outcome import Accepted, Rejected
from tests.epias_stp.resolving import NOT_EXECUTED, absent, ended, still, trading


class TestCancellation:
    @pytest.mark.parametrize("before", [True, False])
    async def test_one_of_a_bid_that_was_filled_is_refused_as_filled(self, tmp_path: Path, before: bool) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            await asyncio.sleep(100.0)
            if before:
                t.other("SELL", 10000, 10)
                await asyncio.sleep(100.0)
            lost = await t.lost(t.desk.cancel(bid), "bid_cancel", NOT_EXECUTED)
            t.other("SELL", 10000, 10)
            found = await t.desk.resolve(lost)
            assert isinstance(found, Rejected)
            assert (found.code, found.origin, found.repeatable) == ("filled", "venue", False)
            assert "was filled" in found.reason
            assert await t.states() == ["closed", "resolved_absent"]
            assert t.desk.open_notional == 0

    async def test_of_one_of_a_bid_that_was_filled_in_part_only_the_end_of_the_bid_is_certain(
        self, tmp_path: Path
    ) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            t.other("SELL", 10000, 4)
            lost = await t.lost(t.desk.cancel(bid), "bid_cancel")
            assert ended(await t.desk.resolve(lost), "what of it was cancelled is not seen")
            assert await t.states() == ["closed", "resolved_ended"]
            assert t.stp.unknown() == []
            assert await t.stp.bids.known() == []
            assert t.desk.open_notional == 0

    async def test_what_was_lost_before_it_is_settled_with_it(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            await t.lost(t.desk.modify(bid, price="101.00", quantity=10), "bid_update", NOT_EXECUTED)
            cancels = [await t.lost(t.desk.cancel(bid), "bid_cancel") for _ in range(2)]
            await asyncio.sleep(61.0)
            assert isinstance(await t.desk.resolve(cancels[0]), Accepted)
            assert t.stp.unknown() == []
            assert await t.states() == ["closed", "resolved_ended", "resolved_done", "resolved_done"]
            assert t.desk.open_notional == 0

    async def test_what_was_lost_before_a_filling_is_settled_with_it_and_acted_or_not(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            other = await t.bid("90.00")
            lost = [await t.lost(t.desk.cancel(bid), "bid_cancel", NOT_EXECUTED) for _ in range(2)]
            t.other("SELL", 10000, 10)
            kept = await t.lost(t.desk.cancel(other), "bid_cancel", NOT_EXECUTED)
            found = await t.desk.resolve(lost[0])
            assert isinstance(found, Rejected)
            assert found.code == "filled"
            assert t.stp.unknown() == [kept]
            assert await t.states() == ["closed", "accepted", "resolved_absent", "resolved_ended", "unknown"]
            assert ended(await t.desk.resolve(lost[1]), "the bid has ended")

    async def test_without_the_venues_time_a_trade_leaves_only_the_end_of_the_bid_certain(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            t.other("SELL", 10000, 10)
            lost = await t.lost(t.desk.cancel(bid), "bid_cancel", NOT_EXECUTED)
            t.venue.knobs.sends_date = False
            assert ended(await t.desk.resolve(lost), "clocks are not known well enough")

    async def test_one_of_a_bid_that_another_cancellation_ended_is_settled_without_damage(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            lost = await t.lost(t.desk.cancel(bid), "bid_cancel", NOT_EXECUTED)
            assert isinstance(await t.desk.cancel(bid), Accepted)
            assert isinstance(await t.desk.resolve(lost), Accepted)
            assert sorted(await t.states()) == ["closed", "done", "resolved_done"]
            assert read(tmp_path).damaged == 0

    async def test_one_that_acted_closes_the_bid(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            lost = await t.lost(t.desk.cancel(bid), "bid_cancel")
            assert t.desk.open_notional == 1000
            found = await t.desk.resolve(lost)
            assert isinstance(found, Accepted)
            assert found.order is not None
            assert (found.order.id, found.order.intent.key) == (bid.id, bid.intent.key)
            assert await t.states() == ["closed", "resolved_done"]
            assert await t.stp.bids.known() == []
            assert t.desk.open_notional == 0

    async def test_one_that_never_arrived_is_absent_after_a_minute_and_the_bid_stays(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            lost = await t.lost(t.desk.cancel(bid), "bid_cancel", NOT_EXECUTED)
            await asyncio.sleep(20.0)
            assert still(await t.desk.resolve(lost), "in 40 s")
            await asyncio.sleep(40.0)
            assert absent(await t.desk.resolve(lost))
            assert await t.states() == ["accepted", "resolved_absent"]
            assert [one.id for one in await t.stp.bids.known()] == [bid.id]
            assert isinstance(await t.desk.cancel(bid), Accepted)

    async def test_over_the_model_path_and_by_bare_id_it_is_the_same(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            assert bid.id is not None
            lost = await t.lost(t.stp.bids.cancel(bid.id), "bid_cancel")
            assert isinstance(await t.desk.resolve(lost), Accepted)
            assert await t.states() == ["closed", "resolved_done"]

    async def test_of_a_bid_entered_elsewhere_nothing_can_be_looked_for(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost(t.stp.bids.cancel("1234567"), "bid_cancel", NOT_EXECUTED)
            assert still(await t.desk.resolve(lost), "which bid it was about is not in the journal")

    async def test_a_twin_leaves_it_unknown(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid, _ = await t.bid(), await t.bid()
            lost = await t.lost(t.desk.cancel(bid), "bid_cancel")
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "another own order could be that one")

    async def test_of_a_bid_that_a_lost_change_may_have_moved_it_waits_for_that_change(self, tmp_path: Path) -> None:
        # Seen from the journal the bid rests at 100, where nothing is to be seen: it rests at 110.
        async with trading(tmp_path) as t:
            bid = await t.bid()
            change = await t.lost(t.desk.modify(bid, price="110.00", quantity=bid.restated["quantity"]), "bid_update")
            cancel = await t.lost(t.desk.cancel(bid), "bid_cancel", NOT_EXECUTED)
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(cancel), "a change of the order is unknown too")
            assert isinstance(await t.desk.resolve(change), Accepted)
            assert absent(await t.desk.resolve(cancel))
            assert await t.states() == ["accepted", "resolved_done", "resolved_absent"]

    async def test_of_a_bid_that_a_lost_change_may_have_hidden_it_stays_unknown(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            await t.lost(t.desk.deactivate(bid, quantity=bid.restated["quantity"]), "bid_update")
            cancel = await t.lost(t.desk.cancel(bid), "bid_cancel", NOT_EXECUTED)
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(cancel), "a change of the order is unknown too")

    async def test_of_a_bid_seen_nowhere_it_acted_whatever_became_of_a_lost_change(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            await t.lost(t.desk.modify(bid, price="110.00", quantity=bid.restated["quantity"]), "bid_update")
            cancel = await t.lost(t.desk.cancel(bid), "bid_cancel")
            assert isinstance(await t.desk.resolve(cancel), Accepted)
            assert await t.states() == ["closed", "resolved_ended", "resolved_done"]


class TestChange:
    async def test_one_that_acted_restates_the_bid(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            lost = await t.lost(t.desk.modify(bid, price="110.00", quantity=5), "bid_update")
            found = await t.desk.resolve(lost)
            assert isinstance(found, Accepted)
            assert found.order is not None
            assert (found.order.id, found.order.restated["price"]) == (bid.id, Decimal("110.00"))
            assert await t.states() == ["accepted", "resolved_done"]
            (known,) = await t.stp.bids.known()
            assert (known.restated["price"], known.restated["quantity"]) == (Decimal("110.00"), 5)
            assert t.desk.open_notional == 550

    async def test_one_that_never_arrived_is_absent_after_a_minute(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            lost = await t.lost(
                t.desk.modify(bid, price="110.00", quantity=bid.restated["quantity"]), "bid_update", NOT_EXECUTED
            )
            assert still(await t.desk.resolve(lost), "in 60 s")
            await asyncio.sleep(60.0)
            assert absent(await t.desk.resolve(lost))
            (known,) = await t.stp.bids.known()
            assert known.restated["price"] == Decimal("100.00")
            assert t.desk.open_notional == 1000

    async def test_one_of_the_quantity_alone_cannot_be_seen(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            lost = await t.lost(t.desk.modify(bid, price=bid.restated["price"], quantity=5), "bid_update")
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "only a change of the price")

    async def test_one_that_another_call_has_followed_cannot_be_seen_any_more(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            lost = await t.lost(t.desk.modify(bid, price="110.00", quantity=bid.restated["quantity"]), "bid_update")
            again = (await t.desk.modify(bid, price="120.00", quantity=bid.restated["quantity"])).accepted()
            assert again is not None
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "changed or ended by another call")
            assert t.stp.unknown() == [lost]
            await t.desk.cancel(again)
            assert t.stp.unknown() == []
            assert ended(await t.desk.resolve(lost), "the bid was cancelled")

    async def test_a_refused_one_after_it_is_no_change(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            lost = await t.lost(t.desk.modify(bid, price="110.00", quantity=bid.restated["quantity"]), "bid_update")
            assert isinstance(await t.desk.modify(bid, price="99999.00", quantity=bid.restated["quantity"]), Rejected)
            assert isinstance(await t.desk.resolve(lost), Accepted)
