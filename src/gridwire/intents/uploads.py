"""The upload journal: which documents were sent, and what became of them. One durable file for all programs.

A second upload of a document costs a support case, so every program that sends shares one SQLite file, whose commits
survive a power cut. Of programs that want to send the same document at the same moment exactly one gets ``sending``. The
rules are in `gridwire.intents.upload_records`; documents are held as names and hashes, never as content.

A run holds an flock in the folder beside the file as long as it lives. Only of a run that is dead do rows left in
``sending`` become ``unknown``, at the start of the next one.

Before every use the file is looked for under its name: where it was deleted, moved or made anew, nothing is sent, and reading
raises.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from gridwire import clock
from gridwire.errors import InvalidInput
from gridwire.intents import upload_table as table
from gridwire.intents.journal import CRASHED, default_directory
from gridwire.intents.locks import try_lock
from gridwire.intents.records import JournalError
from gridwire.intents.runs import alone, ends_in_children, is_alive, new_run
from gridwire.intents.sqlite import NOTHING_SENT, transaction
from gridwire.intents.upload_records import (
    BLOCKING,
    JOB_STATES,
    AlreadySent,
    Document,
    Finding,
    Obstacle,
    State,
    Step,
    StepRefused,
    Upload,
    after,
    foremost,
    is_told_again,
    obstacle,
)
from gridwire.observe.redact import excerpt
from gridwire.settings import lasting_path

BUSY_TIMEOUT_S = 10.0
WHAT = "The upload journal"
NOT_NOTED = "What became of the upload is not written down, and it stays in the way of a second one"
NOT_CHANGED = "Nothing was changed"

Told: TypeAlias = Literal["queued", "processing", "succeeded", "failed", "refused", "not_sent", "unknown", "expired"]
"""What a program may say of an upload; the other states have methods of their own."""


class Uploads:
    """One run's place in the upload journal. Open it with `Uploads.open`, close it with `close`.

    Every method waits for the disk: call it in a thread. All raise `JournalError` where the file cannot be used. ``at`` is
    when something happened; now unless given. A forked child has no part in its parent's run: there, nothing is sent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run: str = ""
        self.recovered: list[Upload] = []
        """What dead runs left in ``sending``, and what is ``unknown`` since this run began."""
        self.trouble: JournalError | None = None
        """Why no run has begun, so that nothing can be written; None if one has."""
        self._descriptor = -1
        self._ended = False
        self._identities: dict[Path, tuple[int, int]] = {}
        ends_in_children(self)

    @classmethod
    def open(cls, path: Path, *, must_write: bool = True) -> Uploads:
        """Begin a run: make the file if it is not there, lock the run, then recover what dead runs left.

        Raises `JournalError` if the file cannot be used, and `ConfigurationError` if ``path`` is none; nothing may be sent
        without it. With ``must_write`` False that is said in ``trouble``: what can be read is read, and every write tries to
        begin the run anew.
        """
        uploads = cls(lasting_path(path, "journal"))
        try:
            uploads._begin()
        except JournalError as error:
            if must_write or not _is_there(uploads.path):
                raise
            uploads.trouble = error
        return uploads

    def _begin(self) -> None:
        """Begin the run, or leave nothing of it."""
        run, path = new_run(), self.path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _runs(path).mkdir(mode=0o700, exist_ok=True)
            with alone(_runs(path) / "lock"):
                _make(path)
                os.close(os.open(path, os.O_RDWR))
                lock = _lock(path, run)
                self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                self.run = run
                try:
                    try_lock(self._descriptor)
                    self._identities = {one: _identity(one) for one in (path, lock)}
                    with transaction(
                        path, "BEGIN IMMEDIATE", what=WHAT, timeout_s=BUSY_TIMEOUT_S, setup=table.SCHEMA
                    ) as connection:
                        found = table.version(connection)
                    if found > table.VERSION:  # its states may mean other things
                        raise JournalError(
                            f"{WHAT} {path} was written by a newer gridwire. {NOTHING_SENT}: upgrade gridwire here too."
                        )
                    self.trouble = None
                    self.recovered = self._recover()
                except BaseException:
                    self._let_go()
                    lock.unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise JournalError(
                f"{WHAT} {path} cannot be written or locked ({error.strerror}). {NOTHING_SENT}: make its directory "
                "writable. It must be on a local disk."
            ) from None

    def close(self) -> None:
        """End the run. Rows still in ``sending`` become ``unknown`` at the next start, as after a crash."""
        if self._descriptor >= 0:
            _lock(self.path, self.run).unlink(missing_ok=True)
        self._abandon()

    def _abandon(self) -> None:
        self._ended = True
        self._let_go()

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def check_place(self) -> None:
        """Raise `JournalError` where the file is not the one that was opened: it was deleted, moved or made anew."""
        if self._descriptor < 0:
            return
        for path, identity in self._identities.items():
            try:
                found = _identity(path)
            except OSError:
                found = None
            if found == identity and path == self.path:
                _is_there(path)
            if found != identity:
                raise JournalError(
                    f"{WHAT} {self.path} is not the one that was opened: it or its folder was deleted, moved or made anew. "
                    "Nothing is sent, and what was sent before cannot be told: put it back, and open the client anew."
                )

    # sending

    def check(self, document: Document) -> Obstacle | None:
        """What stands in the way of sending ``document`` now; None where nothing does. Only `start` can promise it."""
        with self._transaction("BEGIN") as connection:
            return foremost(_obstacles(connection, document))

    def prepare(self, document: Document, *, note: str = "", at: datetime | None = None) -> Upload:
        """Write down that ``document`` is about to be sent. Stands in nobody's way, and nothing may be sent yet."""
        self._check_alive()
        at = at or clock.now()
        ref = f"{at:%Y%m%d}-{secrets.token_hex(4)}"
        upload = Upload(ref, document, "prepared", self.run, at, at, note=excerpt(note))
        with self._transaction("BEGIN IMMEDIATE") as connection:
            table.insert(connection, upload)
        return upload

    def start(
        self,
        ref: str,
        *,
        force: bool = False,
        i_accept_duplicate: bool = False,
        note: str = "",
        at: datetime | None = None,
    ) -> Upload:
        """Make a prepared upload ``sending``, on disk when this returns: the first byte may leave now, and only now.

        Raises `AlreadySent` where an earlier upload may be the same document or about the same, and `StepRefused` where this
        one was started before. Then nothing may be sent. A person who has looked and wants it nevertheless says
        ``force=True, i_accept_duplicate=True``; what another program is sending at this moment is waited for even so.

        Who is cancelled while this runs in a thread still has to wait for it, and to record ``not_sent``.
        """
        if force != i_accept_duplicate:
            raise InvalidInput(
                "A document is sent over an earlier one only with both force=True and i_accept_duplicate=True: the venue "
                "may then hold it twice, and only its support can delete one. Nothing was sent."
            )
        self._check_alive()
        at = at or clock.now()
        with self._transaction("BEGIN IMMEDIATE") as connection:
            row = self._next(connection, ref, "sending")
            found = foremost(_obstacles(connection, row.document))
            if found is not None and (not force or found.upload.state == "sending"):
                raise AlreadySent(found)
            attempts, withdrawn = table.earlier(connection, row.document)
            started = replace(
                row,
                state="sending",
                run=self.run,
                started=at,
                changed=at,
                attempts=attempts + 1,
                note=excerpt(note) or row.note,
                forced_over=found.upload.ref if found is not None else None,
                supersedes=withdrawn,
            )
            table.update(connection, row, started)
        return started

    def record(
        self,
        ref: str,
        state: Told,
        *,
        job_id: str | None = None,
        answer: str | bytes | None = None,
        note: str | None = None,
        secrets: Collection[str] = (),
        at: datetime | None = None,
    ) -> Upload:
        """Write down what became of an upload, or of its job. What is known already changes nothing but its time.

        ``answer`` is the venue's, of which an excerpt is kept; ``secrets`` are values it must not show (of the session).
        Raises `StepRefused` where the table does not allow it, and `InvalidInput` for a job's state without a job id, or
        with another one than before. Then the row is as it was.
        """
        if state not in get_args(Told):
            raise InvalidInput(f"{state!r} is nothing that a program may say of an upload. {NOT_CHANGED}.")
        at = at or clock.now()
        with self._transaction("BEGIN IMMEDIATE", means=NOT_NOTED) as connection:
            row = table.find(connection, ref)
            again = is_told_again(row.state, state)
            if not again:
                row = self._next(connection, ref, state)
            job = _job(row, state, job_id)
            now = replace(
                row,
                state=state,
                run=self.run,
                changed=row.changed if again else max(at, row.changed),
                answered=row.answered if answer is None else at,
                job_id=job,
                answer=row.answer if answer is None else excerpt(answer, secrets),
                note=row.note if note is None else excerpt(note, secrets),
            )
            table.update(connection, row, now)
        return now

    # a person's word

    def resolve(self, ref: str, finding: Finding, *, by: str, note: str, at: datetime | None = None) -> Upload:
        """Settle an ``unknown`` or ``expired`` upload by what ``by``, a person, found at the venue. Cannot be taken back.

        ``absent``: it is not there, and may be sent again. ``present``: it was loaded, and stays in the way. ``note`` says
        where they looked.
        """
        if finding not in get_args(Finding):
            raise InvalidInput(f"{finding!r} is no finding; it is absent or present. {NOT_CHANGED}.")
        return self._say(ref, "resolved_absent" if finding == "absent" else "resolved_present", by, note, at)

    def deleted_by_support(self, ref: str, *, by: str, note: str, at: datetime | None = None) -> Upload:
        """Say that the venue's support deleted a loaded document: a corrected one for the same may be sent from now on."""
        return self._say(ref, "withdrawn", by, note, at)

    def _say(self, ref: str, state: State, by: str, note: str, at: datetime | None) -> Upload:
        for name, value in (("by", by), ("note", note)):
            if not value.strip():
                raise InvalidInput(f"{name} is empty; write who found it out, and how. {NOT_CHANGED}.")
        with self._transaction("BEGIN IMMEDIATE", means=NOT_CHANGED) as connection:
            row = self._next(connection, ref, state)
            said = excerpt(f"{by.strip()}: {note.strip()}")
            now = replace(row, state=state, run=self.run, changed=max(at or clock.now(), row.changed), note=said)
            table.update(connection, row, now)
        return now

    # looking

    def get(self, ref: str) -> Upload:
        """The upload that ``ref``, or its beginning if no other begins so, names. Raises `InvalidInput` if there is none."""
        with self._transaction("BEGIN") as connection:
            return table.find(connection, ref, beginning=True)

    def by_job(self, venue: str, job_id: str) -> Upload | None:
        """The upload that became this job; the latest, should the venue have given an id twice."""
        with self._transaction("BEGIN") as connection:
            found = table.select(connection, "venue = ? AND job_id = ?", (venue, job_id))
        return found[-1] if found else None

    def pending(self, venue: str, account: str | None = None) -> list[Upload]:
        """What is to be followed after a restart: jobs not settled as far as we know, oldest first."""
        where = "venue = ? AND (state IN ('queued', 'processing') OR (state = 'unknown' AND job_id IS NOT NULL))"
        with self._transaction("BEGIN") as connection:
            found = table.select(connection, where, (venue,))
        return [row for row in found if account in (None, row.document.account)]

    def rows(self) -> list[Upload]:
        """All uploads, oldest first."""
        with self._transaction("BEGIN") as connection:
            return table.select(connection)

    def history(self, ref: str) -> list[Step]:
        """Every step of one upload, oldest first."""
        with self._transaction("BEGIN") as connection:
            return table.history(connection, table.find(connection, ref).ref)

    # dead runs

    def recover(self) -> list[Upload]:
        """What dead runs left in ``sending`` is ``unknown`` from now on. Returns those."""
        try:
            with alone(_runs(self.path) / "lock"):
                return self._recover()
        except OSError as error:
            raise JournalError(f"{WHAT} {self.path} cannot be locked ({error.strerror}). {NOT_CHANGED}.") from None

    def _recover(self) -> list[Upload]:
        crashed = []
        with self._transaction("BEGIN IMMEDIATE") as connection:
            for row in table.select(connection, "state = 'sending'"):
                if row.run != self.run and not is_alive(_lock(self.path, row.run)):
                    at = max(clock.now(), row.changed)
                    now = replace(row, state="unknown", run=self.run, changed=at, note=CRASHED)
                    table.update(connection, row, now)
                    crashed.append(now)
        for lock in _runs(self.path).glob("*.lock"):  # after the commit: a file that is gone is a dead run's
            if lock != _lock(self.path, self.run) and not is_alive(lock):
                lock.unlink(missing_ok=True)
        return crashed

    def _transaction(
        self, begin: Literal["BEGIN", "BEGIN IMMEDIATE"], *, means: str = NOTHING_SENT
    ) -> AbstractContextManager[sqlite3.Connection]:
        if begin == "BEGIN IMMEDIATE" and self.trouble is not None and not self._ended:
            self._begin()
        self.check_place()
        return transaction(self.path, begin, what=WHAT, timeout_s=BUSY_TIMEOUT_S, means=means)

    def _check_alive(self) -> None:
        if self._ended:
            raise JournalError(
                f"This run of the upload journal {self.path} has ended, by close() or a fork. Nothing was sent: open it anew."
            )

    @staticmethod
    def _next(connection: sqlite3.Connection, ref: str, state: State) -> Upload:
        row = table.find(connection, ref)
        if state not in after(row.state):
            raise StepRefused(row, state)
        return row


def read(path: Path) -> list[Upload]:
    """All uploads in the file, oldest first, without beginning a run; none where there is no file."""
    if not _is_there(path):
        return []
    with transaction(path, "BEGIN", what=WHAT, timeout_s=BUSY_TIMEOUT_S, means=NOT_CHANGED) as connection:
        return table.select(connection)


def _make(path: Path) -> None:
    """Make the file if it is not there, at once with its tables: one of no bytes was emptied."""
    if _is_there(path):
        return
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)  # of a program that died here, or had no room
    os.close(os.open(new, os.O_RDWR | os.O_CREAT, 0o600))
    with transaction(new, "BEGIN IMMEDIATE", what=WHAT, timeout_s=BUSY_TIMEOUT_S, setup=table.SCHEMA):
        pass
    new.replace(path)


def _is_there(path: Path) -> bool:
    """Whether there is a file. Raises `JournalError` for one that cannot be looked at, and for one that was emptied."""
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise JournalError(
            f"{WHAT} {path} cannot be read ({error.strerror}), so what was sent cannot be told: make it readable for this user."
        ) from None
    if not size:
        raise JournalError(
            f"{WHAT} {path} was emptied, so what was sent cannot be told. {NOTHING_SENT}: restore it from a copy, or ask the "
            "venue what it has, and then remove the file."
        )
    return True


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_dev


def default_path() -> Path:
    """Where the upload journal lives unless told otherwise: in the journal's directory."""
    return default_directory() / "uploads.sqlite"


def _obstacles(connection: sqlite3.Connection, document: Document) -> Iterable[Obstacle]:
    return filter(None, (obstacle(document, row) for row in table.alike(connection, document, BLOCKING)))


def _job(row: Upload, state: State, job_id: str | None) -> str | None:
    if job_id is not None and row.job_id not in (None, job_id):
        raise InvalidInput(f"Upload {row.ref} is job {row.job_id}, not {job_id}. {NOT_CHANGED}.")
    found = job_id or row.job_id
    if state in JOB_STATES and not found:
        raise InvalidInput(f"Upload {row.ref} cannot be {state} without a job id. {NOT_CHANGED}.")
    return found


def _runs(path: Path) -> Path:
    return path.with_name(f"{path.name}.runs")


def _lock(path: Path, run: str) -> Path:
    return _runs(path) / f"{run}.lock"
