"""A lock that a process holds for its life and that the kernel takes back when it dies, however it dies."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file without waiting; False if another open file holds it.

        Raises `OSError` where the file system knows no locks.
        """
        os.lseek(descriptor, 0x7FFFFFFF, os.SEEK_SET)  # a byte far behind the data, which readers do not touch
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Let the lock go now."""
        os.lseek(descriptor, 0x7FFFFFFF, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file without waiting; False if another open file holds it.

        Raises `OSError` where the file system knows no locks.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Let the lock go now, also if a child that was forked meanwhile shares the open file."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)
