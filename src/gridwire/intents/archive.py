"""Where the rows of ended runs go: one SQLite file, written off the order path, fully durable.

A run's log is append-only and can be long. When its run is dead, its rows are moved here in one transaction and the log
is removed after the commit, so a crash in between repeats the move and changes nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from gridwire.intents.records import ENDED, JournalError, Row, microseconds, moment

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
  key TEXT PRIMARY KEY, state TEXT NOT NULL, run TEXT NOT NULL, venue TEXT NOT NULL, account TEXT NOT NULL,
  operation TEXT NOT NULL,
  created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL, client_ref TEXT, attempts INTEGER NOT NULL,
  order_id TEXT, note TEXT NOT NULL, fields TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS intents_by_state ON intents (state, created_us);
"""
_COLUMNS = (
    "key, state, run, venue, account, operation, created_us, changed_us, client_ref, attempts, order_id, note, fields"
)
BUSY_TIMEOUT_S = 10.0


class Archive:
    """The file of ended runs. Every call opens it anew: calls are rare, and a fork must not share a connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise JournalError(
                f"The journal's archive {self._path} cannot be opened ({error}). Orders need it: repair or move the file."
            ) from None
        return connection

    def store(self, rows: Iterable[Row]) -> None:
        """Add ``rows``. One that is here already is replaced unless it has ended: an end is never taken back."""
        values = [
            (
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
            )
            for row in rows
        ]
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                f"INSERT INTO intents ({_COLUMNS}) VALUES ({', '.join('?' * 13)}) ON CONFLICT (key) DO UPDATE SET "  # noqa: S608
                + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[1:])
                + f" WHERE state NOT IN ({', '.join(repr(state) for state in sorted(ENDED))})"
                + " AND excluded.changed_us >= changed_us",
                values,
            )
            connection.execute("COMMIT")

    def rows(self, *, states: Iterable[str] | None = None) -> Iterator[Row]:
        """All rows, or those in ``states``, oldest first."""
        if not self._path.exists():
            return
        wanted = list(states) if states is not None else []
        where = f"WHERE state IN ({', '.join('?' * len(wanted))})" if wanted else ""
        with closing(self._connect()) as connection:
            query = f"SELECT {_COLUMNS} FROM intents {where} ORDER BY created_us"  # noqa: S608 - constants
            for values in connection.execute(query, wanted).fetchall():
                yield _row(values)

    def some(self, keys: Iterable[str]) -> dict[str, Row]:
        """Those of ``keys`` that are here."""
        if not self._path.exists():
            return {}
        with closing(self._connect()) as connection:
            query = f"SELECT {_COLUMNS} FROM intents WHERE key = ?"  # noqa: S608 - constants
            found = (connection.execute(query, (key,)).fetchone() for key in keys)
            return {row.key: row for row in map(_row, filter(None, found))}


def _row(values: tuple[object, ...]) -> Row:
    key, state, run, venue, account, operation, created, changed, ref, attempts, order_id, note, fields = values
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
    )
