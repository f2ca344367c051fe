"""The pipe behind stdout: whether there is one, and whether whoever reads it has taken what was written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import stat
import struct
import sys

from gridwire.cli.output import ReaderGone

_FIRST_LOOK_S = 0.001
_LONGEST_LOOK_S = 0.05


def pipe() -> int | None:
    """The descriptor of stdout if that leads into a pipe, else None."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or replaced by what is no file
        found = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(found).st_mode):
            return found
    return None


async def taken(descriptor: int) -> None:
    """Wait until nothing is left in the pipe: what a reader has not taken is lost when it goes.

    It ends as a write to a full pipe does, when the reader takes it or goes. Raises `ReaderGone` if it went without. Where
    the system cannot tell how much is in a pipe (Windows), it returns at once.
    """
    look_s = _FIRST_LOOK_S
    while _unread(descriptor):
        if _gone(descriptor):
            raise ReaderGone
        await asyncio.sleep(look_s)
        look_s = min(look_s * 2, _LONGEST_LOOK_S)


def _unread(descriptor: int) -> int:
    try:
        import fcntl
        import termios

        answer = fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4)
    except (ImportError, OSError):
        return 0
    return int(struct.unpack("i", answer)[0])


def _gone(descriptor: int) -> bool:
    looking = select.poll()
    looking.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in looking.poll(0))
