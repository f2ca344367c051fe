"""Istanbul's calendar: gas days, trading windows, and the one date format of the STP wire."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ISTANBUL = ZoneInfo("Europe/Istanbul")
_GAS_DAY_START = time(8)
# yyyy-MM-dd'T'HH:mm:ss.SSSXXX, and nothing looser: this side of the wire is strict.
_WIRE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)")


def istanbul(day: date, at: time = time(0)) -> datetime:
    """Wall time ``at`` of ``day`` in Istanbul, as UTC."""
    return datetime.combine(day, at, ISTANBUL).astimezone(UTC)


def gas_day_start(day: date) -> datetime:
    """08:00 Istanbul: gas day ``day`` runs from here to 08:00 of the next day."""
    return istanbul(day, _GAS_DAY_START)


def gas_day_of(now: datetime) -> date:
    """The gas day that is being delivered at ``now``."""
    return (now.astimezone(ISTANBUL) - timedelta(hours=8)).date()


def daily_window(day: date) -> tuple[datetime, datetime]:
    """A daily contract trades from 08:00 of the day before to 14:00 of the day after its gas day (54 hours)."""
    return gas_day_start(day - timedelta(days=1)), istanbul(day + timedelta(days=1), time(14))


def weekly_window(monday: date) -> tuple[datetime, datetime]:
    """Our choice for a weekly contract: from 08:00 a week before its first gas day until that day begins."""
    return gas_day_start(monday - timedelta(days=7)), gas_day_start(monday)


def weekly_monday(now: datetime) -> date:
    """First gas day of the weekly contract that is open at ``now``."""
    day = gas_day_of(now)
    return day + timedelta(days=7 - day.weekday())


def to_wire(instant: datetime) -> str:
    """An instant as STP writes it, in Istanbul's offset with three millisecond digits."""
    return instant.astimezone(ISTANBUL).isoformat(timespec="milliseconds")


def from_wire(text: str) -> datetime:
    """A wire date as UTC. Raises `ValueError` for anything but the documented format."""
    if not _WIRE.fullmatch(text):
        raise ValueError("a date must look like 2026-12-01T09:00:00.000+03:00")
    return datetime.fromisoformat(text).astimezone(UTC)


def day_of(instant: datetime) -> date:
    """The calendar day in Istanbul of ``instant``; gas day fields carry Istanbul's midnight."""
    return instant.astimezone(ISTANBUL).date()


def epoch_ms(instant: datetime) -> int:
    """Milliseconds since 1970, the scale in which the book keeps expiries."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
