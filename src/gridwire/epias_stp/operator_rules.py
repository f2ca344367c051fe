"""Request bodies of the operator's and the settlement's calls, checked like a participant's. Pure functions.

Whether an ordinary participant may make these calls at all is not documented. Code names (contract types, gate states,
match states) are on no list that is known, so any non-empty text passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, SupportsIndex

from gridwire.epias_stp import dates
from gridwire.epias_stp.enums import Direction
from gridwire.epias_stp.models.requests import (
    ContractConfigurationSaveRequestBody,
    ContractGateChangeStatusRequestBody,
    ContractGateUpdateRequestBody,
    ContractSaveRequestBody,
    GateSetting,
    GrpPriceGetRequestBody,
    MatchChangeStatusRequestBody,
    MatchChangeStatusRequestListBody,
    PaymentOrder,
    PaymentOrderRequestBody,
)
from gridwire.epias_stp.rules import PRICE_UNIT, QUANTITY_UNIT, listed, name_text, optional_text, side
from gridwire.errors import InvalidInput
from gridwire.periods import GasDay, aware
from gridwire.units import count, exact, price

_PRICES = ("market_ceiling_price", "market_base_price", "transmission_ceiling_price", "transmission_base_price")
_QUANTITIES = (
    "market_max_quantity",
    "market_min_quantity",
    "transmission_max_quantity",
    "transmission_min_quantity",
    "lqa",
)
_NUMBERS = ("objection_time", "ceiling_coefficient", "base_coefficient", "retrospective_average", "nbp_open_time")
_TEXTS = ("transmission_ceiling_price_formula", "transmission_base_price_formula", "modify_user")
_ORDERED = (
    ("market_base_price", "market_ceiling_price"),
    ("transmission_base_price", "transmission_ceiling_price"),
    ("market_min_quantity", "market_max_quantity"),
    ("transmission_min_quantity", "transmission_max_quantity"),
)


def contract_save(
    contract_type: str,
    *,
    direction: Direction | str,
    quantity: int,
    gas_days: date | GasDay | datetime | Iterable[date | GasDay | datetime],
    physical_point_ids: Iterable[int],
    write_gas_day_date: bool = True,
    write_gas_day_dates: bool = True,
) -> ContractSaveRequestBody:
    """A new contract for one or several gas days.

    The definition has the list ``gasDayDates``, the document's sample the single ``gasDayDate``: with exactly one day both
    are written, else only the list. The switches leave one of them out for a release that refuses it.
    """
    given = [gas_days] if isinstance(gas_days, (date, GasDay)) else listed(gas_days, "gas_days")
    days = [dates.gas_day(day, "gas_days") for day in given]
    single = days[0] if len(days) == 1 and write_gas_day_date else None
    if single is None and not write_gas_day_dates:
        raise InvalidInput(
            f"{len(days)} gas days cannot be written without gasDayDates, which the profile switches off."
        )
    points = [_id(point, "physical_point_ids") for point in listed(physical_point_ids, "physical_point_ids", least=0)]
    return ContractSaveRequestBody(
        contract_type_name=name_text(contract_type, "contract_type"),
        gas_day_date=single,
        quantity=count(quantity, unit=QUANTITY_UNIT),
        direction_name=side(direction, "direction"),
        physical_point_ids=points,
        gas_day_dates=days if write_gas_day_dates else None,
    )


def gate_setting(
    gate_id: int, *, gate_type: str, start_date: datetime, end_date: datetime, gate_status: str
) -> GateSetting:
    """One gate for `contract_conf_save`."""
    start, end = _span(start_date, end_date)
    return GateSetting(
        contract_gate_id=_id(gate_id, "gate_id"),
        contract_gate_type_name=name_text(gate_type, "gate_type"),
        start_date=start,
        end_date=end,
        gate_status_name=name_text(gate_status, "gate_status"),
    )


def contract_conf_save(
    contract: str,
    *,
    dap_scope_date: datetime,
    dap_final_date: datetime,
    grp_scope_date: datetime,
    grp_final_date: datetime,
    gates: Iterable[GateSetting] | None = None,
    lpa: int | None = None,
    places: int | None = 2,
    **settings: Decimal | str | int | None,
) -> ContractConfigurationSaveRequestBody:
    """Limits, formulas and gates of a contract.

    ``settings`` are the attributes of `ContractConfigurationSaveRequestBody`: prices as Decimal or str in TL/1000 Sm3,
    quantities as int counts of 1000 Sm3, coefficients, times and averages as Decimal or str, formulas and user as str.
    ``lpa`` is an int there although it averages prices. Raises `InvalidInput`, also where a minimum is above its maximum.
    """
    unknown = sorted(settings.keys() - {*_PRICES, *_QUANTITIES, *_NUMBERS, *_TEXTS})
    if unknown:
        raise InvalidInput(f"A contract's configuration has no {', '.join(unknown)}.")
    values: dict[str, Any] = {name: _setting(name, value, places) for name, value in settings.items()}
    for low, high in _ORDERED:
        if values.get(low) is not None and values.get(high) is not None and values[low] > values[high]:
            raise InvalidInput(f"{low}={values[low]} is above {high}={values[high]}.")
    return ContractConfigurationSaveRequestBody(
        contract_name=name_text(contract, "contract"),
        gates=None if gates is None else _gates(gates),
        dap_scope_date=aware(dap_scope_date, "dap_scope_date"),
        dap_final_date=aware(dap_final_date, "dap_final_date"),
        grp_scope_date=aware(grp_scope_date, "grp_scope_date"),
        grp_final_date=aware(grp_final_date, "grp_final_date"),
        lpa=None if lpa is None else _id(lpa, "lpa"),
        **values,
    )


def gate_change_status(gate_id: int, *, gate_status: str) -> ContractGateChangeStatusRequestBody:
    """A gate's new status."""
    return ContractGateChangeStatusRequestBody(
        gate_id=_id(gate_id, "gate_id"), gate_status_name=name_text(gate_status, "gate_status")
    )


def gate_update(
    gate_id: int, *, start_date: datetime | None = None, end_date: datetime | None = None
) -> ContractGateUpdateRequestBody:
    """A gate's new times, one or both. The definition makes even the id optional; here it is needed."""
    if start_date is None and end_date is None:
        raise InvalidInput("Nothing to change: give start_date= or end_date=.")
    start, end = _span(start_date, end_date)
    return ContractGateUpdateRequestBody(gate_id=_id(gate_id, "gate_id"), start_date=start, end_date=end)


def calculate_grp(contract_type: str, gas_day: date | GasDay | datetime) -> GrpPriceGetRequestBody:
    """The limits that the gas reference price gives for one gas day."""
    return GrpPriceGetRequestBody(
        contract_type=name_text(contract_type, "contract_type"), gas_day=dates.gas_day(gas_day, "gas_day")
    )


def match_change(match_id: str, *, status: str, description: str) -> MatchChangeStatusRequestBody:
    """One match's new state and the reason for it."""
    return MatchChangeStatusRequestBody(
        description=name_text(description, "description"),
        match_id=name_text(match_id, "match_id"),
        status_name=name_text(status, "status"),
    )


def match_change_status(changes: Iterable[MatchChangeStatusRequestBody]) -> MatchChangeStatusRequestListBody:
    """New states of at least one match, made with `match_change`."""
    made = [
        _made(change, MatchChangeStatusRequestBody, "changes", "match_change") for change in listed(changes, "changes")
    ]
    _once([change.match_id for change in made], "changes", "match")
    return MatchChangeStatusRequestListBody(match_list=made)


def payment(
    payment_order_id: int,
    *,
    eic: str,
    amount: Decimal | str | None = None,
    amount_cents: int | None = None,
    request_time: datetime,
) -> PaymentOrder:
    """One payment order. ``amount`` is money in TL (assumed), ``amount_cents`` in kuruş; more than zero."""
    money = price(amount, amount_cents, unit="TL", name="amount")
    if not money:
        raise InvalidInput('A payment needs an amount of more than zero: amount="250000.75" or amount_cents=25000075.')
    return PaymentOrder(
        amount=money,
        eic=name_text(eic, "eic"),
        payment_order_id=_id(payment_order_id, "payment_order_id"),
        request_time=aware(request_time, "request_time"),
    )


def payment_order(orders: Iterable[PaymentOrder]) -> PaymentOrderRequestBody:
    """At least one payment order, made with `payment`."""
    made = [_made(order, PaymentOrder, "orders", "payment") for order in listed(orders, "orders")]
    _once([order.payment_order_id for order in made], "orders", "payment order")
    return PaymentOrderRequestBody(orders=made)


def _setting(name: str, value: Any, places: int | None) -> Decimal | int | str | None:
    if value is None:
        return None
    if name in _PRICES:
        return exact(value, unit=PRICE_UNIT, places=places, name=name)
    if name in _QUANTITIES:
        return count(value, unit=QUANTITY_UNIT, name=name, least=0)
    if name in _NUMBERS:
        return exact(value, unit="the venue's own unit", places=None, name=name)
    return optional_text(value, name)


def _gates(gates: Iterable[GateSetting]) -> list[GateSetting]:
    return [_made(gate, GateSetting, "gates", "gate_setting") for gate in listed(gates, "gates", least=0)]


def _span(start: datetime | None, end: datetime | None) -> tuple[Any, Any]:
    first = None if start is None else aware(start, "start_date")
    last = None if end is None else aware(end, "end_date")
    if first is not None and last is not None and first > last:
        raise InvalidInput(f"start_date={start} lies after end_date={end}.")
    return first, last


def _id(value: SupportsIndex, name: str) -> int:
    return count(value, unit="the venue's own numbering", name=name, least=0)


def _once(numbers: Sequence[str | int], name: str, noun: str) -> None:
    twice = [number for number, times in Counter(numbers).items() if times > 1]
    if twice:
        raise InvalidInput(
            f"{name} names {noun} {twice[0]} more than once, and the answer tells them apart by that alone. Nothing was sent."
        )


def _made(value: object, kind: type[Any], name: str, maker: str) -> Any:
    if not isinstance(value, kind):
        raise InvalidInput(f"{name} holds {value!r}; make its entries with {maker}(…).")
    return value
