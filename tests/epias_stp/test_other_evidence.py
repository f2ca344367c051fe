"""Evidence of another call, of another contract, or that allows another explanation settles nothing and closes nothing."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gridwire import clock
from gridwire.epias_stp import EpiasStp
from gridwire.epias_stp.errors import StpProtocolError
from gridwire.outcome import Accepted, Unknown
from gridwire.sandbox import Sandbox
from tests.epias_stp.resolving import CONTRACT, NOT_EXECUTED, Trading, absent, still, trading

ENVELOPE: dict[str, Any] = {"resultCode": "0", "resultDescription": "OK", "resultType": "SUCCESS"}
ANOTHER = "11111111-1111-4111-8111-111111111111"
NOBODY: dict[str, Any] = {"contractBuyDepths": [], "contractSellDepths": []}


def says(t: Trading, operation: str, body: dict[str, Any], **more: Any) -> None:
    content = json.dumps({**ENVELOPE, **more, "body": body}).encode()
    t.venue.faults.add("raw", operation=operation, content=content)


def elsewhere(t: Trading, kurus: int, quantity: int = 10) -> None:
    """What a person does on the STP screen: a bid of ours now rests there."""
    t.venue.market.users["COLLEAGUE"] = t.venue.market.users["TRADER1"]
    t.other("BUY", kurus, quantity, user="COLLEAGUE")


@pytest.mark.parametrize("exclusive", [True, False])
class TestMovedByHand:
    async def test_a_lost_bid_is_not_absent_while_an_own_mark_stands_that_nothing_explains(
        self, tmp_path: Path, exclusive: bool
    ) -> None:
        async with trading(tmp_path, exclusive=exclusive) as t:
            lost = await t.lost_bid(NOT_EXECUTED)
            elsewhere(t, 9000)
            await asyncio.sleep(61.0)
            assert still(await t.desk.resolve(lost), "moved there by hand")

    async def test_a_lost_cancellation_is_not_said_to_have_acted(self, tmp_path: Path, exclusive: bool) -> None:
        async with trading(tmp_path, exclusive=exclusive) as t:
            bid = await t.bid()
            lost = await t.lost(t.desk.cancel(bid), "bid_cancel")
            elsewhere(t, 9000)
            assert still(await t.desk.resolve(lost), "moved there by hand")
            assert [one.id for one in await t.stp.bids.known()] == [bid.id]


async def test_a_bid_may_have_been_moved_onto_the_level_of_another_one(tmp_path: Path) -> None:
    async with trading(tmp_path, exclusive=False) as t:
        bid, other = await t.bid("100.00"), await t.bid("101.00")
        t.venue.market.cancel_bid(t.venue.market.users["TRADER1"], str(bid.id))
        elsewhere(t, 10100)
        await asyncio.sleep(10.0)
        assert await t.desk.refresh() == []
        assert [one.id for one in await t.stp.bids.known()] == [bid.id, other.id]


async def test_where_nobody_moves_bids_the_rest_of_a_level_is_other_participants(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        bid, _ = await t.bid("100.00"), await t.bid("101.00")
        t.other("BUY", 10100, 50)
        t.venue.market.cancel_bid(t.venue.market.users["TRADER1"], str(bid.id))
        await asyncio.sleep(10.0)
        assert [one.id for one in await t.desk.refresh()] == [bid.id]


class TestOtherAnswers:
    async def test_a_book_that_names_another_call_closes_and_settles_nothing(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            await t.bid()
            lost = await t.lost_bid(NOT_EXECUTED, price="99.00")
            await asyncio.sleep(61.0)
            says(t, "activecontracts_depth", NOBODY, transactionId=ANOTHER)
            with pytest.raises(StpProtocolError, match=r"not ours\. Nothing is concluded from it"):
                await t.desk.refresh()
            says(t, "activecontracts_depth", NOBODY, transactionId=ANOTHER)
            assert still(await t.desk.resolve(lost), "not ours. Nothing is concluded from it")
            says(t, "activecontracts_matchings", {"matchings": []}, transactionId=ANOTHER)
            assert still(await t.desk.resolve(lost), "not ours. Nothing is concluded from it")
            assert absent(await t.desk.resolve(lost))

    async def test_an_answer_that_cannot_be_read_is_still_an_error(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid(NOT_EXECUTED)
            t.venue.faults.add("raw", operation="activecontracts_depth", content=b"[]", times=None)
            with pytest.raises(StpProtocolError, match="cannot be read"):
                await t.desk.resolve(lost)

    async def test_matches_of_another_contract_are_not_the_list_that_was_asked_for(self, tmp_path: Path) -> None:
        async with trading(tmp_path) as t:
            lost = await t.lost_bid(NOT_EXECUTED)
            await asyncio.sleep(61.0)
            match = {"contract": "GG20261202", "price": 100, "quantity": 10, "myOwnMatching": True}
            says(t, "activecontracts_matchings", {"matchings": [match]})
            assert still(await t.desk.resolve(lost), "gave no list of trades")

    @pytest.mark.parametrize(
        "answer",
        [
            {"body": {"contractName": "GG20261202", "contractStatus": {"name": "CLOSED"}}},
            {"body": {"contractStatus": {"name": "CLOSED"}}},
        ],
    )
    async def test_the_state_of_another_contract_closes_no_hidden_bid(
        self, tmp_path: Path, answer: dict[str, Any]
    ) -> None:
        async with trading(tmp_path) as t:
            bid = await t.bid()
            await t.desk.deactivate(bid, quantity=10)
            await asyncio.sleep(10.0)
            says(t, "contract_get", **answer)
            assert await t.desk.refresh() == []


async def test_a_bid_does_not_expire_while_its_own_mark_stands(tmp_path: Path) -> None:
    """The front's clock may be ahead of the engine's."""
    async with trading(tmp_path) as t:
        expires = clock.now() + timedelta(minutes=15)
        await t.bid(bid_type="MATCH_WITH_TIME_LIMIT", expire_time=expires)
        await asyncio.sleep(10.0)
        t.venue.knobs.clock_offset_s = 1200.0  # of its Date headers; its engine has let nothing expire yet
        t.venue.market.advance = lambda now: None  # type: ignore[method-assign]
        assert await t.desk.refresh() == []


class TestDeclared:
    """A call is sent under the declaration only where the marks of its contract were seen before."""

    async def opened(self, box: Sandbox, journal: Path, fault: str | None, contracts: list[str] | None) -> bool:
        """Whether a bid that never arrived is taken for one that rested before the desk opened."""
        venue = box.venue("epias_stp")
        t = Trading(venue, None, None)  # type: ignore[arg-type]
        elsewhere(t, 10000)
        if fault == "502":
            venue.faults.add("html", operation="activecontracts_depth", status=502, times=None)
        elif fault == "document":
            venue.knobs.shape = "document"
        elif fault == "no body":
            venue.faults.add(
                "raw", operation="activecontracts_depth", content=json.dumps(ENVELOPE).encode(), times=None
            )
        async with EpiasStp(box.epias_stp, journal=journal, exclusive=True) as stp:
            early = None
            if fault == "before the desk":
                venue.faults.add("drop_before_execute", operation="bid_save")
                early = await stp.bids.save(CONTRACT, direction="BUY", price="100.00", quantity=10)
            async with stp.desk(contracts=contracts) as desk:
                venue.faults.clear()
                venue.knobs.shape = "definition"
                venue.faults.add("drop_before_execute", operation="bid_save")
                lost = early if early is not None else await desk.buy(CONTRACT, price="100.00", quantity=10)
                assert isinstance(lost, Unknown)
                return isinstance(await desk.resolve(lost), Accepted)

    @pytest.mark.parametrize("fault", ["502", "document", "no body", "before the desk", None])
    async def test_a_bid_of_before_is_never_ours(self, tmp_path: Path, fault: str | None) -> None:
        async with Sandbox("epias_stp") as box:
            assert not await self.opened(box, tmp_path, fault, [CONTRACT])

    async def test_a_desk_that_names_no_contracts_has_seen_none(self, tmp_path: Path) -> None:
        async with Sandbox("epias_stp") as box:
            assert not await self.opened(box, tmp_path, None, None)
