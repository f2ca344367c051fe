"""Runs: a program's life as others can see it, and files that only one program may change at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from gridwire import clock
from gridwire.intents.locks import try_lock, unlock

LOCK_WAIT_S = 30.0
"""How long to wait for another process that is moving rows of dead runs."""


_FORM = "1"
"""The form of a run's log: it begins with a line before the first record."""
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)


def new_run() -> str:
    """A name for this run that no other has, and that sorts by time. Its last parts are the machine's boot and `_FORM`."""
    return f"{clock.now():%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}-{clock.boot_name()}-{_FORM}"


def boot_of(run: str) -> str | None:
    """The boot that a run belongs to; None if its name does not tell."""
    parts = run.split("-")
    return parts[3] if len(parts) in (4, 5) else None


def begins_with_a_line(run: str) -> bool:
    """Whether the run's log was never empty; the names of earlier versions had no such part."""
    return run.split("-")[4:] == [_FORM]


def is_alive(lock: Path) -> bool:
    """Whether the process that holds this file is alive. Ask under `alone`: a new run makes its file, then locks it."""
    try:
        descriptor = _open_lock(lock)
    except FileNotFoundError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def _open_lock(lock: Path, more: int = 0) -> int:
    """Open a file to lock it. On a disk that cannot be written, an existing one is opened for reading, which is enough."""
    try:
        return os.open(lock, os.O_RDWR | more, 0o600)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        try:
            return os.open(lock, os.O_RDONLY)
        except OSError:
            raise error from None


@contextlib.contextmanager
def alone(lock: Path, *, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Keep other processes from judging and moving runs. Raises `BlockingIOError` where one is at it for ``wait_s``."""
    descriptor = _open_lock(lock, os.O_CREAT)
    try:
        until = time.monotonic() + wait_s
        while not try_lock(descriptor):
            if time.monotonic() >= until:
                raise BlockingIOError(11, "another process has been at work in it for too long")
            time.sleep(0.005)
        try:
            yield
        finally:
            unlock(descriptor)
    finally:
        os.close(descriptor)


class Abandonable(Protocol):
    """What holds the lock of a run."""

    def _abandon(self) -> None: ...


_OPEN: weakref.WeakSet[Abandonable] = weakref.WeakSet()


def ends_in_children(run: Abandonable) -> None:
    """Let a forked child have no part in ``run``: a worker that outlives a killed parent would hold its lock for it."""
    _OPEN.add(run)


def _forked() -> None:
    for run in list(_OPEN):
        run._abandon()


getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_forked)  # Windows forks no process
