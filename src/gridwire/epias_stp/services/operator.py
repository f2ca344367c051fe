"""Calls of the market operator and of settlement, and the public matches.

Whether a participant may make the operator's calls is not documented; a SECURITYERROR says that this user may not.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from gridwire.epias_stp import operator_rules, rules
from gridwire.epias_stp.calls import Caller
from gridwire.epias_stp.models import (
    ContractConfiguration,
    GateSetting,
    Listing,
    Match,
    MatchChangeStatusRequestBody,
    Matchings,
    PaymentOrder,
)
from gridwire.outcome import Outcome


class ContractConfigurations:
    """``stp.contract_configuration``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def get(self, contract: str, *, transaction_id: str | UUID | None = None) -> ContractConfiguration:
        """Limits, formulas and gates of one contract. Take price and quantity limits from here, never from memory."""
        body = rules.contract_name(contract)
        return await self._caller.read("contract_conf_get", body, ContractConfiguration, transaction_id)

    async def save(
        self,
        contract: str,
        *,
        dap_scope_date: datetime,
        dap_final_date: datetime,
        grp_scope_date: datetime,
        grp_final_date: datetime,
        gates: Iterable[GateSetting] | None = None,
        lpa: int | None = None,
        **settings: Decimal | str | int | None,
    ) -> Outcome:
        """Store a contract's configuration (operator). ``settings`` are named as in `ContractConfiguration`.

        Prices are Decimal or str in TL per 1000 Sm3, quantities int counts of 1000 Sm3.
        """
        body = operator_rules.contract_conf_save(
            contract,
            dap_scope_date=dap_scope_date,
            dap_final_date=dap_final_date,
            grp_scope_date=grp_scope_date,
            grp_final_date=grp_final_date,
            gates=gates,
            lpa=lpa,
            places=self._caller.profile.price_places,
            **settings,
        )
        return await self._caller.write("contract_conf_save", body)


class ContractGates:
    """``stp.contract_gates``: when what may be done with a contract (operator)."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def update(
        self, gate_id: int, *, start_date: datetime | None = None, end_date: datetime | None = None
    ) -> Outcome:
        """Move a gate's begin, end, or both. ``raw.model()`` of an `Accepted` is the gate as it is now."""
        body = operator_rules.gate_update(gate_id, start_date=start_date, end_date=end_date)
        return await self._caller.write("contract_gate_update", body)

    async def change_status(self, gate_id: int, *, gate_status: str) -> Outcome:
        """Open or close a gate; the venue publishes no list of states."""
        body = operator_rules.gate_change_status(gate_id, gate_status=gate_status)
        return await self._caller.write("contract_gate_change_status", body)


class Matches:
    """``stp.matches``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def of(self, contracts: str | Iterable[str], *, transaction_id: str | UUID | None = None) -> Listing[Match]:
        """Public matches of one or several active contracts; own ones are marked ``my_own_matching``."""
        names = [contracts] if isinstance(contracts, str) else contracts
        body = rules.matchings(names)
        answer = await self._caller.read("activecontracts_matchings", body, Matchings, transaction_id)
        return Listing(answer.matchings, answer.transaction_id)

    async def change_status(self, changes: Iterable[MatchChangeStatusRequestBody]) -> Outcome:
        """Change the states of matches (operator); make the entries with ``epias_stp.match_change``."""
        return await self._caller.write("match_change_status", operator_rules.match_change_status(changes))


class Payments:
    """``stp.payments``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def order(self, orders: Iterable[PaymentOrder]) -> Outcome:
        """Order payments (settlement); make the entries with ``epias_stp.payment``. A repeated order pays twice."""
        return await self._caller.write("payment_order", operator_rules.payment_order(orders))
