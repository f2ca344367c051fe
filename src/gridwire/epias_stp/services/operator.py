"""Calls of the market operator and of settlement, and the public matches.

Whether a participant may make the operator's calls is not documented; a SECURITYERROR says that this user may not.
``client_ref`` and ``transaction_id`` of a write are those of `gridwire.epias_stp.services.bids.Bids.save`.
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
from gridwire.epias_stp.restated import restated
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
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
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
        return await self._caller.write(
            "contract_conf_save", body, transaction_id=transaction_id, client_ref=client_ref
        )


class ContractGates:
    """``stp.contract_gates``: when what may be done with a contract (operator)."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def update(
        self,
        gate_id: int,
        *,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> Outcome:
        """Move a gate's begin, end, or both. ``raw.model()`` of an `Accepted` is the gate as it is now."""
        body = operator_rules.gate_update(gate_id, start_date=start_date, end_date=end_date)
        return await self._caller.write(
            "contract_gate_update", body, transaction_id=transaction_id, client_ref=client_ref
        )

    async def change_status(
        self,
        gate_id: int,
        *,
        gate_status: str,
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> Outcome:
        """Open or close a gate; the venue publishes no list of states. An answer with another state is `Unknown`."""
        body = operator_rules.gate_change_status(gate_id, gate_status=gate_status)
        return await self._caller.write(
            "contract_gate_change_status", body, transaction_id=transaction_id, client_ref=client_ref
        )


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

    async def change_status(
        self,
        changes: Iterable[MatchChangeStatusRequestBody],
        *,
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> list[Outcome]:
        """Change the states of matches (operator), in one request; make the entries with ``epias_stp.match_change``.

        Returns one outcome for each change, in their order. The answer lists the matches as they are now: one that it
        leaves out, or that is in another state than was sent, is `Unknown`.
        """
        body = operator_rules.match_change_status(changes)
        return await self._caller.write_each(
            "match_change_status",
            body,
            [restated(change) for change in body.match_list],
            transaction_id=transaction_id,
            client_ref=client_ref,
        )


class Payments:
    """``stp.payments``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def order(
        self,
        orders: Iterable[PaymentOrder],
        *,
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> list[Outcome]:
        """Order payments (settlement), in one request; make the entries with ``epias_stp.payment``.

        Returns one outcome for each order, in their order, by the status that the answer gives it: ``ACCEPTED`` is `Accepted`,
        ``REJECTED`` is `Rejected`, another one or none is `Unknown`, as is an answer with another amount or EIC. Both words
        are inferred. A repeated order pays twice: give a ``client_ref``, which is refused when it comes again.
        """
        body = operator_rules.payment_order(orders)
        return await self._caller.write_each(
            "payment_order",
            body,
            [restated(order) for order in body.orders],
            transaction_id=transaction_id,
            client_ref=client_ref,
        )
