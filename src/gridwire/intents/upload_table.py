"""The upload journal's two tables: rows, and the steps that led there. SQL and nothing else; the rules are elsewhere.

Unique indexes say once more what the check before sending says: no two rows that may be at the venue share bytes, content,
or form, object and period, unless a person forced one of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from gridwire.errors import InvalidInput
from gridwire.intents.records import microseconds, moment
from gridwire.intents.upload_records import BLOCKING, Document, Step, Upload

_ONE = f"WHERE forced_over IS NULL AND state IN ({', '.join(repr(state) for state in sorted(BLOCKING))})"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS uploads (
  ref TEXT PRIMARY KEY, venue TEXT NOT NULL, account TEXT NOT NULL, form TEXT NOT NULL, object_key TEXT NOT NULL,
  period TEXT NOT NULL, exact_sha256 TEXT NOT NULL, canonical_sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL,
  state TEXT NOT NULL, run TEXT NOT NULL, created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL, started_us INTEGER,
  answered_us INTEGER, job_id TEXT, answer TEXT NOT NULL, attempts INTEGER NOT NULL, note TEXT NOT NULL,
  forced_over TEXT, supersedes TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS uploads_one_of_bytes ON uploads (venue, exact_sha256) {_ONE};
CREATE UNIQUE INDEX IF NOT EXISTS uploads_one_of_content ON uploads (venue, canonical_sha256) {_ONE};
CREATE UNIQUE INDEX IF NOT EXISTS uploads_one_about ON uploads (venue, account, form, object_key, period) {_ONE};
CREATE INDEX IF NOT EXISTS uploads_by_bytes ON uploads (venue, exact_sha256);
CREATE INDEX IF NOT EXISTS uploads_by_content ON uploads (venue, canonical_sha256);
CREATE INDEX IF NOT EXISTS uploads_about ON uploads (venue, account, form, object_key, period);
CREATE INDEX IF NOT EXISTS uploads_by_job ON uploads (venue, job_id);
CREATE INDEX IF NOT EXISTS uploads_by_state ON uploads (state);
CREATE TABLE IF NOT EXISTS steps (
  ref TEXT NOT NULL, at_us INTEGER NOT NULL, before TEXT, state TEXT NOT NULL, run TEXT NOT NULL, note TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS steps_by_ref ON steps (ref);
"""
VERSION = 1
_COLUMNS = (
    "ref", "venue", "account", "form", "object_key", "period", "exact_sha256", "canonical_sha256", "size_bytes", "state",
    "run", "created_us", "changed_us", "started_us", "answered_us", "job_id", "answer", "attempts", "note", "forced_over",
    "supersedes",
)  # fmt: skip
_ALL = ", ".join(_COLUMNS)
_ABOUT = "venue = ? AND account = ? AND form = ? AND object_key = ? AND period = ?"


def version(connection: sqlite3.Connection) -> int:
    """The version of the file's form; a new file gets ours."""
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not found:
        connection.execute(f"PRAGMA user_version = {VERSION}")
    return found or VERSION


def insert(connection: sqlite3.Connection, upload: Upload) -> None:
    """Add a row."""
    connection.execute(
        f"INSERT INTO uploads ({_ALL}) VALUES ({', '.join('?' * len(_COLUMNS))})",  # noqa: S608 - constants
        _values(upload),
    )
    _note_step(connection, None, upload)


def update(connection: sqlite3.Connection, before: Upload, upload: Upload) -> None:
    """Replace a row; a change of its state goes into its history."""
    connection.execute(
        f"UPDATE uploads SET ({_ALL}) = ({', '.join('?' * len(_COLUMNS))}) WHERE ref = ?",  # noqa: S608 - constants
        (*_values(upload), before.ref),
    )
    if upload.state != before.state:
        _note_step(connection, before, upload)


def _note_step(connection: sqlite3.Connection, before: Upload | None, upload: Upload) -> None:
    connection.execute(
        "INSERT INTO steps (ref, at_us, before, state, run, note) VALUES (?, ?, ?, ?, ?, ?)",
        (
            upload.ref,
            microseconds(upload.changed),
            before.state if before is not None else None,
            upload.state,
            upload.run,
            upload.note,
        ),
    )


def select(connection: sqlite3.Connection, where: str = "TRUE", values: Sequence[Any] = ()) -> list[Upload]:
    """The rows for which ``where``, a constant of ours, holds; oldest first."""
    query = f"SELECT {_ALL} FROM uploads WHERE {where} ORDER BY created_us, ref"  # noqa: S608 - constants
    return [_upload(dict(zip(_COLUMNS, row, strict=True))) for row in connection.execute(query, values)]


def find(connection: sqlite3.Connection, ref: str, *, beginning: bool = False) -> Upload:
    """The row that ``ref`` names; with ``beginning`` the only one whose name begins so. Raises `InvalidInput`."""
    found = select(connection, "ref = ?", (ref,))
    if not found and beginning and ref:
        found = select(connection, "substr(ref, 1, length(?)) = ?", (ref, ref))
    if len(found) != 1:
        raise InvalidInput(
            f"{len(found)} uploads begin with {ref}; write more of it. Nothing was changed."
            if found
            else f"The upload journal has no upload {ref!r}. Nothing was changed."
        )
    return found[0]


def alike(connection: sqlite3.Connection, document: Document, states: Collection[str]) -> list[Upload]:
    """The rows in ``states`` that have something in common with ``document`` by which it may be a duplicate."""
    marks = ", ".join("?" * len(states))
    return select(
        connection,
        f"state IN ({marks}) AND ((venue = ? AND exact_sha256 = ?) OR (venue = ? AND canonical_sha256 = ?) OR ({_ABOUT}))",
        (*states, document.venue, document.exact_sha256, document.venue, document.canonical_sha256, *_about(document)),
    )


def earlier(connection: sqlite3.Connection, document: Document) -> tuple[int, str | None]:
    """How often something about the same was sent before, and the last such document that was withdrawn."""
    sent = select(connection, f"{_ABOUT} AND started_us IS NOT NULL", _about(document))
    withdrawn = [row for row in sent if row.state == "withdrawn"]
    last = max(withdrawn, key=lambda row: row.changed, default=None)
    return len(sent), last.ref if last is not None else None


def history(connection: sqlite3.Connection, ref: str) -> list[Step]:
    """The steps of one row, oldest first."""
    steps = connection.execute("SELECT at_us, before, state, run, note FROM steps WHERE ref = ? ORDER BY rowid", (ref,))
    return [Step(moment(at_us), before, state, run, note) for at_us, before, state, run, note in steps]


def _about(document: Document) -> tuple[str, ...]:
    return document.venue, document.account, document.form, document.object_key, document.period


def _values(upload: Upload) -> tuple[Any, ...]:
    document = upload.document
    return (
        upload.ref,
        *_about(document),
        document.exact_sha256,
        document.canonical_sha256,
        document.size_bytes,
        upload.state,
        upload.run,
        microseconds(upload.created),
        microseconds(upload.changed),
        _microseconds(upload.started),
        _microseconds(upload.answered),
        upload.job_id,
        upload.answer,
        upload.attempts,
        upload.note,
        upload.forced_over,
        upload.supersedes,
    )


def _upload(row: dict[str, Any]) -> Upload:
    document = Document(**{name: row[name] for name in _COLUMNS[1:9]})
    return Upload(
        document=document,
        created=moment(row["created_us"]),
        changed=moment(row["changed_us"]),
        started=_moment(row["started_us"]),
        answered=_moment(row["answered_us"]),
        **{
            name: row[name]
            for name in ("ref", "state", "run", "job_id", "answer", "attempts", "note", "forced_over", "supersedes")
        },
    )


def _microseconds(value: datetime | None) -> int | None:
    return None if value is None else microseconds(value)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
