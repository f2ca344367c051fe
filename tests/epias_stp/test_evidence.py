"""epias_stp/evidence.py: when own matches happened, told without comparing two clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gridwire.epias_stp.evidence import ABSURD, TOLERANCE_S, Ages, Seen, seen
from gridwire.epias_stp.models import AmountPrice, ContractDepth, Match

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)


def match(age_s: float | None, price: str | None = "100.00", *, own: bool = True) -> Match:
    return Match.model_construct(
        price=None if price is None else Decimal(price),
        quantity=3,
        my_own_matching=own,
        matching_time=None if age_s is None else NOW - timedelta(seconds=age_s),
    )


def look(*matches: Match, date: datetime | None = NOW, took_s: float = 0.0) -> Seen:
    level = AmountPrice.model_construct
    depth = ContractDepth.model_construct(
        buys=[level(price=Decimal(9), owner=True), level(price=Decimal(8), owner=False), level(price=None, owner=True)],
        sells=[],
    )
    return seen(depth, matches, date, NOW, took_s)


def told(shown: Seen, least_s: float = 60.0, most_s: float = 60.0) -> tuple[int, int]:
    since, doubtful = shown.trades(Ages(least_s, most_s))
    return len(since), len(doubtful)


def test_own_marks_are_told_by_side() -> None:
    assert look().marked == {"BUY": {Decimal(9)}, "SELL": set()}


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        (0.0, (1, 0)),
        (60.0 + TOLERANCE_S, (1, 0)),
        (60.1 + TOLERANCE_S, (0, 0)),
        (-TOLERANCE_S, (1, 0)),
        (None, (0, 1)),
    ],
)
def test_a_match_is_since_if_it_is_no_older_than_the_order(age_s: float | None, expected: tuple[int, int]) -> None:
    assert told(look(match(age_s))) == expected


def test_what_lies_between_two_ages_is_doubtful() -> None:
    shown = look(match(30.0), match(70.0), match(130.0))
    assert told(shown, 60.0, 120.0) == (1, 1)


def test_a_look_that_took_long_makes_what_lies_in_between_doubtful() -> None:
    assert told(look(match(50.0), match(60.0), took_s=10.0)) == (1, 1)


def test_a_match_of_the_future_shows_that_the_date_is_of_another_clock() -> None:
    assert told(look(match(-TOLERANCE_S - 0.1), match(10.0))) == (0, 2)


@pytest.mark.parametrize("date", [None, NOW + ABSURD + timedelta(seconds=1), NOW - ABSURD - timedelta(seconds=1)])
def test_without_a_believable_date_all_is_doubtful(date: datetime | None) -> None:
    assert told(look(match(10.0), match(600.0), date=date)) == (0, 2)


def test_matches_of_others_and_without_a_price_are_none() -> None:
    assert told(look(match(1.0, own=False), match(1.0, None))) == (0, 0)
