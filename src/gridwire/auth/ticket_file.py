"""A CAS session and its login budget that survive the process.

A login per program start is what gets accounts blocked. So one file per operating system user keeps, per (CAS, user),
the TGT, when it was last used, when logins were sent, a pause CAS asked for, and a salted digest of a refused password.
Thirty starts in a row make one login; a program that restarts in a loop stays within the budget; thirty programs with
a wrong password try it once.

Safety: the file is 0600 and is replaced as a whole; its directory must belong to the user and be writable by nobody
else; a lock file beside it is held during a login, so that programs log in one after the other. A file that others
could read, that belongs to someone else or cannot be read is replaced, with a warning event. Where no safe file can be
had at all, the record lives in memory, with a warning event. None of this stops a program. What does is a file that can be
locked and not written, on a full disk for one: a login that cannot be counted would be made at every start, so it is refused.

The TGT stands in the file as text: whoever can read this user's files can use the session until it ends, as with a
browser's cookies. The password is not in it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from gridwire import clock
from gridwire.auth.errors import CasLoginBudgetExceeded, CasUnavailable
from gridwire.auth.login_store import LoginRecord, LoginStore
from gridwire.observe.events import Events
from gridwire.settings import state_directory

T = TypeVar("T")

LOCK_WAIT_S = 60.0
"""Longest wait for another program's login. A login with all its repetitions takes less with usual timeouts."""

LOCK_POLL_S = 0.05
UNSAVED_PAUSE_S = 60.0
"""When to look again whether a file that could not be written can be."""

MAX_FILE_BYTES = 256 * 1024
MAX_ACCOUNTS = 100
KEPT_S = 86_400.0
"""An account nobody logged in to for a day is forgotten."""


@dataclass(slots=True)
class _Account:
    cas_url: str
    username: str
    record: LoginRecord


@dataclass(slots=True)
class _Document:
    version: Literal[1] = 1
    accounts: Annotated[list[_Account], Field(max_length=MAX_ACCOUNTS)] = field(default_factory=list)


class _Unsafe(OSError):
    """The place itself cannot be trusted with a session."""


@cache
def _adapter() -> TypeAdapter[_Document]:
    return TypeAdapter(_Document)


def default_path() -> Path:
    """The usual place of the ticket file."""
    return state_directory("ticket_file") / "cas-tickets.json"


class TicketFile:
    """One file of CAS sessions, at ``path`` or at `default_path`. Give it to a `gridwire.auth.tickets.TicketManager`."""

    def __init__(self, path: Path | None = None) -> None:
        self.path: Path = path if path is not None else default_path()

    def store(self, cas_url: str, username: str, events: Events) -> LoginStore:
        """The record of one user at one CAS. What is wrong with the file is told to ``events``."""
        return _FileStore(self.path, cas_url.rstrip("/"), username, events)


class _FileStore:
    def __init__(self, path: Path, cas_url: str, username: str, events: Events) -> None:
        self._path = path
        self._key = (cas_url, username)
        self._events = events
        self._document: _Document | None = None
        """What the file holds; not None only while we hold its lock."""
        self._in_memory: LoginRecord | None = None
        """Takes the file's place where none can be had."""
        self._unsaved: LoginRecord | None = None
        """What could not be written, until it can."""
        self._warned = False
        self._mine = asyncio.Lock()

    def now(self) -> float:
        return clock.now().timestamp()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[LoginRecord]:
        async with self._mine:
            lock = None if self._in_memory is not None else await self._locked()
            if lock is None:
                self._in_memory = self._in_memory or LoginRecord()
                yield self._in_memory
                return
            try:
                yield await self._load()
            finally:
                self._document = None
                os.close(lock)  # lets the lock go; a system call that does not wait

    async def save(self, record: LoginRecord) -> None:
        if self._document is None:
            return
        try:
            await self._replace(record, self._document)
        except OSError as error:
            self._unsaved = record
            self._warn(
                f"cannot be written ({error.strerror or error}). Until it can be, the session is this program's alone, and no "
                "new login is made. Make room, or name another place for the file."
            )

    async def charge(self, record: LoginRecord) -> None:
        if self._document is None:
            return
        try:
            await self._replace(record, self._document)
        except OSError as error:
            raise CasLoginBudgetExceeded(
                f"The login cannot be counted: the ticket file {self._path} cannot be written ({error.strerror or error}). No "
                "order left this machine, and CAS was not asked, because a program that is started often would log in as "
                "often, for which the venue blocks users. Make room, or name another place for the file.",
                retry_after_s=UNSAVED_PAUSE_S,
            ) from None

    async def _replace(self, record: LoginRecord, document: _Document) -> None:
        await _to_its_end(_write, self._path, self._with(record, document))
        self._unsaved = None

    async def touch(self, tgt: str, used: float) -> None:
        if self._in_memory is not None or self._mine.locked():
            return
        async with self._mine:
            try:
                lock = await _in_thread(lambda: _try_lock(self._path), _close)
            except OSError:
                return  # the next login tells
            if lock is None:
                return  # a login is under way; its record is younger than this
            try:
                record = await self._load()
                if record.tgt == tgt and record.tgt_used < used:
                    record.tgt_used = used
                    await self.save(record)
            finally:
                self._document = None
                os.close(lock)

    async def _locked(self) -> int | None:
        """The descriptor that holds the lock, or None where no safe file can be had."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LOCK_WAIT_S
        while True:
            try:
                lock = await _in_thread(lambda: _try_lock(self._path), _close)
            except OSError as error:
                self._warn(
                    f"cannot be used ({error.strerror or error}). Sessions and the login budget now end with this program, so "
                    "starting it often means logging in often, for which the venue blocks users. Give a path in a directory "
                    "that only you can write to."
                )
                return None
            if lock is not None:
                return lock
            if loop.time() >= end:
                raise CasUnavailable(
                    f"Another program of this user has been logging in at CAS for more than {LOCK_WAIT_S:.0f} s (it holds "
                    f"{_lock_path(self._path)}). No order left this machine. End that program if it hangs, and try again.",
                    reason="not_sent",
                )
            await asyncio.sleep(LOCK_POLL_S)

    async def _load(self) -> LoginRecord:
        now = self.now()
        document, complaint, written = await asyncio.to_thread(_read, self._path)
        if complaint is not None:
            self._events.emit(
                "ticket_file.replaced",
                f"The ticket file {self._path} {complaint}. It is replaced. No order is affected; the next ticket may need "
                "a login.",
                level=logging.WARNING,
                path=str(self._path),
            )
        self._document = document
        for account in document.accounts:
            if (account.cas_url, account.username) == self._key:
                if _set_back(account.record, now):
                    await self.save(account.record)
                return self._with_unsaved(account.record)
        # What an unreadable file knew of logins is lost: one at the time it was written is assumed.
        return self._with_unsaved(LoginRecord(logins=[min(written, now)] if written else []))

    def _with_unsaved(self, kept: LoginRecord) -> LoginRecord:
        """What the file keeps, and what is known here and could not be written: the later session, and all logins."""
        mine = self._unsaved
        if mine is None or mine is kept:
            return kept
        later = mine if mine.tgt_used >= kept.tgt_used else kept
        return replace(
            later,
            logins=sorted({*kept.logins, *mine.logins}),
            paused_until=max(kept.paused_until, mine.paused_until),
            refused=mine.refused or kept.refused,
        )

    def _with(self, record: LoginRecord, document: _Document) -> _Document:
        now = self.now()
        others = [a for a in document.accounts if (a.cas_url, a.username) != self._key and not _stale(a.record, now)]
        return _Document(accounts=[*others[-(MAX_ACCOUNTS - 1) :], _Account(*self._key, record)])

    def _warn(self, what: str) -> None:
        if self._warned:
            return
        self._warned = True
        self._events.emit(
            "ticket_file.unusable",
            f"The ticket file {self._path} {what}",
            level=logging.WARNING,
            path=str(self._path),
        )


async def _in_thread(job: Callable[[], T], undo: Callable[[T], None]) -> T:
    """Run ``job`` in a thread; if we are cancelled meanwhile, ``undo`` its result when it comes."""
    running = asyncio.ensure_future(asyncio.to_thread(job))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.add_done_callback(lambda done: None if done.exception() else undo(done.result()))
        raise


async def _to_its_end(job: Callable[..., None], *arguments: object) -> None:
    """Run ``job`` in a thread; if we are cancelled meanwhile, still wait for it, because it needs the lock we hold."""
    running = asyncio.ensure_future(asyncio.to_thread(job, *arguments))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        running.exception()  # nobody is left to tell
        raise


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _set_back(record: LoginRecord, now: float) -> bool:
    """Move times after ``now`` to now; whether there were any.

    A wall clock that was set back must neither block logins for as long as it was wrong nor keep a session alive.
    """
    refused_at = record.refused.at if record.refused else now
    if max(record.tgt_used, record.paused_until - KEPT_S, refused_at, *record.logins) <= now:
        return False
    record.logins = sorted(min(at, now) for at in record.logins)
    record.tgt_used = min(record.tgt_used, now)
    record.paused_until = min(record.paused_until, now)
    record.refused = record.refused if refused_at <= now else None
    return True


def _stale(record: LoginRecord, now: float) -> bool:
    return max((record.tgt_used, record.paused_until, *record.logins)) < now - KEPT_S


# ---------------------------------------------------------------------------------------------------------------------
# Blocking, run in threads


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock until it is closed, or None if another program holds it.

    The operating system lets the lock of a killed program go. Raises `OSError` where no file can be kept safely.
    """
    _check_directory(path.parent)
    descriptor = os.open(_lock_path(path), os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if _lock(descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.stat()
    if os.name == "posix" and status.st_uid != os.geteuid():
        raise _Unsafe(f"its directory belongs to user {status.st_uid}, not to this one")
    if os.name == "posix" and status.st_mode & 0o022:
        raise _Unsafe("others may write to its directory")


class _Found(NamedTuple):
    """What is at the file's place, and what is wrong with it, if anything. ``written`` is wall time, 0 if unknown."""

    document: _Document
    complaint: str | None = None
    written: float = 0.0


def _read(path: Path) -> _Found:
    try:
        # O_NONBLOCK: a named pipe in this place must not hold the thread.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return _Found(_Document())
    except OSError as error:
        return _Found(_Document(), f"cannot be opened ({error.strerror})")
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return _Found(_Document(), "is not a file")
        if os.name == "posix" and status.st_uid != os.geteuid():
            return _Found(_Document(), f"belongs to user {status.st_uid}")
        if status.st_size > MAX_FILE_BYTES:
            return _Found(_Document(), f"is longer than {MAX_FILE_BYTES} bytes", status.st_mtime)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_FILE_BYTES)
    finally:
        os.close(descriptor)
    try:
        document = _adapter().validate_json(data)
    except ValidationError:  # its text would quote the file
        return _Found(_Document(), "cannot be read", status.st_mtime)
    if os.name == "posix" and status.st_mode & 0o077:
        # The budget in it still counts; the sessions may be in other hands.
        for account in document.accounts:
            account.record.tgt = None
        mode = stat.S_IMODE(status.st_mode)
        return _Found(document, f"could be read by others (mode {mode:o}); its sessions are dropped", status.st_mtime)
    return _Found(document)


def _write(path: Path, document: _Document) -> None:
    """Replace the file as a whole. Called under the lock, so one name for the next version is enough."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(_adapter().dump_json(document))
    fresh.replace(path)
