"""The market's own rules, without a wire. Every test begins on Tuesday 2026-12-01, 09:00 in Istanbul."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gridwire.sandbox.epias_stp.market import IMMEDIATE, STANDARD, TIMED, Market
from gridwire.sandbox.epias_stp.records import Bid, Organisation, User
from gridwire.sandbox.epias_stp.texts import Refused
from gridwire.sandbox.matching import Side

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
A, B = Organisation(1, "A", "EIC-A"), Organisation(2, "B", "EIC-B")
ALI, AYSE, BURAK = User("ALI", A, "participant"), User("AYSE", A, "participant"), User("BURAK", B, "participant")
OPERATOR = User("OP", Organisation(9, "O", "EIC-O"), "operator")
TODAY = "GG20261201"


def market() -> Market:
    return Market([ALI, AYSE, BURAK, OPERATOR], NOW)


def bid(m: Market, user: User, direction: Side, price: int, quantity: int, **more: Any) -> Bid:
    contract = m.contract(more.pop("contract", TODAY))
    bid_type, status, now = more.pop("type", STANDARD), more.pop("status", "ACTIVE"), more.pop("now", NOW)
    return m.save_bid(user, contract, direction, price, quantity, bid_type, status, now, **more)


def refused(code: str) -> Any:
    return pytest.raises(Refused, match=code)


def levels(m: Market, side: Side) -> list[tuple[str, int, int]]:
    return [(order.id, order.price, order.quantity) for order in m.contract(TODAY).book.orders(side)]


# calendar


def test_the_usual_contracts_are_there_and_roll_with_the_days() -> None:
    m = market()
    assert [c.name for c in m.active("STANDART")] == ["GG20261130", TODAY, "GG20261202"]
    assert [c.name for c in m.active("WEEKLY")] == ["HI20261207"]
    assert [c.name for c in m.active("REGIONAL")] == ["BG20261202"]
    m.advance(NOW + timedelta(days=1))
    assert [c.name for c in m.active("STANDART")] == [TODAY, "GG20261202", "GG20261203"]
    m.advance(datetime(2026, 12, 7, 5, 0, tzinfo=UTC))
    assert [c.name for c in m.active("WEEKLY")] == ["HI20261214"]


def test_contracts_that_open_within_a_day_are_listed_with_those_that_are_open() -> None:
    m = market()
    opens = m.contract("GG20261203").gate.start
    m.open_contract("STANDART", (date(2026, 12, 20),), 0, "BUY", (), NOW)
    m.open_contract("WEEKLY", (date(2026, 12, 14), date(2026, 12, 15)), 0, "BUY", (), NOW)
    assert [c.name for c in m.listed("STANDART", NOW)] == ["GG20261203", "GG20261130", TODAY, "GG20261202"]
    assert m.listed("STANDART", opens - timedelta(days=1, seconds=1))[0].name == "GG20261130"
    m.advance(opens)
    assert [c.name for c in m.listed("STANDART", opens)] == ["GG20261204", TODAY, "GG20261202", "GG20261203"]
    assert [c.name for c in m.listed("WEEKLY", opens)] == ["HI20261207"]
    before = datetime(2026, 12, 6, 6, 0, tzinfo=UTC)
    m.advance(before)
    assert [c.name for c in m.listed("WEEKLY", before)] == ["HI20261214", "HI20261207"]


def test_a_contract_waits_opens_and_closes_and_its_open_bids_end_with_it() -> None:
    m = market()
    told: list[dict[str, Any]] = []
    m.listeners.append(told.append)
    resting, passive = bid(m, ALI, "BUY", 100, 1), bid(m, ALI, "BUY", 100, 1, status="PASSIVE")
    assert m.contract("GG20261203").status == "WAITING"
    with refused("BID-0003"):
        bid(m, ALI, "BUY", 100, 1, contract="GG20261203")
    m.advance(datetime(2026, 12, 2, 5, 0, tzinfo=UTC))
    assert m.contract("GG20261203").status == "ACTIVE"
    m.advance(datetime(2026, 12, 2, 11, 0, tzinfo=UTC))
    assert m.contract(TODAY).status == "CLOSED"
    assert (resting.status, passive.status) == ("CANCEL", "CANCEL")
    assert levels(m, "BUY") == []
    with refused("BID-0003"):
        bid(m, ALI, "BUY", 100, 1, now=datetime(2026, 12, 2, 11, 0, tzinfo=UTC))
    assert {"type": "contract", "contractName": TODAY, "status": "CLOSED"} in told


def test_a_timed_bid_leaves_at_its_time_active_or_passive() -> None:
    m = market()
    end = NOW + timedelta(minutes=5)
    active = bid(m, ALI, "BUY", 100, 1, type=TIMED, expires=end)
    passive = bid(m, ALI, "BUY", 100, 1, type=TIMED, expires=end, status="PASSIVE")
    m.advance(end - timedelta(milliseconds=1))
    assert (active.status, passive.status) == ("ACTIVE", "PASSIVE")
    m.advance(end)
    assert (active.status, passive.status) == ("CANCEL", "CANCEL")


@pytest.mark.parametrize(
    ("bid_type", "expires"),
    [(TIMED, None), (STANDARD, NOW + timedelta(hours=1)), (TIMED, NOW), (TIMED, NOW - timedelta(hours=1))],
)
def test_an_expiry_belongs_to_timed_bids_and_to_the_future(bid_type: str, expires: datetime | None) -> None:
    with refused("BID-0007"):
        bid(market(), ALI, "BUY", 100, 1, type=bid_type, expires=expires)


# contracts and gates


def test_contracts_are_named_by_type_and_first_day_and_made_once() -> None:
    m = market()
    week = tuple(date(2026, 12, 14) + timedelta(days=n) for n in range(5))
    assert m.open_contract("WEEKLY", week, 5, "BUY", (), NOW).name == "HI20261214"
    made = m.open_contract("REGIONAL", (date(2026, 12, 1),), 5, "SELL", (102,), NOW)
    assert (made.name, made.locations, made.status) == ("BG20261201", ("Durusu",), "ACTIVE")
    with refused("CON-0002"):
        m.open_contract("STANDART", (date(2026, 12, 1),), 5, "BUY", (), NOW)
    with refused("CON-0003"):
        m.open_contract("WEEKLY", week[:1], 5, "BUY", (), NOW)
    with refused("CON-0003"):
        m.open_contract("REGIONAL", week[:1], 5, "BUY", (), NOW)
    with refused("CON-0001"):
        m.contract("GG1")


def test_a_daily_contract_of_two_days_trades_until_the_second_is_settled() -> None:
    two = market().open_contract("STANDART", (date(2026, 12, 6), date(2026, 12, 5)), 5, "BUY", (101,), NOW)
    assert (two.name, two.status, two.locations) == ("GG20261205", "WAITING", ("Malkoçlar",))
    assert two.gate.end - two.gate.start == timedelta(hours=78)


def test_a_gate_decides_when_bids_are_taken() -> None:
    m = market()
    gate = m.contract(TODAY).gate
    gate.status = "CLOSED"
    with refused("BID-0003"):
        bid(m, ALI, "BUY", 100, 1)
    gate.status = "OPEN"
    m.move_gate(gate, NOW + timedelta(hours=1), None, NOW)
    assert m.contract(TODAY).status == "WAITING"
    m.move_gate(gate, NOW - timedelta(hours=1), NOW, NOW)
    assert m.contract(TODAY).status == "CLOSED"
    with refused("GATE-0002"):
        m.move_gate(gate, NOW, NOW, NOW)
    with refused("GATE-0001"):
        m.gate(1)


# bids


@pytest.mark.parametrize(("price", "code"), [(-1, "BID-0001"), (3_000_001, "BID-0001"), (0, None), (3_000_000, None)])
def test_prices_have_limits(price: int, code: str | None) -> None:
    m = market()
    if code is None:
        bid(m, ALI, "BUY", price, 1)
    else:
        with refused(code):
            bid(m, ALI, "BUY", price, 1)
        assert m.bids == {}


@pytest.mark.parametrize("quantity", [-5, 0, 100_001])
def test_quantities_have_limits(quantity: int) -> None:
    with refused("BID-0002"):
        bid(market(), ALI, "BUY", 100, quantity)


def test_a_regional_bid_names_its_point_and_stays_within_what_is_left() -> None:
    m = market()
    contract = "BG20261202"
    with refused("BID-0008"):
        bid(m, ALI, "BUY", 100, 1, contract=contract)
    bid(m, ALI, "BUY", 100, 600, contract=contract, point_name="Malkoçlar")
    bid(m, BURAK, "SELL", 100, 600, contract=contract, point_name="Malkoçlar")
    assert m.contract(contract).remaining() == 400
    assert next(iter(m.matches.values())).point_name == "Malkoçlar"
    with refused("BID-0002"):
        bid(m, BURAK, "SELL", 100, 401, contract=contract, point_name="Malkoçlar")


def test_a_full_match_accepts_both_bids_and_a_partial_one_leaves_the_rest() -> None:
    m = market()
    buy, sell = bid(m, ALI, "BUY", 100, 5), bid(m, BURAK, "SELL", 90, 3)
    assert (buy.status, buy.remaining, sell.status) == ("ACTIVE", 2, "ACCEPTED")
    (match,) = m.matches.values()
    assert (match.price, match.quantity, match.buy, match.sell) == (100, 3, buy, sell)
    last = bid(m, BURAK, "SELL", 100, 2)
    assert (buy.status, last.status) == ("ACCEPTED", "ACCEPTED")


def test_an_immediate_bid_never_rests() -> None:
    m = market()
    bid(m, BURAK, "SELL", 100, 3)
    partly = bid(m, ALI, "BUY", 100, 5, type=IMMEDIATE)
    assert (partly.status, partly.remaining) == ("CANCEL", 2)
    bid(m, BURAK, "SELL", 100, 3)
    fully = bid(m, ALI, "BUY", 100, 3, type=IMMEDIATE)
    assert fully.status == "ACCEPTED"
    assert levels(m, "BUY") == []
    with refused("BID-0006"):
        bid(m, ALI, "BUY", 100, 3, type=IMMEDIATE, status="PASSIVE")


def test_a_passive_bid_does_not_match_until_it_is_made_active() -> None:
    m = market()
    passive = bid(m, ALI, "BUY", 100, 5, status="PASSIVE")
    bid(m, BURAK, "SELL", 100, 2)
    assert m.matches == {}
    m.update_bid(ALI, passive.id, 99, 4, "PASSIVE", NOW)
    assert (passive.status, passive.price, passive.remaining) == ("PASSIVE", 99, 4)
    m.update_bid(ALI, passive.id, 100, 5, "ACTIVE", NOW)
    assert (len(m.matches), passive.status, passive.remaining) == (1, "ACTIVE", 3)
    m.update_bid(ALI, passive.id, None, 3, "PASSIVE", NOW)
    assert levels(m, "BUY") == []


@pytest.mark.parametrize("status", ["CANCEL", "ACCEPTED", "PROCESSING", "active", ""])
def test_only_active_and_passive_can_be_asked_for(status: str) -> None:
    m = market()
    with refused("BID-0006"):
        bid(m, ALI, "BUY", 100, 1, status=status)
    resting = bid(m, ALI, "BUY", 100, 1)
    with refused("BID-0006"):
        m.update_bid(ALI, resting.id, 100, 1, status, NOW)


def test_an_update_states_what_shall_remain_open_and_keeps_its_place_only_if_smaller() -> None:
    m = market()
    first, second = bid(m, ALI, "BUY", 100, 5), bid(m, BURAK, "BUY", 100, 5)
    bid(m, BURAK, "SELL", 100, 2)
    m.update_bid(ALI, first.id, 100, 1, "ACTIVE", NOW)
    assert (first.quantity, first.remaining) == (3, 1)
    assert [row[0] for row in levels(m, "BUY")] == [first.id, second.id]
    m.update_bid(ALI, first.id, 100, 9, "ACTIVE", NOW)
    assert (first.quantity, first.remaining) == (11, 9)
    assert [row[0] for row in levels(m, "BUY")] == [second.id, first.id]


def test_an_update_can_match_and_is_checked_against_the_limits() -> None:
    m = market()
    bid(m, BURAK, "SELL", 110, 2)
    buy = bid(m, ALI, "BUY", 100, 2)
    with refused("BID-0001"):
        m.update_bid(ALI, buy.id, 9_000_000, 2, "ACTIVE", NOW)
    with refused("BID-0002"):
        m.update_bid(ALI, buy.id, 100, 0, "ACTIVE", NOW)
    m.update_bid(ALI, buy.id, 110, 2, "ACTIVE", NOW)
    assert buy.status == "ACCEPTED"
    with refused("BID-0005"):
        m.update_bid(ALI, buy.id, 110, 2, "ACTIVE", NOW)


def test_a_bid_belongs_to_its_organisation() -> None:
    m = market()
    mine = bid(m, ALI, "BUY", 100, 5)
    with refused("BID-0004"):
        m.cancel_bid(BURAK, mine.id)
    with refused("BID-0004"):
        m.update_bid(BURAK, mine.id, 1, 1, "ACTIVE", NOW)
    with refused("BID-0004"):
        m.cancel_bid(ALI, "1")
    assert m.cancel_bid(AYSE, mine.id).status == "CANCEL"
    with refused("BID-0005"):
        m.cancel_bid(ALI, mine.id)


def test_a_passive_bid_can_be_cancelled() -> None:
    m = market()
    assert m.cancel_bid(ALI, bid(m, ALI, "BUY", 100, 5, status="PASSIVE").id).status == "CANCEL"


# money


def test_a_match_moves_money_and_its_cancellation_moves_it_back() -> None:
    m = market()
    bid(m, ALI, "BUY", 10_000, 5)
    bid(m, BURAK, "SELL", 10_000, 5)
    assert (m.balances[1], m.balances[2]) == (-50_000, 50_000)
    match = next(iter(m.matches.values()))
    m.change_match(match, "CANCELLED", OPERATOR)
    m.change_match(match, "CANCELLED", OPERATOR)
    assert (m.balances[1], m.balances[2]) == (0, 0)
    assert (match.reason, match.created_by) == ("MANUAL", "OP")
    m.change_match(match, "APPROVED", OPERATOR)
    assert m.balances[2] == 50_000
    assert m.withdraw_money("EIC-B", 20_000)
    assert not m.withdraw_money("EIC-B", 30_001)
    assert not m.withdraw_money("EIC-A", 1)
    assert not m.withdraw_money("EIC-?", 1)
    assert m.balances[2] == 30_000
    with refused("MATCH-0001"):
        m.match("1")


def test_the_price_band_follows_the_matches_of_the_gas_day() -> None:
    m = market()
    assert m.price_band("STANDART", date(2026, 12, 1)) == (0, 3_000_000)
    bid(m, ALI, "BUY", 10_005, 5)
    bid(m, BURAK, "SELL", 10_005, 5)
    assert m.price_band("STANDART", date(2026, 12, 1)) == (9005, 11_006)
    m.contract(TODAY).configuration["ceilingCoefficient"] = Decimal("1.2")
    assert m.price_band("STANDART", date(2026, 12, 1))[1] == 12_006
    with refused("CON-0001"):
        m.price_band("STANDART", date(2030, 1, 1))


def test_listeners_hear_matches_and_the_best_prices() -> None:
    m = market()
    told: list[dict[str, Any]] = []
    m.listeners.append(told.append)
    bid(m, ALI, "BUY", 10_000, 5)
    bid(m, BURAK, "SELL", 10_000, 3)
    assert [event["type"] for event in told] == ["depth", "matching", "depth"]
    assert told[0]["bestBuyPrice"] == Decimal("100.00")
    assert told[0]["bestSellPrice"] is None
    assert (told[1]["price"], told[1]["quantity"]) == (Decimal("100.00"), 3)
