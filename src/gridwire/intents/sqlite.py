"""SQLite files of the journal: one way to open them, and one sentence for each way in which they fail."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from gridwire.intents.records import JournalError

NOTHING_SENT = "Nothing is sent without it"
AGAIN_S = 0.005

_TROUBLE: Mapping[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: ("is locked by another program", "end that program, or wait for it"),
    sqlite3.SQLITE_LOCKED: ("is locked by another program", "end that program, or wait for it"),
    sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", "make room on the disk"),
    sqlite3.SQLITE_READONLY: ("cannot be written: it is read-only", "make it and its directory writable"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "make its directory writable; it must be on a local disk"),
    sqlite3.SQLITE_NOTADB: ("is no journal or is damaged", "restore it from a copy"),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "restore it from a copy, or save what `sqlite3 FILE .recover` can still read",
    ),
}
_OTHER = ("cannot be used", "make room, or repair the file")
_NOT_WRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


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
    ``what`` and says what its failure ``means``. With "BEGIN" it only reads: from a copy in memory where the disk is full or
    cannot be written.
    """
    try:
        with closing(_opened(path, begin, timeout_s, setup)) as connection:
            yield connection
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise JournalError(trouble(error, path, what=what, means=means)) from None


def _opened(path: Path, begin: Literal["BEGIN", "BEGIN IMMEDIATE"], timeout_s: float, setup: str) -> sqlite3.Connection:
    try:
        return _begun(path, begin, timeout_s, setup)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if begin == "BEGIN IMMEDIATE" or code not in _NOT_WRITABLE or not path.exists():
            raise
        found = _copy(path)
        if found is None:
            raise
        return found


def _copy(path: Path) -> sqlite3.Connection | None:
    """The file in memory, with a transaction begun; None where it cannot be read as a whole.

    SQLite makes files beside one in WAL mode even to read it. Without them only a file whose log is empty is whole, as
    long as nobody writes to it: it is compared with what it was before (https://www.sqlite.org/wal.html, section 5).
    """
    log = path.with_name(f"{path.name}-wal")
    for options in ("mode=ro", "mode=ro&immutable=1"):
        memory = sqlite3.connect(":memory:", isolation_level=None)
        try:
            before = _stamp(path, log)
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True)) as source:
                source.backup(memory)
            if options == "mode=ro" or (not before[1] and _stamp(path, log) == before):
                memory.execute("BEGIN")
                return memory
        except (sqlite3.Error, OSError):
            pass
        memory.close()
    return None


def _stamp(path: Path, log: Path) -> tuple[tuple[int, int], int]:
    found = path.stat()
    return (found.st_mtime_ns, found.st_size), log.stat().st_size if log.exists() else 0


def _begun(path: Path, begin: str, timeout_s: float, setup: str) -> sqlite3.Connection:
    """A connection with its transaction begun, however often others are in the way until ``timeout_s`` have passed.

    SQLite waits for most locks by itself, but not for the one that the last connection to a file takes while it closes.
    """
    until = time.monotonic() + timeout_s
    address = f"{path.absolute().as_uri()}?mode={'rwc' if setup else 'rw'}"
    while True:
        connection = sqlite3.connect(address, timeout=timeout_s, isolation_level=None, uri=True)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # without it macOS leaves a commit in the disk's own memory
            if setup:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(setup)
            connection.execute(begin)
            if begin == "BEGIN":
                # Begins to read now, and fails now where it cannot.
                connection.execute("PRAGMA user_version").fetchone()
        except BaseException as error:
            connection.close()
            busy = isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise
            time.sleep(AGAIN_S)
        else:
            return connection


def trouble(error: sqlite3.Error, path: Path, *, what: str, means: str) -> str:
    """The sentence about ``error``: what is wrong with the file, what it means, and what to do."""
    code = getattr(error, "sqlite_errorcode", None)  # of errors that Python raises itself, there is none
    state, remedy = _OTHER if code is None else _TROUBLE.get(code & 0xFF, _OTHER)
    if state == _TROUBLE[sqlite3.SQLITE_CANTOPEN][0] and path.is_dir():
        remedy = "it is a folder; name a file"
    return f"{what} {path} {state} ({error}). {means}: {remedy}."
