"""A call that changes something, under way: its intents, its rows in the journal, its attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gridwire import clock
from gridwire.epias_stp.judgement import BEFORE_FIRST_BYTE, Attempt
from gridwire.epias_stp.operations import Operation
from gridwire.epias_stp.outcomes import VENUE
from gridwire.intents.journal import Journal, line
from gridwire.orders.desk import Effect, kept_in_memory, plain
from gridwire.outcome import Intent, OrderRef


@dataclass(slots=True)
class Writing:
    """A call that changes something, under way."""

    operation: Operation
    payload: bytes
    intents: Sequence[Intent]
    """One for each entry that the request carries; the first one's key is the transactionId."""
    journal: Journal
    account: str
    effect: Effect
    on_leaving: Callable[[], None]
    on_trouble: Callable[[str], None]
    attempts: list[Attempt] = field(default_factory=list)
    exclusive: bool = False
    """Whether the caller declared that nobody else enters bids for the organisation."""
    sent: datetime | None = None
    """When the row was written, just before the first byte of the first attempt."""
    sent_boot_us: int | None = None
    """The same by the clock that is never stepped."""
    claimed: list[str] = field(default_factory=list)
    """The caller's own references that are reserved for this intent."""

    @property
    def intent(self) -> Intent:
        """The first one."""
        return self.intents[0]

    @property
    def left(self) -> list[Attempt]:
        """The attempts of which bytes left."""
        return [attempt for attempt in self.attempts if attempt.failure not in BEFORE_FIRST_BYTE]

    def before_sending(self) -> None:
        """Put the intent, or a second attempt of it, into the journal before its first byte leaves."""
        if self.sent is None or self.left:
            self.journal.flush()
            self._write_down(*map(self._row, self.intents))
            if self.sent is None:
                self.on_leaving()
            self.sent, self.sent_boot_us = clock.now(), clock.boot_us()

    def _write_down(self, *rows: bytes) -> None:
        if self.effect.kind != "cancel":
            # In one write: all that the request carries is in the journal, or nothing of it leaves.
            self.journal.append(*rows)
        elif (why := self.journal.append_or_keep(*rows)) is not None:
            text = kept_in_memory(self.intent.key, self.intent.restated, why)
            asyncio.get_running_loop().call_soon(self.on_trouble, text)

    def _row(self, intent: Intent) -> bytes:
        fields = {"v": VENUE, "a": self.account, "o": self.operation.name, "r": intent.client_ref}
        return line("sending", intent.key, **fields, x=True if self.exclusive else None, f=plain(intent.restated))


def intents_of(operation: str, key: str, client_ref: str | None, entries: Sequence[Mapping[str, Any]]) -> list[Intent]:
    """An intent for each entry that one request carries.

    The key of the first is the transactionId, so that it is found by what went to the venue; the others have ``/2``, ``/3`` …
    behind it.
    """
    now = clock.now()
    keys = [key, *(f"{key}/{number}" for number in range(2, len(entries) + 1))]
    return [
        Intent(VENUE, operation, one, now, client_ref, dict(entry)) for one, entry in zip(keys, entries, strict=True)
    ]


def effect_of(intent: Intent, of: OrderRef | None, rests: bool) -> Effect:
    """What the call means for the bid that it makes or is about."""
    price, quantity = intent.restated.get("price"), intent.restated.get("quantity", 0)
    return Effect(
        _KINDS.get(intent.operation, "other"),
        intent.restated,
        rests=rests,
        of=None if of is None else of.intent.key,
        price=price,
        quantity=quantity,
        before=(None, 0) if of is None else (of.restated.get("price"), of.restated.get("quantity", quantity)),
    )


_KINDS: Mapping[str, Literal["new", "change", "cancel"]] = {
    "bid_save": "new",
    "bid_update": "change",
    "bid_cancel": "cancel",
}
