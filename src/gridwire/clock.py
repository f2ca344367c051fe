"""Wall time, read in one place.

Waits and ages use the running loop's ``time()``; only what leaves the process or is written down (request dates, journal
rows, log lines) uses wall time, and reads it here. Tests and simulations put a clock of their own in with `use`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


def _system() -> datetime:
    return datetime.now(UTC)


_source: Callable[[], datetime] = _system


def now() -> datetime:
    """Wall time as an aware UTC datetime."""
    return _source()


@contextmanager
def use(source: Callable[[], datetime]) -> Iterator[None]:
    """Let ``source`` tell the time for the whole process while the context is open. It returns aware UTC datetimes."""
    global _source
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before
