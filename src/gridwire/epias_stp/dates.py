"""Dates as STP writes them, and as its answers may come.

Written: ``yyyy-MM-dd'T'HH:mm:ss.SSSXXX`` on the clock of Istanbul, three digits of milliseconds and an offset with a
colon (STP document 4.3). The document says that winter is +02:00; Turkey has stayed on +03:00 since September 2016, as
the document's own samples show, so the tz database decides and not a rule about seasons.

Read: the same, and whatever the sister services are known to write: ``Z``, an offset without a colon, one to nine or no
digits of a second's fraction, a date alone, and milliseconds since 1970 (of 12 digits or more). **A time without an offset is taken as
Istanbul's**, as EPİAŞ's intraday market means it; gridwire itself never sends such a time and takes none from its user.

**A day is a date.** The wire has days (gas days, delivery days, the day of an advance payment) in the form of instants. The
day is the date that the instant has in Istanbul, and it is written as midnight there, as the venue's newer samples have it
(inferred: STP document 7.37, 7.41). In UTC that midnight is the evening before, so days are never kept as instants.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from gridwire.errors import InvalidInput
from gridwire.periods import GasDay, aware

ISTANBUL = ZoneInfo("Europe/Istanbul")

_FORM = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|z|[+-]\d\d(:?\d\d)?)?)?",
    re.ASCII,
)
_MILLISECONDS = re.compile(r"\d{12,14}", re.ASCII)
"""From 1973 on: fewer digits would rather be a date without its dashes."""

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def write(value: datetime, name: str) -> str:
    """``value`` in STP's form. Microseconds below a millisecond are cut off, so an expiry never moves later.

    Raises `InvalidInput` for a time without a zone and for one before 1970; ``name`` is the argument's name.
    """
    instant = aware(value, name)
    if instant < _FIRST:
        raise InvalidInput(f"{name}={value!r} lies before 1970, long before this market.")
    try:
        return instant.astimezone(ISTANBUL).isoformat(timespec="milliseconds")
    except OverflowError:
        raise InvalidInput(f"{name}={value!r} lies outside the calendar.") from None


def gas_day(value: date | GasDay | datetime, name: str) -> date:
    """The date of a gas day: of a date or a `GasDay` its own, of an aware datetime the one it has in Istanbul.

    So an instant that came from STP names the same day again. Who means the gas day that *holds* an instant, before 08:00
    the one of the day before, writes ``GasDay.of(instant)``. Raises `InvalidInput` for a naive datetime, for a day before
    1970 and for anything else.
    """
    if isinstance(value, datetime):
        try:
            day = _in_istanbul(aware(value, name))
        except OverflowError:
            raise InvalidInput(f"{name}={value!r} lies outside the calendar.") from None
    else:
        day = value.day if isinstance(value, GasDay) else value
    if not isinstance(day, date):
        raise InvalidInput(f"{name}={value!r} is of type {type(value).__name__}; a date or a GasDay is needed.")
    if day < _FIRST.date():
        raise InvalidInput(f"{name}={value!r} lies before 1970, long before this market.")
    return day


def write_day(day: date) -> str:
    """A day in STP's form: midnight in Istanbul at the start of the date."""
    return datetime.combine(day, time(), ISTANBUL).isoformat(timespec="milliseconds")


def read(value: object) -> datetime | None:
    """``value`` of an answer as a UTC datetime; None for null and for an empty element.

    Raises `ValueError` for what is no date. A datetime object passes if it is aware.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return _read_text(value.strip())
    if isinstance(value, datetime):
        return aware(value, "value")
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _read_text(str(value))
    raise ValueError(f"a date cannot be a {type(value).__name__}")


def read_day(value: object) -> date | None:
    """``value`` of an answer as the date it has in Istanbul; None and `ValueError` as for `read`. A date passes."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    moment = read(value)
    try:
        return None if moment is None else _in_istanbul(moment)
    except OverflowError:
        raise ValueError(f"{moment} lies outside the calendar") from None


def _in_istanbul(moment: datetime) -> date:
    return moment.astimezone(ISTANBUL).date()


def _read_text(text: str) -> datetime:
    try:
        if _MILLISECONDS.fullmatch(text):
            return _FIRST + timedelta(milliseconds=int(text))
        if not _FORM.fullmatch(text):
            raise ValueError("not a date")
        moment = datetime.fromisoformat(text.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=ISTANBUL)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is not a date in any form that STP is known to write") from None
