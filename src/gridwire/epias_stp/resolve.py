"""Settling an unknown call at STP from what STP shows: own marks in the depth, own matches.

STP lists no bids and tells a bid's id once. So a bid found live keeps no id: it is live, its id cannot be had through this
API, and it can be cancelled on the STP screen only, quoting the transactionId. A request that has not shown up can no
longer be executed once the service ticket it carried has expired; before that its absence proves nothing.

What this cannot see: bids of the same organisation that were entered elsewhere (the own marks are the organisation's).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from gridwire import clock
from gridwire.epias_stp.enums import BidStatus, BidType
from gridwire.epias_stp.ledger import Ledger, order_of, restated_of
from gridwire.epias_stp.outcomes import VENUE
from gridwire.epias_stp.services import Contracts, Matches
from gridwire.intents import reconcile
from gridwire.intents.journal import line
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
        rows = await self._ledger.rows(clock.now())
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
        key, since = outcome.intent.key, outcome.intent.created - CLOCKS_APART
        rows = await self._ledger.rows(since)
        row = next((one for one in rows if one.key == key), None)
        if row is not None and row.state == "sending":
            rows = await self._not_sending(row, since)
            row = next((one for one in rows if one.key == key), None)
        if row is None or row.state != "unknown":
            return _still(outcome, f"its intent is {_standing(row)}")
        target = row if row.operation == "bid_save" else _target(row, rows)
        if target is None or not target.fields.get("contract"):
            return _still(outcome, "which bid it was about is not in the journal, so nothing can be looked for")
        evidence = await self._evidence(row, target)
        rows = await self._ledger.rows(since)  # again: what was sent meanwhile may have left the marks just seen
        return self._settle(outcome, row, target, self._judge(row, target, rows, evidence))

    async def _not_sending(self, row: Row, since: datetime) -> list[Row]:
        """The rows again, after a row in ``sending`` whose writer cannot be waiting any more was made unknown."""
        journal = self._ledger.journal
        if row.run == journal.run:  # its outcome could not be written down when it came
            journal.record("unknown", row.key, n="crashed")
        else:
            await asyncio.to_thread(journal.recover)
        return await self._ledger.rows(since)

    async def _evidence(self, row: Row, target: Row) -> Evidence:
        contract, side = str(target.fields["contract"]), str(target.fields.get("direction"))
        since, age_s = row.created - CLOCKS_APART, (clock.now() - row.created).total_seconds()
        # Matches after depth: what leaves the book in between is then seen as a match, not as nothing.
        depth = await self._contracts.depth(contract)
        matches = await self._matches.of(contract)
        levels = depth.buys if side == "BUY" else depth.sells
        return Evidence(
            marked=frozenset(level.price for level in levels if level.owner and level.price is not None),
            trades=[
                OwnTrade(match.price, match.quantity or 0)
                for match in matches
                if match.my_own_matching
                and match.price is not None
                and (match.matching_time is None or match.matching_time >= since)
            ],
            age_s=age_s,
        )

    def _judge(self, row: Row, target: Row, rows: Sequence[Row], evidence: Evidence) -> Judgement:
        order, others = _wanted(target), _others(row, target, rows)
        changes = [one for one in rows if _changes(one, target) and one.key != row.key and _may_have_acted(one, row)]
        if row.operation == "bid_cancel":
            return _cancelled(order, changes, others, evidence, self._late_until_s)
        if row.operation == "bid_update":
            if changes or target.state in ENDED:
                return Judgement(
                    "unknown", "the bid was changed or ended by another call, so what this one did is not seen"
                )
            after = _wanted(row, of=target)
            return reconcile.change(order, after, others, evidence, late_until_s=self._late_until_s)
        return reconcile.new_order(order, others, evidence, late_until_s=self._late_until_s)

    def _settle(self, outcome: Unknown, row: Row, target: Row, judged: Judgement) -> Outcome:
        if judged.finding == "unknown":
            return _still(outcome, judged.text)
        # Of a change that acted nothing rests but the bid it was about.
        found = "done" if judged.finding == "live" and row.operation != "bid_save" else judged.finding
        told = [line(f"resolved_{found}", row.key, n=judged.text)]
        if row.operation != "bid_save" and judged.finding != "absent":
            # In one write: a process killed in between would leave a bid in the journal as it is no more.
            told.insert(0, _meant(row, target, judged))
        self._ledger.journal.tell(*told)
        self._ledger.unknown.pop(row.key, None)
        if judged.finding == "absent":
            return Rejected(
                "absent", f"It is not at the venue: {judged.text}.", "venue", outcome.intent, repeatable=True
            )
        restated = restated_of({**target.fields, **row.fields})
        order = OrderRef(VENUE, target.order_id, order_of(target).intent, restated)
        return Accepted(outcome.intent, order, judged)


def _meant(row: Row, target: Row, judged: Judgement) -> bytes:
    """What a cancellation or a change that acted means for the bid it was about."""
    if row.operation == "bid_cancel":
        return line("closed", target.key, n=judged.text)
    changed = {name: row.fields[name] for name in ("price", "quantity", "bid_status") if name in row.fields}
    return line("accepted", target.key, f=changed, u=clock.microseconds(row.created))


def _standing(row: Row | None) -> str:
    if row is None:
        return "not in this journal"
    if row.state == "sending":
        return "under way: the process that sent it is alive and waits for the answer"
    return f"{row.state} already ({row.note})"


def _still(outcome: Unknown, why: str) -> Unknown:
    text = f"Still unknown: {why}. It may be at the venue; transactionId {outcome.intent.key}."
    return Unknown(outcome.intent, outcome.cause, text, outcome.raw)


def _target(row: Row, rows: Sequence[Row]) -> Row | None:
    bid_id = row.fields.get("bid_id")
    found = [one for one in rows if one.operation == "bid_save" and one.order_id is not None and one.order_id == bid_id]
    return found[-1] if found else None


def _cancelled(
    order: Wanted, changes: Sequence[Row], others: Sequence[Wanted], evidence: Evidence, late_until_s: float
) -> Judgement:
    """Judge a lost cancellation of a bid of which changes may be lost too: it may rest elsewhere than we believe."""
    moved = [_wanted(one) for one in changes if one.state not in ENDED]
    if any(not one.shows or one.price in evidence.marked for one in moved):
        return Judgement(
            "unknown", "a change of the bid is unknown too, and the bid may rest where that would have put it"
        )
    return reconcile.cancellation(order, others, evidence, late_until_s=late_until_s)


def _others(row: Row, target: Row, rows: Sequence[Row]) -> list[Wanted]:
    """Our other orders that can have left marks or matches since ``row`` was sent."""
    found: list[Wanted] = []
    bids = [one for one in rows if one.operation == "bid_save" and one.key not in (row.key, target.key)]
    for bid in bids:
        if bid.fields.get("contract") != target.fields.get("contract") or not _may_have_acted(bid, row):
            continue
        found.append(_wanted(bid))
        for one in rows:
            if _changes(one, bid) and _may_have_acted(one, row):
                found.append(_wanted(one, of=bid))  # where it may stand now
                found.append(replace(_wanted(bid), price=None))  # where it stood before, it may have been matched
    return found


def _changes(one: Row, bid: Row) -> bool:
    return one.operation == "bid_update" and bid.order_id is not None and one.fields.get("bid_id") == bid.order_id


def _may_have_acted(one: Row, row: Row) -> bool:
    """Whether ``one`` can have done something at the venue since ``row`` was sent."""
    if one.state in ("rejected", "resolved_absent"):
        return False
    return one.state not in ENDED or one.changed >= row.created - CLOCKS_APART


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
