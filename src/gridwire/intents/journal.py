"""The journal: every intent on disk before its first byte leaves, and what became of it.

A directory holds one append-only log per process run, an archive of ended runs, and one small file per ``client_ref``.
``gridwire journal`` reads all of it as one. What stands on the order path is one ``write`` of one line (about 1.5 us;
a SQLite row costs about 14): it survives SIGKILL, and with ``durability="power"`` a power cut.

A run holds an flock on its log as long as it lives. Only of a run that is dead, whoever killed it, do rows left in
``sending`` become ``unknown``: nobody can be waiting for their answers any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from gridwire import clock
from gridwire.intents.archive import Archive
from gridwire.intents.locks import try_lock
from gridwire.intents.records import ENDED, JournalError, Reading, Row, decode, dump, microseconds, sign, split
from gridwire.settings import state_directory

SOON_S = 0.002

CRASHED = "crashed: the process that sent it ended before an answer was written down"


class Journal:
    """One run's place in the journal of ``directory``. Open it with `Journal.open`, close it with `close`.

    Methods block for microseconds (`begin`, `settle`) or for files (the rest): call the latter in a thread.
    """

    def __init__(self, directory: Path, run: str, descriptor: int, *, durable: bool) -> None:
        self.directory = directory
        self.run = run
        self._descriptor = descriptor
        self._durable = durable
        self._archive = Archive(directory / "archive.sqlite")
        self._reading = Reading()
        self._unread: list[bytes] = []
        self._later: list[Callable[[], None]] = []
        self.recovered: list[Row] = []
        """Rows of dead runs that were found in ``sending`` when this run began; they are ``unknown`` now."""

    @classmethod
    def open(cls, directory: Path, *, durability: Literal["process", "power"] = "process") -> Journal:
        """Begin a run: recover what dead runs left, then create this run's log and lock it.

        Raises `JournalError` if the directory cannot be used; nothing may be sent without a journal.
        """
        try:
            for part in (directory, directory / "runs", directory / "refs"):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            run = f"{clock.now():%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}"
            path = directory / "runs" / f"{run}.log"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            raise JournalError(
                f"The journal in {directory} cannot be written ({error.strerror}). Nothing is sent without it: make the "
                "directory writable, or name another one."
            ) from None
        if not try_lock(descriptor):
            os.close(descriptor)
            raise JournalError(
                f"The journal's log {path} cannot be locked on this file system. Name a local directory."
            )
        journal = cls(directory, run, descriptor, durable=durability == "power")
        if journal._durable:
            _sync_directory(path.parent)
        journal.recovered = journal.recover()
        return journal

    def close(self) -> None:
        """End the run. Rows still in ``sending`` become ``unknown`` at the next start, as after a crash."""
        if self._descriptor >= 0:
            self.flush()
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    # the order path

    def append(self, body: bytes) -> None:
        """Write one record, given as JSON without line feeds. Raises `JournalError`: then nothing may be sent.

        The line is on its way to the disk when this returns (with ``durability="power"``: on the disk).
        """
        line = sign(body)
        try:
            written = os.write(self._descriptor, line)
            if self._durable:
                _sync(self._descriptor)
        except OSError as error:
            raise JournalError(
                f"The journal in {self.directory} cannot be written ({error.strerror}). Nothing was sent."
            ) from None
        if written != len(line):  # a full disk took half a line; the reader will skip it
            raise JournalError(f"The disk under the journal in {self.directory} is full. Nothing was sent.")
        self._unread.append(line)

    def soon(self, write: Callable[[], None]) -> None:
        """Run ``write``, which records something, within two milliseconds: together with others, after their orders."""
        self._later.append(write)
        if len(self._later) == 1:
            asyncio.get_running_loop().call_later(SOON_S, self.flush)

    def flush(self) -> None:
        """Record now what `soon` put off."""
        later, self._later = self._later, []
        for write in later:
            write()

    def record(self, state: str, key: str, **fields: Any) -> None:
        """Write that ``key`` is in ``state`` now. ``fields`` are the record's other members, those that are not None."""
        given = {name: value for name, value in fields.items() if value is not None}
        self.append(dump({"s": state, "k": key, "t": microseconds(clock.now()), **given}))

    # reading

    def own(self) -> dict[str, Row]:
        """The rows of this run that are not ended, by key."""
        reading, unread = self._reading, self._unread
        if unread:
            reading.take(unread, self.run)
            unread.clear()
            for key in [key for key, row in reading.rows.items() if row.state in ENDED]:
                del reading.rows[key]
        return reading.rows

    def rows(self) -> Iterator[Row]:
        """Every row of the whole directory, oldest first: archive, dead runs and live ones."""
        return iter(sorted(read(self.directory).rows.values(), key=lambda row: row.created))

    # client references

    def claim(self, client_ref: str, key: str) -> bool:
        """Reserve ``client_ref`` for ``key`` in the whole directory; False if an intent has it already.

        Live processes see it at once, because the reservation is a file that only one of them can create.
        """
        path = self._reference(client_ref)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        except OSError as error:
            raise JournalError(f"The journal in {self.directory} cannot be written ({error.strerror}).") from None
        try:
            os.write(descriptor, f"{self.run} {key}".encode())
            if self._durable:
                _sync(descriptor)
        finally:
            os.close(descriptor)
        return True

    def release(self, client_ref: str) -> None:
        """Give a reservation back, because nothing was sent under it."""
        with contextlib.suppress(OSError):
            self._reference(client_ref).unlink()

    def _reference(self, client_ref: str) -> Path:
        digest = hashlib.sha256(client_ref.encode()).hexdigest()
        return self.directory / "refs" / digest[:2] / digest

    # dead runs

    def recover(self) -> list[Row]:
        """Move the rows of dead runs into the archive; what they left in ``sending`` is ``unknown`` from now on."""
        found: list[Row] = []
        for path in sorted((self.directory / "runs").glob("*.log")):
            if path.stem != self.run:
                found += self._take_over(path)
        return found

    def _take_over(self, path: Path) -> list[Row]:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:  # another process was faster
            return []
        try:
            if not try_lock(descriptor) or not path.exists():
                return []
            reading = Reading()
            lines = list(split(path.read_bytes()))
            reading.rows = self._archive.some({str(record["k"]) for record in map(decode, lines) if record is not None})
            reading.take(lines, path.stem)
            if reading.settle():  # it settles rows of a run that is still alive: wait for that one
                return []
            crashed = [row for row in reading.rows.values() if row.state == "sending" and row.run == path.stem]
            for row in crashed:
                reading.rows[row.key] = replace(row, state="unknown", note=CRASHED)
            self._archive.store(reading.rows.values())
            path.unlink()
            return [reading.rows[row.key] for row in crashed]
        finally:
            os.close(descriptor)


def read(directory: Path) -> Reading:
    """Everything in ``directory`` as one, changing nothing: the archive, then dead and live runs."""
    reading = Reading({row.key: row for row in Archive(directory / "archive.sqlite").rows()})
    for path in sorted((directory / "runs").glob("*.log")):
        with contextlib.suppress(FileNotFoundError):  # its rows went into the archive between the listing and now
            reading.take(split(path.read_bytes()), path.stem)
    reading.damaged += reading.settle()
    return reading


def _sync(descriptor: int) -> None:
    (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def default_directory() -> Path:
    """Where the journal lives unless told otherwise: below ``XDG_STATE_HOME``, or the platform's place for such."""
    return state_directory() / "journal"
