"""Requests have one form: the samples' order, exact types, nothing unknown."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from gridwire.epias_stp.enums import BidStatus, BidType, Direction
from gridwire.epias_stp.models import BidCancelRequestBody, BidSaveRequestBody, ContractSaveRequestBody
from gridwire.errors import InvalidInput

GOOD: dict[str, Any] = {
    "contract_name": "GG20261201",
    "price": Decimal("12000.50"),
    "quantity": 155,
    "bid_type": BidType.STANDARD_MATCH,
    "bid_status": BidStatus.ACTIVE,
    "direction": Direction.BUY,
}


def test_fields_are_written_in_the_samples_order_and_none_is_left_out() -> None:
    body = BidSaveRequestBody(**GOOD)
    assert list(body.wire().items()) == [
        ("contractName", "GG20261201"),
        ("price", Decimal("12000.50")),
        ("quantity", 155),
        ("bidType", "STANDART_MATCH"),
        ("bidStatus", "ACTIVE"),
        ("direction", "BUY"),
    ]


def test_lists_and_dates_are_written_as_the_wire_has_them() -> None:
    body = ContractSaveRequestBody(
        contract_type_name="STANDART",
        quantity=1,
        direction_name=Direction.SELL,
        physical_point_ids=[],
        gas_day_dates=[date(2018, 9, 1)],
    )
    assert body.wire()["gasDayDates"] == ["2018-09-01T00:00:00.000+03:00"]
    assert body.wire()["physicalPointIds"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", 12000.5),
        ("price", 12000),
        ("price", "12000.5"),
        ("price", Decimal("NaN")),
        ("quantity", "155"),
        ("quantity", True),
        ("direction", "BUY"),
        ("expire_time", datetime(2026, 12, 1)),
        ("expire_time", "2026-12-01"),
        ("surprise", 1),
    ],
)
def test_other_types_and_unknown_fields_are_refused(field: str, value: Any) -> None:
    with pytest.raises((ValidationError, InvalidInput)):
        BidSaveRequestBody(**{**GOOD, field: value})


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "\ud800", "\x85", "\uffff"])
def test_characters_that_not_both_formats_can_carry_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="control character"):
        BidCancelRequestBody(bid_id=text).wire()
