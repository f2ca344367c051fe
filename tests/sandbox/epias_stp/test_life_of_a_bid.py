"""What one user writes, another one reads, whichever format each of them speaks."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sandbox.epias_stp.caller import Wire, floor

TODAY = "GG20261201"


@pytest.mark.parametrize(("writing", "reading"), [("json", "xml"), ("xml", "json")])
async def test_a_bid_lives_across_both_formats(writing: Wire, reading: Wire) -> None:
    async with floor() as f:
        body = {
            "contractName": TODAY,
            "price": Decimal("12000.50"),
            "quantity": 155,
            "bidType": "STANDART_MATCH",
            "bidStatus": "ACTIVE",
            "direction": "BUY",
        }
        saved = await f.one.ok("bid_save", body, writing)
        bid_id = saved["bidResponse"]["id"]

        depth = await f.one.ok("activecontracts_depth", {"contractName": TODAY}, reading)
        level = {"price": Decimal("12000.50"), "amount": 155, "owner": True}
        assert depth.get("contractBuyDepths") == [level]
        seen = await f.two.ok("activecontracts_depth", {"contractName": TODAY}, reading)
        assert seen["contractBuyDepths"] == [level | {"owner": False}]

        change = {"bidId": bid_id, "price": Decimal("12001"), "quantity": 100, "bidStatus": "ACTIVE"}
        await f.one.ok("bid_update", change, writing)
        listed = await f.two.ok("activecontracts_standart", {}, reading)
        best = next(c for c in listed["contracts"] if c["name"] == TODAY)["bestAmountPriceBuying"]
        assert best == {"price": Decimal("12001.00"), "amount": 100, "owner": False}

        await f.two.ok("bid_save", body | {"direction": "SELL", "quantity": 40, "price": Decimal("11000")}, reading)
        rows = await f.one.ok("activecontracts_depth_summary", {"contractName": TODAY}, reading)
        (row,) = rows["contractDepthSummaryResponses"]
        assert (row["quantity"], row["remaingQuatity"], row["bidState"]["value"]) == (100, 60, "PARTIAL")
        assert row["organization"]["text"] == "Anadolu Gaz"
        matches = await f.two.ok("activecontracts_matchings", {"contractNames": [TODAY]}, reading)
        (match,) = matches["matchings"]
        assert (match["price"], match["quantity"], match["myOwnMatching"]) == (Decimal("12001.00"), 40, True)

        await f.one.ok("bid_cancel", {"bidId": bid_id}, writing)
        again = await f.one.call("bid_cancel", {"bidId": bid_id}, reading)
        assert (again["resultType"], again["resultCode"]) == ("BUSINESSERROR", "BID-0005")
        empty = await f.two.ok("activecontracts_depth", {"contractName": TODAY})
        assert empty == {"contractBuyDepths": [], "contractSellDepths": []}
        assert [call.bid_ids for call in f.venue.log.executed("bid_cancel")] == [(bid_id,)]
        assert f.venue.log.tickets_presented_twice() == []
