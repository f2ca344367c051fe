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
any                     some or any         yes                   unknown
======================  ==================  ====================  ==============================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

Finding: TypeAlias = Literal["live", "done", "absent", "unknown"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order as it was sent. ``can_rest`` is False for immediate-or-cancel, ``shows`` for one hidden from the book."""

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
    """Seconds since the request was sent."""


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
    rivals = [one for one in others if one.side == order.side and one.price == order.price and one.can_rest]
    if marked and order.can_rest:
        if rivals:
            return Judgement(
                "unknown",
                f"an own order rests at {order.price}, but {len(rivals)} other own order(s) could be that one",
            )
        return Judgement("live", f"an own order rests at {order.price}, and no other own order is known there")
    fitting = [trade for trade in evidence.trades if _could_fill(order, trade.price)]
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
    if any(_could_fill(other, trade.price) for other in others for trade in fitting):
        return Judgement("unknown", "own trades fit it, but they also fit another own order")
    if filled < order.quantity and order.can_rest:
        return Judgement(
            "unknown",
            f"own trades of {filled} fit it, which is less than its {order.quantity}, and the rest is not seen",
        )
    return Judgement("done", f"own trades of {filled} fit it, and no other own order could have made them")


def _could_fill(order: Wanted, price: Decimal) -> bool:
    # A trade happens at the order's price or a better one.
    return order.price is None or (price <= order.price if order.side == "BUY" else price >= order.price)


def cancellation(order: Wanted, others: Sequence[Wanted], evidence: Evidence, *, late_until_s: float) -> Judgement:
    """Judge a lost cancellation of ``order``: "done" if it rests no more, "absent" if the cancellation never acted."""
    if order.price is None or not order.shows:
        return Judgement("unknown", "the order it was to cancel is not shown in the book")
    rivals = [one for one in others if one.side == order.side and one.price == order.price and one.can_rest]
    if order.price not in evidence.marked:
        return Judgement("done", f"no own order rests at {order.price} any more: it was cancelled or filled")
    if rivals:
        return Judgement("unknown", f"an own order rests at {order.price}, but another own order could be that one")
    if evidence.age_s < late_until_s:
        wait_s = late_until_s - evidence.age_s
        return Judgement(
            "unknown", f"the order still rests, but the cancellation could still act: ask again in {wait_s:.0f} s"
        )
    return Judgement("absent", f"the order still rests at {order.price}, and the cancellation can no longer act")


def change(
    before: Wanted, after: Wanted, others: Sequence[Wanted], evidence: Evidence, *, late_until_s: float
) -> Judgement:
    """Judge a lost change from ``before`` to ``after``: only a moved price can be told from outside."""
    if before.price == after.price or before.price is None or after.price is None or not (before.shows and after.shows):
        return Judgement("unknown", "only a change of the price between shown orders can be seen from outside")
    prices = {before.price, after.price}
    if any(one.side == after.side and one.price in prices and one.can_rest for one in others):
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
