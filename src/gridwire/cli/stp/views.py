"""STP's answers as rows of tables. Prices in TL per 1000 Sm3, quantities in counts of 1000 Sm3, times of Istanbul."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from gridwire.cli.output import Column, Row, clean, count, local, out, price

if TYPE_CHECKING:
    from gridwire.epias_stp.models import (
        AmountPrice,
        ContractDepth,
        ContractSummary,
        DepthSummaryRow,
        Match,
        RegionalContractSummary,
        StpModel,
    )
    from gridwire.outcome import OrderRef

OWN = "yours"

CONTRACTS = (
    Column("Contract"),
    Column("Buyers", right=True),
    Column("Buy at", right=True),
    Column("Sell at", right=True),
    Column("Sellers", right=True),
    Column("Last", right=True, spare=1),
    Column("Average", right=True, spare=2),
    Column("State", spare=5),
    Column("Opens", spare=4),
    Column("Closes", spare=3),
)
REGIONAL = (
    Column("Contract"),
    Column("Side"),
    Column("Left", right=True),
    Column("Total", right=True),
    Column("Buy at", right=True),
    Column("Sell at", right=True),
    Column("Points", spare=3),
    Column("Opens", spare=2),
    Column("Closes", spare=1),
)
DEPTH = (
    Column("Yours", spare=1),
    Column("Buyers", right=True),
    Column("Buy at", right=True),
    Column("Sell at", right=True),
    Column("Sellers", right=True),
    Column("Yours", spare=1),
)
MATCHES = (
    Column("Time"),
    Column("Contract"),
    Column("Amount", right=True),
    Column("Price", right=True),
    Column("Yours"),
    Column("Match", spare=2),
    Column("State", spare=3),
    Column("Point", spare=4),
)


SUMMARY = (
    Column("Side"),
    Column("Price", right=True),
    Column("Quantity", right=True),
    Column("Left", right=True),
    Column("State", spare=1),
    Column("Since", spare=2),
    Column("Organisation", spare=3),
)
STATUSES = (Column("State"), Column("Name"))


def contract(one: ContractSummary) -> Row:
    """A row of `CONTRACTS`."""
    return (
        one.name,
        *_best(one.best_buy),
        *reversed(_best(one.best_sell)),
        price(one.last_matching_price),
        price(one.weighted_average),
        one.status.code if one.status else "-",
        local(one.activation_time),
        local(one.closing_time),
    )


def regional(one: RegionalContractSummary) -> Row:
    """A row of `REGIONAL`."""
    return (
        one.name,
        one.direction or "-",
        count(one.remaining_amount),
        count(one.total_amount),
        _best(one.best_buy)[1],
        _best(one.best_sell)[1],
        ", ".join(one.locations),
        local(one.activation_time),
        local(one.closing_time),
    )


def depth(book: ContractDepth) -> list[Row]:
    """Rows of `DEPTH`: both sides, best prices first."""
    return [(*_level(buy), *reversed(_level(sell))) for buy, sell in zip_longest(book.buys, book.sells)]


def resting(one: DepthSummaryRow) -> Row:
    """A row of `SUMMARY`."""
    return (
        one.direction.code if one.direction else "-",
        price(one.price),
        count(one.quantity),
        count(one.remaining_quantity),
        one.bid_status.code if one.bid_status else "-",
        local(one.create_date),
        one.organization.text if one.organization else "-",
    )


def match(one: Match) -> Row:
    """A row of `MATCHES`."""
    return (
        local(one.matching_time, "%Y-%m-%d %H:%M:%S"),
        one.contract,
        count(one.quantity),
        price(one.price),
        OWN if one.my_own_matching else "",
        one.match_id,
        one.match_status,
        one.point_name or "-",
    )


def _best(level: AmountPrice | None) -> tuple[str, str]:
    return ("-", "-") if level is None else (count(level.amount), price(level.price))


def _level(level: AmountPrice | None) -> tuple[str, str, str]:
    if level is None:
        return "", "", ""
    return OWN if level.owner else "", count(level.amount), price(level.price)


BIDS = (
    Column("id"), Column("contract"), Column("side"), Column("price", right=True), Column("quantity", right=True),
    Column("status", spare=1), Column("transactionId", spare=2),
)  # fmt: skip


def known_bid(bid: OrderRef) -> Row:
    """A row of `BIDS`. A bid without an id was found live after its answer got lost."""
    state = bid.restated
    return (
        bid.id or "not known",
        clean(str(state.get("contract", ""))),
        str(state.get("direction", "")),
        price(state.get("price")),
        count(state.get("quantity")),
        str(state.get("bid_status", "")),
        bid.intent.key,
    )


def show_fields(answer: StpModel) -> None:
    """Write what an answer says, one field per line; what the venue left out is left out here."""
    said = {name: getattr(answer, name) for name in type(answer).model_fields}
    lines = [(name, shown) for name, value in said.items() for shown in _lines(value)]
    wide = max((len(name) for name, _ in lines), default=0)
    for name, shown in lines:
        out(f"{name:<{wide}}  {clean(shown)}")


def _lines(value: Any) -> list[str]:
    """A value, one line for each entry of a list of gates or days; none for what is not there."""
    from gridwire.epias_stp.models import ContractGate, GasDay

    if isinstance(value, list):
        if value and isinstance(value[0], (ContractGate, GasDay)):
            return [line for one in value for line in _lines(one)]
        return [", ".join(_shown(one) for one in value)] if value else []
    if isinstance(value, ContractGate):
        words = (value.contract_gate_id, value.gate_type, value.gate_status, value.start_date, "to", value.end_date)
        return [" ".join(_shown(word) for word in words)]
    if isinstance(value, GasDay):
        return [_shown(value.gas_day_date)]
    return [] if value is None or value == "" else [_shown(value)]


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return local(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(getattr(value, "code", value))
