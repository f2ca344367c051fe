"""What is refused before anything is sent, in words a trader understands."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from gridwire.epias_stp import rules
from gridwire.epias_stp.enums import BidStatus, BidType, Direction
from gridwire.errors import InvalidInput

SAVE: dict[str, Any] = {
    "contract": "GG20261201",
    "direction": "BUY",
    "price": "12000.50",
    "quantity": 155,
    "bid_type": "STANDART_MATCH",
}
UPDATE: dict[str, Any] = {"bid_id": "1234567", "price": "12000.50", "quantity": 155, "bid_status": "ACTIVE"}
EXPIRY = datetime(2026, 12, 1, 11, tzinfo=UTC)


def save(**changes: Any) -> Any:
    return rules.bid_save(**{**SAVE, **changes})


def update(**changes: Any) -> Any:
    return rules.bid_update(**{**UPDATE, **changes})


def test_a_good_bid_becomes_a_body() -> None:
    body = save(bid_process_name="STANDART", point_name="UDN")
    assert body.contract_name == "GG20261201"
    assert body.price == Decimal("12000.50")
    assert body.quantity == 155
    assert body.bid_type is BidType.STANDARD_MATCH
    assert body.bid_status is BidStatus.ACTIVE
    assert body.direction is Direction.BUY
    assert body.expire_time is None
    assert (body.point_name, body.bid_process_name) == ("UDN", "STANDART")
    assert save(price=None, price_cents=1200050) == save()


def test_contract_names_are_opaque() -> None:
    for name in ("HI20261207", "anything at all", "ığüşöç"):
        assert save(contract=name).contract_name == name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"contract": ""}, "contract is empty"),
        ({"contract": "  "}, "contract is empty"),
        ({"contract": " GG20261201"}, "blank"),
        ({"contract": 20261201}, "contract=20261201 is of type int; a str is needed"),
        ({"contract": "GG\x00"}, "control character"),
        ({"direction": "buy"}, 'direction="BUY" or direction="SELL"'),
        ({"direction": "LONG"}, "not a side"),
        ({"direction": None}, "not a side"),
        ({"price": 12000.5}, "price_cents=1200050"),
        ({"price": 12000}, 'price="12000.50"'),
        ({"price": "-1"}, "negative"),
        ({"price": "1.001"}, "too many decimals"),
        ({"price": None}, "allow_no_price"),
        ({"price_cents": 1}, "not both"),
        ({"quantity": 0}, "quantity=0"),
        ({"quantity": 1.5}, "quantity=1.5 is of type float"),
        ({"quantity": "155"}, "quantity='155' is of type str"),
        ({"quantity": True}, "is of type bool"),
        ({"bid_type": "STANDARD_MATCH"}, '"STANDART_MATCH"'),
        ({"bid_type": "IOC"}, "BidType\\('IOC'\\)"),
        ({"bid_type": None}, "not a bid_type"),
        ({"bid_status": "CANCEL"}, 'send "ACTIVE" or "PASSIVE"'),
        ({"bid_status": "RESTING"}, "not a bid_status"),
        ({"expire_time": EXPIRY}, "MATCH_WITH_TIME_LIMIT"),
        ({"bid_type": "MATCH_WITH_TIME_LIMIT"}, "needs expire_time"),
        ({"bid_type": "MATCH_WITH_TIME_LIMIT", "expire_time": datetime(2026, 12, 1)}, "expire_time=.*no time zone"),
        ({"bid_type": "MATCH_WITH_TIME_LIMIT", "expire_time": "2026-12-01"}, "expire_time='2026-12-01' is of type str"),
        ({"point_name": ""}, "point_name is empty"),
        ({"bid_process_name": 5}, "bid_process_name=5"),
    ],
)
def test_a_bad_bid_is_refused_in_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        save(**change)


def test_the_checks_that_the_venue_may_not_need_can_be_switched_off_by_name() -> None:
    assert save(price=None, allow_no_price=True).price is None
    assert save(price="1.001", places=None).price == Decimal("1.001")
    assert save(bid_status="CANCEL", allow_any_status=True).bid_status is BidStatus.CANCEL


def test_a_new_bid_type_passes_when_the_caller_wraps_it() -> None:
    assert save(bid_type=BidType("ICEBERG")).bid_type == "ICEBERG"
    assert save(bid_type=BidType("UNTIL"), expire_time=EXPIRY).expire_time == EXPIRY


def test_a_timed_bid_carries_its_expiry() -> None:
    assert save(bid_type=BidType.MATCH_WITH_TIME_LIMIT, expire_time=EXPIRY).expire_time == EXPIRY


def test_an_update_restates_the_whole_bid() -> None:
    body = update()
    assert body.wire() == {"bidId": "1234567", "price": Decimal("12000.50"), "quantity": 155, "bidStatus": "ACTIVE"}
    assert update(price=None, allow_no_price=True).price is None
    assert update(bid_status="CANCEL", allow_any_status=True).bid_status is BidStatus.CANCEL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bid_id": ""}, "bid_id is empty"),
        ({"bid_id": 1234567}, 'bid_id="1234567"'),
        ({"price": None}, "allow_no_price"),
        ({"quantity": -1}, "quantity=-1"),
        ({"bid_status": "ACCEPTED"}, "to cancel, call cancel"),
    ],
)
def test_a_bad_update_is_refused_in_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        update(**change)


def test_a_cancellation_needs_an_id() -> None:
    assert rules.bid_cancel("1234567").bid_id == "1234567"
    with pytest.raises(InvalidInput, match="bid_id is empty"):
        rules.bid_cancel("")


def test_a_call_about_a_contract_needs_its_name() -> None:
    assert rules.contract_name("GG20261201").wire() == {"contractName": "GG20261201"}
    with pytest.raises(InvalidInput, match="contract is empty"):
        rules.contract_name("")


def test_matches_are_asked_for_by_a_list_of_names() -> None:
    assert rules.matchings(name for name in ("A", "B")).contract_names == ["A", "B"]
    for wrong, said in (
        ("GG20261201", "is of type str; a list"),
        ([], "is empty"),
        (5, "is of type int"),
        ([5], "a str is needed"),
    ):
        with pytest.raises(InvalidInput, match=said):
            rules.matchings(wrong)  # type: ignore[arg-type]


def test_a_transaction_id_is_a_uuid_of_ours_or_the_callers() -> None:
    assert UUID(rules.transaction_id()).version == 4
    assert rules.transaction_id() != rules.transaction_id()
    given = UUID("6d553b3c-1ffc-44cc-bed6-1dce4d5b48ac")
    assert rules.transaction_id(given) == rules.transaction_id(str(given).upper()) == str(given)
    with pytest.raises(InvalidInput, match="not a UUID"):
        rules.transaction_id("my-order-1")
