"""Wall time, read in one place.

Waits and ages use the running loop's ``time()``; only what leaves the process or is written down (request dates, journal
rows, log lines) uses wall time, and reads it here. Tests and simulations put a clock of their own in with `use`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


def _system() -> datetime:
    return datetime.now(UTC)


_source: Callable[[], datetime] = _system


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


@contextmanager
def use(source: Callable[[], datetime]) -> Iterator[None]:
    """Let ``source`` tell the time for the whole process while the context is open. It returns aware UTC datetimes."""
    global _source
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before
