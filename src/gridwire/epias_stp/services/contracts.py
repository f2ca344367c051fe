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
    """``stp.contracts``. Reads raise from the error tree (see `gridwire.errors`); `save` returns an `Outcome`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def standard(self) -> list[ContractSummary]:
        """Daily contracts open for trading, with their best prices (``activecontracts/standart``)."""
        return (await self._caller.read("activecontracts_standart", EmptyRequestBody(), ContractList)).contracts

    async def weekly(self) -> list[ContractSummary]:
        """Weekly contracts open for trading (``activecontracts/weekly``)."""
        return (await self._caller.read("activecontracts_weekly", EmptyRequestBody(), ContractList)).contracts

    async def regional(self) -> list[RegionalContractSummary]:
        """Contracts for gas at named network points (``activecontracts/regional``)."""
        return (await self._caller.read("activecontracts_regional", EmptyRequestBody(), RegionalContracts)).contracts

    async def depth(self, contract: str) -> ContractDepth:
        """The order book of one contract by price level; levels with an own bid are marked ``owner``."""
        return await self._caller.read("activecontracts_depth", rules.contract_name(contract), ContractDepth)

    async def depth_summary(self, contract: str) -> list[DepthSummaryRow]:
        """The order book of one contract bid by bid."""
        body = rules.contract_name(contract)
        return (await self._caller.read("activecontracts_depth_summary", body, DepthSummary)).rows

    async def get(self, contract: str) -> ContractDetails:
        """Master data of one contract."""
        return await self._caller.read("contract_get", rules.contract_name(contract), ContractDetails)

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

    async def all(self) -> list[NamedCode]:
        """Every state a contract can be in, with its name in the language asked for."""
        return (
            await self._caller.read("contract_status_list", EmptyRequestBody(), ContractStatusList)
        ).contract_statuses


class MarketPrices:
    """``stp.market_prices``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def calculate_grp(self, contract_type: str, gas_day: date | GasDay | datetime) -> GrpPrices:
        """Price limits that follow from the gas reference price of ``gas_day``, in TL per 1000 Sm3 (operator)."""
        body = operator_rules.calculate_grp(contract_type, gas_day)
        return await self._caller.read("market_price_calculate_grp", body, GrpPrices)
