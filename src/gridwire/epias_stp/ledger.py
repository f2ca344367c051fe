"""The journal as STP's client uses it: this account's rows, as bids and unknown outcomes.

Every call that changes something is in the journal before its first byte leaves. Bids are known from there alone: STP
tells a bid's id once and has no call that lists own bids.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import weakref
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, cast

from gridwire import clock
from gridwire.epias_stp.evidence import Ages
from gridwire.epias_stp.outcomes import VENUE
from gridwire.epias_stp.restated import restated_of as restated_of
from gridwire.errors import WrongLoop
from gridwire.intents.damage import NOTE
from gridwire.intents.damage import text as damaged_text
from gridwire.intents.journal import Journal, default_directory, line
from gridwire.intents.records import LIVE, BootTime, Row
from gridwire.observe.events import Events
from gridwire.outcome import Cause, Intent, OrderRef, Unknown
from gridwire.settings import temporary_folder

_WHEN_CANCELLED = {"bid_cancel": "resolved_done", "bid_update": "resolved_ended"}
_WHEN_ENDED = dict.fromkeys(_WHEN_CANCELLED, "resolved_ended")

NAMES_KEPT = 10_000
"""Identifiers of bids that are remembered, to know one that comes a second time; the oldest are forgotten first."""


class Ledger:
    """One client's journal, opened when it is first needed.

    ``directory`` None is the usual place; the sandbox's orders go to a folder of their own that is removed at the end.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        account: str,
        throw_away: bool,
        events: Events,
        durability: Literal["process", "power"] = "process",
        exclusive: bool = False,
    ) -> None:
        self.account = account
        self.exclusive: bool = exclusive
        """Whether the caller declared that nobody else enters bids for the organisation."""
        self.foreign_prices: set[Decimal] = set()
        """Where bids that are not in the journal rested when a desk opened: there the declaration says nothing."""
        self.seen_contracts: set[str] = set()
        """The contracts whose own marks were seen when a desk opened: on others the declaration says nothing."""
        self._directory = directory
        self._throw_away = throw_away and directory is None
        self._durability: Literal["process", "power"] = durability
        self._events = events
        self._journal: Journal | None = None
        self._opening = asyncio.Lock()
        self._remove: Callable[[], object] | None = None
        self._first_read: dict[tuple[str, datetime], float] = {}
        self.unknown: dict[str, Unknown] = {}
        """Outcomes that are not known, by key: of this client, and what a crash left of earlier runs."""
        self._named: dict[str, None] = {}

    def is_alone_at(self, intent: Intent) -> bool:
        """Whether a call is sent under the declaration that nobody else enters bids, and nothing is known against it."""
        if intent.operation == "bid_save" and intent.restated.get("contract") not in self.seen_contracts:
            return False
        return self.exclusive and intent.restated.get("price") not in self.foreign_prices

    def named_before(self, operation: str, bid_id: str) -> bool:
        """Whether ``bid_id``, in an answer that says yes to ``operation``, cannot be that of a new bid.

        STP gives each bid an identifier of its own. A ``bid_save`` whose answer names one that this client has been told
        already was answered with another call's answer.
        """
        if bid_id in self._named:
            return operation == "bid_save"
        self._named[bid_id] = None
        if len(self._named) > NAMES_KEPT:
            del self._named[next(iter(self._named))]
        return False

    async def open(self) -> Journal:
        """The journal; opened in a thread the first time. What reads or writes it raises where it cannot be used."""
        async with self._opening:
            if self._journal is None:
                self._journal = await asyncio.to_thread(self._open)
                self._report(self._journal)
        return self._journal

    def _open(self) -> Journal:
        if self._throw_away:
            folder = temporary_folder("gridwire-sandbox-journal-")
            # Also if nobody closes the client: nothing of a sandbox is worth keeping.
            self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            return Journal.open(Path(folder), durability=self._durability, must_write=False)
        return Journal.open(self._directory or default_directory(), durability=self._durability, must_write=False)

    def _report(self, journal: Journal) -> None:
        if journal.trouble is not None:
            text = f"{journal.trouble} Until then cancellations are sent, and nothing else is."
            self._events.emit("journal.trouble", text, level=logging.ERROR)
        if journal.damaged:
            self._events.emit(
                "journal.damaged",
                damaged_text(journal.damaged),
                level=logging.ERROR,
                runs=[log.run for log in journal.damaged],
                lines=sum(len(log.lines) for log in journal.damaged),
            )
        for row in journal.recovered:
            self._since_read_s(row, row.created)
            if row.venue in (VENUE, "") and row.account in (self.account, ""):
                self.remember(unknown_of(row))
        if self.unknown:
            self._events.emit(
                "journal.recovered",
                f"What became of {len(self.unknown)} call(s) of earlier runs is unknown. See stp.unknown(), and settle them "
                "with desk.resolve() or `gridwire journal resolve`.",
                count=len(self.unknown),
            )

    @property
    def journal(self) -> Journal:
        """The open journal."""
        if self._journal is None:
            raise WrongLoop("The journal is not open. Nothing was sent.")
        return self._journal

    async def aclose(self) -> None:
        """End this run of the journal."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.flush()
            await asyncio.to_thread(journal.close)
            if journal.unwritten:
                self._events.emit(
                    "journal.trouble",
                    f"{journal.unwritten} record(s) could not be written to the journal in {journal.directory} before the "
                    "client was closed, and are lost. It shows those calls and bids as they were before: refresh() closes "
                    "what rests no more, and resolve() looks for what is unknown.",
                    level=logging.ERROR,
                )
        if self._remove is not None:
            await asyncio.to_thread(self._remove)

    def remember(self, outcome: Unknown) -> None:
        """Keep an outcome that is not known."""
        self.unknown[outcome.intent.key] = outcome

    def forget(self, key: str) -> None:
        """Let go of an outcome that is known now."""
        self.unknown.pop(key, None)

    def settle_about(self, bid_id: str, why: str, *, cancelled: bool) -> tuple[bytes, ...]:
        """Let go of what is unknown about a bid that has ended; returns the records of it.

        A lost cancellation of a bid that was ``cancelled`` has what it wanted. Whether any other lost one, or a lost change,
        acted before is not known.
        """
        told: list[bytes] = []
        for key, outcome in list(self.unknown.items()):
            state = (_WHEN_CANCELLED if cancelled else _WHEN_ENDED).get(outcome.intent.operation)
            if state is not None and str(outcome.intent.restated.get("bid_id")) == bid_id:
                told.append(line(state, key, n=why))
                self.forget(key)
        return tuple(told)

    def ages(self, row: Row) -> Ages:
        """How long ago a row's request was sent, the last attempt of it at the latest.

        Boot time tells, where the row was written in this boot of the machine. Else nothing bounds it from above, since wall
        time may have been stepped in between; it was there when this run read it first, which bounds it from below.
        """
        sent_s = self._since_s(row.created_boot)
        if sent_s is None:
            return Ages(self._since_read_s(row, row.created), math.inf)
        last_s = sent_s if row.attempts == 1 else min(sent_s, self.quiet_s(row))
        # A clock that stands still with a paused virtual machine tells too little; wall time may then tell more.
        return Ages(last_s, max(sent_s, (clock.now() - row.created).total_seconds()))

    def quiet_s(self, row: Row) -> float:
        """For how many seconds at least nothing was written about a row."""
        since_s = self._since_s(row.changed_boot)
        return self._since_read_s(row, row.changed) if since_s is None else since_s

    def _since_read_s(self, row: Row, moment: datetime) -> float:
        """For how many seconds at least the row has been there as it was written at ``moment``."""
        now_s = asyncio.get_running_loop().time()
        return now_s - self._first_read.setdefault((row.key, moment), now_s)

    def _since_s(self, moment: BootTime | None) -> float | None:
        """Seconds since a boot time; None where it is another boot's, or cannot be."""
        if moment is None or moment[0] != clock.boot_name():
            return None
        since_us = clock.boot_us() - moment[1]
        return since_us / 1_000_000 if since_us >= 0 else None

    async def rows(self, since: datetime | None = None) -> list[Row]:
        """Rows of this account in the whole directory, oldest first; with ``since`` see `Journal.rows`.

        Those of which damage hides whose they are count as its own, here and below.
        """
        return [row for row in await self._rows(since) if row.account in (self.account, "")]

    async def rows_of_all_accounts(self) -> list[Row]:
        """Rows of every account of this account's environment, oldest first."""
        environment = self.account.partition("/")[0]
        return [row for row in await self._rows(None) if row.account.partition("/")[0] in (environment, "")]

    async def _rows(self, since: datetime | None) -> list[Row]:
        journal = await self.open()
        journal.flush()
        return [row for row in await asyncio.to_thread(journal.rows, since) if row.venue in (VENUE, "")]

    def check(self) -> None:
        """Raise `JournalError` where the journal that was opened is not there any more."""
        if self._journal is not None:
            self._journal.check()

    async def known(self) -> list[OrderRef]:
        """The bids of this account that may be resting as far as the journal knows, oldest first."""
        return [
            order_of(row)
            for row in await self.rows(clock.now())
            if row.operation in ("bid_save", "") and row.state in LIVE
        ]

    async def filled(self, bid: OrderRef) -> OrderRef:
        """The same with what the journal knows of the bid with that id, where it knows it."""
        for one in await self.known():
            if one.id == bid.id:
                return OrderRef(VENUE, bid.id, one.intent, {**one.restated, **bid.restated})
        return bid


def order_of(row: Row) -> OrderRef:
    """A bid's reference from its row."""
    return OrderRef(VENUE, row.order_id, intent_of(row), restated_of(row.fields))


def intent_of(row: Row) -> Intent:
    """An intent from its row."""
    return Intent(row.venue, row.operation, row.key, row.created, row.client_ref, restated_of(row.fields), row.attempts)


def unknown_of(row: Row) -> Unknown:
    """An unknown outcome from its row."""
    cause = row.note.partition(":")[0] or "crashed"
    if row.note == NOTE:
        text = (
            f"The line of the journal that said what was sent as {row.key} is damaged. It may be at the venue: look there, and "
            "settle it with `gridwire journal resolve`."
        )
        return Unknown(intent_of(row), "damaged", text)
    text = (
        "The process that sent this call ended before its answer was written down. It may be at the venue: look before you "
        "send it again."
        if cause == "crashed"
        else "No readable answer came to this call. It may be at the venue: look before you send it again."
    )
    return Unknown(intent_of(row), cast("Cause", cause), text)
