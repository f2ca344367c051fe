"""A durable inbox: what a queue delivered, from before the queue forgets it until somebody has handled it.

One SQLite file, every change on the disk before it is reported as made. The rules:

1. A row is ``stored`` before its message is accepted at the broker, so a crash at any moment leaves it in one of the two.
2. It becomes ``done`` when its handler has succeeded, and is kept without its content for a little more than a day, so that
   a second delivery is recognised also after a restart.
3. It becomes ``parked`` when its handler has failed too often, and stays until a person retries it.
4. An inbox belongs to one queue as one account reads it: it notes which, and no other reader gets what is in it.
5. One process reads an inbox; it holds a lock that the kernel takes back when the process dies. Others may list and retry.

Messages are business data: the file is for its owner alone. Tokens and keys never come here.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from gridwire.clock import microseconds, moment
from gridwire.errors import ConfigurationError
from gridwire.intents.locks import try_lock, unlock
from gridwire.intents.records import JournalError
from gridwire.settings import lasting_path, state_directory

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  key TEXT PRIMARY KEY, state TEXT NOT NULL, message TEXT NOT NULL, arrived_us INTEGER NOT NULL, changed_us INTEGER NOT NULL,
  attempts INTEGER NOT NULL, note TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS messages_by_state ON messages (state, changed_us);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
"""
KEEP_DONE = timedelta(hours=25)
BUSY_TIMEOUT_S = 10.0
MOST_AT_ONCE = 1000


class InboxBusy(ConfigurationError):
    """Another process reads this inbox. Nothing was changed."""


class InboxOfAnother(ConfigurationError):
    """The inbox holds what was read from another queue, or as another account. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One message in the inbox. ``message`` is its content as text, empty once it is done."""

    key: str
    state: str
    message: str = field(repr=False)
    arrived: datetime
    changed: datetime
    attempts: int
    note: str
    """Why it is parked."""


class Inbox:
    """See the module. All methods block, and raise `JournalError` where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)

    @classmethod
    def open(cls, path: Path, *, reader: bool = False, owner: str | None = None) -> Inbox:
        """Open the file, made if it is not there. ``reader`` takes its lock, or raises `InboxBusy`.

        ``owner`` says in words whose it is, noted by the first and required of all that follow (`InboxOfAnother`).
        """
        path = lasting_path(path, "inbox")
        inbox = cls(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if reader:
                inbox._take_lock()
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            found = path.stat()
            inbox._identity = found.st_ino, found.st_dev
        except OSError as error:
            inbox.close()
            raise JournalError(f"The inbox {path} cannot be opened ({error.strerror}). No message was taken.") from None
        try:
            with inbox._working():
                # Threads take turns, they never use it at the same time.
                connection = sqlite3.connect(
                    path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
                )
                inbox._connection = connection
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(_SCHEMA)
            if owner is not None:
                inbox._belong(owner)
        except BaseException:
            inbox.close()
            raise
        return inbox

    def _take_lock(self) -> None:
        descriptor = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            raise InboxBusy(
                f"The inbox {self.path} is in use, by another process or by another stream of this one. Give each a file "
                "of its own. "
                "Nothing was changed."
            )
        self._lock = descriptor

    def _belong(self, owner: str) -> None:
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO facts VALUES ('owner', ?)", (owner,))
            (found,) = connection.execute("SELECT value FROM facts WHERE name = 'owner'").fetchone()
        if found != owner:
            raise InboxOfAnother(
                f"The inbox {self.path} belongs to {found}, and not to {owner}: give each queue and account a file of its "
                "own. No message was taken."
            )

    def close(self) -> None:
        """Let the file go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            unlock(self._lock)
            os.close(self._lock)
            self._lock = None

    def store(self, messages: Sequence[tuple[str, str]], *, at: datetime) -> dict[str, str]:
        """Store new messages as (key, content), in this order. Returns the state of those keys that were there before."""
        now = microseconds(at)
        before: dict[str, str] = {}
        with self._transaction() as connection:
            for index, (key, content) in enumerate(messages):
                row = connection.execute("SELECT state FROM messages WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    before[key] = row[0]
                    continue
                connection.execute(
                    "INSERT INTO messages VALUES (?, 'stored', ?, ?, ?, 0, '')", (key, content, now + index, now)
                )
        return before

    def finish(self, keys: Iterable[str], *, at: datetime) -> None:
        """Their handler has succeeded. Forgets what was done long ago."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE messages SET state = 'done', message = '', changed_us = ? WHERE key = ?",
                [(microseconds(at), key) for key in keys],
            )
            connection.execute(
                "DELETE FROM messages WHERE state = 'done' AND changed_us < ?", (microseconds(at - KEEP_DONE),)
            )

    def park(self, key: str, *, attempts: int, note: str, at: datetime) -> None:
        """Its handler has failed too often; ``note`` says how."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE messages SET state = 'parked', attempts = ?, note = ?, changed_us = ? WHERE key = ?",
                (attempts, note, microseconds(at), key),
            )

    def retry(self, keys: Iterable[str], *, at: datetime) -> list[str]:
        """Hand parked messages out again; the reading process takes them within half a minute.

        Returns the keys that were parked.
        """
        found = []
        with self._transaction() as connection:
            for key in keys:
                cursor = connection.execute(
                    "UPDATE messages SET state = 'stored', attempts = 0, changed_us = ? WHERE key = ? AND state = 'parked'",
                    (microseconds(at), key),
                )
                if cursor.rowcount:
                    found.append(key)
        return found

    def pending(self, after: Kept | None = None) -> list[Kept]:
        """What is stored and not handled, oldest first, at most a thousand; with ``after``, of those that come after it."""
        return self._page("stored", after)

    def parked(self, after: Kept | None = None) -> list[Kept]:
        """What waits for a person, likewise."""
        return self._page("parked", after)

    def _page(self, state: str, after: Kept | None) -> list[Kept]:
        if after is None:
            return self._select("state = ?", state)
        return self._select("state = ? AND (arrived_us, key) > (?, ?)", state, microseconds(after.arrived), after.key)

    def all_parked(self) -> Iterator[list[Kept]]:
        """Everything that waits for a person, oldest first, a thousand at a time; each once, whatever becomes of it."""
        last: Kept | None = None
        while found := self.parked(last):
            yield found
            last = found[-1]

    def find(self, key: str) -> Kept | None:
        """One message by its key."""
        return next(iter(self._select("key = ?", key)), None)

    def note_streaming(self, at: datetime) -> None:
        """Messages can come now; what `last_streaming` will say."""
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('streaming', ?)", (microseconds(at),))

    def last_streaming(self) -> datetime | None:
        """When messages could last come, by any process; None if they never could."""
        with self._working():
            row = self._open().execute("SELECT value FROM facts WHERE name = 'streaming'").fetchone()
        try:
            return moment(row[0]) if row is not None else None
        except (TypeError, ValueError, OverflowError, OSError):
            raise JournalError(
                f"The inbox {self.path} is damaged: the time of its last connection is no number. No message was taken: "
                "repair the file, or restore it from a copy."
            ) from None

    def _select(self, where: str, *values: str | int) -> list[Kept]:
        with self._working():
            rows = self._open().execute(
                "SELECT key, state, message, arrived_us, changed_us, attempts, note FROM messages "  # noqa: S608 - constants
                f"WHERE {where} ORDER BY arrived_us, key LIMIT {MOST_AT_ONCE}",
                values,
            )
            return [self._kept(row) for row in rows]

    def _kept(self, row: tuple[Any, ...]) -> Kept:
        key, state, message, arrived_us, changed_us, attempts, note = row
        try:
            content = message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
            return Kept(str(key), state, content, moment(arrived_us), moment(changed_us), int(attempts), str(note))
        except (TypeError, ValueError, OverflowError, OSError):
            raise JournalError(
                f"The entry {key!r} of the inbox {self.path} is damaged: its times or counts are no numbers. No message is "
                "taken by this inbox before that entry is repaired."
            ) from None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise JournalError(f"The inbox {self.path} is closed.")
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if found is None or (found.st_ino, found.st_dev) != self._identity:
            raise JournalError(
                f"The inbox {self.path} is not the one that was opened: it or its folder was deleted, moved or made anew. No "
                "message was accepted without it: put it back, or open the stream anew."
            )
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._working():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(
                f"The inbox {self.path} cannot be used ({error}). No message was accepted without it: make room, or repair "
                "the file."
            ) from None


def default_inbox(owner: str) -> Path:
    """Where the inbox of this owner is unless told otherwise: beside the journal, one file for each.

    The name can be read; its last part keeps owners apart whose names differ only in what a file's name cannot hold.
    """
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", owner).strip("-.")[:100]
    return state_directory("inbox") / "inbox" / f"{words}-{sha256(owner.encode()).hexdigest()[:8]}.sqlite"
