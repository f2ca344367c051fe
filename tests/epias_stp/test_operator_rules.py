"""The operator's and the settlement's calls are checked like a participant's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gridwire.epias_stp import operator_rules as rules
from gridwire.errors import InvalidInput
from gridwire.periods import GasDay

T0 = datetime(2026, 12, 1, 5, tzinfo=UTC)
T1 = T0 + timedelta(hours=54)
MIDNIGHT = datetime(2026, 11, 30, 21, tzinfo=UTC)
CONTRACT: dict[str, Any] = {
    "contract_type": "STANDART",
    "direction": "SELL",
    "quantity": 155,
    "gas_days": date(2026, 12, 1),
    "physical_point_ids": [101, 102],
}
CONF: dict[str, Any] = {
    "contract": "GG20261201",
    "dap_scope_date": T0,
    "dap_final_date": T1,
    "grp_scope_date": T0,
    "grp_final_date": T1,
}


def contract(**changes: Any) -> Any:
    return rules.contract_save(**{**CONTRACT, **changes})


def conf(**changes: Any) -> Any:
    return rules.contract_conf_save(**{**CONF, **changes})


def gate(**changes: Any) -> Any:
    given = {"gate_id": 11, "gate_type": "BID_GATE", "start_date": T0, "end_date": T1, "gate_status": "OPEN"}
    return rules.gate_setting(**{**given, **changes})


def test_one_gas_day_is_written_in_both_ways() -> None:
    for day in (date(2026, 12, 1), GasDay(date(2026, 12, 1)), [date(2026, 12, 1)], MIDNIGHT):
        body = contract(gas_days=day)
        assert body.gas_day_date == date(2026, 12, 1)
        assert body.gas_day_dates == [date(2026, 12, 1)]


def test_several_gas_days_are_written_as_the_list_alone() -> None:
    body = contract(gas_days=[date(2026, 12, 1), date(2026, 12, 2)])
    assert body.gas_day_date is None
    assert body.gas_day_dates == [date(2026, 12, 1), date(2026, 12, 2)]


def test_either_way_can_be_switched_off() -> None:
    assert contract(write_gas_day_date=False).gas_day_date is None
    assert contract(write_gas_day_dates=False).gas_day_dates is None
    assert "gasDayDates" not in contract(write_gas_day_dates=False).wire()
    with pytest.raises(InvalidInput, match="2 gas days cannot be written"):
        contract(gas_days=[date(2026, 12, 1), date(2026, 12, 2)], write_gas_day_dates=False)
    with pytest.raises(InvalidInput, match="1 gas days cannot be written"):
        contract(write_gas_day_date=False, write_gas_day_dates=False)


def test_a_contract_may_have_no_physical_points() -> None:
    assert contract(physical_point_ids=()).physical_point_ids == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"contract_type": ""}, "contract_type is empty"),
        ({"direction": "BOTH"}, "not a side"),
        ({"quantity": 0}, "quantity=0"),
        ({"gas_days": []}, "gas_days is empty"),
        ({"gas_days": ["2026-12-01"]}, "a date or a GasDay"),
        ({"gas_days": "2026-12-01"}, "is of type str"),
        ({"gas_days": datetime(2026, 12, 1)}, "no time zone"),
        ({"physical_point_ids": "101"}, "is of type str; a list"),
        ({"physical_point_ids": ["101"]}, "physical_point_ids='101' is of type str"),
        ({"physical_point_ids": 101}, "is of type int; a list"),
    ],
)
def test_a_bad_contract_is_refused_in_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        contract(**change)


def test_a_configuration_carries_what_was_given_and_nothing_else() -> None:
    body = conf(
        market_base_price="0",
        market_ceiling_price="2000",
        market_min_quantity=0,
        market_max_quantity=100,
        retrospective_average=Decimal("7.125"),
        transmission_base_price_formula="GRF*0.90",
        lpa=5,
        modify_user=None,
        gates=[gate()],
    )
    written = body.wire()
    assert written["average"] == Decimal("7.125")
    assert written["gateList"][0]["contractGateId"] == 11
    assert (written["lpa"], written["marketMinQuantity"]) == (5, 0)
    assert "modifyUser" not in written
    assert "gateList" not in conf().wire()
    assert conf(gates=[]).wire()["gateList"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"contract": ""}, "contract is empty"),
        ({"dap_scope_date": datetime(2026, 12, 1)}, "dap_scope_date=.*no time zone"),
        ({"market_base_price": 5}, "market_base_price=5 is of type int"),
        ({"market_max_quantity": "5"}, "market_max_quantity='5' is of type str"),
        ({"base_coefficient": 0.9}, "base_coefficient=0.9 is of type float"),
        ({"modify_user": ""}, "modify_user is empty"),
        ({"market_base_price": "2", "market_ceiling_price": "1"}, "market_base_price=2.00 is above"),
        ({"transmission_min_quantity": 2, "transmission_max_quantity": 1}, "transmission_min_quantity=2 is above"),
        ({"market_celing_price": "1"}, "has no market_celing_price"),
        ({"gates": [{"gate_id": 1}]}, "gate_setting"),
        ({"lpa": 5.5}, "lpa=5.5"),
    ],
)
def test_a_bad_configuration_is_refused_in_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        conf(**change)


def test_a_gate_ends_after_it_starts() -> None:
    assert gate(start_date=T0, end_date=T0).end_date == T0
    with pytest.raises(InvalidInput, match="lies after end_date"):
        gate(start_date=T1, end_date=T0)


def test_a_gate_can_be_moved_at_one_end_or_both() -> None:
    assert rules.gate_update(11, start_date=T0).wire() == {"gateId": 11, "startDate": "2026-12-01T08:00:00.000+03:00"}
    assert rules.gate_update(11, end_date=T1).end_date == T1
    assert rules.gate_update(11, start_date=T0, end_date=T1).start_date == T0


def test_a_bad_gate_change_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="Nothing to change"):
        rules.gate_update(11)
    with pytest.raises(InvalidInput, match="lies after end_date"):
        rules.gate_update(11, start_date=T1, end_date=T0)
    with pytest.raises(InvalidInput, match="gate_id=None is of type NoneType"):
        rules.gate_update(None, start_date=T0)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="gate_status is empty"):
        rules.gate_change_status(11, gate_status="")


def test_a_gates_status_is_changed_by_name() -> None:
    assert rules.gate_change_status(11, gate_status="OPEN").wire() == {"gateId": 11, "gateStatusName": "OPEN"}


def test_a_reference_price_is_worked_out_for_a_gas_day() -> None:
    assert rules.calculate_grp("STANDART", date(2026, 12, 1)).gas_day == date(2026, 12, 1)
    with pytest.raises(InvalidInput, match="contract_type is empty"):
        rules.calculate_grp("", date(2026, 12, 1))


def test_matches_change_state_in_a_list_with_reasons() -> None:
    change = rules.match_change("7654321", status="CANCELLED", description="itiraz kabul edildi")
    assert rules.match_change_status([change]).match_list == [change]
    for wrong, said in (([], "changes is empty"), ([{}], "match_change"), (change.match_id, "is of type str")):
        with pytest.raises(InvalidInput, match=said):
            rules.match_change_status(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="description is empty"):
        rules.match_change("7654321", status="CANCELLED", description="")


def test_payments_are_exact_money() -> None:
    order = rules.payment(31, eic="40X000000000195P", amount_cents=25000075, request_time=T0)
    assert order.amount == Decimal("250000.75")
    assert rules.payment_order([order]).orders == [order]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": 250000.75}, "amount_cents=1200050"),
        ({"amount": "0"}, "more than zero"),
        ({"amount": None}, "more than zero"),
        ({"eic": ""}, "eic is empty"),
        ({"payment_order_id": "31"}, "payment_order_id='31'"),
        ({"request_time": datetime(2026, 12, 1)}, "no time zone"),
    ],
)
def test_a_bad_payment_is_refused_in_words(change: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"payment_order_id": 31, "eic": "40X", "amount": "1", "request_time": T0}
    with pytest.raises(InvalidInput, match=said):
        rules.payment(**{**given, **change})


def test_payment_orders_are_made_with_payment() -> None:
    with pytest.raises(InvalidInput, match="payment"):
        rules.payment_order([{}])  # type: ignore[list-item]
