"""The pipe or socket behind stdout: whether there is one, and whether whoever reads it has taken what was written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import stat
import struct
import sys

from gridwire.cli.output import ReaderGone

_FIRST_LOOK_S = 0.001
_LONGEST_LOOK_S = 0.05


def pipe() -> int | None:
    """The descriptor of stdout if that leads into a pipe or a socket, else None."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or replaced by what is no file
        found = sys.stdout.fileno()
        kind = os.fstat(found).st_mode
        if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
            return found
    return None


def tells(descriptor: int) -> bool:
    """Whether the system tells how much of what was written is unread."""
    return _unread(descriptor) is not None


async def taken(descriptor: int) -> None:
    """Wait until nothing is left in the pipe: what a reader has not taken is lost when it goes.

    It ends as a write to a full pipe does, when the reader takes it or goes. Raises `ReaderGone` if it went without. Where
    `tells` is false it returns at once.
    """
    look_s = _FIRST_LOOK_S
    is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    while _unread(descriptor):
        if _has(descriptor, select.POLLERR | select.POLLHUP):
            raise ReaderGone
        await asyncio.sleep(look_s)
        look_s = min(look_s * 2, _LONGEST_LOOK_S)
    # Linux empties a socket that is closed unread, and marks the other end with an error (unix(7), ECONNRESET).
    if is_socket and _has(descriptor, select.POLLERR):
        raise ReaderGone


def _unread(descriptor: int) -> int | None:
    """The bytes that were written and not read; None where the system cannot tell."""
    try:
        import fcntl
        import termios

        asked = termios.FIONREAD
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            with socket.socket(fileno=os.dup(descriptor)) as sock:
                if (sock.family, sock.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
                    return None  # of TCP the system knows only what the other machine has received
            asked = termios.TIOCOUTQ  # SIOCOUTQ under its other name
        answer = fcntl.ioctl(descriptor, asked, b"\0" * 4)
    except (ImportError, OSError):
        return None
    return int(struct.unpack("i", answer)[0])


def _has(descriptor: int, wanted: int) -> bool:
    looking = select.poll()
    looking.register(descriptor, 0)
    return any(events & wanted for _, events in looking.poll(0))
