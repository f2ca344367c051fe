"""The pool's rules, with plain numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.auth.ticket_pool import LARGEST_POOL, Need, Ticket, TicketPool
from gridwire.errors import InvalidInput


def pool(**options: Any) -> TicketPool:
    usual: dict[str, Any] = {
        "ttl_s": 30.0, "margin_s": 5.0, "size": 2, "calls_per_minute": 6, "replacements_per_s": 10
    }  # fmt: skip
    return TicketPool(**(usual | options))


def at(*times: float, **options: Any) -> TicketPool:
    """A pool with one ticket for each time it was issued at."""
    filled = pool(**options)
    for time in times:
        filled.add(Ticket(f"ST-{time}", time))
    return filled


def test_a_ticket_hides_its_value() -> None:
    assert "ST-1" not in repr(Ticket("ST-1-abc", 0.0))


@pytest.mark.parametrize(
    "options",
    [
        {"margin_s": 0.0},
        {"margin_s": math.inf},
        {"margin_s": math.nan},
        {"ttl_s": 9.9},
        {"size": 0},
        {"size": 5},
        {"calls_per_minute": 1},
        {"replacements_per_s": 0},
    ],
)
def test_limits_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        pool(**options)


@pytest.mark.parametrize("ttl_s", [math.nan, math.inf, 0.0, -1.0, 9.9])
def test_a_life_of_tickets_that_cannot_be_is_named(ttl_s: float) -> None:
    with pytest.raises(InvalidInput, match=f"^st_ttl_s={ttl_s:g} is not for how many seconds a ticket lives: .* 10"):
        pool(ttl_s=ttl_s)


class TestHandingOut:
    def test_the_freshest_first_whatever_order_they_came_in(self) -> None:
        tickets = at(3.0, 1.0, 2.0)
        popped = [tickets.pop(4.0, replace=False) for _ in range(4)]
        assert [ticket and ticket.issued_at for ticket in popped] == [3.0, 2.0, 1.0, None]

    def test_up_to_the_margin_and_not_a_moment_longer(self) -> None:
        assert at(0.0).pop(25.0, replace=True) is not None
        tickets = at(0.0, 0.0)
        assert tickets.pop(25.001, replace=True) is None
        assert (len(tickets), tickets.wasted) == (0, 2)

    def test_more_than_four_are_never_kept(self) -> None:
        tickets = at(1.0, 2.0, 3.0, 4.0, 5.0)
        assert (len(tickets), tickets.wasted) == (LARGEST_POOL, 1)

    def test_each_one_handed_out_is_owed_once(self) -> None:
        tickets = at(1.0, 2.0, 3.0, 4.0, size=4)
        tickets.pop(5.0, replace=True)
        assert tickets.need(5.0, session=True) == Need(1, True, 0.0)

    def test_one_a_second_is_enough_to_ask_for(self) -> None:
        tickets = pool()
        tickets.allow_replacements(1)
        with pytest.raises(InvalidInput):
            tickets.allow_replacements(0)

    def test_freshness(self) -> None:
        assert not pool().has_fresh(0.0)
        assert at(0.0).has_fresh(24.9)
        assert not at(0.0).has_fresh(25.0)


class TestNeed:
    def test_an_empty_pool_with_a_session(self) -> None:
        assert pool().need(0.0, session=True) == Need(2, False, 0.0)

    def test_a_login_needs_room_too(self) -> None:
        tickets = pool()
        for _ in range(5):
            tickets.idle_calls.note(0.0)
        assert tickets.need(1.0, session=False) == Need(0, False, 59.0)
        assert tickets.need(1.0, session=True).count == 1

    def test_a_full_pool_waits_for_its_oldest(self) -> None:
        assert at(0.0, 5.0).need(6.0, session=True) == Need(0, False, 15.0)
        assert at(0.0, 5.0).need(21.0, session=True).count == 1

    def test_idle_requests_are_spread_over_the_minute(self) -> None:
        tickets = pool()
        tickets.begin(tickets.need(0.0, session=True), 0.0)
        assert tickets.need(1.0, session=True) == Need(0, False, 19.0)
        tickets.retry_idle()
        assert tickets.need(1.0, session=True).count == 2

    def test_spent_tickets_are_owed_at_once(self) -> None:
        tickets = at(0.0, 0.0)
        tickets.begin(Need(2, False, 0.0), 0.0)
        spent = tickets.pop(1.0, replace=True)
        assert spent is not None
        need = tickets.need(1.0, session=True)
        assert need == Need(1, True, 0.0)
        tickets.begin(need, 1.0)
        tickets.filled(need, Ticket("ST-9", 1.0))
        assert tickets.need(1.0, session=True).count == 0

    def test_replacements_are_bounded_by_the_second(self) -> None:
        tickets = at(0.0, 0.0, replacements_per_s=1)
        for _ in range(2):
            tickets.pop(1.0, replace=True)
        need = tickets.need(1.0, session=True)
        assert need.count == 1
        tickets.begin(need, 1.0)
        tickets.filled(need, Ticket("ST-9", 1.0))
        assert tickets.need(1.5, session=True) == Need(0, True, 0.5)

    def test_nothing_is_owed_after_a_rest(self) -> None:
        tickets = at(0.0, 0.0)
        tickets.pop(1.0, replace=True)
        tickets.rest()
        assert tickets.need(1.0, session=True).for_orders is False

    def test_old_tickets_are_dropped_on_the_way(self) -> None:
        tickets = at(0.0, 20.0)
        tickets.need(26.0, session=True)
        assert (len(tickets), tickets.wasted) == (1, 1)


class TestLowering:
    @pytest.mark.parametrize(
        ("age_s", "lowered", "ttl_s"),
        [(9.9, False, 30.0), (10.0, True, 15.0), (29.9, True, 15.0), (30.0, False, 30.0), (-1.0, False, 30.0)],
    )
    def test_by_age(self, age_s: float, lowered: bool, ttl_s: float) -> None:
        tickets = pool()
        assert tickets.lower_ttl(age_s) is lowered
        assert (tickets.ttl_s, tickets.usable_s) == (ttl_s, ttl_s - 5)

    def test_ends_at_twice_the_margin(self) -> None:
        tickets = pool()
        assert [tickets.lower_ttl(age) for age in (20.0, 12.0, 10.0)] == [True, True, False]
        assert tickets.ttl_s == 10.0


@given(
    ttl_s=st.sampled_from([10.0, 15.0, 30.0, 120.0]),
    size=st.integers(1, 4),
    calls=st.integers(2, 30),
    steps=st.lists(st.tuples(st.floats(0.01, 40), st.booleans()), max_size=80),
)
def test_idle_calls_stay_within_their_minute_and_tickets_within_their_age(
    ttl_s: float, size: int, calls: int, steps: list[tuple[float, bool]]
) -> None:
    tickets, now, idle = pool(ttl_s=ttl_s, size=size, calls_per_minute=calls), 0.0, list[float]()
    for step, order in steps:
        now += step
        if order:
            ticket = tickets.pop(now, replace=True)
            assert ticket is None or now - ticket.issued_at <= ttl_s - 5
        need = tickets.need(now, session=True)
        assert need.count > 0 or need.wait_s > 0
        tickets.begin(need, now)
        for _ in range(need.count):
            tickets.filled(need, Ticket("ST-1", now))
            if not need.for_orders:
                idle.append(now)
    assert all(sum(start <= at < start + 60 for at in idle) <= calls for start in idle)
