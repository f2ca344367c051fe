"""The 19 operations of the trading engine, each a function from request fields to an answer's body.

The table at the end names their paths, XML roots and who may call them. Which operations are the operator's is not in
the venue's document; it follows from what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast, get_args

from gridwire.sandbox.epias_stp import dates, views
from gridwire.sandbox.epias_stp.fields import Fields
from gridwire.sandbox.epias_stp.market import IMMEDIATE, STANDARD, TIMED, Market
from gridwire.sandbox.epias_stp.records import (
    POINTS,
    ContractStatus,
    ContractType,
    Gate,
    MatchStatus,
    Role,
    User,
    kurus,
    lira,
)
from gridwire.sandbox.epias_stp.texts import Language, Refused, coded
from gridwire.sandbox.matching import Side


@dataclass(slots=True)
class Call:
    """One call that passed ticket, envelope and rights. ``bid_ids`` collects the bids it touched, for the log."""

    market: Market
    user: User
    fields: Fields
    now: datetime
    language: Language
    document_shape: bool = False
    bid_ids: list[str] = field(default_factory=list)


def _choice(fields: Fields, name: str, choices: Any) -> str:
    value = fields.text(name)
    if value not in choices:
        raise Refused("REQ-0006", name)
    return value


def _kurus(fields: Fields, name: str) -> int | None:
    value = fields.optional_decimal(name)
    try:
        return None if value is None else kurus(value)
    except ValueError:
        raise Refused("REQ-0006", name) from None


def _bid_answer(call: Call, bid_id: str) -> dict[str, Any]:
    call.bid_ids.append(bid_id)
    return {"bidResponse": {"id": bid_id}}


def _bid_save(call: Call) -> dict[str, Any]:
    fields = call.fields
    contract = call.market.contract(fields.text("contractName"))
    bid_type = _choice(fields, "bidType", (IMMEDIATE, STANDARD, TIMED))
    direction = cast("Side", _choice(fields, "direction", get_args(Side)))
    status, quantity, price = fields.text("bidStatus"), fields.integer("quantity"), _kurus(fields, "price")
    if price is None:
        raise Refused("REQ-0005", "price")
    bid = call.market.save_bid(
        call.user, contract, direction, price, quantity, bid_type, status, call.now,
        expires=fields.optional_instant("expireTime"), point_name=fields.optional_text("pointName"),
    )  # fmt: skip
    return _bid_answer(call, bid.id)


def _bid_update(call: Call) -> dict[str, Any]:
    bid_id, status, quantity = call.fields.text("bidId"), call.fields.text("bidStatus"), call.fields.integer("quantity")
    bid = call.market.update_bid(call.user, bid_id, _kurus(call.fields, "price"), quantity, status, call.now)
    return _bid_answer(call, bid.id)


def _bid_cancel(call: Call) -> dict[str, Any]:
    return _bid_answer(call, call.market.cancel_bid(call.user, call.fields.text("bidId")).id)


def _depth(call: Call) -> dict[str, Any]:
    contract = call.market.contract(call.fields.text("contractName"))
    return {
        "contractBuyDepths": views.depth(contract, "BUY", call.user, call.market.bids),
        "contractSellDepths": views.depth(contract, "SELL", call.user, call.market.bids),
    }


def _depth_summary(call: Call) -> dict[str, Any]:
    contract = call.market.contract(call.fields.text("contractName"))
    return {"contractDepthSummaryResponses": views.depth_rows(contract, call.user, call.market.bids, call.language)}


def _matchings(call: Call) -> dict[str, Any]:
    contracts = [call.market.contract(name) for name in call.fields.texts("contractNames")]
    return {"matchings": [views.public_match(match, call.user) for c in contracts for match in c.matches]}


def _listing(contract_type: ContractType) -> Callable[[Call], dict[str, Any]]:
    def run(call: Call) -> dict[str, Any]:
        listed = call.market.listed(contract_type, call.now)
        return {"contracts": [views.summary(c, call.user, call.market.bids, call.language) for c in listed]}

    return run


def _contract_get(call: Call) -> dict[str, Any]:
    return views.contract_detail(call.market.contract(call.fields.text("contractName")), call.language)


def _contract_save(call: Call) -> dict[str, Any]:
    fields = call.fields
    contract_type = cast("ContractType", _choice(fields, "contractTypeName", get_args(ContractType)))
    direction = cast("Side", _choice(fields, "directionName", get_args(Side)))
    quantity, points = fields.integer("quantity"), tuple(fields.integers("physicalPointIds"))
    if quantity < 0 or (contract_type == "REGIONAL" and not quantity):
        raise Refused("REQ-0006", "quantity")
    if not set(points) <= set(POINTS):
        raise Refused("REQ-0006", "physicalPointIds")
    # The document's samples know one day per contract, its newer definition a list of them.
    instants = [fields.instant("gasDayDate")] if call.document_shape else fields.instants("gasDayDates")
    if not instants:
        raise Refused("REQ-0005", "gasDayDates")
    days = tuple(dates.day_of(instant) for instant in instants)
    contract = call.market.open_contract(contract_type, days, quantity, direction, points, call.now)
    return views.contract_detail(contract, call.language)


def _configuration_get(call: Call) -> dict[str, Any]:
    return views.configuration(call.market.contract(call.fields.text("contractName")), call.language)


_INTEGERS = (
    "lqa", "lpa", "marketMaxQuantity", "marketMinQuantity", "transmissionMaxQuantity", "transmissionMinQuantity",
)  # fmt: skip
_DECIMALS = (
    "average", "baseCoefficient", "ceilingCoefficient", "marketBasePrice", "marketCeilingPrice", "nbpOpenTime",
    "objectionTime", "transmissionBasePrice", "transmissionCeilingPrice",
)  # fmt: skip
_TEXTS = ("transmissionBasePriceFormula", "transmissionCeilingPriceFormula")
_INSTANTS = ("dapFinalDate", "dapScopeDate", "grpFinalDate", "grpScopeDate")


def _configuration_save(call: Call) -> dict[str, Any]:
    """Fields that are not given keep their values; nothing is stored if one of them is wrong."""
    fields, market = call.fields, call.market
    contract = market.contract(fields.text("contractName"))
    changed: dict[str, Any] = {name: fields.instant(name) for name in _INSTANTS}
    changed |= {name: fields.integer(name) for name in _INTEGERS if fields.given(name)}
    changed |= {name: fields.decimal(name) for name in _DECIMALS if fields.given(name)}
    changed |= {name: fields.text(name) for name in _TEXTS if fields.given(name)}
    for name in ("lqa", "lpa"):
        if changed.get(name, 1) < 1:
            raise Refused("REQ-0006", name)
    rows = fields.objects("gateList") if fields.given("gateList") else []
    gates = [(market.gate(row.integer("contractGateId")), row) for row in rows]
    if len(gates) > 1 or any(gate is not contract.gate for gate, _ in gates):
        raise Refused("REQ-0006", "gateList")  # each contract here has the one gate it was made with
    for gate, row in gates:
        status = _gate_status(row, "gateStatusName") if row.given("gateStatusName") else gate.status
        market.move_gate(gate, row.optional_instant("startDate"), row.optional_instant("endDate"), call.now)
        gate.status = status
    contract.configuration.update(changed)
    return {}


def _gate_status(fields: Fields, name: str) -> Any:
    return _choice(fields, name, ("OPEN", "CLOSED"))


def _gate_answer(call: Call, gate: Gate) -> dict[str, Any]:
    return views.gate_detail(gate, call.market.contracts[gate.contract_name], call.language)


def _gate_change_status(call: Call) -> dict[str, Any]:
    gate = call.market.gate(call.fields.integer("gateId"))
    gate.status = _gate_status(call.fields, "gateStatusName")
    return _gate_answer(call, gate)


def _gate_update(call: Call) -> dict[str, Any]:
    gate = call.market.gate(call.fields.integer("gateId"))
    start, end = call.fields.optional_instant("startDate"), call.fields.optional_instant("endDate")
    call.market.move_gate(gate, start, end, call.now)
    return _gate_answer(call, gate)


def _status_list(call: Call) -> dict[str, Any]:
    return {"contractStatuses": views.names(get_args(ContractStatus), call.language)}


def _calculate_grp(call: Call) -> dict[str, Any]:
    contract_type = _choice(call.fields, "contractType", get_args(ContractType))
    floor, ceiling = call.market.price_band(contract_type, dates.day_of(call.fields.instant("gasDay")))
    return {"basePrice": lira(floor), "ceilingPrice": lira(ceiling)}


def _match_change_status(call: Call) -> dict[str, Any]:
    """All of the list or nothing."""
    changes = []
    for row in call.fields.objects("matchList"):
        row.text("description")
        status = cast("MatchStatus", _choice(row, "statusName", get_args(MatchStatus)))
        changes.append((call.market.match(row.text("matchId")), status))
    for match, status in changes:
        call.market.change_match(match, status, call.user)
    return {"matchList": [views.operator_match(match, call.language) for match, _ in changes]}


def _payment_order(call: Call) -> dict[str, Any]:
    """Pays in the order given. Nothing is paid if a row cannot be read; a row without cover is REJECTED alone."""
    rows = []
    for row in call.fields.objects("orders"):
        row.instant("requestTime")
        amount = _kurus(row, "amount")
        if amount is None or amount <= 0:
            raise Refused("REQ-0006", "amount")
        rows.append((row.text("eic"), row.integer("paymentOrderId"), amount))
    results = []
    for eic, number, amount in rows:
        status = "ACCEPTED" if call.market.withdraw_money(eic, amount) else "REJECTED"
        said = {"amount": lira(amount), "eic": eic, "paymentOrderId": number, "status": coded(status, call.language)}
        results.append(said)
    return {"results": results}


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table. ``path`` is below the engine's base path."""

    name: str
    path: str
    request_root: str
    response_root: str
    roles: frozenset[Role]
    run: Callable[[Call], dict[str, Any]]


_TRADE: frozenset[Role] = frozenset({"participant"})
_OPERATE: frozenset[Role] = frozenset({"operator"})
EVERYONE = _TRADE | _OPERATE
_CONTRACTS = "contractRequest"

_TABLE = (
    ("activecontracts_depth", "contractDepthServiceRequest", "ContractDepthServiceResponse", EVERYONE, _depth),
    ("activecontracts_depth_summary", "contractDepthServiceRequest", "ContractDepthSummaryServiceResponse", EVERYONE,
     _depth_summary),
    ("activecontracts_matchings", "activeContractMatchingRequest", "activeContractMatchingResponse", EVERYONE, _matchings),
    ("activecontracts_regional", _CONTRACTS, "regionalContractResponse", EVERYONE, _listing("REGIONAL")),
    ("activecontracts_standart", _CONTRACTS, "contractResponse", EVERYONE, _listing("STANDART")),
    ("activecontracts_weekly", _CONTRACTS, "contractResponse", EVERYONE, _listing("WEEKLY")),
    ("bid_save", "bidSaveServiceRequest", "bidSaveServiceResponse", _TRADE, _bid_save),
    ("bid_update", "bidUpdateServiceRequest", "bidUpdateServiceResponse", _TRADE, _bid_update),
    ("bid_cancel", "bidCancelServiceRequest", "bidCancelServiceResponse", _TRADE, _bid_cancel),
    ("contract_get", "contractGetServiceRequest", "contractGetServiceResponse", EVERYONE, _contract_get),
    ("contract_save", "contractSaveServiceRequest", "contractSaveServiceResponse", _OPERATE, _contract_save),
    ("contract_conf_get", "contractConfigurationGetServiceRequest", "contractConfigurationGetServiceResponse",
     _OPERATE, _configuration_get),
    ("contract_conf_save", "contractConfigurationSaveServiceRequest", "contractConfigurationSaveServiceResponse",
     _OPERATE, _configuration_save),
    ("contract_gate_change_status", "contractGateChangeStatusServiceRequest", "contractGateSaveServiceResponse",
     _OPERATE, _gate_change_status),
    ("contract_gate_update", "contractGateUpdateServiceRequest", "contractGateSaveServiceResponse", _OPERATE,
     _gate_update),
    ("contract_status_list", "contractStatusListServiceRequest", "contractStatusListServiceResponse", EVERYONE,
     _status_list),
    ("market_price_calculate_grp", "grpPriceGetRequest", "grpPriceServiceResponse", _OPERATE, _calculate_grp),
    ("match_change_status", "matchChangeStatusServiceRequest", "matchChangeStatusServiceResponse", _OPERATE,
     _match_change_status),
    ("payment_order", "paymentOrderServiceRequest", "PaymentServiceResponse", _OPERATE, _payment_order),
)  # fmt: skip
_PATHS = {
    "activecontracts_depth_summary": "/activecontracts/depth-summary",
    "contract_conf_get": "/contract-conf/get",
    "contract_conf_save": "/contract-conf/save",
    "contract_gate_change_status": "/contract-gate/change-status",
    "contract_gate_update": "/contract-gate/update",
    "contract_status_list": "/contract-status/list",
    "market_price_calculate_grp": "/market-price/calculate-grp",
    "match_change_status": "/match/change-status",
}

BY_PATH: dict[str, Operation] = {
    path: Operation(name, path, request, response, roles, run)
    for name, request, response, roles, run in _TABLE
    for path in (_PATHS.get(name, "/" + name.replace("_", "/", 1)),)
}
