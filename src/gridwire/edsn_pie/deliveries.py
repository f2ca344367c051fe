"""Every message that is with us and not yet decided, and the rules for what is told to the broker about it.

1. A message is accepted after its handler has succeeded, or, with an inbox, once it is stored.
2. Credit is given back when a message is decided, never when it arrives, so no more than the window is ever with us,
   over however many links it came.
3. A second delivery of a message that was handled is accepted unseen. A second delivery of one that is with us joins it:
   the handler runs once, and whatever is decided counts for both. So nothing is handled twice after a reconnect.
4. When the link ends, what waits unhandled is dropped, for it comes again; what a handler works at, or what pauses after
   a failure, stays, and is joined by its next delivery. With an inbox everything stays, from when its storing has begun.

No I/O and no clock in here: deliveries are settled, and somebody else sends that.
"""

from __future__ import annotations

from typing import Literal

from gridwire.edsn_pie.dedup import Handled
from gridwire.edsn_pie.models import Notification
from gridwire.edsn_pie.stream import Counts, GiveUp
from gridwire.transport.amqp import Delivery, Settled
from gridwire.transport.amqp_failure import Condition
from gridwire.transport.amqp_message import AmqpMessage

PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""After the first, second … failure of a handler. The first four add up to more than a database takes to come back."""

_HOW = {"released": Settled.RELEASED, "modified": Settled.MODIFIED, "rejected": Settled.REJECTED}


class Entry:
    """One message with us. ``storing`` waits for the inbox, ``ready`` for a reader, ``pausing`` after a failure."""

    __slots__ = (
        "attempts",
        "deliveries",
        "entered",
        "kept",
        "key",
        "message",
        "notification",
        "slots",
        "sole",
        "state",
    )

    def __init__(self, key: str | None, notification: Notification, message: AmqpMessage) -> None:
        self.key: str | None = key
        self.notification: Notification = notification
        self.message: AmqpMessage = message
        self.deliveries: list[Delivery] = []
        self.slots: int = 0
        self.attempts: int = 0
        self.kept: bool = False
        """Whether it is in the inbox."""
        self.sole: bool = False
        """Whether the broker forgot it when it sent it: nobody has it but us."""
        self.entered: bool = False
        """Whether its block was begun since it was handed out."""
        self.state: Literal["storing", "ready", "handling", "pausing", "gone"] = "ready"


class Deliveries:
    """See the module. ``counts`` are kept here, ``owed`` is the credit to be given back on the current link."""

    def __init__(self, counts: Counts, *, deduplicate: bool, give_up: GiveUp) -> None:
        self.counts: Counts = counts
        self.owed: int = 0
        self.entries: dict[Entry, None] = {}
        """What is with us, in the order of arrival."""
        self._deduplicate = deduplicate
        self._give_up: GiveUp = give_up
        self._handled = Handled()
        self._live: dict[str, Entry] = {}
        self._attempts: dict[str, int] = {}

    @property
    def undecided(self) -> int:
        """How many messages are with us."""
        return len(self.entries)

    def is_live(self, key: str) -> bool:
        """Whether the message with this key is with us."""
        return key in self._live

    def arrive(self, notification: Notification, message: AmqpMessage, delivery: Delivery, now: float) -> Entry | None:
        """A delivery came. Returns what a reader has to see, or None for one that only repeats."""
        self.counts.received += 1
        key = notification.key if self._deduplicate else None
        if key is not None:
            if self._handled.meet(key, now):
                self.repeated(delivery)
                return None
            if (live := self._live.get(key)) is not None:
                self._join(live, delivery)
                return None
        entry = self.enter(key, notification, message)
        entry.deliveries.append(delivery)
        entry.slots = 1
        entry.sole = delivery.presettled
        return entry

    def enter(self, key: str | None, notification: Notification, message: AmqpMessage) -> Entry:
        """Take a message that came, or one that was in the inbox."""
        entry = Entry(key, notification, message)
        self.entries[entry] = None
        if key is not None:
            self._live[key] = entry
            entry.attempts = self._attempts.pop(key, 0)
        return entry

    def _join(self, entry: Entry, delivery: Delivery) -> None:
        if entry.kept:
            self.repeated(delivery)
            return
        entry.deliveries.append(delivery)
        entry.slots += 1

    def name(self, entry: Entry, key: str) -> None:
        """Give a message without a key one of ours, under which it is stored."""
        entry.key = key
        self._live[key] = entry

    def repeated(self, delivery: Delivery) -> None:
        """Accept a delivery of something that we have already."""
        self.counts.duplicates += 1
        delivery.settle(Settled.ACCEPTED)
        self.owed += 1

    def stored(self, entry: Entry) -> None:
        """It is in the inbox, so the broker may forget it; its credit stays taken until it is handled."""
        entry.kept = True
        entry.state = "ready"
        for delivery in entry.deliveries:
            delivery.settle(Settled.ACCEPTED)
        entry.deliveries.clear()

    def known(self, entry: Entry, now: float) -> None:
        """The inbox has had it before, and done with it: nothing is left to do."""
        self.counts.duplicates += 1
        self._leave(entry, Settled.ACCEPTED)
        if entry.key is not None:
            self._handled.add(entry.key, now)

    def done(self, entry: Entry, now: float) -> None:
        """Its handler has succeeded, or it is parked."""
        self._leave(entry, Settled.ACCEPTED)
        if entry.key is not None:
            self._handled.add(entry.key, now)

    def failed(self, entry: Entry, most: int) -> float | None:
        """Its handler has failed. The pause before it comes again, in seconds, or None after the last time."""
        self.counts.failures += 1
        entry.attempts += 1
        if entry.attempts >= most and (entry.kept or not entry.sole):
            return None
        return self.pause(entry)

    def pause(self, entry: Entry) -> float:
        """Keep it with us for a while, in seconds, that grows with its failures."""
        entry.state = "pausing"
        return PAUSES_S[min(entry.attempts, len(PAUSES_S)) - 1]

    def pause_over(self, entry: Entry) -> bool:
        """Whether it may be handled again now. If its link has ended meanwhile, it waits for its next delivery."""
        if entry.state != "pausing":
            return False
        if entry.deliveries or entry.kept or entry.sole:
            entry.state = "ready"
            return True
        self._forget(entry, remember=True)
        return False

    def give_back(self, entry: Entry) -> None:
        """It was not handled: another, or we later, shall have it."""
        self._leave(entry, Settled.RELEASED)

    def give_up(self, entry: Entry, error: BaseException) -> None:
        """It failed every time and there is no inbox: tell the broker what was chosen for that."""
        how = _HOW[self._give_up]
        condition = None
        if how is Settled.REJECTED:
            condition = Condition("amqp:internal-error", f"handling failed {entry.attempts} times")
        self._leave(entry, how, failed=how is Settled.MODIFIED, condition=condition)

    def before_leaving(self) -> None:
        """The link will be changed: give back what none has begun with, and what pauses, which its next delivery joins."""
        for entry in list(self.entries):
            if not entry.kept and not entry.sole and entry.state == "ready":
                self.give_back(entry)
            elif entry.state == "pausing":
                for delivery in entry.deliveries:
                    delivery.settle(Settled.RELEASED)
                entry.deliveries.clear()

    def link_lost(self) -> list[Entry]:
        """The link has ended. Returns what was dropped because nobody had begun with it."""
        self.owed = 0
        dropped = []
        for entry in list(self.entries):
            entry.deliveries.clear()
            entry.slots = 0
            if not entry.kept and not entry.sole and entry.state == "ready":
                self._forget(entry, remember=True)
                dropped.append(entry)
        return dropped

    def link_begun(self, most: int) -> int:
        """A link stands on which ``most`` messages may be under way. Returns for how many of them there is room.

        What the inbox holds will not come again, so it takes its room from the beginning; everything else needs credit
        once more, to be joined by its next delivery.
        """
        self.owed = 0
        held = [entry for entry in self.entries if entry.kept or entry.sole or entry.state == "storing"]
        for entry in held[-most:]:
            entry.slots = 1
        return max(0, most - len(held))

    def _leave(self, entry: Entry, how: Settled, *, failed: bool = False, condition: Condition | None = None) -> None:
        for delivery in entry.deliveries:
            delivery.settle(how, failed=failed, condition=condition)
        entry.deliveries.clear()
        self.owed += entry.slots
        self._forget(entry, remember=False)

    def _forget(self, entry: Entry, *, remember: bool) -> None:
        entry.state = "gone"
        entry.slots = 0
        self.entries.pop(entry, None)
        if entry.key is not None and self._live.get(entry.key) is entry:
            del self._live[entry.key]
            if remember and entry.attempts:
                self._attempts[entry.key] = entry.attempts
                if len(self._attempts) > 1024:
                    del self._attempts[next(iter(self._attempts))]
