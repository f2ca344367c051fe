"""What STP answers. Prices are TL per 1000 Sm3, quantities are counts of 1000 Sm3, instants are UTC, days are dates.

The unit of quantities is inferred from published volumes and turnovers: the document names none (see the profile's
``quantity_unit``). Definitions that differ in name only share one model; `gridwire.epias_stp.models.DEFINITIONS` says
which.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from gridwire import clock
from gridwire.epias_stp.enums import PriceDirection
from gridwire.epias_stp.models.base import (
    Count,
    Day,
    Flag,
    Instant,
    Listed,
    Many,
    MaybeDay,
    Number,
    StpModel,
    Text,
    Whole,
    many,
)
from gridwire.periods import aware


def _also(*names: str) -> Any:
    """A field, None by default, whose wire name is the first of ``names`` and that is read under the others as well."""
    return Field(default=None, validation_alias=AliasChoices(*names), serialization_alias=names[0])


def _also_many(*names: str) -> Any:
    """The same for a list, empty by default."""
    return Field(default_factory=list, validation_alias=AliasChoices(*names), serialization_alias=names[0])


class Localization(StpModel):
    """A text in one language."""

    language: Text = ""
    text: Text = ""


class NamedCode(StpModel):
    """A code of one of the venue's lists (bid status, contract type, match reason …) with its display text."""

    name: Text = ""
    localization: Localization | None = None

    @property
    def code(self) -> str:
        """The code, the same property as of `LabelledCode`."""
        return self.name

    @property
    def text(self) -> str:
        """The display text, in the language of the request."""
        return self.localization.text if self.localization is not None else ""


class LabelledCode(StpModel):
    """A code with its display text, in the flat shape that contract lists and payments use."""

    value: Text = ""
    text: Text = ""

    @property
    def code(self) -> str:
        """The code, the same property as of `NamedCode`."""
        return self.value


class AmountPrice(StpModel):
    """One price level of an order book."""

    price: Number = None
    """TL per 1000 Sm3."""
    amount: Count = None
    """Volume of the level in counts of 1000 Sm3, all its bids together (inferred)."""
    owner: Flag = None
    """Whether the level holds a bid of the caller; None where the venue does not say (STP document 7.3: optional)."""


class GasDay(StpModel):
    """A gas day as the venue keeps it: 08:00 to 08:00 of the next day in Istanbul."""

    gas_day_id: Count = None
    gas_day_date: MaybeDay = None
    """The date that names the gas day."""
    gas_delivery_start_date: Instant = None
    """When delivery begins: 08:00 in Istanbul of that date."""
    gas_delivery_end_date: Instant = None
    """When delivery ends: 08:00 in Istanbul of the next date."""
    advance_payment_date: MaybeDay = None
    """The date on which the advance payment is due (inferred: the document says no more than the name)."""
    registration_period_id: Count = None


def _gas_days(value: object) -> object:
    # Older answers carry the date alone, as text or milliseconds.
    return [{"gasDayDate": day} if isinstance(day, (str, int)) else day for day in many(value)]


GasDays: TypeAlias = Annotated[list[GasDay], BeforeValidator(_gas_days)]


def _no_price(value: AmountPrice | None) -> AmountPrice | None:
    # The definition requires the object, so an empty side of the book comes as one without a price.
    return None if value is not None and value.price is None and value.amount is None else value


BestPrice: TypeAlias = Annotated[AmountPrice | None, AfterValidator(_no_price)]


class _ActiveContract(StpModel):
    name: Text = ""
    """The contract's name, as calls take it: ``GG20261201``."""
    best_buy: BestPrice = _also("bestAmountPriceBuying")
    """Highest price somebody buys at; None if nobody does."""
    best_sell: BestPrice = _also("bestAmountPriceSelling")
    """Lowest price somebody sells at; None if nobody does."""
    status: LabelledCode | None = None
    type: LabelledCode | None = None
    activation_time: Instant = None
    """When it opens: bids are taken from then on. The lists hold contracts that are about to open too."""
    closing_time: Instant = None
    """When it closes, and takes no more bids."""
    delivery_days: Many[Day] = _also_many("deliveryDays", "deliveryDay")
    gas_days: GasDays = _also_many("gasDays", "gasDay")

    def is_open(self, at: datetime | None = None) -> bool:
        """Whether ``at`` (aware; now by this machine's clock unless given) lies between opening and closing.

        False where the answer names no opening or no closing time: then it is not known. A gate that the operator closed
        early shows in ``status`` only, whose values STP does not publish.
        """
        moment = clock.now() if at is None else aware(at, "at")
        opens, closes = self.activation_time, self.closing_time
        return opens is not None and closes is not None and opens <= moment < closes


class ContractSummary(_ActiveContract):
    """A daily or weekly contract that is open for trading or about to open."""

    highest_matching_price: Number = None
    """TL per 1000 Sm3, as are the other prices."""
    last_matching_price: Number = None
    last_matching_price_direction: PriceDirection | None = None
    weighted_average: Number = None
    weighted_average_direction: PriceDirection | None = None


class RegionalContractSummary(_ActiveContract):
    """A contract for gas at named network points, open for trading or about to open."""

    direction: Text | None = None
    """BUY or SELL: the side the transmission company takes."""
    locations: Many[Text] = Field(default_factory=list)
    total_amount: Count = None
    """Counts of 1000 Sm3."""
    remaining_amount: Count = None
    """Counts of 1000 Sm3 not matched yet."""


class Contracts(StpModel):
    """The answer of the standard and the weekly contract list."""

    contracts: Many[ContractSummary] = Field(default_factory=list)


class RegionalContracts(StpModel):
    """The answer of the regional contract list."""

    contracts: Many[RegionalContractSummary] = Field(default_factory=list)


class ContractDepth(StpModel):
    """The order book of one contract by price level, best first as the venue sends it."""

    buys: Listed[AmountPrice] = _also_many("contractBuyDepths")
    sells: Listed[AmountPrice] = _also_many("contractSellDepths")

    def listed(self, side: str) -> list[AmountPrice] | None:
        """The levels of ``BUY`` or ``SELL``; None where the answer held no list for it, which is not an empty one."""
        name = "buys" if side == "BUY" else "sells"
        levels: list[AmountPrice] = getattr(self, name)
        return levels if name in self.model_fields_set else None


class DepthSummaryRow(StpModel):
    """One resting bid in the order book of a contract."""

    price: Number = None
    """TL per 1000 Sm3."""
    quantity: Count = None
    """Counts of 1000 Sm3."""
    remaining_quantity: Count = _also("remaingQuatity", "remainingQuantity", "remaingQuantity", "remainingQuatity")
    """What is left of ``quantity``, in counts of 1000 Sm3. The wire misspells it; four spellings are read."""
    direction: NamedCode | None = None
    bid_status: NamedCode | None = None
    bid_state: LabelledCode | None = None
    organization: LabelledCode | None = None
    organization_id: Count = None
    create_date: Instant = None
    last_matchings_price_average: Number = None
    """TL per 1000 Sm3."""
    last_matchings_quantity_average: Number = None
    """Counts of 1000 Sm3. An average has fractions, although the document declares an integer."""


class DepthSummary(StpModel):
    """The order book of one contract bid by bid."""

    rows: Many[DepthSummaryRow] = _also_many("contractDepthSummaryResponses")


class Match(StpModel):
    """A public match of an active contract."""

    match_id: Text = ""
    contract: Text = ""
    price: Number = None
    """TL per 1000 Sm3."""
    quantity: Count = None
    """Counts of 1000 Sm3."""
    match_status: Text = ""
    matching_time: Instant = None
    my_own_matching: Flag = None
    """Whether the caller's organisation is on one of its sides; None where the venue does not say."""
    point_name: Text | None = None


class Matchings(StpModel):
    """The matches of the contracts asked for."""

    matchings: Listed[Match] = Field(default_factory=list)

    @property
    def listed(self) -> list[Match] | None:
        """The matches; None where the answer held no list, which is not an empty one."""
        return self.matchings if "matchings" in self.model_fields_set else None


class BidReference(StpModel):
    """A bid by its identifier alone."""

    id: Text | None = None


class BidAnswer(StpModel):
    """What saving, updating and cancelling a bid answer."""

    bid: BidReference | None = _also("bidResponse")

    @property
    def bid_id(self) -> str | None:
        """The bid's identifier; None if the venue gave none."""
        return (self.bid.id or None) if self.bid is not None else None


class ContractDetails(StpModel):
    """Master data of one contract."""

    contract_name: Text = ""
    contract_type: NamedCode | None = None
    contract_status: NamedCode | None = None
    direction: NamedCode | None = None
    quantity: Count = None
    """Counts of 1000 Sm3."""
    create_date: Instant = None
    activation_date: Instant = None
    close_date: Instant = None
    physical_point_ids: Many[Whole] = Field(default_factory=list)
    gas_days: GasDays = _also_many("gasDays", "gasDay")


class ContractGate(StpModel):
    """A span of time in which something may be done with a contract."""

    contract_gate_id: Count = None
    contract_name: Text | None = None
    gate_type: NamedCode | None = _also("gateTypeResponse")
    gate_status: NamedCode | None = _also("gateStatusResponse")
    direction: NamedCode | None = _also("directionResponse")
    quantity: Count = None
    """Counts of 1000 Sm3."""
    start_date: Instant = None
    end_date: Instant = None
    announcement_date: Instant = None


class ContractConfiguration(StpModel):
    """Limits, formulas and gates of one contract. Prices are TL per 1000 Sm3, quantities counts of 1000 Sm3."""

    contract_conf_id: Count = None
    dap_scope_date: Instant = None
    dap_final_date: Instant = None
    grp_scope_date: Instant = None
    grp_final_date: Instant = None
    lqa: Number = None
    """An average of quantities, although the document declares it as an integer and does not say over what."""
    lpa: Number = None
    """An average of prices, although the document declares it as an integer."""
    objection_time: Number = None
    """As the venue sends it; its unit is not documented."""
    nbp_open_time: Number = None
    """As the venue sends it; its unit is not documented."""
    market_max_quantity: Count = None
    market_min_quantity: Count = None
    market_ceiling_price: Number = None
    market_base_price: Number = None
    transmission_max_quantity: Count = None
    transmission_min_quantity: Count = None
    transmission_ceiling_price: Number = None
    transmission_base_price: Number = None
    transmission_ceiling_price_formula: Text | None = None
    transmission_base_price_formula: Text | None = None
    ceiling_coefficient: Number = None
    base_coefficient: Number = None
    retrospective_average: Number = _also("retrospectiveAverage", "average")
    """Called ``average`` where it is written."""
    gates: Many[ContractGate] = _also_many("gateList")


class ContractStatuses(StpModel):
    """The venue's list of contract states."""

    contract_statuses: Many[NamedCode] = Field(default_factory=list)


class GrpPrices(StpModel):
    """Limits that the gas reference price gives, TL per 1000 Sm3."""

    base_price: Number = None
    ceiling_price: Number = None


class MatchDetails(StpModel):
    """A match as its administration sees it."""

    match_id: Text = ""
    contract_name: Text = ""
    price: Number = None
    """TL per 1000 Sm3."""
    quantity: Count = None
    """Counts of 1000 Sm3."""
    match_status: NamedCode | None = None
    purchase_bid: BidReference | None = None
    """The buying bid; its identifier only."""
    sale_bid: BidReference | None = None
    """The selling bid; its identifier only."""
    purchase_match_reason: NamedCode | None = None
    sale_match_reason: NamedCode | None = None
    create_date: Instant = None
    create_user: Text = ""


class MatchList(StpModel):
    """The matches after a change of their states."""

    matches: Many[MatchDetails] = _also_many("matchList")


class PaymentOrderResult(StpModel):
    """What became of one payment order."""

    payment_order_id: Count = None
    eic: Text = ""
    amount: Number = None
    """Money, in TL (assumed); unlike `AmountPrice.amount`, which is a volume."""
    status: LabelledCode | None = None


class PaymentResults(StpModel):
    """What became of the payment orders of one call."""

    results: Many[PaymentOrderResult] = Field(default_factory=list)


class Nothing(StpModel):
    """An answer without content."""


class HttpParameter(StpModel):
    """A header for the WebSocket handshake. Its value may be a credential, so it stays out of ``repr``."""

    name: Text = ""
    value: Text = Field(default="", repr=False)


class BroadcastEndpoint(StpModel):
    """Where to open the notification WebSocket. The address may hold a token, so it stays out of ``repr``."""

    broadcast_address: Text = Field(default="", repr=False)
    broadcast_base: Text | None = None
    headers: Many[HttpParameter] = Field(default_factory=list)
