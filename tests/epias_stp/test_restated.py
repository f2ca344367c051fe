"""Every field of a write is restated, under the argument's name, and comes back from the journal as what it was."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from gridwire.epias_stp import operator_rules
from gridwire.epias_stp.models import StpRequest
from gridwire.epias_stp.restated import restated, restated_of
from gridwire.orders.desk import plain
from tests.acceptance.epias_stp.requests import CALLS
from tests.epias_stp.samples import WRITES

BEGIN, END = datetime(2026, 12, 1, 5, tzinfo=UTC), datetime(2026, 12, 2, 5, tzinfo=UTC)
GATE = operator_rules.gate_setting(11, gate_type="BID_GATE", start_date=BEGIN, end_date=END, gate_status="OPEN")


BODIES = [
    *(pytest.param(CALLS[operation.name](), id=operation.name) for operation in WRITES),
    pytest.param(
        operator_rules.contract_conf_save(
            "GG20261201",
            dap_scope_date=BEGIN,
            dap_final_date=END,
            grp_scope_date=BEGIN,
            grp_final_date=END,
            gates=[GATE],
        ),
        id="gates",
    ),
]


def leaves(value: Any) -> list[Any]:
    """The single values within ``value``, in a form that the wire and Python have in common."""
    if isinstance(value, StpRequest):
        return [leaf for name in type(value).model_fields for leaf in leaves(getattr(value, name))]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None else [str(getattr(value, "value", value))]


@pytest.mark.parametrize("body", BODIES)
def test_no_field_of_a_write_is_left_out(body: StpRequest) -> None:
    said = restated(body)
    assert set(leaves(said)) == set(leaves(body))
    assert all(value is not None for value in said.values())


@pytest.mark.parametrize("body", BODIES)
def test_what_the_journal_kept_is_what_was_restated(body: StpRequest) -> None:
    said = restated(body)
    kept = restated_of(json.loads(json.dumps(plain(said))))
    assert kept == said
    assert list(map(type, leaves_of(kept))) == list(map(type, leaves_of(said)))


def leaves_of(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves_of(item)]
    return [leaf for item in value for leaf in leaves_of(item)] if isinstance(value, list) else [value]


def test_fields_are_called_like_the_arguments() -> None:
    assert restated(CALLS["bid_save"]()) == {
        "contract": "GG20180901", "price": Decimal("1467.1"), "quantity": 155, "bid_type": "MATCH_WITH_TIME_LIMIT",
        "bid_status": "ACTIVE", "direction": "BUY", "expire_time": datetime(2018, 8, 31, 16, 30, 33, tzinfo=UTC),
        "point_name": "UDN", "bid_process_name": "STANDART",
    }  # fmt: skip
    contract = operator_rules.contract_save(
        "STANDART", direction="SELL", quantity=7, gas_days=date(2026, 12, 1), physical_point_ids=[101]
    )
    assert restated(contract) == {
        "contract_type": "STANDART", "gas_days": [date(2026, 12, 1)], "quantity": 7, "direction": "SELL",
        "physical_point_ids": [101],
    }  # fmt: skip
    assert restated(GATE) == {
        "gate_id": 11, "gate_type": "BID_GATE", "start_date": BEGIN, "end_date": END, "gate_status": "OPEN",
    }  # fmt: skip
    (change,) = restated(CALLS["match_change_status"]())["changes"]
    assert set(change) == {"match_id", "status", "description"}


def test_a_single_day_is_kept_in_either_spelling() -> None:
    for switch in ("write_gas_day_date", "write_gas_day_dates"):
        body = operator_rules.contract_save(
            "STANDART",
            direction="BUY",
            quantity=7,
            gas_days=date(2026, 12, 1),
            physical_point_ids=[],
            **{switch: False},
        )
        assert restated(body)["gas_days"] == [date(2026, 12, 1)]


def test_fields_that_no_request_has_stay_as_they_are() -> None:
    assert restated_of({"note": "7", "bid_id": "7", "price": None}) == {"note": "7", "bid_id": "7", "price": None}
