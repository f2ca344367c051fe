"""Settling an unknown call at STP from what STP shows: own marks in the depth, own matches.

STP lists no bids and tells a bid's id once. So a bid found live keeps no id: it is live, its id cannot be had through this
API, and it can be cancelled on the STP screen only, quoting the transactionId. A request that has not shown up can no
longer be executed once the service ticket it carried has expired; before that its absence proves nothing.

What this cannot see: bids of the same organisation that were entered elsewhere (the own marks are the organisation's).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from gridwire import clock
from gridwire.epias_stp.enums import BidStatus, BidType
from gridwire.epias_stp.ledger import Ledger, order_of, restated_of
from gridwire.epias_stp.outcomes import VENUE
from gridwire.epias_stp.services import Contracts, Matches
from gridwire.intents import reconcile
from gridwire.intents.reconcile import Evidence, Judgement, OwnTrade, Wanted
from gridwire.intents.records import ENDED, Row
from gridwire.outcome import Accepted, OrderRef, Outcome, Rejected, Unknown

CLOCKS_APART = timedelta(seconds=30)
"""How far the venue's clock and ours may differ when own matches are looked for."""


class Resolver:
    """Looks for evidence and writes the finding into the journal. ``late_until_s``: see `reconcile.new_order`."""

    def __init__(self, ledger: Ledger, contracts: Contracts, matches: Matches, *, late_until_s: float) -> None:
        self._ledger = ledger
        self._contracts = contracts
        self._matches = matches
        self._late_until_s = late_until_s

    async def open_orders(self) -> list[OrderRef]:
        """Bids that count against the guard's limits: resting as far as we know, and unknown ones."""
        rows = await self._ledger.rows()
        return [order_of(row) for row in rows if row.operation == "bid_save" and row.state not in ENDED]

    async def open_changes(self) -> list[tuple[str, OrderRef]]:
        """Changes that are not settled, by key: each with the bid it was about, as the change restates it."""
        rows = await self._ledger.rows()
        changes = [row for row in rows if row.operation == "bid_update" and row.state not in ENDED]
        return [
            (row.key, replace(order_of(target), restated=restated_of({**target.fields, **row.fields})))
            for row in changes
            if (target := _target(row, rows)) is not None
        ]

    async def known(self) -> list[OrderRef]:
        """Bids that may be resting as far as the journal knows."""
        return await self._ledger.known()

    async def resolve(self, outcome: Unknown) -> Outcome:
        """Look for evidence about ``outcome``. Sends nothing that changes anything."""
        rows = await self._ledger.rows()
        row = next((one for one in rows if one.key == outcome.intent.key), None)
        if row is None or row.state not in ("unknown", "sending"):
            state = "not in this journal" if row is None else f"{row.state} already ({row.note})"
            return _still(outcome, f"its intent is {state}")
        target = row if row.operation == "bid_save" else _target(row, rows)
        if target is None or not target.fields.get("contract"):
            return _still(outcome, "which bid it was about is not in the journal, so nothing can be looked for")
        evidence = await self._evidence(row, target)
        others = [_wanted(one) for one in rows if _may_have_stood(one, row, target)]
        judged = self._judge(row, target, others, evidence)
        return self._settle(outcome, row, target, judged)

    async def _evidence(self, row: Row, target: Row) -> Evidence:
        contract, side = str(target.fields["contract"]), str(target.fields.get("direction"))
        # Matches after depth: what leaves the book in between is then seen as a match, not as nothing.
        depth = await self._contracts.depth(contract)
        matches = await self._matches.of(contract)
        levels = depth.buys if side == "BUY" else depth.sells
        since = row.created - CLOCKS_APART
        return Evidence(
            marked=frozenset(level.price for level in levels if level.owner and level.price is not None),
            trades=[
                OwnTrade(match.price, match.quantity or 0)
                for match in matches
                if match.my_own_matching
                and match.price is not None
                and (match.matching_time is None or match.matching_time >= since)
            ],
            age_s=(clock.now() - row.created).total_seconds(),
        )

    def _judge(self, row: Row, target: Row, others: Sequence[Wanted], evidence: Evidence) -> Judgement:
        order = _wanted(target)
        if row.operation == "bid_cancel":
            return reconcile.cancellation(order, others, evidence, late_until_s=self._late_until_s)
        if row.operation == "bid_update":
            after = _wanted(row, of=target)
            return reconcile.change(order, after, others, evidence, late_until_s=self._late_until_s)
        return reconcile.new_order(order, others, evidence, late_until_s=self._late_until_s)

    def _settle(self, outcome: Unknown, row: Row, target: Row, judged: Judgement) -> Outcome:
        if judged.finding == "unknown":
            return _still(outcome, judged.text)
        journal = self._ledger.journal
        journal.record(f"resolved_{judged.finding}", row.key, n=judged.text)
        self._ledger.unknown.pop(row.key, None)
        if judged.finding == "absent":
            return Rejected(
                "absent", f"It is not at the venue: {judged.text}.", "venue", outcome.intent, repeatable=True
            )
        restated = restated_of({**target.fields, **row.fields})
        if row.operation == "bid_cancel":
            journal.record("closed", target.key, n=judged.text)
        elif row.operation == "bid_update":
            changed = {name: row.fields[name] for name in ("price", "quantity", "bid_status") if name in row.fields}
            journal.record("accepted", target.key, f=changed)
        order = OrderRef(VENUE, target.order_id, order_of(target).intent, restated)
        return Accepted(outcome.intent, order, judged)


def _still(outcome: Unknown, why: str) -> Unknown:
    text = f"Still unknown: {why}. It may be at the venue; transactionId {outcome.intent.key}."
    return Unknown(outcome.intent, outcome.cause, text, outcome.raw)


def _target(row: Row, rows: Sequence[Row]) -> Row | None:
    bid_id = row.fields.get("bid_id")
    found = [one for one in rows if one.operation == "bid_save" and one.order_id is not None and one.order_id == bid_id]
    return found[-1] if found else None


def _may_have_stood(one: Row, row: Row, target: Row) -> bool:
    """Whether ``one`` is another bid on the contract that can have left marks or matches since ``row`` was sent."""
    return (
        one.operation == "bid_save"
        and one.key not in (row.key, target.key)
        and one.fields.get("contract") == target.fields.get("contract")
        and one.state not in ("rejected", "resolved_absent")
        and (one.state not in ENDED or one.changed >= row.created - CLOCKS_APART)
    )


def _wanted(row: Row, of: Row | None = None) -> Wanted:
    fields = {**(of.fields if of is not None else {}), **row.fields}
    price = fields.get("price")
    status, kind = fields.get("bid_status", "ACTIVE"), fields.get("bid_type")
    return Wanted(
        contract=str(fields.get("contract", "")),
        side=str(fields.get("direction", "")),
        price=None if price is None else Decimal(str(price)),
        quantity=int(fields.get("quantity", 0)),
        can_rest=kind != BidType.MATCH_AND_DESTROY_REST.value and row.state not in ENDED,
        shows=status == BidStatus.ACTIVE.value,
    )
