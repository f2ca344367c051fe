"""What evidence says about an intent whose answer got lost. Pure functions over price levels and own trades.

The venues this serves show own orders only as marks on anonymous price levels and own trades, not as a list. A mark or a
trade says "the organisation's", not whose: another machine, another program or a person may have entered the order. So a
mark or a trade proves something of one order only where the caller has declared that nobody else enters orders
(``Evidence.exclusive``), and where nothing else we know of could have left it. What is not there proves more: no order of
the organisation rests at a price whose level is not marked. Three things are never taken for a no: a level without a mark,
a side without a list, and trades without a list. Everything else stays unknown, with the reason said.

How a lost new order is judged; "known" orders are those in the journal and those seen when the desk opened:

======================  ==================  =======================  ===========================================
own mark at its price   own trade since     could be another's       finding
======================  ==================  =======================  ===========================================
yes                     any                 no: exclusive, and no    live
                                            known order fits
yes                     any                 yes                      unknown
no                      enough to fill it   no                       done (it was filled)
no                      some, or maybe      yes, or not told         unknown
no                      none                any                      absent, once it cannot be executed late
not told, or no list    any                 any                      unknown
======================  ==================  =======================  ===========================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

Finding: TypeAlias = Literal["live", "done", "absent", "filled", "ended", "unknown"]
"""Of a cancellation alone: ``filled`` means that it came too late, for the order was filled; ``ended`` that the order rests
no more, and that it cannot be told whether the cancellation or something else ended it."""


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
    """A trade of ours on the contract, after the order was sent. The venue does not say which side was ours.

    ``price`` and ``quantity`` are None where the venue did not tell them.
    """

    price: Decimal | None
    quantity: int | None


@dataclass(frozen=True, slots=True)
class Level:
    """What the book shows at one price of one side. None means that the venue did not say."""

    own: bool | None
    quantity: int | None


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the book. ``listed`` is False where the venue gave no list of it."""

    levels: Mapping[Decimal, Level] = field(default_factory=dict)
    listed: bool = True
    unpriced: bool = False
    """Whether a level came without its price, and may be own."""

    def own_at(self, price: Decimal) -> bool | None:
        """Whether an order of ours rests at ``price``; None where that cannot be told."""
        level = self.levels.get(price)
        if level is not None:
            return level.own
        return False if self.listed and not self.unpriced else None

    @property
    def tells_all(self) -> bool:
        """Whether it came as a list in which every level has its price and says whether it is own."""
        return self.listed and not self.unpriced and all(level.own is not None for level in self.levels.values())

    def own_prices(self) -> frozenset[Decimal]:
        """The prices with an own mark."""
        return frozenset(price for price, level in self.levels.items() if level.own)

    def doubtful_prices(self) -> frozenset[Decimal]:
        """The prices of which it is not told whether an own order rests there."""
        return frozenset(price for price, level in self.levels.items() if level.own is None)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the venue shows now. ``side`` is the order's side of the book."""

    side: Side
    trades: Sequence[OwnTrade] | None
    """Own trades since the order was sent; None where the venue gave no list of trades."""
    age_s: float
    """Seconds since the request was sent; where clocks disagree, the least that is possible."""
    doubtful: Sequence[OwnTrade] = ()
    """Trades of which it cannot be told whether they are ours, or whether they happened since."""
    exclusive: bool = False
    """Whether nobody else enters orders for the account: declared, and contradicted by nothing that is seen."""
    elsewhere: Sequence[Decimal] = ()
    """Where on the order's side it may rest if somebody moved it: see `elsewhere`."""


def elsewhere(shown: Side, side: str, known: Sequence[Wanted], *, exclusive: bool) -> list[Decimal]:
    """The prices at which an own order rests, or may rest, that none of the ``known`` ones explains.

    Somebody may have moved an order there by hand. A level that shows more than the known orders explains less than it shows,
    unless nobody else enters or moves orders: then the rest is other participants'.
    """
    found: list[Decimal] = []
    for price, level in shown.levels.items():
        here = [one for one in known if one.side in ("", side) and one.price == price]
        more = level.quantity is None or level.quantity > sum(one.quantity for one in here)
        if level.own is not False and (not here or (more and not exclusive)):
            found.append(price)
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A finding and the sentence about it."""

    finding: Finding
    text: str


def _unknown(text: str) -> Judgement:
    return Judgement("unknown", text)


SHARED = "it could be another machine's, program's or person's of your organisation (exclusive=True declares that there is none)"
_WHEN = (
    "whether they are its own, or whether they happened since it was sent, cannot be told: the venue does not say, or the "
    "clocks are not known well enough"
)
_NO_TRADES = "the venue gave no list of trades, so it cannot be told whether it was filled"


def new_order(order: Wanted, others: Sequence[Wanted], evidence: Evidence, *, late_until_s: float) -> Judgement:
    """Judge a lost new order. ``others`` are our orders that may have stood on the contract since it was sent.

    ``late_until_s`` is the age after which the venue can no longer execute the request (its credential has expired).
    """
    if order.price is None:
        return _unknown("it was sent without a price, so no mark can be told to be its own")
    if not order.shows:
        return _unknown("a passive order is not shown in the book, so nothing can be seen of it")
    own = evidence.side.own_at(order.price)
    if order.can_rest and own is None:
        return _unknown(_not_told(order.price))
    if order.can_rest and own:
        return _marked(order, others, evidence)
    if _fitting(order, evidence.doubtful):
        return _unknown(f"own trades fit it, but {_WHEN}")
    if evidence.trades is None:
        return _unknown(_NO_TRADES)
    fitting = _fitting(order, evidence.trades)
    if fitting:
        return _traded(order, others, fitting, evidence)
    if evidence.age_s < late_until_s:
        wait_s = late_until_s - evidence.age_s
        return _unknown(f"nothing is to be seen of it, but it could still arrive: look again in {wait_s:.0f} s")
    if order.can_rest and evidence.elsewhere:
        return _unknown(_moved(evidence))
    if not order.can_rest:
        return Judgement("absent", "no own trade fits it, nothing of it can rest, and it can no longer arrive")
    return Judgement("absent", "no own order rests at its price, no own trade fits it, and it can no longer arrive")


def _not_told(price: Decimal) -> str:
    return (
        f"the venue does not say whether an own order rests at {price}: its book came without marks, or without a list"
    )


def _moved(evidence: Evidence) -> str:
    prices = ", ".join(map(str, evidence.elsewhere[:3]))
    return (
        f"no own order rests at its price, but at {prices} one rests, or may rest, that the journal does not explain: it may "
        "be this one, moved there by hand"
    )


def _marked(order: Wanted, others: Sequence[Wanted], evidence: Evidence) -> Judgement:
    """Judge a lost new order at whose price an own order rests."""
    rivals = _rivals(order, others)
    if rivals:
        return _unknown(f"an own order rests at {order.price}, but {len(rivals)} other own order(s) could be that one")
    if (why := _amount_denies(order, evidence)) is not None:
        return _unknown(why)
    if not evidence.exclusive:
        return _unknown(f"an own order rests at {order.price}, but {SHARED}")
    return Judgement("live", f"an own order rests at {order.price}, and no other own order is known there")


def _amount_denies(order: Wanted, evidence: Evidence) -> str | None:
    """Why the own order at the price is not this one: all that rests there is less than what must be left of it.

    A level's amount counts every order at its price, so it only ever denies.
    """
    level = None if order.price is None else evidence.side.levels.get(order.price)
    if level is None or level.quantity is None or evidence.trades is None:
        return None
    fitting = _fitting(order, [*evidence.trades, *evidence.doubtful])
    if any(trade.quantity is None for trade in fitting):
        return None
    left = order.quantity - sum(trade.quantity or 0 for trade in fitting)
    if level.quantity >= left:
        return None
    return (
        f"an own order rests at {order.price}, but only {level.quantity} rest there, and {left} would be left of it: it is "
        "somebody else's, or this one was changed"
    )


def _traded(order: Wanted, others: Sequence[Wanted], fitting: Sequence[OwnTrade], evidence: Evidence) -> Judgement:
    """Judge an order that own trades since it was sent fit, and that does not rest."""
    if _fit_others(others, fitting):
        return _unknown("own trades fit it, but they also fit another own order")
    if not evidence.exclusive:
        return _unknown(f"own trades fit it, but {SHARED.replace('it could', 'they could')}")
    filled = _sum(fitting)
    if filled is None:
        return _unknown("own trades fit it, but the venue does not say how large they were")
    if filled < order.quantity and order.can_rest:
        return _unknown(
            f"own trades of {filled} fit it, which is less than its {order.quantity}, and the rest is not seen"
        )
    return Judgement("done", f"own trades of {filled} fit it, and no other own order could have made them")


def _sum(trades: Sequence[OwnTrade]) -> int | None:
    sizes = [trade.quantity for trade in trades]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _rivals(order: Wanted, others: Sequence[Wanted]) -> list[Wanted]:
    """Those whose mark could be taken for the order's."""
    return [
        one
        for one in others
        if one.can_rest
        and one.side in ("", order.side)
        and (one.price == order.price or (one.price is None and not one.contract))  # the latter could be anywhere
    ]


def _fitting(order: Wanted, trades: Sequence[OwnTrade]) -> list[OwnTrade]:
    return [trade for trade in trades if could_fill(order, trade.price)]


def _fit_others(others: Sequence[Wanted], trades: Sequence[OwnTrade]) -> bool:
    return any(could_fill(other, trade.price) for other in others for trade in trades)


def could_fill(order: Wanted, price: Decimal | None) -> bool:
    """Whether a trade at ``price`` can have been the order's: it happens at the order's price or a better one."""
    if price is None or order.price is None or not order.side:
        return True
    return price <= order.price if order.side == "BUY" else price >= order.price


def cancellation(
    order: Wanted,
    moved: Sequence[Wanted],
    others: Sequence[Wanted],
    evidence: Evidence,
    *,
    late_until_s: float,
    changed: bool = False,
) -> Judgement:
    """Judge a lost cancellation of ``order``: "done" if it rests no more and was not traded, "absent" if it never acted.

    ``moved`` is what changes that may have acted would have made of the order; ``changed`` says that its quantity was
    restated, so that no trades are known to be enough to fill it. The trades of ``evidence`` are those since
    the order was sent: one that was filled was not cancelled. "done" says that nothing of the order rests and that no trade
    took it; that it expired at the same moment looks the same, and means the same.
    """
    if order.price is None or not order.shows:
        return _unknown("the order it was to cancel is not shown in the book")
    if any(not one.shows or one.price is None or evidence.side.own_at(one.price) is not False for one in moved):
        return _unknown("a change of the order is unknown too, and it may rest where that would have put it")
    own = evidence.side.own_at(order.price)
    if own is None:
        return _unknown(_not_told(order.price))
    if not own:
        return _rests_no_more(order, moved, others, evidence, changed=changed)
    if _rivals(order, others):
        return _unknown(f"an own order rests at {order.price}, but another own order could be that one")
    if (why := _amount_denies(order, evidence)) is not None:
        return _unknown(why)
    if not evidence.exclusive:
        return _unknown(f"an own order rests at {order.price}, but {SHARED}")
    if evidence.age_s < late_until_s:
        wait_s = late_until_s - evidence.age_s
        return _unknown(f"the order still rests, but the cancellation could still act: ask again in {wait_s:.0f} s")
    return Judgement("absent", f"the order still rests at {order.price}, and the cancellation can no longer act")


def _rests_no_more(
    order: Wanted, moved: Sequence[Wanted], others: Sequence[Wanted], evidence: Evidence, *, changed: bool
) -> Judgement:
    """Judge what ended an order that was to be cancelled and rests no more: the cancellation, or a trade."""
    if evidence.elsewhere:
        return _unknown(_moved(evidence))
    places = (order, *moved)
    rests = f"no own order rests at {order.price} any more"
    if any(_fitting(place, evidence.doubtful) for place in places):
        return Judgement("ended", f"{rests}; own trades fit it, but {_WHEN}")
    if evidence.trades is None:
        return Judgement("ended", f"{rests}; {_NO_TRADES}")
    fitting = [trade for trade in evidence.trades if any(could_fill(place, trade.price) for place in places)]
    if not fitting:
        return Judgement("done", f"{rests}, and no own trade fits it")
    filled = _sum(fitting)
    if (
        filled is not None
        and filled >= order.quantity
        and evidence.exclusive
        and not moved
        and not changed
        and not _fit_others(others, fitting)
    ):
        return Judgement("filled", f"{rests}, and own trades of {filled} fit it: it was filled before it was cancelled")
    size = "" if filled is None else f" of {filled}"
    return Judgement("ended", f"{rests}; own trades{size} could be its: what of it was cancelled is not seen")


def change(
    before: Wanted, after: Wanted, others: Sequence[Wanted], evidence: Evidence, *, late_until_s: float
) -> Judgement:
    """Judge a lost change from ``before`` to ``after``: only a moved price can be told from outside."""
    if before.price == after.price or before.price is None or after.price is None or not (before.shows and after.shows):
        return _unknown("only a change of the price between shown orders can be seen from outside")
    prices = {before.price, after.price}
    if any(one.side in ("", after.side) and one.price in prices and one.can_rest for one in others):
        return _unknown("another own order at one of the two prices could have left the same marks")
    at_new, at_old = evidence.side.own_at(after.price), evidence.side.own_at(before.price)
    if at_new is None or at_old is None:
        return _unknown(_not_told(after.price if at_new is None else before.price))
    if not at_new and not at_old:
        return _unknown("it rests at neither price: it was filled or cancelled, and from where cannot be seen")
    if at_new and at_old:
        return _unknown("own orders rest at both prices, and one of them is not known here")
    if not evidence.exclusive:
        return _unknown(f"an own order rests at {after.price if at_new else before.price}, but {SHARED}")
    if (why := _amount_denies(after if at_new else before, evidence)) is not None:
        return _unknown(why)
    if at_new:
        return Judgement("live", f"an own order rests at the new price {after.price} and none other is known there")
    if evidence.age_s < late_until_s:
        wait_s = late_until_s - evidence.age_s
        return _unknown(f"it rests at the old price, but the change could still act: ask again in {wait_s:.0f} s")
    return Judgement("absent", f"it still rests at the old price {before.price}, and the change can no longer act")
