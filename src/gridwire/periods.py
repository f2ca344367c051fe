"""Delivery periods, gas days and days of 23, 24 or 25 hours.

A day belongs to a time zone; what is traded are instants. Everything here turns a local date into aware UTC instants and
back, with the zone's own rules, so the two days a year on which the clocks change come out right. The length of a
period (15, 30 or 60 minutes) is data, never assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from gridwire.errors import InvalidInput

GAS_DAY_ZONE = "Europe/Istanbul"
GAS_DAY_START_HOUR = 8
"""The Turkish gas day runs from 08:00 to 08:00 of the next day (Official Gazette no. 31362, article 1)."""


def aware(value: datetime, name: str) -> datetime:
    """``value`` as a UTC datetime. Raises `InvalidInput` if it carries no time zone; ``name`` is the argument's name."""
    if not isinstance(value, datetime):
        raise InvalidInput(
            f"{name}={value!r} is of type {type(value).__name__}; a datetime with a time zone is needed."
        )
    if value.utcoffset() is None:
        raise InvalidInput(
            f"{name}={value!r} has no time zone, so it could mean several instants. Give it one, for example "
            f'{name}=datetime(2026, 12, 1, 14, 0, tzinfo=ZoneInfo("{GAS_DAY_ZONE}")).'
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{name}={value!r} lies outside the calendar.") from None


@dataclass(frozen=True, slots=True, order=True)
class DeliveryPeriod:
    """From ``start`` up to but not including ``end``; aware on the way in, UTC inside."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", aware(self.start, "start"))
        object.__setattr__(self, "end", aware(self.end, "end"))
        if self.end <= self.start:
            raise InvalidInput(f"A delivery period ends after it starts; this one runs {self.start} to {self.end}.")

    @property
    def minutes(self) -> int:
        """Length in whole minutes."""
        return int((self.end - self.start).total_seconds()) // 60


class _LocalDay:
    """What a calendar day and a gas day have in common: a date, a zone, and the hour they begin at."""

    __slots__ = ()

    day: date
    zone: str

    @property
    def _hour(self) -> int:
        return 0

    @property
    def start(self) -> datetime:
        """First instant of the day, UTC."""
        return _local(self.day, self._hour, self.zone)

    @property
    def end(self) -> datetime:
        """First instant of the next day, UTC."""
        return _local(self.day + timedelta(days=1), self._hour, self.zone)

    @property
    def hours(self) -> int:
        """How many hours the day has: 23, 24 or 25."""
        return int((self.end - self.start).total_seconds()) // 3600

    def split(self, resolution_minutes: int) -> tuple[DeliveryPeriod, ...]:
        """The day's periods of ``resolution_minutes``, in order: 92, 96 or 100 quarters.

        Raises `InvalidInput` if the day cannot be cut evenly.
        """
        if isinstance(resolution_minutes, bool) or not isinstance(resolution_minutes, int) or resolution_minutes <= 0:
            raise InvalidInput(f"resolution_minutes={resolution_minutes!r} is not a number of minutes (15, 30 or 60).")
        start, length, step = self.start, self.end - self.start, timedelta(minutes=resolution_minutes)
        if length % step:
            raise InvalidInput(
                f"A day of {self.hours} hours cannot be cut into periods of {resolution_minutes} minutes."
            )
        return tuple(DeliveryPeriod(start + i * step, start + (i + 1) * step) for i in range(length // step))


@dataclass(frozen=True, slots=True, order=True)
class DeliveryDay(_LocalDay):
    """The calendar day ``day`` of ``zone``, from local midnight to local midnight."""

    day: date
    zone: str

    def __post_init__(self) -> None:
        _check(self.day, self.zone)

    @classmethod
    def of(cls, instant: date | datetime, zone: str) -> Self:
        """The day of ``zone`` that holds ``instant``; of a date the day with that date."""
        return cls(_day_of(instant, zone, 0), zone)


@dataclass(frozen=True, slots=True, order=True)
class GasDay(_LocalDay):
    """The gas day named ``day``: from ``start_hour`` o'clock of that date to the same hour of the next."""

    day: date
    zone: str = GAS_DAY_ZONE
    start_hour: int = GAS_DAY_START_HOUR

    def __post_init__(self) -> None:
        _check(self.day, self.zone)
        if isinstance(self.start_hour, bool) or not isinstance(self.start_hour, int) or not 0 <= self.start_hour <= 23:
            raise InvalidInput(f"start_hour={self.start_hour!r} is not an hour of the day (0 to 23).")

    @classmethod
    def of(cls, instant: date | datetime, zone: str = GAS_DAY_ZONE, start_hour: int = GAS_DAY_START_HOUR) -> Self:
        """The gas day that holds ``instant``; of a date, as answers of a venue have it, the gas day that it names.

        Midnight is in the gas day of the date before: a day that is kept as an instant has to become a date first.
        """
        return cls(_day_of(instant, zone, start_hour), zone, start_hour)

    @property
    def _hour(self) -> int:
        return self.start_hour


def zone_info(zone: str) -> ZoneInfo:
    """The time zone named ``zone``. Raises `InvalidInput` for a name that the tz database does not know."""
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, TypeError, OSError):  # unknown, malformed, no str, a folder of the database
        raise InvalidInput(f"{zone!r} is not a time zone of the tz database (Europe/Istanbul is one).") from None


def _check(day: date, zone: str) -> None:
    if isinstance(day, datetime) or not isinstance(day, date):
        raise InvalidInput(f"day={day!r} is of type {type(day).__name__}; a date is needed: date(2026, 12, 1).")
    if not date(1970, 1, 1) <= day < date(9999, 12, 31):
        raise InvalidInput(f"day={day} is not a day that any of these markets has.")
    zone_info(zone)


def _local(day: date, hour: int, zone: str) -> datetime:
    # An hour that the clocks skip becomes the first instant after the gap: zoneinfo applies the offset from before it.
    return datetime.combine(day, time(hour), zone_info(zone)).astimezone(UTC)


def _day_of(instant: date | datetime, zone: str, start_hour: int) -> date:
    if not isinstance(instant, datetime):
        return instant  # checked with the day that is made of it
    moment = aware(instant, "instant")
    if not 1970 <= moment.year < 9999:
        raise InvalidInput(f"instant={instant!r} is not in a day that any of these markets has.")
    day = moment.astimezone(zone_info(zone)).date()
    return day if _local(day, start_hour, zone) <= moment else day - timedelta(days=1)
