"""Settling an unknown call at STP from what STP shows: own marks in the depth, own matches.

STP lists no bids and tells a bid's id once. So a bid found live keeps no id: it is live, its id cannot be had through this
API, and it can be cancelled on the STP screen only, quoting the transactionId. A request that has not shown up can no
longer be executed once the service ticket it carried has expired; before that its absence proves nothing.

Own marks and own matches are the organisation's: they prove something of one bid only where the client was declared
``exclusive``, and where nothing that is seen contradicts that. Where an own mark stands that nothing known explains, a bid
may have been moved there on the STP screen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gridwire import clock
from gridwire.epias_stp import rules
from gridwire.epias_stp.book import Book, may_have_acted, meant, unexplained, wanted
from gridwire.epias_stp.calls import FOREIGN, Caller
from gridwire.epias_stp.errors import StpError, StpProtocolError
from gridwire.epias_stp.evidence import Seen, seen
from gridwire.epias_stp.gone import Contract, Gone, gone, live, may_hide, needs_matches
from gridwire.epias_stp.ledger import Ledger, intent_of, order_of, restated_of, unknown_of
from gridwire.epias_stp.models import ContractDepth, ContractDetails, Matchings
from gridwire.epias_stp.outcomes import VENUE
from gridwire.epias_stp.settled import FILLED, settled_as
from gridwire.intents import reconcile
from gridwire.intents.journal import line
from gridwire.intents.reconcile import Evidence, Judgement, Wanted
from gridwire.intents.records import ENDED, LIVE, Row
from gridwire.observe.events import Events
from gridwire.outcome import Accepted, OrderRef, Outcome, Rejected, Unknown

ARRIVES_WITHIN_S = 60.0
"""A request counts as one that may still be executed for this long, however short tickets are believed to live: the ticket
is looked at when a request arrives, and nobody says how long it then waits."""


CLOSED = "CLOSED"
"""The state of a contract that is traded no more. Inferred: STP's document shows ACTIVE alone. Under another name, bids that
are shown in the book are closed all the same, and passive ones stay."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an unknown call, and the key of the bid that is certainly not resting any more, if it is one."""

    outcome: Outcome
    closed: str | None = None


class Resolver:
    """Looks for evidence and writes the finding into the journal. ``late_until_s``: see `reconcile.new_order`."""

    def __init__(self, ledger: Ledger, caller: Caller, events: Events, *, late_until_s: float) -> None:
        self._ledger = ledger
        self._caller = caller
        self._events = events
        self._foreign: dict[str, list[Wanted]] = {}
        self._contradicted: set[str] = set()
        self._late_until_s = max(late_until_s, ARRIVES_WITHIN_S)
        self._one_at_a_time = asyncio.Lock()  # two at once would both write down what they found

    async def open_orders(self) -> list[OrderRef]:
        """Bids that count against the guard's limits: resting as far as we know, and unknown ones."""
        rows = await self._ledger.rows(clock.now())
        return [order_of(row) for row in rows if row.operation == "bid_save" and row.state not in ENDED]

    async def open_changes(self) -> list[tuple[str, OrderRef]]:
        """Changes that are not settled, by key: each with the bid it was about, as the change restates it."""
        book = Book(await self._ledger.rows())
        changes = [row for row in book.rows.values() if row.operation == "bid_update" and row.state not in ENDED]
        return [
            (row.key, replace(order_of(target), restated=restated_of({**target.fields, **row.fields})))
            for row in changes
            if (target := book.target(row)) is not None
        ]

    async def known_and_open(self) -> tuple[list[OrderRef], list[Unknown]]:
        """Bids that may be resting as far as the journal knows, and those of which it is not known whether they rest. Both of one look."""
        bids = [row for row in await self._ledger.rows(clock.now()) if row.operation in ("bid_save", "")]
        live = [order_of(row) for row in bids if row.state in LIVE]
        return live, [_question(row) for row in bids if row.state in ("unknown", "sending")]

    async def note_foreign(self, contracts: Collection[str]) -> None:
        """Remember own marks that nothing known here can have left: bids entered elsewhere before. Raises as a read does.

        Of use only where the client was declared ``exclusive``: without that any mark may be somebody else's.
        """
        for contract in contracts:
            shown = await self._marks(contract)
            if not all(side.tells_all for side in shown.sides.values()):
                self._events.emit(
                    "exclusive.unproven",
                    f"The book of {contract} came without its marks or without a list, so it is not known whether bids of your "
                    "organisation rested there before. The client was declared exclusive; for this contract that proves nothing.",
                    level=logging.WARNING,
                    contract=contract,
                )
                continue
            self._ledger.seen_contracts.add(contract)
            where = self._note(contract, shown, (await self._book()).places(contract))
            if where:
                self._events.emit(
                    "desk.foreign_bids",
                    f"Bids of your organisation that this journal does not know rest on {contract} ({where}). At these prices "
                    "no call whose answer is lost can be settled, though the client was declared exclusive.",
                    level=logging.WARNING,
                    contract=contract,
                )

    def _note(self, contract: str, shown: Seen, places: Sequence[Wanted]) -> str:
        """Remember the own marks that none of ``places`` can have left; returns where they stand."""
        found = [
            (side, price) for side, levels in shown.sides.items() for price in sorted(unexplained(side, levels, places))
        ]
        self._foreign.setdefault(contract, []).extend(Wanted(contract, side, price, 0) for side, price in found)
        self._ledger.foreign_prices.update(price for _, price in found)
        return ", ".join(f"{side} at {price}" for side, price in found)

    async def resolve(self, outcome: Unknown) -> Settled:
        """Look for evidence about ``outcome``. Sends nothing that changes anything."""
        async with self._one_at_a_time:
            return await self._resolve(outcome)

    async def _resolve(self, outcome: Unknown) -> Settled:
        key, book = outcome.intent.key, await self._book()
        row = book.rows.get(key)
        if row is not None and row.state == "sending" and row.run != self._ledger.journal.run:
            await asyncio.to_thread(self._ledger.journal.recover)  # should its writer be dead
            book = await self._book()
            row = book.rows.get(key)
        if row is None or row.state != "unknown":
            return self._settled_before(outcome, row, book)
        target = book.target(row)
        if target is None or not target.fields.get("contract"):
            return _still(outcome, "which bid it was about is not in the journal, so nothing can be looked for")
        age_s = self._ledger.ages(row).least_s  # before the look: what arrives later is not seen in it
        try:
            shown = await self.look(str(target.fields["contract"]))
        except StpProtocolError as error:
            if error.kind != FOREIGN:
                raise
            return _still(outcome, str(error))
        book = await self._book()  # again: what was sent meanwhile may have left the marks just seen
        row, target = book.rows[key], book.rows[target.key]
        if row.state != "unknown":
            return self._settled_before(outcome, row, book)
        judged = self._judge(row, target, book, shown, age_s)
        if judged.finding == "unknown" and row is not target and target.state in ENDED:
            judged = Judgement("ended", f"the bid has ended ({target.note or target.state})")
        return self._settle(outcome, row, target, judged)

    def _settled_before(self, outcome: Unknown, row: Row | None, book: Book) -> Settled:
        """What the journal knows of a call that is not unknown there."""
        if row is None:
            return _still(outcome, "its intent is not in this journal")
        if row.state == "sending":
            return _still(outcome, _UNDER_WAY)
        self._ledger.forget(row.key)
        bid = book.target(row)
        return Settled(
            settled_as(row, bid, outcome), closed=bid.key if bid is not None and bid.state in ENDED else None
        )

    async def refresh(self) -> list[OrderRef]:
        """Close the bids that certainly rest no more, and count them no more; see `gridwire.epias_stp.gone`.

        Among them are those that another program has closed since. What is unknown about changes of closed bids is settled
        with them. A contract that STP does not show does not keep the others from being looked at; its error is raised at
        the end.
        """
        async with self._one_at_a_time:
            closed: list[OrderRef] = []
            trouble: StpError | None = None
            before = await self._book()
            for name, bids in live(before, self._ledger.account).items():
                try:
                    found = await self._gone(before, name, bids)
                except StpError as error:
                    trouble = error
                    continue
                for one in found:
                    self._ledger.journal.tell(line("closed", one.bid.key, n=one.why))
                    closed.append(order_of(one.bid))
            closed += await self._follow_journal({bid.intent.key for bid in closed})
            if trouble is not None:
                raise trouble
            return closed

    async def _follow_journal(self, closed: set[str]) -> list[OrderRef]:
        """Take over what the journal knows by now: bids that have ended or were entered, and calls that are settled.

        Returns the bids, beside those of ``closed``, that counted as open here and have ended.
        """
        book, guard = await self._book(), self._caller.guard
        told: list[bytes] = []
        for row in book.rows.values():
            target = book.target(row)
            if row.state == "unknown" and row.operation == "bid_update" and row.account == self._ledger.account:
                if target is not None and target.state in ENDED:
                    told.append(line("resolved_ended", row.key, n=f"the bid has ended ({target.note or target.state})"))
                    self._ledger.forget(row.key)
            elif row.key in self._ledger.unknown and row.state not in ("unknown", "sending"):
                self._ledger.forget(row.key)
        if told:
            self._ledger.journal.tell(*told)
        if guard is None:
            return []
        counted = guard.counted()
        ended = [book.rows[key] for key in counted if key in book.rows and book.rows[key].state in ENDED]
        for row in ended:
            guard.closed(row.key)
        for row in book.bids:  # those of other programs
            if row.key not in counted and row.state not in ENDED and row.account == self._ledger.account:
                bid = order_of(row)
                guard.opened(row.key, bid.restated.get("price"), bid.restated.get("quantity", 0))
        return [order_of(row) for row in ended if row.key not in closed]

    async def _gone(self, before: Book, name: str, bids: tuple[Row, ...]) -> list[Gone]:
        exclusive = self._ledger.exclusive and name not in self._contradicted
        seen_so_far = Contract(
            name, await self._marks(name), False, bids, tuple(self._foreign.get(name, ())), exclusive
        )
        if needs_matches(before, seen_so_far):
            seen_so_far = replace(seen_so_far, shown=await self.look(name))
        closed = may_hide(before, bids) and await self._is_closed(name)
        after = await self._book()
        ages = {bid.key: self._ledger.ages(bid) for bid in bids}
        return gone(before, after, replace(seen_so_far, closed=closed), self._ledger.quiet_s, ages)

    async def _marks(self, contract: str) -> Seen:
        """What STP shows of own orders on the contract, without matches: each question costs a ticket."""
        body = rules.contract_name(contract)
        depth, date = await self._caller.read_own("activecontracts_depth", body, ContractDepth)
        return seen(depth, None, date, clock.now(), 0.0)

    async def _is_closed(self, contract: str) -> bool:
        details, _ = await self._caller.read_own("contract_get", rules.contract_name(contract), ContractDetails)
        state = details.contract_status
        return details.contract_name == contract and state is not None and state.name == CLOSED

    async def _book(self) -> Book:
        return Book(await self._ledger.rows_of_all_accounts())

    async def look(self, contract: str) -> Seen:
        """What STP shows of own orders on the contract."""
        clock_of_loop = asyncio.get_running_loop().time
        # Matches after depth: what leaves the book in between is then seen as a match, not as nothing.
        depth, _ = await self._caller.read_own("activecontracts_depth", rules.contract_name(contract), ContractDepth)
        began = clock_of_loop()
        body = rules.matchings([contract])
        matches, date = await self._caller.read_own("activecontracts_matchings", body, Matchings)
        listed = matches.listed
        if listed is not None and any(match.contract not in ("", contract) for match in listed):
            listed = None  # a list that tells of another contract is not the one that was asked for
        return seen(depth, listed, date, clock.now(), clock_of_loop() - began)

    def _judge(self, row: Row, target: Row, book: Book, shown: Seen, age_s: float) -> Judgement:
        order = wanted(target)
        changes = [one for one in book.changes(target) if one.key != row.key and may_have_acted(one, row)]
        # A bid may have been filled before its cancellation was sent.
        since = target if row.operation == "bid_cancel" else row
        contract = str(target.fields["contract"])
        others = [*book.others(since, target), *self._foreign.get(contract, ())]
        places = [order, wanted(row, of=target), *(wanted(one, of=target) for one in changes), *others]
        declared = all(one.exclusive for one in (row, target, *changes))
        exclusive = declared and self._declaration_holds(contract, shown, places)
        trades, doubtful = shown.trades(self._ledger.ages(since))
        known = [*places, *book.standing(contract)]
        moved_to = reconcile.elsewhere(shown.side(order.side), order.side, known, exclusive=exclusive)
        evidence = Evidence(shown.side(order.side), trades, age_s, doubtful, exclusive, moved_to)
        if row.operation == "bid_cancel":
            unsettled = [one for one in changes if one.state not in ENDED or one.state == "resolved_ended"]
            moved = [wanted(one, of=target) for one in unsettled]
            return reconcile.cancellation(
                order, moved, others, evidence, late_until_s=self._late_until_s, changed=bool(book.changes(target))
            )
        if row.operation == "bid_update":
            if changes or target.state in ENDED:
                return Judgement(
                    "unknown", "the bid was changed or ended by another call, so what this one did is not seen"
                )
            after = wanted(row, of=target)
            return reconcile.change(order, after, others, evidence, late_until_s=self._late_until_s)
        return reconcile.new_order(order, others, evidence, late_until_s=self._late_until_s)

    def _declaration_holds(self, contract: str, shown: Seen, places: Sequence[Wanted]) -> bool:
        """Whether the declaration is made, and neither damage nor an own mark on the contract contradicts it."""
        if not self._ledger.exclusive or self._ledger.journal.damaged:  # what is lost may be a bid of ours anywhere
            return False
        strange = self._note(contract, shown, places)
        if strange and contract not in self._contradicted:
            self._contradicted.add(contract)
            self._events.emit(
                "exclusive.contradicted",
                f"The client was declared exclusive, but bids of your organisation rest on {contract} that this journal does "
                f"not know ({strange}): somebody else enters bids too. What could be theirs stays unknown.",
                level=logging.WARNING,
                contract=contract,
            )
        return contract not in self._contradicted

    def _settle(self, outcome: Unknown, row: Row, target: Row, judged: Judgement) -> Settled:
        if judged.finding == "unknown":
            return _still(outcome, judged.text)
        found = {"filled": "absent"}.get(judged.finding, judged.finding)
        if found == "live" and row.operation != "bid_save":  # of a change that acted nothing rests but its bid
            found = "done"
        note = f"{FILLED}: {judged.text}" if judged.finding == "filled" else judged.text
        told: Sequence[bytes] = [line(f"resolved_{found}", row.key, n=note)]
        if row.operation != "bid_save" and found in ("done", "ended"):
            # In one write: a process killed in between would leave a bid in the journal as it is no more.
            told = [*meant(row, target, judged.text), *told]
        if judged.finding == "filled" and target.state not in ENDED:
            told = [line("closed", target.key, n=judged.text), *told]
        self._ledger.journal.tell(*told)
        self._ledger.forget(row.key)
        intent = outcome.intent
        if judged.finding == "ended":
            settled = replace(row, state="resolved_ended", note=note)
            return Settled(settled_as(settled, target, outcome), closed=target.key)
        if judged.finding == "filled":
            text = f"The bid was not cancelled: {judged.text}."
            return Settled(Rejected(FILLED, text, "venue", intent), closed=target.key)
        if judged.finding == "absent":
            text = f"It is not at the venue: {judged.text}."
            gone = row.key if row.operation == "bid_save" else None
            return Settled(Rejected("absent", text, "venue", intent, repeatable=True), closed=gone)
        order = OrderRef(VENUE, target.order_id, order_of(target).intent, restated_of({**target.fields, **row.fields}))
        ended = row.operation == "bid_cancel" or (row.operation == "bid_save" and found == "done")
        return Settled(Accepted(intent, order, judged), closed=target.key if ended else None)


def _question(row: Row) -> Unknown:
    if row.state == "unknown":
        return unknown_of(row)
    text = (
        "It is under way: no answer to it has been written down. It may be at the venue or reach it yet, and it was not "
        "cancelled: once its outcome is known, cancel it then, or look for it with resolve()."
    )
    return Unknown(intent_of(row), "underway", text)


_UNDER_WAY = "its intent is under way: the process that sent it is alive, and waits for the answer or could not write it down yet"


def _still(outcome: Unknown, why: str) -> Settled:
    text = f"Still unknown: {why}. It may be at the venue; transactionId {outcome.intent.key}."
    return Settled(Unknown(outcome.intent, outcome.cause, text, outcome.raw))
