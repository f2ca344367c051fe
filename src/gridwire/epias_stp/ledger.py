"""The journal as STP's client uses it: this account's rows, as bids and unknown outcomes.

Every call that changes something is in the journal before its first byte leaves. Bids are known from there alone: STP
tells a bid's id once and has no call that lists own bids.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal, cast

from gridwire import clock
from gridwire.epias_stp.evidence import Ages
from gridwire.epias_stp.outcomes import VENUE
from gridwire.epias_stp.restated import restated_of as restated_of
from gridwire.errors import WrongLoop
from gridwire.intents.journal import Journal, default_directory
from gridwire.intents.records import LIVE, Row
from gridwire.observe.events import Events
from gridwire.outcome import Cause, Intent, OrderRef, Unknown

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
    ) -> None:
        self.account = account
        self._directory = directory
        self._throw_away = throw_away and directory is None
        self._durability: Literal["process", "power"] = durability
        self._events = events
        self._journal: Journal | None = None
        self._opening = asyncio.Lock()
        self._remove: Callable[[], object] | None = None
        self._sent: dict[str, float] = {}
        self._opened: tuple[datetime, float] | None = None
        self.unknown: dict[str, Unknown] = {}
        """Outcomes that are not known, by key: of this client, and what a crash left of earlier runs."""
        self._named: dict[str, None] = {}

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
        """The journal; opened in a thread the first time. Raises `JournalError`."""
        async with self._opening:
            if self._journal is None:
                self._opened = clock.now(), asyncio.get_running_loop().time()
                self._journal = await asyncio.to_thread(self._open)
                self._report(self._journal)
        return self._journal

    def _open(self) -> Journal:
        if self._throw_away:
            folder = tempfile.mkdtemp(prefix="gridwire-sandbox-journal-")
            # Also if nobody closes the client: nothing of a sandbox is worth keeping.
            self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            return Journal.open(Path(folder), durability=self._durability)
        return Journal.open(self._directory or default_directory(), durability=self._durability)

    def _report(self, journal: Journal) -> None:
        for row in journal.recovered:
            if row.venue == VENUE and row.account == self.account:
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
        if self._remove is not None:
            await asyncio.to_thread(self._remove)

    def remember(self, outcome: Unknown, sent_s: float | None = None) -> None:
        """Keep an outcome that is not known. ``sent_s`` is when the request left last, by the loop's clock."""
        self.unknown[outcome.intent.key] = outcome
        if sent_s is not None:
            self._sent[outcome.intent.key] = sent_s

    def forget(self, key: str) -> None:
        """Let go of an outcome that is known now."""
        self.unknown.pop(key, None)
        self._sent.pop(key, None)

    def ages(self, row: Row) -> Ages:
        """How long ago a row's request was sent. The loop's clock counts too, for what this run has sent: it never jumps."""
        wall_s = (clock.now() - row.created).total_seconds()
        possible = [wall_s]
        loop_s = asyncio.get_running_loop().time()
        if row.key in self._sent:
            possible.append(loop_s - self._sent[row.key])
        elif self._opened is not None and row.run == self.journal.run:
            jumped_s = (clock.now() - self._opened[0]).total_seconds() - (loop_s - self._opened[1])
            possible.append(wall_s - jumped_s)
        return Ages(min(possible), max(possible))

    async def rows(self, since: datetime | None = None) -> list[Row]:
        """Rows of this account in the whole directory, oldest first; with ``since`` see `Journal.rows`."""
        return [row for row in await self._rows(since) if row.account == self.account]

    async def rows_of_all_accounts(self) -> list[Row]:
        """Rows of every account of this account's environment, oldest first."""
        environment = self.account.partition("/")[0]
        return [row for row in await self._rows(None) if row.account.partition("/")[0] == environment]

    async def _rows(self, since: datetime | None) -> list[Row]:
        journal = await self.open()
        journal.flush()
        return [row for row in await asyncio.to_thread(journal.rows, since) if row.venue == VENUE]

    async def known(self) -> list[OrderRef]:
        """The bids of this account that may be resting as far as the journal knows, oldest first."""
        return [
            order_of(row) for row in await self.rows(clock.now()) if row.operation == "bid_save" and row.state in LIVE
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
    text = (
        "The process that sent this call ended before its answer was written down. It may be at the venue: look before you "
        "send it again."
        if cause == "crashed"
        else "No readable answer came to this call. It may be at the venue: look before you send it again."
    )
    return Unknown(intent_of(row), cast("Cause", cause), text)
