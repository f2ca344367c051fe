"""What evidence settles, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.intents.reconcile import (
    Evidence,
    Judgement,
    Level,
    OwnTrade,
    Side,
    Wanted,
    cancellation,
    change,
    new_order,
)

LATE_S = 60.0
ORDER = Wanted("GG20261201", "BUY", Decimal("100.00"), 10)
ELSEWHERE = replace(ORDER, price=Decimal("99.00"))
OTHER_SIDE = replace(ORDER, side="SELL")
IMMEDIATE = replace(ORDER, can_rest=False)


Trades = tuple[tuple[str, int], ...]


def seen(
    *marked: str, trades: Trades = (), age_s: float = LATE_S, doubtful: Trades = (), exclusive: bool = True
) -> Evidence:
    since, perhaps = ([OwnTrade(Decimal(price), quantity) for price, quantity in told] for told in (trades, doubtful))
    side = Side({Decimal(price): Level(own=True, quantity=None) for price in marked})
    return Evidence(side, since, age_s, perhaps, exclusive)


def new(order: Wanted, evidence: Evidence, *others: Wanted) -> Judgement:
    return new_order(order, others, evidence, late_until_s=LATE_S)


class TestNewOrder:
    def test_own_mark_and_nothing_else_there_is_live(self) -> None:
        for age_s in (0.0, LATE_S):
            assert new(ORDER, seen("100.00", age_s=age_s)).finding == "live"
        assert new(ORDER, seen("100.0"), ELSEWHERE, OTHER_SIDE, IMMEDIATE).finding == "live"

    def test_own_mark_stays_live_with_trades_beside_it(self) -> None:
        assert new(ORDER, seen("100.00", trades=(("100.00", 3),))).finding == "live"

    def test_a_twin_leaves_it_unknown_and_says_how_many(self) -> None:
        judged = new(ORDER, seen("100.00"), ORDER, ORDER, ELSEWHERE)
        assert judged.finding == "unknown"
        assert "2 other own order(s)" in judged.text

    @pytest.mark.parametrize("side", ["BUY", "SELL"])
    def test_filled_at_its_price_or_better_is_done(self, side: str) -> None:
        order = replace(ORDER, side=side)
        better, worse = ("99.50", "100.01") if side == "BUY" else ("100.01", "99.50")
        assert new(order, seen(trades=(("100.00", 4), (better, 6)))).finding == "done"
        assert new(order, seen(trades=((better, 11),))).finding == "done"
        assert new(order, seen(trades=((worse, 10),))).finding == "absent"

    def test_a_fill_that_also_fits_another_own_order_is_unknown(self) -> None:
        for other in (ORDER, replace(ELSEWHERE, price=Decimal("101.00")), replace(ORDER, price=None), IMMEDIATE):
            judged = new(ORDER, seen(trades=(("100.00", 10),)), other)
            assert judged.finding == "unknown"
            assert "another own order" in judged.text
        assert new(ORDER, seen(trades=(("100.00", 10),)), ELSEWHERE).finding == "done"

    def test_a_part_filled_and_the_rest_unseen_is_unknown_unless_it_cannot_rest(self) -> None:
        judged = new(ORDER, seen(trades=(("100.00", 9),)))
        assert judged.finding == "unknown"
        assert "9" in judged.text
        assert new(IMMEDIATE, seen(trades=(("100.00", 9),))).finding == "done"
        assert new(ORDER, seen(trades=(("100.00", 10),))).finding == "done"

    def test_nothing_seen_is_absent_only_when_it_can_no_longer_arrive(self) -> None:
        judged = new(ORDER, seen(age_s=15.0))
        assert judged.finding == "unknown"
        assert "in 45 s" in judged.text
        assert new(ORDER, seen(age_s=59.9)).finding == "unknown"
        assert new(ORDER, seen(age_s=60.0)).finding == "absent"

    def test_a_trade_of_which_nobody_knows_when_settles_nothing(self) -> None:
        for more in ((), (("100.00", 10),)):
            judged = new(ORDER, seen(doubtful=(("100.00", 10),), trades=more))
            assert judged.finding == "unknown"
            assert "clock" in judged.text
        assert new(ORDER, seen("100.00", doubtful=(("100.00", 10),))).finding == "live"
        assert new(ORDER, seen(doubtful=(("100.01", 10),))).finding == "absent"

    def test_an_order_of_unknown_side_could_be_anywhere(self) -> None:
        assert new(ORDER, seen("100.00"), replace(ORDER, side="")).finding == "unknown"
        assert new(ORDER, seen(trades=(("100.00", 10),)), replace(ELSEWHERE, side="")).finding == "unknown"

    def test_one_that_cannot_rest_is_not_what_rests_there(self) -> None:
        assert "nothing of it can rest" in new(IMMEDIATE, seen("100.00")).text
        assert "no own order rests" in new(ORDER, seen()).text
        assert new(IMMEDIATE, seen("100.00")).finding == "absent"
        assert new(IMMEDIATE, seen("100.00", trades=(("100.00", 1),))).finding == "done"

    def test_without_a_price_or_hidden_nothing_can_be_told(self) -> None:
        for order in (replace(ORDER, price=None), replace(ORDER, shows=False)):
            for evidence in (seen(), seen("100.00"), seen(trades=(("100.00", 10),))):
                assert new(order, evidence).finding == "unknown"


def cancel(order: Wanted, evidence: Evidence, *others: Wanted, moved: tuple[Wanted, ...] = ()) -> Judgement:
    return cancellation(order, moved, others, evidence, late_until_s=LATE_S)


class TestCancellation:
    def test_a_price_without_own_mark_means_it_is_gone(self) -> None:
        assert cancel(ORDER, seen("99.00", age_s=0.0)).finding == "done"
        assert cancel(ORDER, seen(), ORDER).finding == "done"

    def test_a_fill_is_never_called_a_cancellation(self) -> None:
        assert cancel(ORDER, seen(trades=(("100.00", 4), ("99.50", 6)))).finding == "filled"
        assert cancel(ORDER, seen(trades=(("100.01", 10),))).finding == "done"  # no trade of it
        assert cancel(ORDER, seen(trades=(("100.00", 9),))).finding == "ended"
        assert cancel(ORDER, seen(trades=(("100.00", 10),)), IMMEDIATE).finding == "ended"
        assert cancel(ORDER, seen(trades=(("100.00", 10),)), moved=(ELSEWHERE,)).finding == "ended"
        assert cancel(ORDER, seen(doubtful=(("100.00", 1),))).finding == "ended"
        assert cancel(ORDER, seen(doubtful=(("100.01", 1),))).finding == "done"

    def test_a_change_that_may_have_moved_or_hidden_it_leaves_it_unknown(self) -> None:
        assert cancel(ORDER, seen("99.00"), moved=(ELSEWHERE,)).finding == "unknown"
        assert cancel(ORDER, seen(), moved=(replace(ORDER, shows=False),)).finding == "unknown"
        assert cancel(ORDER, seen(), moved=(ELSEWHERE,)).finding == "done"

    def test_still_there_is_absent_only_when_it_can_no_longer_act(self) -> None:
        judged = cancel(ORDER, seen("100.00", age_s=20.0))
        assert judged.finding == "unknown"
        assert "in 40 s" in judged.text
        assert cancel(ORDER, seen("100.00")).finding == "absent"
        assert cancel(ORDER, seen("100.00"), ELSEWHERE, OTHER_SIDE, IMMEDIATE).finding == "absent"

    def test_a_twin_leaves_it_unknown(self) -> None:
        assert cancel(ORDER, seen("100.00"), ORDER).finding == "unknown"

    def test_without_a_price_or_hidden_nothing_can_be_told(self) -> None:
        assert cancel(replace(ORDER, price=None), seen()).finding == "unknown"
        assert cancel(replace(ORDER, shows=False), seen()).finding == "unknown"


def moved(evidence: Evidence, *others: Wanted, **after: Any) -> Judgement:
    return change(ORDER, replace(ELSEWHERE, **after), others, evidence, late_until_s=LATE_S)


class TestChange:
    def test_at_the_new_price_it_acted(self) -> None:
        assert moved(seen("99.00", age_s=0.0)).finding == "live"
        assert moved(seen("99.00"), OTHER_SIDE, IMMEDIATE, replace(ORDER, price=Decimal(98))).finding == "live"

    def test_at_the_old_price_it_is_absent_only_when_it_can_no_longer_act(self) -> None:
        judged = moved(seen("100.00", age_s=1.0))
        assert judged.finding == "unknown"
        assert "in 59 s" in judged.text
        assert moved(seen("100.00")).finding == "absent"

    def test_at_neither_price_nothing_can_be_told(self) -> None:
        assert moved(seen()).finding == "unknown"

    @pytest.mark.parametrize("price", ["99.00", "100.00"])
    def test_another_own_order_at_one_of_the_prices_leaves_it_unknown(self, price: str) -> None:
        assert moved(seen("99.00"), replace(ORDER, price=Decimal(price))).finding == "unknown"

    def test_only_a_moved_price_between_shown_orders_can_be_seen(self) -> None:
        for after in ({"price": ORDER.price}, {"price": None}, {"shows": False}):
            assert moved(seen("99.00", "100.00"), **after).finding == "unknown"
        for before in (replace(ORDER, price=None), replace(ORDER, shows=False)):
            assert change(before, ELSEWHERE, [], seen("99.00"), late_until_s=LATE_S).finding == "unknown"


PRICES = st.sampled_from(["99.00", "100.00", "101.00"])
ORDERS = st.builds(
    Wanted,
    contract=st.just("GG20261201"),
    side=st.sampled_from(["BUY", "SELL"]),
    price=PRICES.map(Decimal),
    quantity=st.integers(1, 20),
    can_rest=st.booleans(),
)


@given(
    ORDERS,
    st.lists(ORDERS, max_size=3),
    st.frozensets(PRICES),
    st.lists(st.tuples(PRICES, st.integers(1, 20)), max_size=3),
    st.floats(0, 120),
)
def test_a_twin_that_rests_is_never_mistaken_for_it(
    order: Wanted, others: list[Wanted], marked: frozenset[str], trades: list[tuple[str, int]], age_s: float
) -> None:
    evidence = seen(*marked, trades=tuple(trades), age_s=age_s)
    judged = new(order, evidence, order, *others)
    if order.can_rest:
        assert judged.finding != "live"
    assert judged.finding != "done"  # whatever was traded, the twin could have traded it
    if age_s < LATE_S:
        assert judged.finding != "absent"
    assert judged.text


class TestAmounts:
    """A level's amount counts every order at its price: it denies, and never proves."""

    def at(self, quantity: int | None, *trades: tuple[str, int | None], price: str = "100.00") -> Evidence:
        since = [OwnTrade(Decimal(at), size) for at, size in trades]
        return Evidence(Side({Decimal(price): Level(own=True, quantity=quantity)}), since, LATE_S, exclusive=True)

    def test_less_than_what_would_be_left_of_it_is_not_it(self) -> None:
        assert new(ORDER, self.at(10)).finding == "live"
        assert new(ORDER, self.at(9)).finding == "unknown"
        assert new(ORDER, self.at(6, ("100.00", 4))).finding == "live"
        assert new(ORDER, self.at(5, ("100.00", 4))).finding == "unknown"
        assert cancel(ORDER, self.at(9)).finding == "unknown"
        assert cancel(ORDER, self.at(10)).finding == "absent"
        assert moved(self.at(9, price="99.00")).finding == "unknown"
        assert moved(self.at(10, price="99.00")).finding == "live"

    def test_an_amount_or_a_trade_of_unknown_size_denies_nothing(self) -> None:
        assert new(ORDER, self.at(None)).finding == "live"
        assert new(ORDER, self.at(1, ("100.00", None))).finding == "live"
        assert new(ORDER, Evidence(self.at(1).side, None, LATE_S, exclusive=True)).finding == "live"


def test_trades_of_unknown_size_fill_nothing_for_certain() -> None:
    evidence = Evidence(Side(), [OwnTrade(Decimal("100.00"), None)], LATE_S, exclusive=True)
    assert new(ORDER, evidence).finding == "unknown"
    assert cancel(ORDER, evidence).finding == "ended"


class TestShared:
    """Without the declaration nothing that is there proves anything of one order."""

    def test_marks_and_trades_could_be_anothers(self) -> None:
        assert new(ORDER, seen("100.00", exclusive=False)).finding == "unknown"
        assert new(ORDER, seen(trades=(("100.00", 10),), exclusive=False)).finding == "unknown"
        assert new(ORDER, seen(exclusive=False)).finding == "absent"
        assert cancel(ORDER, seen("100.00", exclusive=False)).finding == "unknown"
        assert cancel(ORDER, seen(exclusive=False)).finding == "done"
        assert cancel(ORDER, seen(trades=(("100.00", 10),), exclusive=False)).finding == "ended"
        for marked in ("99.00", "100.00"):
            assert moved(seen(marked, exclusive=False)).finding == "unknown"

    def test_a_change_is_not_told_where_a_price_is_not_or_both_are_marked(self) -> None:
        assert moved(seen("99.00", "100.00")).finding == "unknown"
        untold = Side({Decimal("99.00"): Level(own=None, quantity=None)})
        assert moved(Evidence(untold, [], LATE_S, exclusive=True)).finding == "unknown"
        assert moved(Evidence(Side(listed=False), [], LATE_S, exclusive=True)).finding == "unknown"
