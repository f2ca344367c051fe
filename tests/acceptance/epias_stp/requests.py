"""The calls that the venue's request samples stand for, as a user would make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from gridwire.epias_stp import operator_rules, rules
from gridwire.epias_stp.models import EmptyRequestBody, StpRequest

ISTANBUL = ZoneInfo("Europe/Istanbul")


def at(day: int, hour: int, minute: int = 0, second: int = 0, month: int = 9) -> datetime:
    return datetime(2018, month, day, hour, minute, second, tzinfo=ISTANBUL)


def _contract() -> StpRequest:
    body = operator_rules.contract_save(
        "STANDART",
        direction="BUY",
        quantity=155,
        gas_days=[date(2018, 9, 1), date(2018, 9, 2)],
        physical_point_ids=[101, 102],
    )
    # The sample carries the single day beside two of them; the rule writes it for exactly one.
    return body.model_copy(update={"gas_day_date": date(2018, 9, 1)})


def _conf() -> StpRequest:
    return operator_rules.contract_conf_save(
        "GG20180901",
        dap_scope_date=at(31, 8, month=8),
        dap_final_date=at(1, 8),
        grp_scope_date=at(1, 8),
        grp_final_date=at(2, 8),
        lqa=5,
        lpa=5,
        objection_time="30",
        market_max_quantity=100_000,
        market_min_quantity=1,
        market_ceiling_price="2000",
        market_base_price="0",
        transmission_max_quantity=200_000,
        transmission_min_quantity=1,
        ceiling_coefficient="1.1",
        base_coefficient="0.9",
        retrospective_average="7",
        transmission_ceiling_price_formula="GRF*1.10",
        transmission_ceiling_price="1800",
        transmission_base_price_formula="GRF*0.90",
        transmission_base_price="1000",
        nbp_open_time="8",
        modify_user="PK195",
    )


CALLS: Mapping[str, Callable[[], StpRequest]] = {
    "activecontracts_depth": lambda: rules.contract_name("GG20180901"),
    "activecontracts_depth_summary": lambda: rules.contract_name("GG20180901"),
    "activecontracts_matchings": lambda: rules.matchings(["GG20180901"]),
    "activecontracts_regional": EmptyRequestBody,
    "activecontracts_standart": EmptyRequestBody,
    "activecontracts_weekly": EmptyRequestBody,
    "bid_save": lambda: rules.bid_save(
        "GG20180901",
        direction="BUY",
        price="1467.1",
        quantity=155,
        bid_type="MATCH_WITH_TIME_LIMIT",
        expire_time=at(31, 19, 30, 33, month=8),
        point_name="UDN",
        bid_process_name="STANDART",
    ),
    "bid_update": lambda: rules.bid_update("1234567", price_cents=146710, quantity=155, bid_status="ACTIVE"),
    "bid_cancel": lambda: rules.bid_cancel("1234567"),
    "contract_get": lambda: rules.contract_name("GG20180901"),
    "contract_save": _contract,
    "contract_conf_get": lambda: rules.contract_name("GG20180901"),
    "contract_conf_save": _conf,
    "contract_gate_change_status": lambda: operator_rules.gate_change_status(11, gate_status="OPEN"),
    "contract_gate_update": lambda: operator_rules.gate_update(11, start_date=at(31, 8, month=8), end_date=at(2, 14)),
    "contract_status_list": EmptyRequestBody,
    "market_price_calculate_grp": lambda: operator_rules.calculate_grp("STANDART", date(2018, 9, 1)),
    "match_change_status": lambda: operator_rules.match_change_status(
        [operator_rules.match_change("7654321", status="CANCELLED", description="Karşılıklı itiraz kabul edildi")]
    ),
    "payment_order": lambda: operator_rules.payment_order(
        [operator_rules.payment(31, eic="40X000000000195P", amount="250000.75", request_time=at(3, 9, 31, 33))]
    ),
    "broadcaster_endpoint_get": EmptyRequestBody,
}
"""By operation, in the definition's shape."""
