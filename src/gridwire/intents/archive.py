"""Where the rows of ended runs go: one SQLite file, written off the order path, fully durable.

A run's log is append-only and can be long. When its run is dead, its rows are moved here in one transaction and the log
is removed after the commit. The transaction also notes the run's name, so a crash in between changes nothing: who finds
the log again sees that it is here already, and only removes it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from gridwire.clock import microseconds, moment
from gridwire.intents.records import ENDED, BootTime, Entry, JournalError, Row
from gridwire.intents.sqlite import transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
  key TEXT PRIMARY KEY, state TEXT NOT NULL, run TEXT NOT NULL, venue TEXT NOT NULL, account TEXT NOT NULL,
  operation TEXT NOT NULL,
  created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL, client_ref TEXT, attempts INTEGER NOT NULL,
  order_id TEXT, note TEXT NOT NULL, fields TEXT NOT NULL, stated_us INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS intents_by_state ON intents (state);
CREATE INDEX IF NOT EXISTS intents_by_change ON intents (changed_us);
CREATE TABLE IF NOT EXISTS waiting (run TEXT NOT NULL, at_us INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_ADDED = {
    "created_boot": "TEXT",
    "changed_boot": "TEXT",
    "stated_boot": "TEXT",
    "exclusive": "INTEGER NOT NULL DEFAULT 0",
}
"""Columns that files of earlier versions do not have. They are added where such a file is written; read, they are empty."""
_COLUMNS = (
    *("key", "state", "run", "venue", "account", "operation", "created_us", "changed_us", "client_ref", "attempts"),
    *("order_id", "note", "fields", "stated_us", *_ADDED),
)
_ENDED = ", ".join(repr(state) for state in sorted(ENDED))
_WHAT, _MEANS = "The journal's archive", "What earlier programs sent cannot be told"
BUSY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Contents:
    """What the archive held at one instant."""

    rows: dict[str, Row]
    waiting: list[Entry]
    """Records of ended runs about rows that were not here, or not so far."""
    runs: Collection[str]
    """The runs that were moved here."""


class Archive:
    """The file of ended runs.

    All methods raise `JournalError` where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = False

    @contextmanager
    def _transaction(self, begin: Literal["BEGIN", "BEGIN IMMEDIATE"]) -> Iterator[sqlite3.Connection]:
        with transaction(self._path, begin, what=_WHAT, timeout_s=BUSY_TIMEOUT_S, means=_MEANS) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
                raise JournalError(
                    f"{_WHAT} {self._path} was emptied. {_MEANS}: restore it from a copy, or look at the venue for what rests "
                    "there, and then remove the file."
                )
            yield connection

    def _make(self) -> None:
        """Make the file, so that it is never there without its tables: one that is was emptied."""
        new = self._path.with_name(f"{self._path.name}.new")
        new.unlink(missing_ok=True)  # of a program that died here, or had no room
        with transaction(new, "BEGIN IMMEDIATE", what=_WHAT, timeout_s=BUSY_TIMEOUT_S, setup=_SCHEMA, means=_MEANS):
            pass
        new.replace(self._path)

    def store(self, run: str | None, rows: Iterable[Row], waiting: Sequence[Entry]) -> None:
        """Add the rows of ``run``, and note that they are here, where it is named; ``waiting`` replaces all that waited.

        A row that is here already is replaced unless it has ended: an end is never taken back. Call it under the directory's
        lock.
        """
        if not self._is_there():
            self._make()
        with self._transaction("BEGIN IMMEDIATE") as connection:
            held = _held(connection)
            for name in _COLUMNS:
                if name not in held:
                    connection.execute(f"ALTER TABLE intents ADD COLUMN {name} {_ADDED[name]}")
            connection.executemany(
                f"INSERT INTO intents ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
                + "ON CONFLICT (key) DO UPDATE SET "
                + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
                + f" WHERE state NOT IN ({_ENDED})",
                map(_values, rows),
            )
            connection.execute("DELETE FROM waiting")
            connection.executemany(
                "INSERT INTO waiting VALUES (?, ?, ?)",
                [(one.run, one.at_us, json.dumps(dict(one.record), ensure_ascii=False)) for one in waiting],
            )
            if run is not None:
                connection.execute("INSERT OR IGNORE INTO runs VALUES (?)", (run,))

    def read(self, since: datetime | None = None) -> Contents:
        """Everything; with ``since`` of the rows only those that are open or were changed since."""
        where, values = "", []
        if since is not None:
            where, values = f"WHERE state NOT IN ({_ENDED}) OR changed_us >= ?", [microseconds(since)]
        return self._contents(lambda connection: connection.execute(f"{_select(connection)} {where}", values))

    def some(self, keys: Iterable[str]) -> Contents:
        """Of the rows those of ``keys`` that are here."""

        def select(connection: sqlite3.Connection) -> Iterator[Any]:
            query = f"{_select(connection)} WHERE key = ?"
            return filter(None, (connection.execute(query, (key,)).fetchone() for key in keys))

        return self._contents(select)

    def _contents(self, select: Callable[[sqlite3.Connection], Iterable[Any]]) -> Contents:
        if not self._is_there():
            return Contents({}, [], ())
        with self._transaction("BEGIN") as connection:
            waiting = connection.execute("SELECT run, at_us, record FROM waiting ORDER BY at_us, rowid")
            return Contents(
                {row.key: row for row in map(_row, select(connection))},
                [Entry(run, at_us, json.loads(record)) for run, at_us, record in waiting],
                {run for (run,) in connection.execute("SELECT run FROM runs")},
            )

    def _is_there(self) -> bool:
        """Whether the file is there; before the first run has ended there is none. Raises `JournalError`."""
        try:
            self._path.stat()
        except FileNotFoundError:
            if self._seen:
                raise JournalError(
                    f"The journal's archive {self._path} was there before and is gone: what earlier programs sent cannot be "
                    "told. Put it back."
                ) from None
            return False
        except OSError as error:
            raise JournalError(
                f"The journal's archive {self._path} cannot be read ({error.strerror}), so what earlier programs sent cannot be "
                "told: make it readable for this user."
            ) from None
        self._seen = True
        return True


def _held(connection: sqlite3.Connection) -> set[str]:
    """The columns that the file has."""
    return {str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info('intents')")}


def _select(connection: sqlite3.Connection) -> str:
    held = _held(connection)
    columns = (name if name in held else f"NULL AS {name}" for name in _COLUMNS)
    return f"SELECT {', '.join(columns)} FROM intents"  # noqa: S608 - constants


def _values(row: Row) -> tuple[object, ...]:
    return (
        row.key,
        row.state,
        row.run,
        row.venue,
        row.account,
        row.operation,
        microseconds(row.created),
        microseconds(row.changed),
        row.client_ref,
        row.attempts,
        row.order_id,
        row.note,
        json.dumps(dict(row.fields), ensure_ascii=False),
        None if row.stated is None else microseconds(row.stated),
        *(_boot_text(one) for one in (row.created_boot, row.changed_boot, row.stated_boot)),
        row.exclusive,
    )


def _row(values: tuple[object, ...]) -> Row:
    key, state, run, venue, account, operation, created, changed, ref, attempts, order_id, note, fields, *more = values
    stated, created_boot, changed_boot, stated_boot, exclusive = more
    return Row(
        key=str(key),
        state=str(state),
        run=str(run),
        venue=str(venue),
        account=str(account),
        operation=str(operation),
        created=moment(int(str(created))),
        changed=moment(int(str(changed))),
        client_ref=None if ref is None else str(ref),
        attempts=int(str(attempts)),
        order_id=None if order_id is None else str(order_id),
        note=str(note),
        fields=json.loads(str(fields)),
        stated=None if stated is None else moment(int(str(stated))),
        created_boot=_boot(created_boot),
        changed_boot=_boot(changed_boot),
        stated_boot=_boot(stated_boot),
        exclusive=bool(exclusive),
    )


def _boot_text(value: BootTime | None) -> str | None:
    return None if value is None else f"{value[0]} {value[1]}"


def _boot(value: object) -> BootTime | None:
    if value is None:
        return None
    name, at_us = str(value).split(" ")
    return name, int(at_us)
