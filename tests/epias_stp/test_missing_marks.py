"""Missing is not no: without own marks, or without a list, nothing is concluded and nothing is closed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gridwire.epias_stp import EpiasStp
from gridwire.outcome import Accepted, Rejected, Unknown
from tests.epias_stp.resolving import CONTRACT, NOT_EXECUTED, Trading, absent, ended, still, trading

ENVELOPE: dict[str, Any] = {"resultCode": "0", "resultDescription": "OK", "resultType": "SUCCESS"}
NO_DEPTH: dict[str, dict[str, Any]] = {
    "no body": {},
    "body null": {"body": None},
    "body empty": {"body": {}},
    "lists null": {"body": {"contractBuyDepths": None, "contractSellDepths": None}},
    "the other side alone": {"body": {"contractSellDepths": []}},
    "a level without its price": {
        "body": {"contractBuyDepths": [{"amount": 10, "owner": True}], "contractSellDepths": []}
    },
    "a mark of null": {
        "body": {"contractBuyDepths": [{"price": price, "amount": 10, "owner": None} for price in (100, 99)]}
    },
    "a mark of no letters": {
        "body": {"contractBuyDepths": [{"price": price, "amount": 10, "owner": ""} for price in (100, 99)]}
    },
}


def depth_says(t: Trading, body: dict[str, Any], times: int | None = None) -> None:
    content = json.dumps({**ENVELOPE, **body}).encode()
    t.venue.faults.add("raw", operation="activecontracts_depth", content=content, times=times)


async def concludes_nothing(t: Trading) -> None:
    """Of a bid that rests: it is not closed, and calls about it whose answers got lost stay unknown."""
    bid = await t.bid()
    lost_bid = await t.lost_bid(price="99.00")
    lost_cancel = await t.lost(t.desk.cancel(bid), "bid_cancel", NOT_EXECUTED)
    await asyncio.sleep(70.0)
    assert await t.desk.refresh() == []
    for lost in (lost_bid, lost_cancel):
        assert isinstance(await t.desk.resolve(lost), Unknown)
    assert [one.id for one in await t.stp.bids.known()] == [bid.id]
    assert t.stp.unknown() == [lost_bid, lost_cancel]
    assert t.desk.open_notional == 1990


async def test_a_venue_that_marks_nothing(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        t.venue.knobs.shape = "document"
        await concludes_nothing(t)
        lost = t.stp.unknown()[0]
        assert still(await t.desk.resolve(lost), "does not say whether an own order rests at 99.00")


@pytest.mark.parametrize("body", NO_DEPTH.values(), ids=list(NO_DEPTH))
async def test_a_book_without_a_list_or_without_marks(tmp_path: Path, body: dict[str, Any]) -> None:
    async with trading(tmp_path) as t:
        depth_says(t, body)
        await concludes_nothing(t)


async def test_a_list_that_is_empty_is_one(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        lost = await t.lost_bid(NOT_EXECUTED)
        depth_says(t, {"body": {"contractBuyDepths": [], "contractSellDepths": []}})
        await asyncio.sleep(61.0)
        assert absent(await t.desk.resolve(lost))


async def test_opening_a_desk_forgets_no_bid_of_a_venue_that_marks_nothing(tmp_path: Path) -> None:
    async with trading(tmp_path, exclusive=False) as t:
        bid = await t.bid()
        await asyncio.sleep(10.0)
        t.venue.knobs.shape = "document"
        async with EpiasStp(t.venue.account(), journal=tmp_path) as stp, stp.desk(contracts=[CONTRACT]) as desk:
            assert desk.open_notional == 1000
            (cancelled,) = await desk.cancel_all()
            assert isinstance(cancelled, Accepted)
        assert not t.venue.market.bids[str(bid.id)].is_open


async def test_a_level_without_its_mark_on_the_same_side_may_hold_it(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        t.venue.knobs.shape = "document"
        t.other("SELL", 20000, 5)
        lost = await t.lost_bid(NOT_EXECUTED)
        t.other("BUY", 9000, 5)
        await asyncio.sleep(61.0)
        assert still(await t.desk.resolve(lost), "at 90.00 one rests, or may rest")
        t.venue.knobs.shape = "definition"
        assert absent(await t.desk.resolve(lost))


@pytest.mark.parametrize("levels", [[None], "", [None, {"price": 90, "amount": 5, "owner": False}]])
async def test_an_empty_entry_of_a_list_is_one_of_which_nothing_is_known(tmp_path: Path, levels: Any) -> None:
    async with trading(tmp_path) as t:
        bid = await t.bid()
        lost = await t.lost_bid(NOT_EXECUTED, price="99.00")
        depth_says(t, {"body": {"contractBuyDepths": levels, "contractSellDepths": []}})
        await asyncio.sleep(61.0)
        assert await t.desk.refresh() == []
        assert isinstance(await t.desk.resolve(lost), Unknown)
        assert [one.id for one in await t.stp.bids.known()] == [bid.id]


async def test_an_empty_entry_among_the_matches_may_be_ours(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        lost = await t.lost_bid(NOT_EXECUTED)
        content = json.dumps({**ENVELOPE, "body": {"matchings": [None]}}).encode()
        t.venue.faults.add("raw", operation="activecontracts_matchings", content=content)
        await asyncio.sleep(61.0)
        assert still(await t.desk.resolve(lost), "own trades fit it")


@pytest.mark.parametrize("body", [{}, {"body": {}}, {"body": {"matchings": None}}])
async def test_without_a_list_of_matches_it_may_have_been_filled(tmp_path: Path, body: dict[str, Any]) -> None:
    async with trading(tmp_path) as t:
        bid = await t.bid()
        lost = await t.lost_bid(NOT_EXECUTED, price="99.00")
        lost_cancel = await t.lost(t.desk.cancel(bid), "bid_cancel")
        await asyncio.sleep(61.0)
        t.venue.faults.add(
            "raw", operation="activecontracts_matchings", content=json.dumps({**ENVELOPE, **body}).encode(), times=None
        )
        assert still(await t.desk.resolve(lost), "gave no list of trades")
        assert ended(await t.desk.resolve(lost_cancel), "gave no list of trades")  # that it rests no more is certain
        assert await t.stp.bids.known() == []


async def test_a_match_without_its_mark_may_be_ours(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        t.other("BUY", 10000, 5)
        t.other("SELL", 10000, 5)  # the two others trade with each other
        t.venue.knobs.shape = "document"
        lost = await t.lost_bid(NOT_EXECUTED)
        await asyncio.sleep(61.0)
        assert still(await t.desk.resolve(lost), "own trades fit it")
        t.venue.knobs.shape = "definition"
        assert absent(await t.desk.resolve(lost))


async def test_the_contracts_state_is_read_as_closed_only_where_it_is_said(tmp_path: Path) -> None:
    async with trading(tmp_path) as t:
        bid = await t.bid()
        await t.desk.deactivate(bid, quantity=10)
        t.venue.faults.add(
            "raw", operation="contract_get", content=json.dumps({**ENVELOPE, "body": {}}).encode(), times=None
        )
        await asyncio.sleep(10.0)
        assert await t.desk.refresh() == []
        assert not isinstance(await t.desk.cancel(bid), Rejected)
