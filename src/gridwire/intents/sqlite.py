"""SQLite files of the journal: one way to open them, and one sentence for each way in which they fail."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from gridwire.intents.records import JournalError

NOTHING_SENT = "Nothing is sent without it"

_TROUBLE: Mapping[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: ("is locked by another program", "end that program, or wait for it"),
    sqlite3.SQLITE_LOCKED: ("is locked by another program", "end that program, or wait for it"),
    sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", "make room on the disk"),
    sqlite3.SQLITE_READONLY: ("cannot be written: it is read-only", "make it and its directory writable"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "make its directory writable, or name a file on a local disk"),
    sqlite3.SQLITE_NOTADB: ("is no journal or is damaged", "restore it from a copy, or move it away"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "restore it from a copy, or move it away"),
}
_OTHER = ("cannot be used", "make room, repair the file, or move it away")


@contextmanager
def transaction(
    path: Path,
    begin: Literal["BEGIN", "BEGIN IMMEDIATE"],
    *,
    what: str,
    timeout_s: float,
    setup: str = "",
    means: str = NOTHING_SENT,
) -> Iterator[sqlite3.Connection]:
    """A fully durable transaction on ``path``, committed at the end of the context, rolled back if it raises.

    Every call opens the file anew: calls are rare, and a fork must not share a connection. ``setup`` is SQL that makes the
    file if it is not there; without it, a missing file is refused, not made. Raises `JournalError` that calls the file
    ``what`` and says what its failure ``means``.
    """
    mode = "rwc" if setup else "rw"
    try:
        with closing(
            sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", timeout=timeout_s, isolation_level=None, uri=True
            )
        ) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # without it macOS leaves a commit in the disk's own memory
            if setup:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(setup)
            connection.execute(begin)
            yield connection
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise JournalError(trouble(error, path, what=what, means=means)) from None


def trouble(error: sqlite3.Error, path: Path, *, what: str, means: str) -> str:
    """The sentence about ``error``: what is wrong with the file, what it means, and what to do."""
    code = getattr(error, "sqlite_errorcode", None)  # of errors that Python raises itself, there is none
    state, remedy = _OTHER if code is None else _TROUBLE.get(code & 0xFF, _OTHER)
    return f"{what} {path} {state} ({error}). {means}: {remedy}."
