"""All 19 operations in both formats, checked against the OpenAPI file; then what each does to the next read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.epias_stp.caller import Floor, Wire, floor
from tests.support import openapi

TODAY, NATIONAL = "GG20261201", "UDN"
MIDNIGHT = "T00:00:00.000+03:00"
CONFIGURATION = {
    "contractName": TODAY,
    "dapScopeDate": "2026-11-30T08:00:00.000+03:00",
    "dapFinalDate": "2026-12-01T08:00:00.000+03:00",
    "grpScopeDate": "2026-12-01T08:00:00.000+03:00",
    "grpFinalDate": "2026-12-02T08:00:00.000+03:00",
}
BID = {
    "contractName": TODAY,
    "price": 12000,
    "quantity": 155,
    "bidType": "STANDART_MATCH",
    "bidStatus": "ACTIVE",
    "direction": "BUY",
}
REGIONAL = {
    "contractTypeName": "REGIONAL",
    "gasDayDates": ["2026-12-01" + MIDNIGHT],
    "quantity": 500,
    "directionName": "SELL",
    "physicalPointIds": [102, 103],
}


@pytest.fixture
async def f() -> AsyncIterator[Floor]:
    async with floor() as running:
        yield running


async def traded(f: Floor, price: str = "12000", quantity: int = 10) -> None:
    await f.one.bid(TODAY, "BUY", price, quantity)
    await f.two.bid(TODAY, "SELL", price, quantity)


@pytest.mark.parametrize("wire", ["json", "xml"])
@pytest.mark.parametrize("operation", openapi.stp().operations)
async def test_every_operation_answers_in_both_formats(f: Floor, operation: str, wire: Wire) -> None:
    await traded(f)
    resting = await f.one.bid(TODAY, "BUY", "11000", 5)
    match_id = next(iter(f.venue.market.matches))
    gate_id = f.venue.market.contracts[TODAY].gate.id
    name = {"contractName": TODAY}
    bodies: dict[str, Any] = {
        "activecontracts_depth": name,
        "activecontracts_depth_summary": name,
        "activecontracts_matchings": {"contractNames": [TODAY]},
        "activecontracts_regional": {},
        "activecontracts_standart": {},
        "activecontracts_weekly": {},
        "bid_save": BID,
        "bid_update": {"bidId": resting, "price": 11001, "quantity": 4, "bidStatus": "PASSIVE"},
        "bid_cancel": {"bidId": resting},
        "contract_get": name,
        "contract_save": REGIONAL,
        "contract_conf_get": name,
        "contract_conf_save": CONFIGURATION,
        "contract_gate_change_status": {"gateId": gate_id, "gateStatusName": "CLOSED"},
        "contract_gate_update": {"gateId": gate_id, "endDate": "2026-12-01T20:00:00.000+03:00"},
        "contract_status_list": {},
        "market_price_calculate_grp": {"contractType": "STANDART", "gasDay": "2026-12-01" + MIDNIGHT},
        "match_change_status": {
            "matchList": [{"description": "İtiraz", "matchId": match_id, "statusName": "CANCELLED"}]
        },
        "payment_order": {
            "orders": [
                {
                    "amount": Decimal("100.50"),
                    "eic": "40X000000000102B",
                    "paymentOrderId": 1,
                    "requestTime": "2026-12-01T09:00:00.000+03:00",
                }
            ]
        },
    }
    role = next(
        item["post"]["x-role-assumed"]
        for item in openapi.stp().document["paths"].values()
        if item["post"]["operationId"] == operation
    )
    caller = f.one if role == "participant" else f.operator
    answer = await caller.call(operation, bodies[operation], wire)
    assert (answer["resultType"], answer["resultCode"]) == ("SUCCESS", "0")
    assert f.venue.log[-1].wire == wire
    # ... and the other side of the market is told that it has no right to it.
    other = f.operator if operation.startswith("bid_") else f.one if caller is f.operator else None
    if other is not None:
        refusal = await other.call(operation, bodies[operation], wire)
        assert (refusal["resultType"], refusal["resultCode"]) == ("SECURITYERROR", "SEC-0002")


async def test_lists_show_the_contracts_of_their_type_with_their_days(f: Floor) -> None:
    standard = (await f.one.ok("activecontracts_standart"))["contracts"]
    assert [(c["name"], c["status"]["value"]) for c in standard] == [
        ("GG20261203", "WAITING"), ("GG20261130", "OPEN"), (TODAY, "OPEN"), ("GG20261202", "OPEN"),
    ]  # fmt: skip
    assert standard[0]["activationTime"] == "2026-12-02T08:00:00.000+03:00"
    today = standard[2]
    assert today["deliveryDays"] == ["2026-12-01" + MIDNIGHT]
    assert (today["activationTime"], today["closingTime"]) == (
        "2026-11-30T08:00:00.000+03:00",
        "2026-12-02T14:00:00.000+03:00",
    )
    assert (today["bestAmountPriceBuying"], today["lastMatchingPrice"], today["lastMatchingPriceDirection"]) == (
        {},
        0,
        "IDLE",
    )
    (weekly,) = (await f.one.ok("activecontracts_weekly"))["contracts"]
    assert (weekly["name"], len(weekly["gasDays"])) == ("HI20261207", 5)
    (regional,) = (await f.one.ok("activecontracts_regional"))["contracts"]
    assert (regional["locations"], regional["remainingAmount"]) == (["Malkoçlar"], 1000)


async def test_prices_of_a_contract_follow_its_matches(f: Floor) -> None:
    async def row() -> Any:
        listed = (await f.one.ok("activecontracts_standart"))["contracts"]
        return next(c for c in listed if c["name"] == TODAY)

    await traded(f, "100", 1)
    first = await row()
    assert (first["lastMatchingPriceDirection"], first["weightedAverageDirection"]) == ("IDLE", "IDLE")
    await traded(f, "103", 2)
    up = await row()
    assert (up["lastMatchingPrice"], up["highestMatchingPrice"], up["weightedAverage"]) == (103, 103, 102)
    assert (up["lastMatchingPriceDirection"], up["weightedAverageDirection"]) == ("UP", "UP")
    await traded(f, "99", 3)
    down = await row()
    assert (down["lastMatchingPrice"], down["highestMatchingPrice"]) == (99, 103)
    assert (down["lastMatchingPriceDirection"], down["weightedAverageDirection"]) == ("DOWN", "DOWN")


async def test_depth_is_summed_by_level_and_marks_own_levels(f: Floor) -> None:
    await f.one.bid(TODAY, "BUY", "100", 5)
    await f.two.bid(TODAY, "BUY", "100", 7)
    await f.two.bid(TODAY, "BUY", "101", 1)
    await f.two.bid(TODAY, "SELL", "105", 2)
    depth = await f.one.ok("activecontracts_depth", {"contractName": TODAY})
    assert depth["contractBuyDepths"] == [
        {"price": 101, "amount": 1, "owner": False},
        {"price": 100, "amount": 12, "owner": True},
    ]
    assert depth["contractSellDepths"] == [{"price": 105, "amount": 2, "owner": False}]


async def test_the_depth_summary_hides_others_from_participants_only(f: Floor) -> None:
    await f.one.bid(TODAY, "BUY", "100", 5)
    await f.two.bid(TODAY, "BUY", "99", 7)
    asked = {"contractName": TODAY}
    mine, other = (await f.one.ok("activecontracts_depth_summary", asked))["contractDepthSummaryResponses"]
    assert mine["organizationId"] == 101
    assert "organization" not in other
    seen = (await f.operator.ok("activecontracts_depth_summary", asked))["contractDepthSummaryResponses"]
    assert [row["organizationId"] for row in seen] == [101, 102]


async def test_a_contract_saved_is_listed_traded_matched_and_paid(f: Floor) -> None:
    saved = await f.operator.ok("contract_save", REGIONAL, "xml")
    assert saved["contractName"] == "BG20261201"
    listed = (await f.one.ok("activecontracts_regional"))["contracts"]
    assert [c["name"] for c in listed] == ["BG20261201", "BG20261202"]
    await f.one.bid("BG20261201", "BUY", "200.25", 100, pointName="Durusu")
    await f.two.bid("BG20261201", "SELL", "200.25", 60, pointName="Durusu")
    row = (await f.one.ok("activecontracts_regional", {}, "xml"))["contracts"][0]
    assert (row["remainingAmount"], row["bestAmountPriceBuying"]["amount"]) == (440, 40)
    (match,) = (await f.two.ok("activecontracts_matchings", {"contractNames": ["BG20261201"]}))["matchings"]
    assert (match["pointName"], match["quantity"]) == ("Durusu", 60)

    def order(number: int, amount: str, eic: str) -> dict[str, Any]:
        time = "2026-12-01T09:00:00.000+03:00"
        return {"amount": Decimal(amount), "eic": eic, "paymentOrderId": number, "requestTime": time}

    orders = [order(1, "12015", "40X000000000102B"), order(2, "0.01", "40X000000000102B"), order(3, "1", "nobody")]
    results = (await f.operator.ok("payment_order", {"orders": orders}))["results"]
    assert [result["status"]["value"] for result in results] == ["ACCEPTED", "REJECTED", "REJECTED"]


async def test_contract_save_reads_types_points_and_days_strictly(f: Floor) -> None:
    async def code(**changes: Any) -> tuple[str, str]:
        answer = await f.operator.call("contract_save", REGIONAL | changes)
        return answer["resultType"], answer["resultCode"]

    assert await code(contractTypeName="MONTHLY") == ("BUSINESSERROR", "REQ-0006")
    assert await code(directionName="UP") == ("BUSINESSERROR", "REQ-0006")
    assert await code(quantity=0) == ("BUSINESSERROR", "REQ-0006")
    assert await code(physicalPointIds=[999]) == ("BUSINESSERROR", "REQ-0006")
    assert await code(gasDayDates=[]) == ("BUSINESSERROR", "REQ-0005")
    assert await code(contractTypeName="WEEKLY") == ("BUSINESSERROR", "CON-0003")
    assert await code(contractTypeName="STANDART") == ("BUSINESSERROR", "CON-0002")
    assert (await f.one.call("contract_get", {"contractName": "BG20261201"}))["resultCode"] == "CON-0001"
    assert await code() == ("SUCCESS", "0")
    assert (await f.one.ok("contract_get", {"contractName": "BG20261201"}))["physicalPointIds"] == [102, 103]


async def test_a_saved_configuration_limits_the_next_bid_and_keeps_what_was_not_given(f: Floor) -> None:
    before = await f.operator.ok("contract_conf_get", {"contractName": TODAY})
    change = CONFIGURATION | {"marketCeilingPrice": 500, "average": Decimal("3.5"), "lqa": 2, "modifyUser": "OP"}
    assert await f.operator.ok("contract_conf_save", change | {"transmissionBasePriceFormula": "GRF*0.8"}) == {}
    after = await f.operator.ok("contract_conf_get", {"contractName": TODAY}, "xml")
    assert (after["marketCeilingPrice"], after["retrospectiveAverage"], after["lqa"]) == (500, Decimal("3.5"), 2)
    assert after["transmissionBasePriceFormula"] == "GRF*0.8"
    assert after["marketMaxQuantity"] == before["marketMaxQuantity"]
    refusal = await f.one.call("bid_save", BID)
    assert (refusal["resultType"], refusal["resultCode"]) == ("BUSINESSERROR", "BID-0001")


async def test_a_wrong_configuration_stores_nothing(f: Floor) -> None:
    for wrong, code in (({"lqa": 0}, "REQ-0006"), ({"contractName": "GG1"}, "CON-0001")):
        body = CONFIGURATION | {"marketCeilingPrice": 500} | wrong
        assert (await f.operator.call("contract_conf_save", body))["resultCode"] == code
    assert f.venue.market.contracts[TODAY].configuration["marketCeilingPrice"] == 30000


async def test_gates_can_come_with_the_configuration_as_the_samples_show(f: Floor) -> None:
    gate = f.venue.market.contracts[TODAY].gate
    foreign = f.venue.market.contracts["GG20261202"].gate

    async def save(*rows: dict[str, Any]) -> str:
        body = CONFIGURATION | {"gateList": list(rows)}
        pairs = [{"key": "transactionId", "value": "6d553b3c-1ffc-44cc-bed6-1dce4d5b48ac"}]
        pairs.append({"key": "application", "value": "tests"})
        from tests.sandbox.epias_stp.caller import dumps

        answer = await f.operator.send("contract_conf_save", dumps({"headers": pairs, "body": body}))
        return str(answer.json()["resultCode"])

    assert await save({"contractGateId": gate.id, "gateStatusName": "CLOSED"}) == "0"
    assert gate.status == "CLOSED"
    assert await save({"contractGateId": gate.id, "endDate": "2026-12-01T10:00:00.000+03:00"}) == "0"
    assert (gate.status, gate.end.hour) == ("CLOSED", 7)
    assert await save({"contractGateId": foreign.id}) == "REQ-0006"
    assert await save({"contractGateId": 1}) == "GATE-0001"


async def test_a_closed_gate_stops_bids_and_shows_in_the_list(f: Floor) -> None:
    gate_id = f.venue.market.contracts[TODAY].gate.id
    closed = await f.operator.ok("contract_gate_change_status", {"gateId": gate_id, "gateStatusName": "CLOSED"})
    assert closed["gateStatusResponse"]["name"] == "CLOSED"
    assert (await f.one.call("bid_save", BID))["resultCode"] == "BID-0003"
    listed = (await f.one.ok("activecontracts_standart"))["contracts"]
    assert {c["name"]: c["status"]["value"] for c in listed}[TODAY] == "CLOSED"
    wrong = await f.operator.call("contract_gate_change_status", {"gateId": gate_id, "gateStatusName": "AJAR"})
    assert wrong["resultCode"] == "REQ-0006"


async def test_a_cancelled_match_shows_everywhere(f: Floor) -> None:
    await traded(f)
    (match,) = f.venue.market.matches.values()
    row = {"description": "x", "matchId": match.id, "statusName": "CANCELLED"}
    unknown = row | {"matchId": "1"}
    assert (await f.operator.call("match_change_status", {"matchList": [row, unknown]}))["resultCode"] == "MATCH-0001"
    assert match.status == "APPROVED"
    (changed,) = (await f.operator.ok("match_change_status", {"matchList": [row]}))["matchList"]
    assert (changed["matchStatus"]["name"], changed["createUser"]) == ("CANCELLED", "OPERATOR1")
    (public,) = (await f.one.ok("activecontracts_matchings", {"contractNames": [TODAY]}))["matchings"]
    assert public["matchStatus"] == "CANCELLED"
    assert f.venue.market.balances[102] == 0


async def test_bids_are_read_strictly(f: Floor) -> None:
    async def code(**changes: Any) -> str:
        body = {name: value for name, value in (BID | changes).items() if value is not None}
        return str((await f.one.call("bid_save", body))["resultCode"])

    assert await code(price=None) == "REQ-0005"
    assert await code(price=Decimal("100.001")) == "REQ-0006"
    assert await code(bidType="NORMAL") == "REQ-0006"
    assert await code(direction="LONG") == "REQ-0006"
    assert await code(contractName="GG1") == "CON-0001"
    assert await code(bidStatus="CANCEL") == "BID-0006"
    assert await code(bidType="MATCH_WITH_TIME_LIMIT") == "BID-0007"
    assert await code(bidType="MATCH_WITH_TIME_LIMIT", expireTime="2026-12-01T10:00:00.000+03:00") == "0"
    assert len(f.venue.market.bids) == 1


async def test_payments_are_read_strictly(f: Floor) -> None:
    row = {"amount": 0, "eic": "x", "paymentOrderId": 1, "requestTime": "2026-12-01T09:00:00.000+03:00"}
    assert (await f.operator.call("payment_order", {"orders": [row]}))["resultCode"] == "REQ-0006"
    assert await f.operator.ok("payment_order", {"orders": []}) == {"results": []}


async def test_a_timed_bid_is_gone_from_the_next_read_after_its_time(f: Floor) -> None:
    await f.one.bid(TODAY, "BUY", "100", 5, bidType="MATCH_WITH_TIME_LIMIT", expireTime="2026-12-01T10:00:00.000+03:00")
    await asyncio.sleep(3599)
    assert (await f.two.ok("activecontracts_depth", {"contractName": TODAY}))["contractBuyDepths"]
    await asyncio.sleep(2)
    assert not (await f.two.ok("activecontracts_depth", {"contractName": TODAY}))["contractBuyDepths"]


async def test_the_same_transaction_sent_twice_is_two_bids(f: Floor) -> None:
    from tests.sandbox.epias_stp.caller import dumps, envelope

    content = dumps(envelope(BID))
    ids = [(await f.one.send("bid_save", content)).json()["body"]["bidResponse"]["id"] for _ in range(2)]
    assert len(set(ids)) == 2
    assert len({call.transaction_id for call in f.venue.log.executed("bid_save")}) == 1
