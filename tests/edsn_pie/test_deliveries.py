"""The rules for what is told to the broker, without a broker: deliveries that only note how they were settled."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gridwire.edsn_pie.deliveries import PAUSES_S, Deliveries, Entry
from gridwire.edsn_pie.models import UnknownNotification
from gridwire.edsn_pie.stream import Counts, GiveUp
from gridwire.transport.amqp import Delivery, Settled
from gridwire.transport.amqp_message import AmqpMessage


class Noted:
    """A delivery that was settled as ``how`` says."""

    how: Settled | None = None
    presettled = False
    failed = False
    condition: object = None

    def settle(self, how: Settled, *, failed: bool = False, condition: object = None) -> bool:
        assert self.how is None, "settled twice"
        self.how, self.failed, self.condition = how, failed, condition
        return True


def deliveries(*, deduplicate: bool = True, give_up: GiveUp = "released") -> Deliveries:
    return Deliveries(Counts(), deduplicate=deduplicate, give_up=give_up)


def arrive(
    held: Deliveries, key: str | None = "k", now: float = 0.0, *, presettled: bool = False
) -> tuple[Entry | None, Noted]:
    noted = Noted()
    noted.presettled = presettled
    notification = UnknownNotification(envelope="none", key=key, reason="test")
    return held.arrive(notification, AmqpMessage(), cast("Delivery", noted), now), noted


def arrived(held: Deliveries, key: str | None = "k") -> tuple[Entry, Noted]:
    entry, noted = arrive(held, key)
    assert entry is not None
    return entry, noted


def test_a_message_is_accepted_when_it_is_done_and_its_credit_comes_back_then() -> None:
    held = deliveries()
    entry, noted = arrived(held)
    assert (noted.how, held.owed, held.undecided) == (None, 0, 1)
    held.done(entry, 0.0)
    assert (noted.how, held.owed, held.undecided) == (Settled.ACCEPTED, 1, 0)


def test_a_second_delivery_of_what_was_handled_is_accepted_unseen() -> None:
    held = deliveries()
    entry, _ = arrived(held)
    held.done(entry, 0.0)
    again, noted = arrive(held)
    assert again is None
    assert (noted.how, held.owed, held.counts.duplicates) == (Settled.ACCEPTED, 2, 1)


def test_a_second_delivery_of_what_is_with_us_shares_its_fate() -> None:
    held = deliveries()
    entry, first = arrived(held)
    again, second = arrive(held)
    assert again is None
    assert second.how is None
    held.give_back(entry)
    assert first.how is second.how is Settled.RELEASED
    assert held.owed == 2


@pytest.mark.parametrize(("key", "deduplicate"), [(None, True), ("k", False)])
def test_what_has_no_key_or_shall_not_be_compared_comes_every_time(key: str | None, deduplicate: bool) -> None:
    held = deliveries(deduplicate=deduplicate)
    first, _ = arrived(held, key)
    second, _ = arrived(held, key)
    held.done(first, 0.0)
    held.done(second, 0.0)
    assert arrive(held, key)[0] is not None


def test_pauses_grow_and_the_first_four_outlast_an_outage_of_ten_seconds() -> None:
    held = deliveries()
    entry, noted = arrived(held)
    pauses = []
    for _ in range(4):
        pauses.append(held.failed(entry, 5))
        assert str(entry.state) == "pausing"
        assert held.pause_over(entry)
        assert str(entry.state) == "ready"
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert sum(PAUSES_S[:4]) > 10
    assert held.failed(entry, 5) is None
    assert noted.how is None
    assert held.failed(arrived(held, "other")[0], 99) == 1.0


@pytest.mark.parametrize(
    ("give_up", "how", "failed"),
    [
        ("released", Settled.RELEASED, False),
        ("modified", Settled.MODIFIED, True),
        ("rejected", Settled.REJECTED, False),
    ],
)
def test_giving_up_tells_the_broker_what_was_chosen(give_up: Any, how: Settled, failed: bool) -> None:
    held = deliveries(give_up=give_up)
    entry, noted = arrived(held)
    held.give_up(entry, RuntimeError())
    assert (noted.how, noted.failed) == (how, failed)
    assert (noted.condition is not None) == (give_up == "rejected")
    assert arrive(held)[0] is not None  # it was not handled


def test_a_lost_link_drops_what_nobody_began_and_keeps_what_is_worked_at() -> None:
    held = deliveries()
    waiting, _ = arrived(held, "waiting")
    working, _ = arrived(held, "working")
    working.state = "handling"
    held.owed = 7
    assert held.link_lost() == [waiting]
    assert held.owed == 0
    assert waiting.state == "gone"
    assert arrive(held, "waiting")[0] is not None
    again, noted = arrive(held, "working")
    assert again is None
    held.done(working, 0.0)
    assert noted.how is Settled.ACCEPTED
    assert held.owed == 1


def test_failures_are_counted_on_over_a_lost_link() -> None:
    held = deliveries()
    entry, _ = arrived(held)
    held.failed(entry, 5)
    held.link_lost()
    assert not held.pause_over(entry)  # it has no delivery: its next one goes on from here
    again, _ = arrived(held)
    assert again.attempts == 1
    assert held.failed(again, 5) == 2.0
    held.link_lost()
    arrive(held)
    assert held.pause_over(again)


def test_a_pause_that_is_over_twice_is_over_once() -> None:
    held = deliveries()
    entry, _ = arrived(held)
    held.failed(entry, 5)
    assert held.pause_over(entry)
    assert not held.pause_over(entry)


def test_before_a_change_of_links_what_waits_goes_back_and_what_pauses_is_let_go() -> None:
    held = deliveries()
    _, waiting = arrived(held, "waiting")
    pausing, paused = arrived(held, "pausing")
    working, worked = arrived(held, "working")
    held.failed(pausing, 5)
    working.state = "handling"
    held.before_leaving()
    assert (waiting.how, paused.how, worked.how) == (Settled.RELEASED, Settled.RELEASED, None)
    assert arrive(held, "pausing")[0] is None
    assert held.pause_over(pausing)


def test_what_is_stored_is_accepted_and_its_credit_comes_back_when_it_is_handled() -> None:
    held = deliveries()
    entry, noted = arrived(held)
    held.stored(entry)
    assert (noted.how, held.owed) == (Settled.ACCEPTED, 0)
    again, second = arrive(held)
    assert (again, second.how, held.owed) == (None, Settled.ACCEPTED, 1)
    assert held.link_lost() == []
    held.done(entry, 0.0)
    assert held.owed == 0  # its credit belonged to the link that was lost


def test_what_the_inbox_has_done_with_is_accepted_and_known() -> None:
    held = deliveries()
    entry, noted = arrived(held)
    held.known(entry, 0.0)
    assert noted.how is Settled.ACCEPTED
    assert arrive(held)[0] is None
    assert held.counts.duplicates == 2


def test_a_name_of_ours_makes_a_message_known() -> None:
    held = deliveries()
    entry, _ = arrived(held, None)
    held.name(entry, "unnamed:1")
    assert held.is_live("unnamed:1")
    held.done(entry, 0.0)
    assert not held.is_live("unnamed:1")


def test_what_is_remembered_of_failures_is_bounded() -> None:
    held = deliveries()
    for number in range(1100):
        entry, _ = arrived(held, str(number))
        held.failed(entry, 5)
        held.link_lost()
        held.pause_over(entry)
    assert len(held._attempts) == 1024
    assert held.undecided == 0


def test_a_lost_link_keeps_what_is_being_stored_so_that_its_next_delivery_joins_it() -> None:
    held = deliveries()
    entry, _ = arrived(held)
    entry.state = "storing"
    assert held.link_lost() == []
    again, second = arrive(held)
    assert again is None
    held.stored(entry)
    assert second.how is Settled.ACCEPTED


def test_what_the_inbox_knows_without_a_key_is_accepted_as_well() -> None:
    held = deliveries()
    entry, noted = arrived(held, None)
    held.known(entry, 0.0)
    assert noted.how is Settled.ACCEPTED


def sole(held: Deliveries) -> Entry:
    entry, _ = arrive(held, presettled=True)
    assert entry is not None
    return entry


def test_what_the_broker_has_forgotten_stays_over_links_and_takes_its_room() -> None:
    held = deliveries()
    entry = sole(held)
    held.before_leaving()
    assert held.link_lost() == []
    assert held.entries == {entry: None}
    assert entry.state == "ready"
    assert held.link_begun(5) == 4
    held.done(entry, 0.0)
    assert (held.owed, held.undecided) == (1, 0)


def test_what_the_broker_has_forgotten_is_handed_out_again_however_often_it_fails() -> None:
    held = deliveries()
    entry = sole(held)
    pauses = []
    for _ in range(9):
        pauses.append(held.failed(entry, 5))
        held.link_lost()
        assert held.pause_over(entry)
    assert pauses == [*PAUSES_S, 60.0, 60.0]
    entry.kept = True
    assert held.failed(entry, 5) is None, "the inbox can park it"
