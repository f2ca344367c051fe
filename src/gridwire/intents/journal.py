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
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from gridwire import clock
from gridwire.intents.archive import Archive
from gridwire.intents.locks import try_lock
from gridwire.intents.records import JournalError, Reading, Row, entries, quote, sign
from gridwire.intents.runs import alone, ends_in_children, is_alive, new_run
from gridwire.settings import lasting_path, state_directory

SOON_S = 0.002

CRASHED = "crashed: the process that sent it ended before an answer was written down"


class Journal:
    """One run's place in the journal of ``directory``. Open it with `Journal.open`, close it with `close`.

    Methods block for microseconds (`append`, `record`, `claim`, `release`) or for files (the rest): call the latter in a
    thread. A forked child has no part in its parent's run: there, writing raises `JournalError`.
    """

    def __init__(self, directory: Path, run: str, descriptor: int, *, durable: bool) -> None:
        self.directory = directory
        self.run = run
        self._descriptor = descriptor
        self._durable = durable
        self._first = b""  # what the next write has to begin with: the end of a torn line, outcomes that failed before
        self._archive = Archive(directory / "archive.sqlite")
        self._later: list[tuple[Callable[[], Sequence[bytes]], Callable[[JournalError], None]]] = []
        self.recovered: list[Row] = []
        """Rows of dead runs whose outcome was not known when this run began, whoever found the run dead."""
        ends_in_children(self)

    @classmethod
    def open(cls, directory: Path, *, durability: Literal["process", "power"] = "process") -> Journal:
        """Begin a run: create this run's log and lock it, then recover what dead runs left.

        Raises `JournalError` if the directory cannot be used; nothing may be sent without a journal.
        """
        run, directory = new_run(), lasting_path(directory, "journal")
        path = directory / "runs" / f"{run}.log"
        try:
            for part in (directory, path.parent, directory / "refs"):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone(directory / "lock"):  # a log that is there and not locked would be taken for a dead run's
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
                journal = cls(directory, run, descriptor, durable=durability == "power")
                try:
                    try_lock(descriptor)
                    if journal._durable:
                        _sync_directory(path.parent)
                    journal._recover()
                    journal.recovered = journal._left_behind()
                except BaseException:
                    journal.close()
                    raise
        except OSError as error:
            raise JournalError(
                f"The journal in {directory} cannot be written or locked ({error.strerror}). Nothing is sent without it: "
                "make the directory writable, or name another one on a local disk."
            ) from None
        return journal

    def close(self) -> None:
        """End the run. Rows still in ``sending`` become ``unknown`` at the next start, as after a crash."""
        if self._descriptor >= 0:
            self.flush()
            self._abandon()

    def _abandon(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    # the order path

    def append(self, body: bytes, *more: bytes) -> None:
        """Write records, given as JSON without line feeds, in one piece. Raises `JournalError`: then nothing may be sent.

        They are on their way to the disk when this returns (with ``durability="power"``: on the disk).
        """
        lines = sign(body)
        if more:
            lines += b"".join(map(sign, more))
        try:
            self._write(lines)
        except JournalError as error:
            raise JournalError(f"{error} Nothing was sent.") from None

    def _write(self, lines: bytes) -> None:
        """Write ``lines`` after what has to come first. Says only what happened: what it means depends on the caller."""
        if self._first:
            lines = self._first + lines
        try:
            written = os.write(self._descriptor, lines)
            if written == len(lines):
                self._first = b""
                if self._durable:
                    _sync(self._descriptor)
                return
        except OSError as error:
            raise JournalError(f"The journal in {self.directory} cannot be written ({error.strerror}).") from None
        # Of what has to come first the whole lines are there now. What follows half a line would be lost with it.
        whole = lines.rfind(b"\n", 0, written) + 1
        self._first = (b"\n" if written > whole else b"") + self._first[whole:]
        raise JournalError(f"The disk under the journal in {self.directory} is full.")

    def soon(self, lines: Callable[[], Sequence[bytes]], on_trouble: Callable[[JournalError], None]) -> None:
        """Write what ``lines`` returns within two milliseconds, in one piece with what else was put off until then.

        ``on_trouble`` is told where that fails. It is kept then, and written before whatever is written next.
        """
        self._later.append((lines, on_trouble))
        if len(self._later) == 1:
            asyncio.get_running_loop().call_later(SOON_S, self.flush)

    def flush(self) -> None:
        """Write now what `soon` put off."""
        later, self._later = self._later, []
        self._first += b"".join(sign(one) for lines, _ in later for one in lines())
        if self._first in (b"", b"\n"):
            return
        try:
            self._write(b"")
        except JournalError as error:
            for _, on_trouble in later:
                on_trouble(error)

    def tell(self, *lines: bytes) -> None:
        """Write ``lines`` in one piece, after what `soon` put off: that an order was accepted before it was cancelled."""
        self.flush()
        self._write(b"".join(map(sign, lines)))

    def record(self, state: str, key: str, **fields: Any) -> None:
        """Write that ``key`` is in ``state`` now. ``fields`` are as in `line`."""
        self.tell(line(state, key, **fields))

    # reading

    def rows(self, since: datetime | None = None) -> list[Row]:
        """The rows of the whole directory, oldest first: archive, dead runs and live ones.

        With ``since`` of the archive only those that are open, and those that were changed since.
        """
        return sorted(_read(self.directory, since).rows.values(), key=lambda row: row.created)

    def _left_behind(self) -> list[Row]:
        return [row for row in self.rows(clock.now()) if row.state == "unknown" and not self._lives(row.run)]

    # client references

    def claim(self, client_ref: str, key: str) -> bool:
        """Reserve ``client_ref`` for ``key`` in the whole directory; False if an intent has it already.

        Live processes see it at once, because the reservation is a file that only one of them can create. One whose run
        died before it had written down anything to send is taken over: nothing was sent under it.
        """
        path = self._reference(client_ref)
        mine = path.with_name(f"{path.name}.{self.run}")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._write_whole(mine, f"{self.run} {key}")
            try:
                os.link(mine, path)  # whole from its first moment, unlike a file that is created and then written
            except FileExistsError:
                return self._claim_again(path, mine)
            else:
                return True
            finally:
                with contextlib.suppress(FileNotFoundError):
                    mine.unlink()
                if self._durable:
                    _sync_directory(path.parent)
        except OSError as error:
            raise JournalError(f"The journal in {self.directory} cannot be written ({error.strerror}).") from None

    def _write_whole(self, path: Path, text: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, text.encode())
            if self._durable:
                _sync(descriptor)
        finally:
            os.close(descriptor)

    def _claim_again(self, path: Path, mine: Path) -> bool:
        """Replace the reservation in ``path`` by ``mine`` if nothing can have been sent under it."""
        with contextlib.suppress(FileNotFoundError, BlockingIOError), alone(self.directory / "lock", wait_s=0.0):
            run, _, key = path.read_text().partition(" ")
            if key and not self._lives(run) and not self._has(run, key):
                mine.replace(path)
                return True
        return False

    def _lives(self, run: str) -> bool:
        """Whether the process of that run is alive. Asked under the directory's lock."""
        return run == self.run or is_alive(self._log(run))

    def _has(self, run: str, key: str) -> bool:
        """Whether ``key`` of a dead run is in the journal, or whether that cannot be said."""
        log = self._log(run)
        found, damaged = entries(log.read_bytes(), run) if log.exists() else ([], log.with_suffix(".damaged").exists())
        return bool(damaged) or any(one.key == key for one in found) or key in self._archive.some((key,)).rows

    def release(self, client_ref: str) -> None:
        """Give a reservation back, because nothing was sent under it."""
        with contextlib.suppress(OSError):
            self._reference(client_ref).unlink()

    def _reference(self, client_ref: str) -> Path:
        digest = hashlib.sha256(client_ref.encode()).hexdigest()
        return self.directory / "refs" / digest[:2] / digest

    def _log(self, run: str) -> Path:
        return self.directory / "runs" / f"{run}.log"

    # dead runs

    def has(self, key: str) -> bool:
        """Whether an intent has this key already, in whatever run."""
        return any(
            entry.key == key
            for path in (self.directory / "runs").glob("*.log")
            for entry in entries(_content(path), path.stem)[0]
        ) or bool(self._archive.some((key,)).rows)

    def recover(self) -> list[Row]:
        """Move the rows of dead runs into the archive; what they left in ``sending`` is ``unknown`` from now on."""
        with alone(self.directory / "lock"):
            return self._recover()

    def _recover(self) -> list[Row]:
        found: list[Row] = []
        for path in sorted((self.directory / "runs").glob("*.log")):
            if not self._lives(path.stem):
                found += self._take_over(path)
        return found

    def _take_over(self, path: Path) -> list[Row]:
        run = path.stem
        log, damaged = entries(path.read_bytes(), run)
        held = self._archive.some({entry.key for entry in log})
        crashed: list[Row] = []
        if run not in held.runs:  # else whoever moved it died before the log was removed
            held = self._archive.some({entry.key for entry in [*log, *held.waiting]})
            reading = Reading(held.rows, held.waiting, damaged)
            reading.take([log])
            for row in list(reading.rows.values()):
                if row.state == "sending" and row.run == run:
                    reading.rows[row.key] = replace(row, state="unknown", note=CRASHED)
                    crashed.append(reading.rows[row.key])
            self._archive.store(run, reading.rows.values(), reading.waiting)
        if damaged:  # kept for who wants to look at it
            path.replace(path.with_suffix(".damaged"))
        else:
            path.unlink()
        return crashed


def line(state: str, key: str, **fields: Any) -> bytes:
    """A record that ``key`` is in ``state`` now. ``fields`` are its other members, those that are not None."""
    given = "".join([f',"{name}":{quote(value)}' for name, value in fields.items() if value is not None])
    return f'{{"s":"{state}","k":{quote(key)},"t":{clock.now_us()},"b":{clock.boot_us()}{given}}}'.encode()


def read(directory: Path) -> Reading:
    """Everything in ``directory`` as one, changing nothing: the archive, then dead and live runs.

    What a dead run left in ``sending`` is shown as ``unknown``, as it will be when the next run recovers it.
    """
    reading = _read(directory, None)
    waiting = {row.run for row in reading.rows.values() if row.state == "sending"}
    dead = waiting and {run for run in waiting if not _may_live(directory, run)}
    for row in list(reading.rows.values()):
        if row.state == "sending" and row.run in dead:
            reading.rows[row.key] = replace(row, state="unknown", note=CRASHED)
    return reading


def _may_live(directory: Path, run: str) -> bool:
    """Whether the run lives, or whether that cannot be asked now."""
    try:
        with alone(directory / "lock", wait_s=1.0):
            return is_alive(directory / "runs" / f"{run}.log")
    except OSError:
        return True


def _read(directory: Path, since: datetime | None) -> Reading:
    """The same as it stands in the files; ``since`` leaves rows of the archive out that have ended before."""
    paths = sorted((directory / "runs").glob("*.log"))
    found = [(path.stem, *entries(_content(path), path.stem)) for path in paths]
    # The archive after the logs: what is moved between the two is then seen twice, and not never.
    held = Archive(directory / "archive.sqlite").read(since)
    logs = [(log, damaged) for run, log, damaged in found if run not in held.runs]
    reading = Reading(held.rows, held.waiting, sum(damaged for _, damaged in logs))
    reading.take(log for log, _ in logs)
    return reading


def _content(log: Path) -> bytes:
    try:
        return log.read_bytes()
    except FileNotFoundError:  # its rows are in the archive by now
        return b""


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
