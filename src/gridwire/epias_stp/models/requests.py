"""What is sent to STP. Build these with `gridwire.epias_stp.rules`, which explains what is wrong with an argument.

The order of the fields is that of the document's samples; whether the venue cares is unknown (STP document, section 4,
message layout). Prices are TL per 1000 Sm3, quantities counts of 1000 Sm3, instants aware, days dates.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pydantic import Field

from gridwire.epias_stp.enums import BidStatus, BidType, Direction
from gridwire.epias_stp.models.base import Moment, StpRequest


class EmptyRequestBody(StpRequest):
    """Calls that list something send an empty body; it is always written."""


class ContractNameRequestBody(StpRequest):
    """One contract by its name: depth, depth summary, master data, configuration."""

    contract_name: str


class ActiveContractMatchingRequestBody(StpRequest):
    """The contracts whose matches are wanted."""

    contract_names: list[str]


class BidSaveRequestBody(StpRequest):
    """A new bid."""

    contract_name: str
    price: Decimal | None = None
    """TL per 1000 Sm3. What a bid without one means is not documented."""
    quantity: int
    """Count of 1000 Sm3."""
    bid_type: BidType
    bid_status: BidStatus
    direction: Direction
    expire_time: Moment | None = None
    point_name: str | None = None
    bid_process_name: str | None = None


class BidUpdateRequestBody(StpRequest):
    """The whole state that a resting bid is to have."""

    bid_id: str
    price: Decimal | None = None
    """TL per 1000 Sm3."""
    quantity: int
    """Count of 1000 Sm3; whether in all or still unmatched is not documented."""
    bid_status: BidStatus


class BidCancelRequestBody(StpRequest):
    """The bid to cancel."""

    bid_id: str


class ContractSaveRequestBody(StpRequest):
    """A new contract (operator)."""

    contract_type_name: str
    gas_day_date: date | None = None
    """The older single day, written beside the list where there is exactly one."""
    quantity: int
    """Count of 1000 Sm3."""
    direction_name: Direction
    physical_point_ids: list[int]
    gas_day_dates: list[date] | None = None


class GateSetting(StpRequest):
    """A gate to store with a contract's configuration. Only a sample shows it; the definition leaves it out."""

    contract_gate_id: int
    contract_gate_type_name: str
    start_date: Moment
    end_date: Moment
    gate_status_name: str


class ContractConfigurationSaveRequestBody(StpRequest):
    """Limits, formulas and gates of one contract (operator). Prices are TL per 1000 Sm3, quantities counts of 1000 Sm3."""

    contract_name: str
    gates: list[GateSetting] | None = Field(default=None, validation_alias="gateList", serialization_alias="gateList")
    dap_scope_date: Moment
    dap_final_date: Moment
    grp_scope_date: Moment
    grp_final_date: Moment
    lqa: int | None = None
    lpa: int | None = None
    objection_time: Decimal | None = None
    market_max_quantity: int | None = None
    market_min_quantity: int | None = None
    market_ceiling_price: Decimal | None = None
    market_base_price: Decimal | None = None
    transmission_max_quantity: int | None = None
    transmission_min_quantity: int | None = None
    ceiling_coefficient: Decimal | None = None
    base_coefficient: Decimal | None = None
    retrospective_average: Decimal | None = Field(
        default=None, validation_alias="average", serialization_alias="average"
    )
    """Called ``retrospectiveAverage`` where it is read."""
    transmission_ceiling_price_formula: str | None = None
    transmission_ceiling_price: Decimal | None = None
    transmission_base_price_formula: str | None = None
    transmission_base_price: Decimal | None = None
    nbp_open_time: Decimal | None = None
    modify_user: str | None = None


class ContractGateChangeStatusRequestBody(StpRequest):
    """A gate's new status (operator)."""

    gate_id: int
    gate_status_name: str


class ContractGateUpdateRequestBody(StpRequest):
    """A gate's new times (operator)."""

    gate_id: int
    start_date: Moment | None = None
    end_date: Moment | None = None


class GrpPriceGetRequestBody(StpRequest):
    """The gas day whose reference price limits are to be worked out."""

    contract_type: str
    gas_day: date


class MatchChangeStatusRequestBody(StpRequest):
    """The new state of one match (operator)."""

    description: str
    match_id: str
    status_name: str


class MatchChangeStatusRequestListBody(StpRequest):
    """New states of matches (operator)."""

    match_list: list[MatchChangeStatusRequestBody]


class PaymentOrder(StpRequest):
    """One payment (withdrawal) order of the settlement side."""

    amount: Decimal
    """Money, in TL (assumed)."""
    eic: str
    payment_order_id: int
    request_time: Moment


class PaymentOrderRequestBody(StpRequest):
    """Payment orders."""

    orders: list[PaymentOrder]
