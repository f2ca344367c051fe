"""What evidence says about an intent whose answer got lost. Pure functions over price levels and own trades.

The venues this serves show own orders only as marks on anonymous price levels and own trades, not as a list. So evidence
is judged strictly: it settles an intent only if nothing else we know of could have left the same marks. Everything else
stays unknown, with the reason said.

How a lost new order is judged:

======================  ==================  ====================  ==============================================
own mark at its price   own trade since     other own orders fit  finding
======================  ==================  ====================  ==============================================
yes                     any                 no                    live
no                      enough to fill it   no                    done (it was filled)
no                      none                no                    absent, once it can no longer be executed late
no                      maybe since         any                   unknown
any                     some or any         yes                   unknown
======================  ==================  ====================  ==============================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

Finding: TypeAlias = Literal["live", "done", "absent", "filled", "unknown"]
"""``filled`` is said of a cancellation alone: it came too late, for the order was filled."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order as it was sent. ``can_rest`` is False for immediate-or-cancel, ``shows`` for one hidden from the book.

    ``side`` is empty, and ``price`` None, where the journal does not know it: such an order could be anywhere.
    """

    contract: str
    side: str
    price: Decimal | None
    quantity: int
    can_rest: bool = True
    shows: bool = True


@dataclass(frozen=True, slots=True)
class OwnTrade:
    """A trade of ours on the contract, after the order was sent. The venue does not say which side was ours."""

    price: Decimal
    quantity: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the venue shows now. ``marked`` are the prices on the order's side that carry an own mark."""

    marked: frozenset[Decimal]
    trades: Sequence[OwnTrade]
    age_s: float
    """Seconds since the request was sent; where clocks disagree, the least that is possible."""
    doubtful: Sequence[OwnTrade] = ()
    """Trades of ours of which it cannot be told whether they happened since."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A finding and the sentence about it."""

    finding: Finding
    text: str


def new_order(order: Wanted, others: Sequence[Wanted], evidence: Evidence, *, late_until_s: float) -> Judgement:
    """Judge a lost new order. ``others`` are our orders that may have stood on the contract since it was sent.

    ``late_until_s`` is the age after which the venue can no longer execute the request (its credential has expired).
    """
    if order.price is None:
        return Judgement("unknown", "it was sent without a price, so no mark can be told to be its own")
    if not order.shows:
        return Judgement("unknown", "a passive order is not shown in the book, so nothing can be seen of it")
    marked = order.price in evidence.marked
    rivals = _rivals(order, others)
    if marked and order.can_rest:
        if rivals:
            return Judgement(
                "unknown",
                f"an own order rests at {order.price}, but {len(rivals)} other own order(s) could be that one",
            )
        return Judgement("live", f"an own order rests at {order.price}, and no other own order is known there")
    if _fitting(order, evidence.doubtful):
        return Judgement("unknown", f"own trades fit it, but {_WHEN}")
    fitting = _fitting(order, evidence.trades)
    if fitting:
        return _traded(order, others, fitting)
    if evidence.age_s < late_until_s:
        wait_s = late_until_s - evidence.age_s
        return Judgement(
            "unknown", f"nothing is to be seen of it, but it could still arrive: look again in {wait_s:.0f} s"
        )
    if not order.can_rest:
        return Judgement("absent", "no own trade fits it, nothing of it can rest, and it can no longer arrive")
    return Judgement("absent", "no own order rests at its price, no own trade fits it, and it can no longer arrive")


def _traded(order: Wanted, others: Sequence[Wanted], fitting: Sequence[OwnTrade]) -> Judgement:
    filled = sum(trade.quantity for trade in fitting)
    if _fit_others(others, fitting):
        return Judgement("unknown", "own trades fit it, but they also fit another own order")
    if filled < order.quantity and order.can_rest:
        return Judgement(
            "unknown",
            f"own trades of {filled} fit it, which is less than its {order.quantity}, and the rest is not seen",
        )
    return Judgement("done", f"own trades of {filled} fit it, and no other own order could have made them")


_WHEN = "whether they happened since it was sent cannot be told: the venue's clock is not known well enough"


def _rivals(order: Wanted, others: Sequence[Wanted]) -> list[Wanted]:
    """Those whose mark could be taken for the order's."""
    return [one for one in others if one.side in ("", order.side) and one.price == order.price and one.can_rest]


def _fitting(order: Wanted, trades: Sequence[OwnTrade]) -> list[OwnTrade]:
    return [trade for trade in trades if could_fill(order, trade.price)]


def _fit_others(others: Sequence[Wanted], trades: Sequence[OwnTrade]) -> bool:
    return any(could_fill(other, trade.price) for other in others for trade in trades)


def could_fill(order: Wanted, price: Decimal) -> bool:
    """Whether a trade at ``price`` can have been the order's: it happens at the order's price or a better one."""
    return (
        order.price is None or not order.side or (price <= order.price if order.side == "BUY" else price >= order.price)
    )


def cancellation(
    order: Wanted, moved: Sequence[Wanted], others: Sequence[Wanted], evidence: Evidence, *, late_until_s: float
) -> Judgement:
    """Judge a lost cancellation of ``order``: "done" if it rests no more, "absent" if the cancellation never acted.

    ``moved`` is what changes that may have acted would have made of the order. The trades of ``evidence`` are those since
    the order was sent: one that was filled was not cancelled.
    """
    if order.price is None or not order.shows:
        return Judgement("unknown", "the order it was to cancel is not shown in the book")
    if any(not one.shows or one.price in evidence.marked for one in moved):
        return Judgement(
            "unknown", "a change of the order is unknown too, and it may rest where that would have put it"
        )
    if order.price not in evidence.marked:
        return _gone(order, moved, others, evidence)
    if _rivals(order, others):
        return Judgement("unknown", f"an own order rests at {order.price}, but another own order could be that one")
    if evidence.age_s < late_until_s:
        wait_s = late_until_s - evidence.age_s
        return Judgement(
            "unknown", f"the order still rests, but the cancellation could still act: ask again in {wait_s:.0f} s"
        )
    return Judgement("absent", f"the order still rests at {order.price}, and the cancellation can no longer act")


def _gone(order: Wanted, moved: Sequence[Wanted], others: Sequence[Wanted], evidence: Evidence) -> Judgement:
    """Judge what ended an order that was to be cancelled and rests no more: the cancellation, or a trade."""
    places = (order, *moved)
    gone = f"no own order rests at {order.price} any more"
    if any(_fitting(place, evidence.doubtful) for place in places):
        return Judgement("unknown", f"{gone}, but own trades fit it, and {_WHEN}")
    fitting = [trade for trade in evidence.trades if any(could_fill(place, trade.price) for place in places)]
    if not fitting:
        return Judgement("done", f"{gone}, and no own trade fits it: it was cancelled")
    filled = sum(trade.quantity for trade in fitting)
    if filled >= order.quantity and not moved and not _fit_others(others, fitting):
        return Judgement("filled", f"{gone}, and own trades of {filled} fit it: it was filled before it was cancelled")
    return Judgement(
        "unknown", f"{gone}, but own trades of {filled} could be its: what of it was cancelled is not seen"
    )


def change(
    before: Wanted, after: Wanted, others: Sequence[Wanted], evidence: Evidence, *, late_until_s: float
) -> Judgement:
    """Judge a lost change from ``before`` to ``after``: only a moved price can be told from outside."""
    if before.price == after.price or before.price is None or after.price is None or not (before.shows and after.shows):
        return Judgement("unknown", "only a change of the price between shown orders can be seen from outside")
    prices = {before.price, after.price}
    if any(one.side in ("", after.side) and one.price in prices and one.can_rest for one in others):
        return Judgement("unknown", "another own order at one of the two prices could have left the same marks")
    if after.price in evidence.marked:
        return Judgement("live", f"an own order rests at the new price {after.price} and none other is known there")
    if before.price in evidence.marked:
        if evidence.age_s < late_until_s:
            wait_s = late_until_s - evidence.age_s
            return Judgement(
                "unknown", f"it rests at the old price, but the change could still act: ask again in {wait_s:.0f} s"
            )
        return Judgement("absent", f"it still rests at the old price {before.price}, and the change can no longer act")
    return Judgement("unknown", "it rests at neither price: it was filled or cancelled, and from where cannot be seen")
