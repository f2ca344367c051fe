"""What STP shows of own orders on one contract, put in relation to when an order was sent.

The venue's clock and ours may be minutes apart, so moments are never compared across them: how long ago a match was by the
venue's clock is compared with how long ago the order was sent by ours. The venue's present time stands in the ``Date``
header of the answer that lists the matches. Without a believable one nothing is known about when a match happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gridwire.epias_stp.models import AmountPrice, ContractDepth, Match
from gridwire.intents.reconcile import Level, OwnTrade, Side

TOLERANCE_S = 5.0
"""How far two ages of the same instant may differ: a ``Date`` counts whole seconds, and requests take their time."""

ABSURD = timedelta(hours=1)
"""A ``Date`` further from our clock than this is not the venue's present time."""


@dataclass(frozen=True, slots=True)
class Ages:
    """How many seconds ago something of ours was sent: at least, and at most, as far as our clocks agree.

    ``most_s`` is infinite where nothing bounds it.
    """

    least_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a contract: both sides of its book, then the matches that are ours or may be."""

    sides: Mapping[str, Side]
    matches: Sequence[Match] | None
    """None where STP gave no list of matches, which is not an empty one."""
    venue_now: datetime | None
    took_s: float
    """How long reading the matches took."""

    def side(self, name: str) -> Side:
        """``BUY`` or ``SELL``; of any other nothing is known."""
        return self.sides.get(name) or Side(listed=False)

    def trades(self, sent: Ages) -> tuple[list[OwnTrade] | None, list[OwnTrade]]:
        """Own trades since an order was sent, and those of which that cannot be told. ``sent`` is as of now.

        The first is None where STP gave no list.
        """
        if self.matches is None:
            return None, []
        since: list[OwnTrade] = []
        doubtful: list[OwnTrade] = []
        ages = [None if self.venue_now is None else _age_s(match, self.venue_now) for match in self.matches]
        if any(age is not None and age < -TOLERANCE_S for age in ages):  # matches of the future: it is another clock's
            ages = [None for _ in ages]
        for match, age_s in zip(self.matches, ages, strict=True):
            trade = OwnTrade(match.price, match.quantity)
            if age_s is None:
                doubtful.append(trade)
            elif age_s <= sent.least_s - self.took_s + TOLERANCE_S:
                # Without the mark (STP document 7.47, myOwnMatching) it may be anybody's.
                (since if match.my_own_matching else doubtful).append(trade)
            elif age_s <= sent.most_s + TOLERANCE_S:
                doubtful.append(trade)
        return since, doubtful


def seen(
    depth: ContractDepth, matches: Sequence[Match] | None, date: datetime | None, now: datetime, took_s: float
) -> Seen:
    """What the answers show. ``now`` is our wall time."""
    believed = date if date is not None and abs(date - now) <= ABSURD else None
    return Seen(
        sides={name: _side(depth.listed(name)) for name in ("BUY", "SELL")},
        matches=None if matches is None else [match for match in matches if match.my_own_matching is not False],
        venue_now=believed,
        took_s=took_s,
    )


def _side(levels: Sequence[AmountPrice] | None) -> Side:
    """A side of the book. Levels of one price count as one; what one of them does not say is not known of it."""
    if levels is None:
        return Side(listed=False)
    found: dict[Decimal, Level] = {}
    for level in levels:
        if level.price is None:
            continue
        before = found.get(level.price, Level(False, 0))
        found[level.price] = Level(_either(level.owner, before.own), _both(level.amount, before.quantity))
    return Side(found, unpriced=any(level.price is None and level.owner is not False for level in levels))


def _either(one: bool | None, other: bool | None) -> bool | None:
    if one or other:
        return True
    return None if one is None or other is None else False


def _both(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _age_s(match: Match, venue_now: datetime) -> float | None:
    return None if match.matching_time is None else (venue_now - match.matching_time).total_seconds()
