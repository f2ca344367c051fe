"""Which bids are certainly not resting any more, from what STP shows. Pure.

STP tells nobody that a bid was filled or has expired, so bids are closed on evidence:

* its ``expire_time`` has passed, by the venue's clock, and no own mark at its price says otherwise;
* its contract is closed;
* it would be shown, and no own mark is at any price where it can stand. Where own marks stand, or may stand, at prices that
  no call of ours explains, somebody may have moved it there on the STP screen: then only own trades that fill it close it.

A level without a mark and a side without a list are no evidence: nothing is closed on them. What is younger than a few
seconds, has changed meanwhile, or may be hidden (passive) is left alone; so is every unknown bid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gridwire.epias_stp.book import Book, places_of, wanted
from gridwire.epias_stp.evidence import TOLERANCE_S, Ages, Seen
from gridwire.intents.reconcile import Wanted, could_fill, elsewhere
from gridwire.intents.records import LIVE, Row

SETTLED_S = 5.0
"""A bid is judged this long after the last word about it: the book may be shown a little late."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A bid that rests no more, and how that is known."""

    bid: Row
    why: str


@dataclass(frozen=True, slots=True)
class Contract:
    """What one contract shows, and which bids of ours were believed to rest there before the look began."""

    name: str
    shown: Seen
    closed: bool
    bids: tuple[Row, ...]
    foreign: tuple[Wanted, ...] = ()
    """Bids entered elsewhere before a desk opened."""
    exclusive: bool = False
    """Whether nobody else enters or moves bids."""


def live(book: Book, account: str) -> dict[str, tuple[Row, ...]]:
    """The bids of an account that may be resting, by contract."""
    found: dict[str, tuple[Row, ...]] = {}
    for bid in book.bids:
        if bid.state in LIVE and bid.account == account and bid.fields.get("contract"):
            name = str(bid.fields["contract"])
            found[name] = (*found.get(name, ()), bid)
    return found


def may_hide(book: Book, bids: Iterable[Row]) -> bool:
    """Whether one of the bids is not shown in the book, so that only the end of its contract tells of its own."""
    return any(not place.shows for bid in bids for place in places_of(book, bid))


def needs_matches(book: Book, contract: Contract) -> bool:
    """Whether the marks alone do not say what became of a bid that is not seen any more."""
    return any(_is_unseen(book, bid, contract.shown) and _elsewhere(book, bid, contract) for bid in contract.bids)


def gone(
    before: Book, after: Book, contract: Contract, quiet_s: Callable[[Row], float], ages: dict[str, Ages]
) -> list[Gone]:
    """The bids of the contract that certainly rest no more. ``after`` is the journal as it was read after the look.

    ``quiet_s`` tells for how many seconds at least nothing has changed in a row.
    """
    quiet = [
        bid
        for bid in contract.bids
        if after.rows.get(bid.key) == bid
        and after.changes(bid) == before.changes(bid)
        and all(quiet_s(one) > SETTLED_S for one in (bid, *after.changes(bid)))
    ]
    unseen = [bid for bid in quiet if _is_unseen(after, bid, contract.shown)]
    found: list[Gone] = []
    for bid in quiet:
        if _has_expired(bid, contract.shown.venue_now) and not _still_marked(after, bid, contract):
            found.append(Gone(bid, f"it expired at {bid.fields['expire_time']}"))
        elif contract.closed:
            found.append(Gone(bid, f"the contract {contract.name} is closed"))
        elif bid in unseen:
            # A changed bid's quantity may be what was left of it or the whole: no trades are then known to be enough.
            filled = not any(after.changes(one) for one in unseen) and _filled(
                bid, unseen, contract.shown, ages[bid.key]
            )
            if filled or not _elsewhere(after, bid, contract):
                why = "own trades fill it" if filled else "it was filled, or ended elsewhere"
                found.append(Gone(bid, f"no own order rests at {bid.fields.get('price')} any more: {why}"))
    return found


def _is_unseen(book: Book, bid: Row, shown: Seen) -> bool:
    places = places_of(book, bid)
    return all(
        place.shows and place.price is not None and shown.side(place.side).own_at(place.price) is False
        for place in places
    )


def _has_expired(bid: Row, venue_now: datetime | None) -> bool:
    text = bid.fields.get("expire_time")
    if text is None or venue_now is None:
        return False
    return (venue_now - datetime.fromisoformat(str(text))).total_seconds() > TOLERANCE_S


def _still_marked(book: Book, bid: Row, contract: Contract) -> bool:
    """Whether an own mark, or none that is told, stands where the bid was, and no other bid explains it."""
    others = {(place.side, place.price) for place in book.standing(contract.name, without=bid.key)}
    return any(
        place.price is not None
        and contract.shown.side(place.side).own_at(place.price) is not False
        and (place.side, place.price) not in others
        for place in places_of(book, bid)
        if place.shows
    )


def _elsewhere(book: Book, bid: Row, contract: Contract) -> bool:
    """Whether an own mark on the bid's side stands, or may stand, where nothing that is known here explains it."""
    side = wanted(bid).side
    shown = contract.shown.side(side)
    known = [*book.standing(contract.name, without=bid.key), *contract.foreign]
    exclusive = contract.exclusive and bid.exclusive
    return shown.unpriced or bool(elsewhere(shown, side, known, exclusive=exclusive))


def _filled(bid: Row, unseen: Iterable[Row], shown: Seen, sent: Ages) -> bool:
    """Whether own trades since the bid was sent are enough for it and for all others that are not seen any more."""
    order = replace(wanted(bid), can_rest=True)
    trades, _ = shown.trades(sent)
    # A trade without its price could be at any, one without its quantity of any size: neither proves a filling.
    fitting = sum(
        trade.quantity or 0 for trade in trades or () if trade.price is not None and could_fill(order, trade.price)
    )
    return 0 < sum(wanted(one).quantity for one in unseen) <= fitting
