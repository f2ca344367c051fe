"""The journal: every intent on disk before its first byte leaves, and what became of it.

A directory holds one append-only log per process run, an archive of ended runs, and one small file per ``client_ref``.
``gridwire journal`` reads all of it as one. What stands on the order path is one ``write`` of one line (about 1.5 us;
a SQLite row costs about 14): it survives SIGKILL, and with ``durability="power"`` a power cut.

A run holds an flock on its log as long as it lives. Only of a run that is dead, whoever killed it, do rows left in
``sending`` become ``unknown``: nobody can be waiting for their answers any more.

Before every row the log is looked for under its name: one that was deleted, or whose folder was moved or made anew, would
never be found by the next run. Then nothing is sent, and reading raises. The only exception is a cancellation, which takes
risk away: it leaves also where its row cannot be written, and the row is kept in memory until it can (see `append_or_keep`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from gridwire import clock
from gridwire.intents.archive import Archive
from gridwire.intents.damage import DAMAGED, SETTLED, DamagedLog, content, damaged_logs, log_files, remedy
from gridwire.intents.locks import try_lock
from gridwire.intents.reading import CRASHED as CRASHED
from gridwire.intents.reading import mark_crashed, may_live, read_files
from gridwire.intents.reading import read as read
from gridwire.intents.records import CUT, JournalError, Reading, Row, entries, lacks_beginning, quote, sign, split
from gridwire.intents.references import reference_file, restore
from gridwire.intents.runs import LOCK_WAIT_S, alone, ends_in_children, is_alive, new_run
from gridwire.settings import lasting_path, state_directory

SOON_S = 0.002
AGAIN_S = 1.0
"""Pause before a record that could not be written, or a run that could not begin, is tried again."""


class Journal:
    """One run's place in the journal of ``directory``. Open it with `Journal.open`, close it with `close`.

    Methods block for microseconds (`append`, `record`, `claim`, `release`) or for files (the rest): call the latter in a
    thread. A forked child has no part in its parent's run: there, writing raises `JournalError`.
    """

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self.directory = directory
        self.run: str = ""
        self.recovered: list[Row] = []
        """Rows of dead runs whose outcome was not known when this run began, whoever found the run dead."""
        self.damaged: list[DamagedLog] = []
        """Logs with lines that could not be read when this run began, and that no person has settled."""
        self.trouble: JournalError | None = None
        """Why no run has begun, so that nothing can be written; None if one has."""
        self._descriptor = -1
        self._durable = durable
        self._ended = False
        self._begin_at = 0.0  # not before, by the monotonic clock
        self._place = ""
        self._identity = (0, 0)
        self._size = 0  # so many bytes were written to the log
        self._first = b""  # what the next write has to begin with: the end of a torn line, records that failed before
        self._again: asyncio.TimerHandle | None = None
        self._archive = Archive(directory / "archive.sqlite")
        self._later: list[tuple[Callable[[], Sequence[bytes]], Callable[[JournalError], None]]] = []
        ends_in_children(self)

    @classmethod
    def open(
        cls, directory: Path, *, durability: Literal["process", "power"] = "process", must_write: bool = True
    ) -> Journal:
        """Begin a run: create this run's log and lock it, then recover what dead runs left.

        Raises `JournalError` if the directory cannot be used; nothing may be sent without a journal. With ``must_write``
        False that is said in ``trouble``: what can be read is read, and every write tries to begin the run anew.
        """
        journal = cls(lasting_path(directory, "journal"), durable=durability == "power")
        try:
            journal._begin(LOCK_WAIT_S)
        except JournalError as error:
            if must_write:
                raise JournalError(f"{error} Nothing is sent without it.") from None
            journal.trouble = error
            with contextlib.suppress(JournalError):  # `rows` raises it for whoever asks
                journal._look_back()
        return journal

    def _begin(self, wait_s: float) -> None:
        """Begin the run, or leave nothing of it."""
        directory, run = self.directory, new_run()
        path = directory / "runs" / f"{run}.log"
        try:
            for part in (directory, path.parent, directory / "refs"):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone(directory / "lock", wait_s=wait_s):  # a log that is there and not locked would be a dead run's
                self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
                self.run, self._place = run, str(path)
                try:
                    try_lock(self._descriptor)
                    found = os.stat(self._place)
                    self._identity = found.st_ino, found.st_dev
                    self._size = os.write(
                        self._descriptor, CUT
                    )  # a log without it was emptied, or its beginning is lost
                    if self._durable:
                        _sync_directory(path.parent)
                    self._recover()
                    self.trouble = None
                    restore(directory, self.rows)
                    self._look_back()
                except BaseException:
                    self._let_go()
                    with contextlib.suppress(OSError):
                        path.unlink()  # nothing is in it
                    raise
        except OSError as error:
            do = remedy(error, "make the directory writable. It must be on a local disk.")
            raise JournalError(
                f"The journal in {directory} cannot be written or locked ({error.strerror}): {do}"
            ) from None

    def _look_back(self) -> None:
        self.recovered = self._left_behind()
        self.damaged = damaged_logs(self.directory)

    def close(self) -> None:
        """End the run. Rows still in ``sending`` become ``unknown`` at the next start, as after a crash."""
        if self._descriptor >= 0:
            self.flush()
        self._abandon()

    def _abandon(self) -> None:
        self._ended = True
        self._let_go()

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @property
    def unwritten(self) -> int:
        """How many records could not be written so far, and are in memory alone."""
        return sum(line != CUT for line in split(self._first))

    def check(self) -> None:
        """Raise `JournalError` where the journal cannot be read as it was: its folder was deleted, moved or made anew."""
        if self._ended:
            return
        if self._descriptor >= 0:
            self._check_place()
        else:  # opened on a disk that cannot be written: `trouble` says so
            try:
                os.scandir(self.directory / "runs").close()
            except OSError as error:
                raise self.trouble or JournalError(str(error)) from None

    def _check_place(self) -> None:
        try:
            found = os.stat(self._place)  # about 1 us
        except OSError:
            found = None
        if found is None or (found.st_ino, found.st_dev) != self._identity:
            raise JournalError(
                f"The journal in {self.directory} is not the one that was opened: the folder was deleted, moved or made anew. "
                "What is written to it now would not be found by the next program, and what was sent before cannot be "
                "told. Put the folder back, or look at the venue for what rests there and open the client anew."
            )
        if found.st_size < self._size:
            raise JournalError(
                f"The journal's log {self._place} was cut by somebody else: it has {found.st_size} bytes, and {self._size} were "
                "written. What was sent before cannot be told, so look at the venue for what rests there and open the client "
                "anew. Let nothing rotate these files."
            )

    def _check_writable(self) -> None:
        """Raise `JournalError` unless this run's log is at its place; a run that could not begin so far is tried again."""
        if self._descriptor >= 0:
            self._check_place()
        elif self._ended:
            raise JournalError(f"This run of the journal in {self.directory} has ended, by close() or a fork.")
        else:
            if self.trouble is not None and time.monotonic() < self._begin_at:
                raise self.trouble
            self._begin_at = time.monotonic() + AGAIN_S
            try:
                self._begin(0.0)
            except JournalError as error:
                self.trouble = error
                raise

    # the order path

    def append(self, body: bytes, *more: bytes) -> None:
        """Write records, given as JSON without line feeds, in one piece. Raises `JournalError`: then nothing may be sent.

        They are on their way to the disk when this returns (with ``durability="power"``: on the disk).
        """
        lines = sign(body)
        if more:
            lines += b"".join(map(sign, more))
        try:
            self._check_writable()
            self._write(lines)
        except JournalError as error:
            raise JournalError(f"{error} Nothing was sent.") from None

    def append_or_keep(self, *bodies: bytes) -> JournalError | None:
        """As `append`, for what may leave also where it cannot be written: a cancellation.

        Returns None where it was written, else why it was not: then it is kept in memory, and written before whatever is
        written next. Raises `JournalError` where this run has ended: then nothing may be sent.
        """
        lines = b"".join(map(sign, bodies))
        try:
            self._check_writable()
            self._write(lines)
        except JournalError as error:
            if self._ended:
                raise JournalError(f"{error} Nothing was sent.") from None
            self._first += lines
            self._try_again()
            return error
        return None

    def _write(self, lines: bytes) -> None:
        """Write ``lines`` after what has to come first. Says only what happened: what it means depends on the caller."""
        if self._first:
            lines = self._first + lines
        try:
            written = os.write(self._descriptor, lines)
            self._size += written
            if written == len(lines):
                self._first = b""
                if self._durable:
                    _sync(self._descriptor)
                return
        except OSError as error:
            raise JournalError(f"The journal in {self.directory} cannot be written ({error.strerror}).") from None
        # Of what has to come first the whole lines are there now. What follows half a line would be lost with it.
        whole = lines.rfind(b"\n", 0, written) + 1
        self._first = (CUT if written > whole else b"") + self._first[whole:]
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
        if self._first in (b"", CUT):
            return
        try:
            self._check_lasting()
            self._write(b"")
        except JournalError as error:
            self._try_again()
            for _, on_trouble in later:
                on_trouble(error)

    def _check_lasting(self) -> None:
        """Raise `JournalError` where what is written now is lost. A log that was moved still holds what it is told."""
        if self._descriptor < 0:
            self._check_writable()
        elif not os.fstat(self._descriptor).st_nlink:
            raise JournalError(f"The journal's log {self._place} was deleted.")

    def _try_again(self) -> None:
        """Write what could not be written in a while, also if nobody writes anything meanwhile."""
        if self._again is None and not self._ended:
            with contextlib.suppress(RuntimeError):  # no loop runs here: close() flushes
                self._again = asyncio.get_running_loop().call_later(AGAIN_S, self._flush_again)

    def _flush_again(self) -> None:
        self._again = None
        if not self._ended:
            self.flush()

    def tell(self, *lines: bytes) -> None:
        """Write ``lines`` in one piece, after what `soon` put off: that an order was accepted before it was cancelled."""
        self.flush()
        self._check_lasting()
        self._write(b"".join(map(sign, lines)))

    def record(self, state: str, key: str, **fields: Any) -> None:
        """Write that ``key`` is in ``state`` now. ``fields`` are as in `line`."""
        self.tell(line(state, key, **fields))

    # reading

    def rows(self, since: datetime | None = None) -> list[Row]:
        """The rows of the whole directory, oldest first: archive, dead runs and live ones.

        With ``since`` of the archive only those that are open, and those that were changed since. Raises `JournalError`.
        """
        return sorted(self._read(since).rows.values(), key=lambda row: row.created)

    def _read(self, since: datetime | None) -> Reading:
        self.check()
        reading = read_files(self.directory, self._archive, since, run=self.run, unwritten=lambda: self._first)
        if self.trouble is not None:  # nobody has recovered what dead runs left
            mark_crashed(reading, lambda run: run == self.run or may_live(self.directory, run))
        return reading

    def _left_behind(self) -> list[Row]:
        return [row for row in self.rows(clock.now()) if row.state == "unknown" and not self._lives(row.run)]

    # client references

    def claim(self, client_ref: str, key: str) -> bool:
        """Reserve ``client_ref`` for ``key`` in the whole directory; False if an intent has it already.

        Live processes see it at once, because the reservation is a file that only one of them can create. One whose run
        died before it had written down anything to send is taken over: nothing was sent under it.
        """
        self._check_writable()
        path = reference_file(self.directory, client_ref)
        mine = path.with_name(f"{path.name}.{self.run}")
        try:
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
        except FileNotFoundError:
            raise JournalError(
                f"The journal's folder {path.parent} was deleted, so which references are used cannot be told now. Open the "
                "client anew: that makes it again from what is written down."
            ) from None
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
        kept = any(log.with_suffix(ending).exists() for ending in (DAMAGED, SETTLED))
        if not log.exists():
            return kept or key in self._archive.some((key,)).rows
        data = log.read_bytes()
        found, damaged = entries(data, run)
        return (
            bool(damaged)
            or lacks_beginning(data, run)
            or any(one.key == key for one in found)
            or key in self._archive.some((key,)).rows
        )

    def release(self, client_ref: str) -> None:
        """Give a reservation back, because nothing was sent under it."""
        with contextlib.suppress(OSError):
            reference_file(self.directory, client_ref).unlink()

    def _log(self, run: str) -> Path:
        return self.directory / "runs" / f"{run}.log"

    # dead runs

    def has(self, key: str) -> bool:
        """Whether an intent has this key already, in whatever run."""
        self.check()
        return any(
            entry.key == key for path in log_files(self.directory) for entry in entries(content(path), path.stem)[0]
        ) or bool(self._archive.some((key,)).rows)

    def recover(self) -> list[Row]:
        """Move the rows of dead runs into the archive; what they left in ``sending`` is ``unknown`` from now on."""
        self.check()
        try:
            with alone(self.directory / "lock"):
                return self._recover()
        except OSError as error:
            raise JournalError(f"The journal in {self.directory} cannot be locked ({error.strerror}).") from None

    def _recover(self) -> list[Row]:
        found: list[Row] = []
        damaged = len(log_files(self.directory, DAMAGED))
        for path in log_files(self.directory):
            if not self._lives(path.stem):
                found += self._take_over(path)
        if len(log_files(self.directory, DAMAGED)) > damaged:
            self._keep_lost_rows()
        return found

    def _keep_lost_rows(self) -> None:
        """Give rows whose first record is lost a place in the archive, so that they can be settled like others."""
        held = self._archive.some(())
        waiting = {one.key for one in held.waiting}
        if waiting:
            rows = read_files(self.directory, self._archive).rows
            lost = [rows[key] for key in waiting if key in rows and not rows[key].venue]
            gone = {row.key for row in lost}
            self._archive.store(None, lost, [one for one in held.waiting if one.key not in gone])

    def _take_over(self, path: Path) -> list[Row]:
        run = path.stem
        data = path.read_bytes()
        log, damaged = entries(data, run)
        damaged = damaged or lacks_beginning(data, run)
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
        if damaged:  # kept, and reported until a person has looked at it
            path.replace(path.with_suffix(DAMAGED))
        else:
            path.unlink()
        return crashed


def line(state: str, key: str, **fields: Any) -> bytes:
    """A record that ``key`` is in ``state`` now. ``fields`` are its other members, those that are not None."""
    given = "".join([f',"{name}":{quote(value)}' for name, value in fields.items() if value is not None])
    return f'{{"s":"{state}","k":{quote(key)},"t":{clock.now_us()},"b":{clock.boot_us()}{given}}}'.encode()


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
    return state_directory("journal") / "journal"
