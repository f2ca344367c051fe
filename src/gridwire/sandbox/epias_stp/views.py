"""Records of the market as the bodies STP answers with, in the shape of its definitions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

from gridwire.sandbox.epias_stp import dates
from gridwire.sandbox.epias_stp.records import (
    Bid,
    Contract,
    Gate,
    Match,
    User,
    lira,
    movement,
    weighted_average,
)
from gridwire.sandbox.epias_stp.texts import Language, coded, named
from gridwire.sandbox.matching import Side

_FIRST_GAS_DAY = date(2018, 9, 1)  # the market's first; gas days are counted from it (the numbering is ours)


def gas_day(day: date) -> dict[str, Any]:
    """One gas day. The advance payment is due at midnight before it."""
    return {
        "gasDayId": (day - _FIRST_GAS_DAY).days + 1,
        "registrationPeriodId": day.month,
        "gasDayDate": dates.to_wire(dates.istanbul(day)),
        "gasDeliveryStartDate": dates.to_wire(dates.gas_day_start(day)),
        "gasDeliveryEndDate": dates.to_wire(dates.gas_day_start(day + timedelta(days=1))),
        "advancePaymentDate": dates.to_wire(dates.istanbul(day - timedelta(days=1))),
    }


def depth(contract: Contract, side: Side, asking: User, bids: dict[str, Bid]) -> list[dict[str, Any]]:
    """Price levels of one side, best first; ``owner`` marks levels that hold a bid of the asking organisation."""
    levels = []
    for price, orders in groupby(contract.book.orders(side), key=lambda order: order.price):
        queue = list(orders)
        own = any(bids[order.id].user.organisation == asking.organisation for order in queue)
        levels.append({"price": lira(price), "amount": sum(order.quantity for order in queue), "owner": own})
    return levels


def summary(contract: Contract, asking: User, bids: dict[str, Bid], language: Language) -> dict[str, Any]:
    """A row of one of the lists of active contracts. Prices of a contract that never traded are 0, and IDLE."""
    listed: dict[str, Any] = {
        "name": contract.name,
        "bestAmountPriceBuying": _best(contract, "BUY", asking, bids),
        "bestAmountPriceSelling": _best(contract, "SELL", asking, bids),
        "status": coded(contract.status if contract.status == "WAITING" else contract.gate.status, language),
        "closingTime": dates.to_wire(contract.gate.end),
        "activationTime": dates.to_wire(contract.gate.start),
        "type": coded(contract.type, language),
    }
    listed |= _regional(contract) if contract.type == "REGIONAL" else _prices(contract.approved())
    listed["deliveryDays"] = [dates.to_wire(dates.istanbul(day)) for day in contract.gas_days]
    listed["gasDays"] = [gas_day(day) for day in contract.gas_days]
    return listed


def _best(contract: Contract, side: Side, asking: User, bids: dict[str, Bid]) -> dict[str, Any]:
    levels = depth(contract, side, asking, bids)
    return levels[0] if levels else {}


def _regional(contract: Contract) -> dict[str, Any]:
    return {
        "totalAmount": contract.quantity,
        "remainingAmount": contract.remaining(),
        "locations": list(contract.locations),
        "direction": contract.direction,
    }


def _prices(matches: list[Match]) -> dict[str, Any]:
    average, before = weighted_average(matches), weighted_average(matches[:-1])
    last = matches[-1].price if matches else 0
    previous = matches[-2].price if len(matches) > 1 else None
    return {
        "highestMatchingPrice": lira(max((match.price for match in matches), default=0)),
        "lastMatchingPrice": lira(last),
        "lastMatchingPriceDirection": movement(previous, last),
        "weightedAverage": lira(average or 0),
        "weightedAverageDirection": movement(before, average),
    }


def depth_rows(contract: Contract, asking: User, bids: dict[str, Bid], language: Language) -> list[dict[str, Any]]:
    """One row per resting bid. Whose it is, only the organisation itself and the operator are told."""
    matches = contract.approved()
    quantities = [match.quantity for match in matches[-contract.configuration["lqa"] :]]
    average = weighted_average(matches[-contract.configuration["lpa"] :])
    recent = {
        "lastMatchingsQuantityAverage": _mean(quantities),
        "lastMatchingsPriceAverage": lira(average or 0),
    }
    sides: tuple[Side, Side] = ("BUY", "SELL")
    return [
        _depth_row(bids[order.id], asking, language) | recent for side in sides for order in contract.book.orders(side)
    ]


def _depth_row(bid: Bid, asking: User, language: Language) -> dict[str, Any]:
    row: dict[str, Any] = {
        "price": lira(bid.price),
        "quantity": bid.quantity,
        "remaingQuatity": bid.remaining,
        "bidStatus": named(bid.status, language),
        "direction": named(bid.direction, language),
        "createDate": dates.to_wire(bid.created),
        "bidState": coded("NEW" if bid.remaining == bid.quantity else "PARTIAL", language),
    }
    owner = bid.user.organisation
    if asking.role == "operator" or asking.organisation == owner:
        row["organizationId"] = owner.id
        row["organization"] = {"value": str(owner.id), "text": owner.name}
    return row


def _mean(quantities: list[int]) -> int:
    if not quantities:
        return 0
    return int((Decimal(sum(quantities)) / len(quantities)).to_integral_value(ROUND_HALF_UP))


def public_match(match: Match, asking: User) -> dict[str, Any]:
    """A match as every participant sees it."""
    parties = (match.buy.user.organisation, match.sell.user.organisation)
    return {
        "matchId": match.id,
        "contract": match.contract_name,
        "price": lira(match.price),
        "quantity": match.quantity,
        "matchStatus": match.status,
        "matchingTime": dates.to_wire(match.time),
        "pointName": match.point_name,
        "myOwnMatching": asking.organisation in parties,
    }


def operator_match(match: Match, language: Language) -> dict[str, Any]:
    """A match as its change of status answers it."""
    reason = named(match.reason, language)
    return {
        "contractName": match.contract_name,
        "createDate": dates.to_wire(match.time),
        "createUser": match.created_by,
        "matchId": match.id,
        "matchStatus": named(match.status, language),
        "price": lira(match.price),
        "purchaseBid": {"id": match.buy.id},
        "purchaseMatchReason": reason,
        "quantity": match.quantity,
        "saleBid": {"id": match.sell.id},
        "saleMatchReason": reason,
    }


def contract_detail(contract: Contract, language: Language) -> dict[str, Any]:
    """A contract as ``contract/get`` and ``contract/save`` answer it."""
    return {
        "contractName": contract.name,
        "contractType": named(contract.type, language),
        "contractStatus": named(contract.status, language),
        "quantity": contract.quantity,
        "direction": named(contract.direction, language),
        "createDate": dates.to_wire(contract.created),
        "activationDate": dates.to_wire(contract.gate.start),
        "closeDate": dates.to_wire(contract.gate.end),
        "physicalPointIds": list(contract.point_ids),
        "gasDays": [gas_day(day) for day in contract.gas_days],
    }


def gate_detail(gate: Gate, contract: Contract, language: Language) -> dict[str, Any]:
    """A gate; it is announced a quarter of an hour before it opens (our choice)."""
    return {
        "contractGateId": gate.id,
        "gateTypeResponse": named("BID_GATE", language),
        "startDate": dates.to_wire(gate.start),
        "endDate": dates.to_wire(gate.end),
        "gateStatusResponse": named(gate.status, language),
        "contractName": gate.contract_name,
        "quantity": contract.quantity,
        "announcementDate": dates.to_wire(gate.start - timedelta(minutes=15)),
        "directionResponse": named(contract.direction, language),
    }


def configuration(contract: Contract, language: Language) -> dict[str, Any]:
    """A contract's configuration; what is written as ``average`` is read as ``retrospectiveAverage``."""
    stored = dict(contract.configuration)
    stored["retrospectiveAverage"] = stored.pop("average")
    shown = {name: dates.to_wire(value) if hasattr(value, "tzinfo") else value for name, value in stored.items()}
    return shown | {"gateList": [gate_detail(contract.gate, contract, language)]}


def names(values: Iterable[str], language: Language) -> list[dict[str, Any]]:
    """A lookup list."""
    return [named(value, language) for value in values]
