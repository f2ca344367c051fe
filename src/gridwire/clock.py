"""Wall time and boot time, read in one place.

Waits and ages within a process use the running loop's ``time()``. Wall time is for what leaves the process or is written
down (request dates, journal rows, log lines); it can be stepped at any moment. Boot time counts from the start of the
machine, also while it sleeps, and is never stepped: it tells the age of what another process of the same boot wrote down.
Tests and simulations put clocks of their own in with `use`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def _system() -> datetime:
    return datetime.now(UTC)


def _system_boot_us() -> int:
    return (time.monotonic_ns() if _BOOTTIME is None else time.clock_gettime_ns(_BOOTTIME)) // 1000


_source: Callable[[], datetime] = _system
_boot_source: Callable[[], int] = _system_boot_us


def now() -> datetime:
    """Wall time as an aware UTC datetime."""
    return _source()


def now_us() -> int:
    """The same as whole microseconds since 1970, without the cost of a datetime."""
    return time.time_ns() // 1000 if _source is _system else microseconds(_source())


def moment(microseconds: int) -> datetime:
    """A UTC datetime from whole microseconds since 1970."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)


def microseconds(value: datetime) -> int:
    """Whole microseconds since 1970."""
    return int(value.timestamp()) * 1_000_000 + value.microsecond


def boot_us() -> int:
    """Boot time as whole microseconds. Comparable only between processes with the same `boot_name`."""
    return _boot_source()


@functools.cache
def boot_name() -> str:
    """Eight hexadecimal digits that name this boot of this machine.

    Where the system has no name for its boot, or no clock that counts from it, the name is this process's alone: boot
    times of other processes then prove nothing.
    """
    try:
        if _BOOTTIME is None:
            raise OSError
        # A time namespace shifts CLOCK_BOOTTIME (time_namespaces(7)), so it is part of the name.
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            name = f"{file.read().strip()} {os.stat('/proc/self/ns/time').st_ino}"
    except (OSError, ValueError):
        return secrets.token_hex(4)
    return hashlib.sha256(name.encode()).hexdigest()[:8]


@contextmanager
def use(source: Callable[[], datetime], *, boot: Callable[[], int] | None = None) -> Iterator[None]:
    """Let ``source`` tell the time for the whole process while the context is open. It returns aware UTC datetimes.

    ``boot`` tells boot time in microseconds; without it that clock stays as it is, as when wall time is stepped.
    """
    global _source, _boot_source
    before, _source = (_source, _boot_source), source
    if boot is not None:
        _boot_source = boot
    try:
        yield
    finally:
        _source, _boot_source = before
