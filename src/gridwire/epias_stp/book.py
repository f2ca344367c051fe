"""What the journal's rows say together about bids: which calls are about which bid, and where each can stand. Pure.

Rows of every account of the environment belong here: the own marks that STP shows are the organisation's, and users of one
organisation may share a journal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from gridwire import clock
from gridwire.epias_stp.enums import BidStatus, BidType
from gridwire.intents.journal import line
from gridwire.intents.reconcile import Side, Wanted
from gridwire.intents.records import ENDED, LIVE, Row

APART_S = 30.0
"""How long before a call another one may have ended and still count: answers of different calls take different times."""

STEPPED = timedelta(days=2)
"""The same where only wall times can be compared: either may have been written while the clock was a day or so off."""

_NOTHING_DONE = ("rejected", "resolved_absent")


class Book:
    """The rows of an environment, in the order of their sending."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows: dict[str, Row] = {row.key: row for row in rows}
        # A row whose operation damage hides may be a bid anywhere.
        self.bids: list[Row] = [row for row in self.rows.values() if row.operation in ("bid_save", "")]
        self._by_id: dict[str, Row] = {row.order_id: row for row in self.bids if row.order_id is not None}
        self._about: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.rows.values():
            if row.operation != "bid_save" and row.fields.get("bid_id") is not None:
                self._about[row.operation, str(row.fields["bid_id"])].append(row)

    def places(self, contract: str) -> list[Wanted]:
        """Where bids known here may rest on a contract, if nobody else's bid rested there when they were sent.

        A bid that was sent without the declaration, or to a price where another's bid rested, explains no mark: the other's may
        still be there.
        """
        places: list[Wanted] = []
        for bid in self.bids:
            changes = [one for one in self.changes(bid) if one.state not in _NOTHING_DONE]
            known = bid.fields.get("contract") in (None, contract) and bid.state not in ENDED
            if known and all(one.exclusive for one in (bid, *changes)):
                places += [wanted(bid), *(wanted(one, of=bid) for one in changes)]
        return places

    def standing(self, contract: str, *, without: str | None = None) -> list[Wanted]:
        """Where the bids of a contract stand or may stand now: as stated last, or as an unsettled change would have put them.

        ``without`` is the key of a bid that is left out.
        """
        places: list[Wanted] = []
        for bid in self.bids:
            if bid.key != without and bid.state not in ENDED and bid.fields.get("contract") in (None, contract):
                places += places_of(self, bid)
        for (operation, bid_id), changes in self._about.items():
            if operation == "bid_update" and bid_id not in self._by_id:
                places += [wanted(one) for one in changes if one.state not in _NOTHING_DONE]
        return places

    def target(self, row: Row) -> Row | None:
        """The bid that a row is about: itself, or for a change or a cancellation the one with that id."""
        return row if row.operation == "bid_save" else self._by_id.get(str(row.fields.get("bid_id")))

    def changes(self, bid: Row) -> list[Row]:
        """The changes of a bid."""
        return [] if bid.order_id is None else self._about["bid_update", bid.order_id]

    def about(self, bid: Row) -> list[Row]:
        """The changes and the cancellations of a bid."""
        return [] if bid.order_id is None else [*self.changes(bid), *self._about["bid_cancel", bid.order_id]]

    def others(self, row: Row, target: Row) -> list[Wanted]:
        """Our other orders that can have left marks or matches since ``row`` was sent."""
        found: list[Wanted] = []
        for bid in self.bids:
            if bid.key in (row.key, target.key) or not _same_contract(bid, target) or not may_have_acted(bid, row):
                continue
            found.append(wanted(bid))
            for one in self.changes(bid):
                if may_have_acted(one, row):
                    found.append(wanted(one, of=bid))  # where it may stand now
                    found.append(replace(wanted(bid), price=None))  # where it stood before, it may have been matched
        return [*found, *self._entered_elsewhere(row, target)]

    def _entered_elsewhere(self, row: Row, target: Row) -> Iterable[Wanted]:
        """Bids of which the journal knows nothing but that a call of ours moved them: they may rest where it put them."""
        for (operation, bid_id), changes in self._about.items():
            if operation != "bid_update" or bid_id in self._by_id or self._cancelled_before(bid_id, row):
                continue
            for one in changes:
                if one.key != row.key and one.state not in _NOTHING_DONE and _same_contract(one, target):
                    yield replace(wanted(one), can_rest=True)
                    if may_have_acted(one, row):
                        yield replace(wanted(one), price=None)

    def _cancelled_before(self, bid_id: str, row: Row) -> bool:
        cancels = self._about.get(("bid_cancel", bid_id), [])
        return any(one.state in ("done", "resolved_done") and not may_have_acted(one, row) for one in cancels)


def places_of(book: Book, bid: Row) -> list[Wanted]:
    """Where a bid can stand: as it was stated last, or as a change that is not settled would have put it."""
    return [wanted(bid), *(wanted(one, of=bid) for one in book.changes(bid) if one.state not in ENDED)]


def unexplained(side: str, shown: Side, places: Iterable[Wanted]) -> set[Decimal]:
    """The prices on one side with an own mark that none of ``places`` can have left."""
    return set(shown.own_prices()) - {place.price for place in places if place.side in ("", side)}


def may_have_acted(one: Row, row: Row) -> bool:
    """Whether ``one`` can have done something at the venue since ``row`` was sent."""
    if one.state in _NOTHING_DONE:
        return False
    if one.state not in ENDED:
        return True
    if one.changed_boot is not None and row.created_boot is not None and one.changed_boot[0] == row.created_boot[0]:
        return one.changed_boot[1] >= row.created_boot[1] - APART_S * 1_000_000
    return one.changed >= row.created - STEPPED


def wanted(row: Row, of: Row | None = None) -> Wanted:
    """A row as an order; a change as what it makes ``of`` its bid."""
    fields = {**(of.fields if of is not None else {}), **row.fields}
    price = fields.get("price")
    return Wanted(
        contract=str(fields.get("contract", "")),
        side=str(fields.get("direction", "")),
        price=None if price is None else Decimal(str(price)),
        quantity=int(fields.get("quantity", 0)),
        can_rest=fields.get("bid_type") != BidType.MATCH_AND_DESTROY_REST.value and row.state not in ENDED,
        shows=fields.get("bid_status", "ACTIVE") == BidStatus.ACTIVE.value,
    )


def meant(row: Row, target: Row, note: str) -> list[bytes]:
    """The records of what a cancellation or a change that acted means for the bid it was about."""
    if target.state not in LIVE:
        return []
    if row.operation == "bid_cancel":
        return [line("closed", target.key, n=note)]
    changed = {name: row.fields[name] for name in ("price", "quantity", "bid_status") if name in row.fields}
    # The record's boot time is of the boot in which it is written.
    same_boot = row.created_boot is not None and row.created_boot[0] == clock.boot_name()
    boot_us = row.created_boot[1] if row.created_boot is not None and same_boot else None
    return [line("accepted", target.key, f=changed, u=clock.microseconds(row.created), ub=boot_us)]


def settled_by_a_person(row: Row, rows: Iterable[Row], finding: str, note: str) -> list[bytes]:
    """The records of what a person found out about ``row``, and of what that means for the bid it was about.

    With a bid that has ended what is unknown of its changes and cancellations is settled too.
    """
    book = Book(rows)
    target = book.target(row)
    told = [line("closed" if finding == "closed" else f"resolved_{finding}", row.key, n=note)]
    if row.operation in ("bid_cancel", "bid_update") and finding == "done" and target is not None:
        told[:0] = meant(row, target, note)
    if target is not None and (finding == "closed" or (row.operation == "bid_cancel" and finding == "done")):
        lost = [one for one in book.about(target) if one.state == "unknown" and one.key != row.key]
        told += [line("resolved_ended", one.key, n=f"the bid has ended ({note})") for one in lost]
    return told


def _same_contract(one: Row, target: Row) -> bool:
    contract = one.fields.get("contract")
    return contract is None or contract == target.fields.get("contract")
