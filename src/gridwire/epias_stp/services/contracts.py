"""Contracts as a participant sees them: lists, order books, master data; and the small lookups beside them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from gridwire.epias_stp import operator_rules, rules
from gridwire.epias_stp.calls import Caller
from gridwire.epias_stp.enums import Direction
from gridwire.epias_stp.models import (
    ContractDepth,
    ContractDetails,
    ContractSummary,
    DepthSummary,
    DepthSummaryRow,
    EmptyRequestBody,
    GrpPrices,
    Listing,
    NamedCode,
    RegionalContracts,
    RegionalContractSummary,
)
from gridwire.epias_stp.models import (
    Contracts as ContractList,
)
from gridwire.epias_stp.models import (
    ContractStatuses as ContractStatusList,
)
from gridwire.outcome import Outcome
from gridwire.periods import GasDay


class Contracts:
    """``stp.contracts``. Reads raise from the error tree (see `gridwire.errors`); `save` returns an `Outcome`.

    ``transaction_id`` of a read is yours to give, a new one otherwise; what is returned names it, and so does the event
    ``call.answered``.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def standard(self, *, transaction_id: str | UUID | None = None) -> Listing[ContractSummary]:
        """Daily contracts that are open for trading or about to open, with their best prices (``activecontracts/standart``).

        `ContractSummary.is_open` tells the two apart.
        """
        answer = await self._caller.read("activecontracts_standart", EmptyRequestBody(), ContractList, transaction_id)
        return Listing(answer.contracts, answer.transaction_id)

    async def weekly(self, *, transaction_id: str | UUID | None = None) -> Listing[ContractSummary]:
        """Weekly contracts that are open for trading or about to open (``activecontracts/weekly``)."""
        answer = await self._caller.read("activecontracts_weekly", EmptyRequestBody(), ContractList, transaction_id)
        return Listing(answer.contracts, answer.transaction_id)

    async def regional(self, *, transaction_id: str | UUID | None = None) -> Listing[RegionalContractSummary]:
        """Contracts for gas at named network points, open or about to open (``activecontracts/regional``)."""
        answer = await self._caller.read(
            "activecontracts_regional", EmptyRequestBody(), RegionalContracts, transaction_id
        )
        return Listing(answer.contracts, answer.transaction_id)

    async def depth(self, contract: str, *, transaction_id: str | UUID | None = None) -> ContractDepth:
        """The order book of one contract by price level; levels with an own bid are marked ``owner``."""
        body = rules.contract_name(contract)
        return await self._caller.read("activecontracts_depth", body, ContractDepth, transaction_id)

    async def depth_summary(
        self, contract: str, *, transaction_id: str | UUID | None = None
    ) -> Listing[DepthSummaryRow]:
        """The order book of one contract bid by bid."""
        body = rules.contract_name(contract)
        answer = await self._caller.read("activecontracts_depth_summary", body, DepthSummary, transaction_id)
        return Listing(answer.rows, answer.transaction_id)

    async def get(self, contract: str, *, transaction_id: str | UUID | None = None) -> ContractDetails:
        """Master data of one contract."""
        return await self._caller.read("contract_get", rules.contract_name(contract), ContractDetails, transaction_id)

    async def save(
        self,
        contract_type: str,
        *,
        direction: Direction | str,
        quantity: int,
        gas_days: date | GasDay | datetime | Iterable[date | GasDay | datetime],
        physical_point_ids: Iterable[int],
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> Outcome:
        """Make a contract (operator). ``quantity`` counts 1000 Sm3; ``raw.model()`` of an `Accepted` holds its name.

        An answer that says yes to another type, side, quantity or day is `Unknown`. ``client_ref`` and ``transaction_id``
        as for `Bids.save`.
        """
        profile = self._caller.profile
        body = operator_rules.contract_save(
            contract_type,
            direction=direction,
            quantity=quantity,
            gas_days=gas_days,
            physical_point_ids=physical_point_ids,
            write_gas_day_date=profile.write_gas_day_date,
            write_gas_day_dates=profile.write_gas_day_dates,
        )
        return await self._caller.write("contract_save", body, transaction_id=transaction_id, client_ref=client_ref)


class ContractStatuses:
    """``stp.contract_statuses``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def all(self, *, transaction_id: str | UUID | None = None) -> Listing[NamedCode]:
        """Every state a contract can be in, with its name in the language asked for."""
        answer = await self._caller.read("contract_status_list", EmptyRequestBody(), ContractStatusList, transaction_id)
        return Listing(answer.contract_statuses, answer.transaction_id)


class MarketPrices:
    """``stp.market_prices``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def calculate_grp(
        self,
        contract_type: str,
        gas_day: date | GasDay | datetime,
        *,
        transaction_id: str | UUID | None = None,
    ) -> GrpPrices:
        """Price limits that follow from the gas reference price of ``gas_day``, in TL per 1000 Sm3 (operator)."""
        body = operator_rules.calculate_grp(contract_type, gas_day)
        return await self._caller.read("market_price_calculate_grp", body, GrpPrices, transaction_id)
