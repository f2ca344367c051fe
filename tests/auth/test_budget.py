"""How often CAS may be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.auth.budget import CallWindow, LoginBudget, idle_plan
from gridwire.errors import InvalidInput

BUDGET = LoginBudget()


class TestLoginBudget:
    def test_the_first_login_is_free(self) -> None:
        assert BUDGET.wait_s([], 0.0) == 0
        assert BUDGET.left([], 0.0) == 10

    def test_the_next_one_waits_a_minute(self) -> None:
        assert BUDGET.wait_s([100.0], 130.0) == 30
        assert BUDGET.wait_s([100.0], 160.0) == 0

    def test_the_gap_can_be_left_out(self) -> None:
        assert BUDGET.wait_s([100.0], 101.0, gap=False) == 0

    def test_ten_an_hour(self) -> None:
        logins = [60.0 * n for n in range(10)]
        assert BUDGET.wait_s(logins, 1000.0) == 2600
        assert BUDGET.wait_s(logins, 1000.0, gap=False) == 2600
        assert BUDGET.left(logins, 1000.0) == 0
        assert BUDGET.wait_s(logins, 3600.0) == 0
        assert BUDGET.left(logins, 3600.0) == 1

    def test_a_login_from_the_future_counts_as_now(self) -> None:
        assert BUDGET.wait_s([5000.0], 100.0) == 60

    @pytest.mark.parametrize(("gap", "most"), [(-1.0, 10), (60.0, 0)])
    def test_a_budget_that_means_nothing_is_refused(self, gap: float, most: int) -> None:
        with pytest.raises(InvalidInput):
            LoginBudget(gap, most)


class TestCallWindow:
    def test_counts_any_minute_exactly(self) -> None:
        window = CallWindow(6, 60.0)
        for at in (0.0, 0.0, 0.0, 21.0, 21.0):
            window.note(at)
        assert window.room(42.0) == 1
        assert (window.wait_s(42.0, 1), window.wait_s(42.0, 2)) == (0, 18)
        assert window.room(60.0) == 4
        assert window.wait_s(60.0, 4) == 0

    def test_calls_over_the_limit_use_up_room(self) -> None:
        window = CallWindow(2, 1.0)
        for at in (0.0, 0.1, 0.2):
            window.note(at)
        assert window.room(0.3) == 0
        assert window.wait_s(0.3, 1) == pytest.approx(0.8)
        assert window.wait_s(0.3, 2) == pytest.approx(0.9)

    @given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 8))
    def test_asking_for_room_first_keeps_every_window(self, steps: list[float], most: int) -> None:
        window, now, made = CallWindow(most, 60.0), 0.0, list[float]()
        for step in steps:
            now += step
            if window.room(now) > 0:
                assert window.wait_s(now, 1) == 0
                window.note(now)
                made.append(now)
            else:
                assert window.wait_s(now, 1) > 0
        assert all(sum(start <= at < start + 60 for at in made) <= most for start in made)


class TestIdlePlan:
    def test_two_tickets_of_25_s_are_replaced_at_21_s(self) -> None:
        assert idle_plan(2, 25.0, 6) == (2, 21.0)

    def test_calls_limit_how_many_are_kept(self) -> None:
        assert idle_plan(4, 25.0, 6) == (2, 21.0)
        assert idle_plan(4, 25.0, 60) == (4, 21.0)
        assert idle_plan(2, 25.0, 4) == (1, 21.0)

    def test_short_lives_get_what_the_calls_allow(self) -> None:
        assert idle_plan(2, 10.0, 6) == (1, 10.0)
        assert idle_plan(2, 5.0, 6) == (1, 10.0)
        assert idle_plan(2, 5.0, 60) == (2, 4.0)

    @given(st.integers(1, 4), st.floats(1, 3600), st.integers(2, 600))
    def test_never_costs_more_than_the_calls(self, pool_size: int, usable_s: float, calls: int) -> None:
        target, refresh_s = idle_plan(pool_size, usable_s, calls)
        assert 1 <= target <= pool_size
        assert target * 60 / refresh_s <= calls + 1e-6
