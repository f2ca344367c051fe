"""What was handled is recognised for a day and an hour, in bounded memory."""

from __future__ import annotations

import sys

from gridwire.edsn_pie.dedup import KEEP_S, Handled


def test_what_was_handled_is_recognised_and_nothing_else() -> None:
    handled = Handled()
    handled.add("a", 0.0)
    assert handled.meet("a", 1.0)
    assert not handled.meet("b", 1.0)


def test_it_is_forgotten_after_its_time_which_each_meeting_prolongs() -> None:
    handled = Handled()
    handled.add("a", 0.0)
    handled.add("b", 0.0)
    assert handled.meet("a", KEEP_S - 1)
    assert not handled.meet("b", KEEP_S)
    assert handled.meet("a", KEEP_S)
    assert not handled.meet("a", 3 * KEEP_S)
    assert len(handled) == 0


def test_the_least_recently_met_is_forgotten_first() -> None:
    handled = Handled(most=3)
    for key in "abc":
        handled.add(key, 0.0)
    assert handled.meet("a", 1.0)
    handled.add("d", 2.0)
    assert [handled.meet(key, 3.0) for key in "abcd"] == [True, False, True, True]
    handled.add("d", 4.0)
    assert len(handled) == 3


def test_keys_of_any_length_take_the_same_memory() -> None:
    handled = Handled()
    handled.add("x" * 1_000_000 + "\ud800", 0.0)
    assert handled.meet("x" * 1_000_000 + "\ud800", 0.0)
    assert sys.getsizeof(next(iter(handled._until))) < 64
