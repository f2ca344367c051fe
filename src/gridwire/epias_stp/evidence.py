"""What STP shows of own orders on one contract, put in relation to when an order was sent.

The venue's clock and ours may be minutes apart, so moments are never compared across them: how long ago a match was by the
venue's clock is compared with how long ago the order was sent by ours. The venue's present time stands in the ``Date``
header of the answer that lists the matches. Without a believable one nothing is known about when a match happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gridwire.epias_stp.models import ContractDepth, Match
from gridwire.intents.reconcile import OwnTrade

TOLERANCE_S = 5.0
"""How far two ages of the same instant may differ: a ``Date`` counts whole seconds, and requests take their time."""

ABSURD = timedelta(hours=1)
"""A ``Date`` further from our clock than this is not the venue's present time."""


@dataclass(frozen=True, slots=True)
class Ages:
    """How many seconds ago something of ours was sent: at least, and at most, as far as our clocks agree."""

    least_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a contract: the prices with an own mark per side, then own matches."""

    marked: dict[str, frozenset[Decimal]]
    matches: Sequence[Match]
    venue_now: datetime | None
    took_s: float
    """How long reading the matches took."""

    def trades(self, sent: Ages) -> tuple[list[OwnTrade], list[OwnTrade]]:
        """Own trades since an order was sent, and those of which that cannot be told. ``sent`` is as of now."""
        since: list[OwnTrade] = []
        doubtful: list[OwnTrade] = []
        ages = [None if self.venue_now is None else _age_s(match, self.venue_now) for match in self.matches]
        if any(age is not None and age < -TOLERANCE_S for age in ages):  # matches of the future: it is another clock's
            ages = [None for _ in ages]
        for match, age_s in zip(self.matches, ages, strict=True):
            if match.price is None:
                continue
            trade = OwnTrade(match.price, match.quantity or 0)
            if age_s is None:
                doubtful.append(trade)
            elif age_s <= sent.least_s - self.took_s + TOLERANCE_S:
                since.append(trade)
            elif age_s <= sent.most_s + TOLERANCE_S:
                doubtful.append(trade)
        return since, doubtful


def seen(depth: ContractDepth, matches: Iterable[Match], date: datetime | None, now: datetime, took_s: float) -> Seen:
    """What the answers show. ``now`` is our wall time."""
    believed = date if date is not None and abs(date - now) <= ABSURD else None
    sides = {"BUY": depth.buys, "SELL": depth.sells}
    return Seen(
        marked={
            side: frozenset(level.price for level in levels if level.owner and level.price is not None)
            for side, levels in sides.items()
        },
        matches=[match for match in matches if match.my_own_matching],
        venue_now=believed,
        took_s=took_s,
    )


def _age_s(match: Match, venue_now: datetime) -> float | None:
    return None if match.matching_time is None else (venue_now - match.matching_time).total_seconds()
