"""What the guard lets pass. Prices in TL per 1000 Sm3, quantities count 1000 Sm3, times in seconds of the loop."""

from __future__ import annotations

import decimal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gridwire.errors import ConfigurationError
from gridwire.intents.guard import Breach, Guard, Limits


def guard(contracts: Any = None, **limits: Any) -> Guard:
    return Guard(Limits(**limits), contracts)


def check(
    guarded: Guard,
    *,
    contract: str | None = "GG20261201",
    side: str | None = "BUY",
    price: str | None = "100.00",
    quantity: int = 10,
    now: float = 0.0,
    key: str = "new",
) -> Breach | None:
    return guarded.check(contract, side, None if price is None else Decimal(price), quantity, now, key=key)


def rule(guarded: Guard, **order: Any) -> str | None:
    breach = check(guarded, **order)
    return None if breach is None else breach.rule


class TestLimits:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"max_quantity": 0}, {"max_quantity": -1}, {"max_quantity": 1.0}, {"max_quantity": True},
            {"max_quantity": "5"}, {"min_price": 1.0}, {"min_price": 5}, {"max_price": "a lot"}, {"max_price": "-1"},
            {"max_price": Decimal("NaN")}, {"max_price": Decimal("Infinity")}, {"max_open_notional": ""},
            {"max_open_notional": True}, {"orders_per_second": 0}, {"orders_per_second": 1.5},
            {"orders_per_second": True}, {"orders_per_second": None}, {"sides": ()}, {"sides": ("BUY", "HOLD")},
            {"sides": "B"}, {"min_price": "10.01", "max_price": Decimal(10)},
            {"sides": 5}, {"sides": "BUY"}, {"sides": None}, {"sides": [["BUY"]]}, {"halt_file": 5}, {"halt_file": ""},
            {"halt_file": " "},
        ],
    )  # fmt: skip
    def test_what_cannot_be_meant_is_refused_when_they_are_made(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            Limits(**wrong)

    @pytest.mark.parametrize(
        "right",
        [
            {}, {"max_quantity": 1}, {"min_price": "10", "max_price": Decimal(10)}, {"min_price": "0"}, {"max_price": Decimal("12000.50")}, {"max_open_notional": "0"},
            {"orders_per_second": 1}, {"sides": ["BUY"]}, {"sides": {"SELL"}},
        ],
    )  # fmt: skip
    def test_what_can_be_meant_is_taken(self, right: dict[str, Any]) -> None:
        Limits(**right)

    def test_without_limits_anything_passes(self) -> None:
        assert check(guard(), price="999999999.99", quantity=10**9) is None
        assert check(guard(), price=None) is None


class TestRules:
    def test_contract(self) -> None:
        guarded = guard(["GG20261201"])
        assert rule(guarded) is None
        assert rule(guarded, contract="GG20261202") == "contract_not_allowed"
        assert rule(guarded, contract=None) == "contract_not_allowed"  # it could be on any
        assert rule(guard(None), contract=None) is None
        assert rule(guard([]), contract="GG20261201") == "contract_not_allowed"

    def test_side(self) -> None:
        guarded = guard(sides=["SELL"])
        assert rule(guarded, side="SELL") is None
        assert rule(guarded, side="BUY") == "side_not_allowed"
        assert rule(guarded, side=None) == "side_not_allowed"
        assert rule(guard(), side=None) is None

    def test_quantity(self) -> None:
        guarded = guard(max_quantity=10)
        assert rule(guarded, quantity=10) is None
        assert rule(guarded, quantity=11) == "max_quantity"

    def test_collar(self) -> None:
        guarded = guard(min_price="99.99", max_price=Decimal("100.01"))
        assert [rule(guarded, price=price) for price in ("99.98", "99.99", "100.01", "100.02")] == [
            "min_price", None, None, "max_price",
        ]  # fmt: skip
        assert rule(guarded, price=None) is None

    def test_the_first_broken_rule_is_named_with_its_numbers(self) -> None:
        breach = check(guard(["GG20261201"], max_quantity=5, max_price="1"), quantity=6)
        assert breach is not None
        assert breach.rule == "max_quantity"
        assert "6" in breach.text
        assert "5" in breach.text


class TestHalt:
    def test_halt_stops_and_resume_lets_go(self) -> None:
        guarded = guard()
        assert guarded.halted is None
        guarded.halt("the feed is stale")
        breach = check(guarded)
        assert breach is not None
        assert breach.rule == "halted"
        assert "the feed is stale" in breach.text
        guarded.resume()
        assert check(guarded) is None

    def test_halt_needs_no_reason(self) -> None:
        guarded = guard()
        guarded.halt("")
        assert guarded.halted == "halt() was called"
        assert rule(guarded) == "halted"

    def test_the_file_stops_while_it_exists_also_as_a_dangling_link(self, tmp_path: Path) -> None:
        file = tmp_path / "halt"
        guarded = guard(halt_file=file)
        assert rule(guarded) is None
        file.touch()
        assert rule(guarded) == "halted"
        assert guarded.halted is not None
        assert str(file) in guarded.halted
        guarded.resume()
        assert rule(guarded) == "halted"
        file.unlink()
        assert rule(guarded) is None
        file.symlink_to(tmp_path / "nowhere")
        assert rule(guarded) == "halted"

    def test_being_halted_outranks_everything(self, tmp_path: Path) -> None:
        guarded = guard([], max_quantity=1, halt_file=str(tmp_path))
        assert rule(guarded) == "halted"


class TestRate:
    def test_the_window_slides(self) -> None:
        guarded = guard(orders_per_second=2)
        for now in (0.0, 0.5):
            assert rule(guarded, now=now) is None
            guarded.sent(now)
        assert rule(guarded, now=0.75) == "orders_per_second"
        assert rule(guarded, now=0.999) == "orders_per_second"
        assert rule(guarded, now=1.0) is None
        guarded.sent(1.0)
        assert rule(guarded, now=1.25) == "orders_per_second"
        assert rule(guarded, now=1.5) is None

    @given(st.integers(1, 5), st.lists(st.integers(0, 400), max_size=40))
    def test_no_second_holds_more_than_allowed(self, most: int, pauses_ms: list[int]) -> None:
        guarded = guard(orders_per_second=most)
        now, sent = 0, []
        for pause in pauses_ms:
            now += pause
            if rule(guarded, now=now / 1000) is None:
                guarded.sent(now / 1000)
                sent.append(now)
        for start in sent:
            assert sum(start <= at < start + 999 for at in sent) <= most

    def test_the_refusal_says_when_the_next_order_may_leave(self) -> None:
        guarded = guard(orders_per_second=1)
        guarded.sent(10.0)
        breach = check(guarded, now=10.25)
        assert breach is not None
        assert breach.retry_after_s == 0.751
        assert "at most 1 order a second" in breach.text
        assert "in 0.751 s" in breach.text
        assert check(guard(max_quantity=1), quantity=2) == Breach(
            "max_quantity", "Quantity 2 is above the limit of 1.", None
        )

    @given(st.integers(1, 3), st.floats(0, 1e9), st.floats(0, 0.999999))
    @example(most=1, began=0.005, later=0.0)
    def test_who_waits_as_long_as_told_is_let_pass(self, most: int, began: float, later: float) -> None:
        guarded = guard(orders_per_second=most)
        for _ in range(most):
            guarded.sent(began)
        breach = check(guarded, now=began + later)
        if breach is not None:
            assert breach.retry_after_s is not None
            assert 0 < breach.retry_after_s <= 1.001
            assert check(guarded, now=began + later + breach.retry_after_s) is None

    def test_an_order_refused_for_another_reason_does_not_count(self) -> None:
        guarded = guard(orders_per_second=1, max_quantity=5)
        assert rule(guarded, quantity=6) == "max_quantity"
        assert rule(guarded, quantity=5) is None


class TestOpenNotional:
    def test_what_may_be_resting_counts_until_it_is_closed(self) -> None:
        guarded = guard(max_open_notional="2000")
        guarded.opened("a", Decimal("100.00"), 10)
        assert guarded.open_notional == 1000
        assert rule(guarded, quantity=10) is None
        assert rule(guarded, quantity=10, price="100.01") == "max_open_notional"
        guarded.closed("a")
        assert guarded.open_notional == 0
        assert rule(guarded, quantity=20) is None

    def test_a_change_counts_instead_of_what_it_replaces(self) -> None:
        guarded = guard(max_open_notional="1000")
        guarded.opened("a", Decimal("100.00"), 10)
        assert rule(guarded, key="a", quantity=10) is None
        assert rule(guarded, key="a", quantity=11) == "max_open_notional"
        assert rule(guarded, key="b", quantity=1) == "max_open_notional"
        guarded.opened("a", Decimal("50.00"), 10)
        assert guarded.open_notional == 500

    def test_an_order_without_a_price_cannot_be_held_against_it(self) -> None:
        guarded = guard(max_open_notional="1000")
        assert rule(guarded, price=None) == "max_open_notional"
        guarded.opened("a", None, 10)
        assert guarded.open_notional == 0
        guarded.opened("a", Decimal(1), 10)
        guarded.opened("a", None, 10)
        assert guarded.open_notional == 0

    def test_closing_what_is_not_open_changes_nothing(self) -> None:
        guarded = guard()
        guarded.opened("a", Decimal(1), 1)
        guarded.closed("b")
        assert guarded.open_notional == 1

    def test_reset_forgets_all(self) -> None:
        guarded = guard(max_open_notional="1000")
        guarded.opened("a", Decimal(100), 10)
        guarded.reset()
        assert guarded.open_notional == 0
        assert rule(guarded, quantity=10) is None
        guarded.closed("a")
        assert guarded.open_notional == 0

    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.decimals("0.01", "99999999.99", places=2), st.integers(0, 10**9)))
    )
    def test_the_sum_is_exact_whatever_the_callers_decimal_context(
        self, orders: list[tuple[str, Decimal, int]]
    ) -> None:
        guarded = guard()
        last: dict[str, int] = {}
        with decimal.localcontext() as context:
            context.prec = 3
            context.rounding = decimal.ROUND_UP
            for key, price, quantity in orders:
                guarded.opened(key, price, quantity)
                last[key] = int(price.scaleb(2, decimal.Context(prec=60))) * quantity
        assert guarded.open_notional == Decimal(sum(last.values())).scaleb(-2, decimal.Context(prec=60))
        for key in "abc":
            guarded.closed(key)
        assert guarded.open_notional == 0

    def test_a_coarse_decimal_context_does_not_move_the_limit(self) -> None:
        guarded = guard(max_open_notional="123456.78")
        with decimal.localcontext() as context:
            context.prec = 2
            assert rule(guarded, price="123456.78", quantity=1) is None
            assert rule(guarded, price="123456.79", quantity=1) == "max_open_notional"


class TestChanges:
    def test_while_a_change_is_under_way_the_order_counts_as_the_larger_of_the_two(self) -> None:
        guarded = guard(max_open_notional="2000")
        guarded.opened("a", Decimal(100), 10)
        guarded.changing("x", "a", Decimal(100), 15, before=(Decimal(1), 1))
        assert guarded.open_notional == 1500
        guarded.changing("y", "a", Decimal(10), 1, before=(Decimal(1), 1))
        assert guarded.open_notional == 1500
        assert rule(guarded, key="b", quantity=5) is None
        assert rule(guarded, key="b", quantity=6) == "max_open_notional"

    def test_a_change_that_acted_leaves_the_order_as_it_says(self) -> None:
        guarded = guard()
        guarded.opened("a", Decimal(100), 10)
        guarded.changing("x", "a", Decimal(50), 10, before=(Decimal(100), 10))
        assert guarded.open_notional == 1000
        guarded.settled("x", Decimal(50), 10)
        assert guarded.open_notional == 500

    def test_a_change_that_did_not_act_leaves_the_order_as_it_was(self) -> None:
        guarded = guard()
        guarded.opened("a", Decimal(100), 10)
        guarded.changing("x", "a", Decimal(200), 10, before=(Decimal(100), 10))
        guarded.settled("x")
        assert guarded.open_notional == 1000

    def test_what_the_caller_believes_counts_only_for_an_order_not_known_here(self) -> None:
        guarded = guard()
        guarded.changing("x", "elsewhere", Decimal(1), 10, before=(Decimal(100), 10))
        assert guarded.open_notional == 1000
        guarded.settled("x")
        assert guarded.open_notional == 0
        guarded.changing("y", "elsewhere", Decimal(1), 10, before=(None, 10))
        assert guarded.open_notional == 10
        guarded.settled("y", Decimal(1), 10)
        assert guarded.open_notional == 10

    def test_closing_an_order_forgets_its_changes_and_no_others(self) -> None:
        guarded = guard()
        guarded.opened("a", Decimal(100), 10)
        guarded.opened("b", Decimal(1), 10)
        guarded.changing("x", "a", Decimal(200), 10, before=(Decimal(100), 10))
        guarded.changing("y", "b", Decimal(2), 10, before=(Decimal(1), 10))
        guarded.closed("a")
        assert guarded.open_notional == 20
        guarded.settled("x", Decimal(200), 10)
        assert guarded.open_notional == 20
        guarded.settled("y")
        assert guarded.open_notional == 10

    def test_what_was_never_begun_settles_nothing(self) -> None:
        guarded = guard()
        guarded.settled("x", Decimal(1), 1)
        assert guarded.open_notional == 0

    def test_a_change_that_takes_risk_away_passes_over_the_limit_and_one_that_adds_does_not(self) -> None:
        guarded = guard(max_open_notional="500")
        guarded.opened("a", Decimal(100), 10)
        assert rule(guarded, key="a", quantity=9) is None
        assert rule(guarded, key="a", quantity=10) is None
        assert rule(guarded, key="a", quantity=11) == "max_open_notional"

    def test_reset_forgets_changes_too(self) -> None:
        guarded = guard()
        guarded.opened("a", Decimal(100), 10)
        guarded.changing("x", "a", Decimal(200), 10, before=(Decimal(100), 10))
        guarded.reset()
        guarded.settled("x", Decimal(200), 10)
        assert guarded.open_notional == 0


def test_a_halt_file_of_a_working_folder_that_is_gone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ConfigurationError, match="halt_file='halt' belongs to the working folder, which was deleted"):
        Limits(halt_file="halt")
