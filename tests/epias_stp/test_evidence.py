"""epias_stp/evidence.py: when own matches happened, told without comparing two clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gridwire.epias_stp.evidence import ABSURD, TOLERANCE_S, Ages, Seen, seen
from gridwire.epias_stp.models import AmountPrice, ContractDepth, Match, Matchings
from gridwire.intents.reconcile import Level

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)


def match(age_s: float | None, price: str | None = "100.00", *, own: bool | None = True) -> Match:
    return Match.model_construct(
        price=None if price is None else Decimal(price),
        quantity=3,
        my_own_matching=own,
        matching_time=None if age_s is None else NOW - timedelta(seconds=age_s),
    )


def look(*matches: Match, date: datetime | None = NOW, took_s: float = 0.0) -> Seen:
    level = AmountPrice.model_construct
    depth = ContractDepth.model_construct(
        buys=[
            level(price=Decimal(9), owner=True),
            level(price=Decimal(8), owner=False),
            level(price=Decimal(7), owner=None),
        ],
        sells=[],
    )
    return seen(depth, matches, date, NOW, took_s)


def told(shown: Seen, least_s: float = 60.0, most_s: float = 60.0) -> tuple[int, int]:
    since, doubtful = shown.trades(Ages(least_s, most_s))
    assert since is not None
    return len(since), len(doubtful)


def test_own_marks_are_told_by_side() -> None:
    buys, sells = look().side("BUY"), look().side("SELL")
    assert [buys.own_at(Decimal(price)) for price in (9, 8, 7, 6)] == [True, False, None, False]
    assert buys.own_prices() == frozenset({Decimal(9)})
    assert buys.doubtful_prices() == frozenset({Decimal(7)})
    assert (sells.own_at(Decimal(9)), sells.own_prices()) == (False, frozenset())
    assert look().side("").own_at(Decimal(9)) is None


@pytest.mark.parametrize("body", [{}, {"contractBuyDepths": None}, {"contractSellDepths": []}])
def test_a_side_without_a_list_says_of_no_price_that_it_holds_no_own_order(body: dict[str, Any]) -> None:
    shown = seen(ContractDepth.model_validate(body), [], NOW, NOW, 0.0)
    assert shown.side("BUY").own_at(Decimal(9)) is None


def test_a_level_without_its_price_leaves_every_price_open() -> None:
    for owner, told_of_others in ((True, None), (None, None), (False, False)):
        levels = [{"price": 9, "amount": 3, "owner": False}, {"amount": 3, "owner": owner}]
        shown = seen(ContractDepth.model_validate({"contractBuyDepths": levels}), [], NOW, NOW, 0.0)
        assert shown.side("BUY").own_at(Decimal(9)) is False
        assert shown.side("BUY").own_at(Decimal(8)) is told_of_others


def test_levels_of_one_price_count_as_one() -> None:
    levels = [{"price": "9.0", "amount": 3, "owner": False}, {"price": "9.00", "amount": 4}]
    side = seen(ContractDepth.model_validate({"contractBuyDepths": levels}), [], NOW, NOW, 0.0).side("BUY")
    assert side.levels == {Decimal(9): Level(own=None, quantity=7)}


def test_without_a_list_of_matches_no_trade_is_known_to_be_missing() -> None:
    assert seen(ContractDepth(), None, NOW, NOW, 0.0).trades(Ages(60.0, 60.0)) == (None, [])
    assert Matchings.model_validate({}).listed is None
    assert Matchings.model_validate({"matchings": []}).listed == []


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


def test_matches_of_others_are_none() -> None:
    assert told(look(match(1.0, own=False))) == (0, 0)


def test_a_match_without_its_mark_is_doubtful_and_one_without_its_price_could_be_at_any() -> None:
    assert told(look(match(1.0, own=None), match(1.0, None))) == (1, 1)
    assert told(look(match(100.0, own=None))) == (0, 0)
