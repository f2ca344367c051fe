"""Days of 23, 24 and 25 hours, gas days, and instants that nobody can misread."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.errors import InvalidInput
from gridwire.periods import DeliveryDay, DeliveryPeriod, GasDay, aware

ZONES = ("Europe/Sofia", "Europe/Amsterdam", "Europe/Istanbul", "Europe/Moscow")


def test_an_aware_datetime_becomes_utc() -> None:
    value = datetime(2026, 12, 1, 14, tzinfo=ZoneInfo("Europe/Istanbul"))
    assert aware(value, "t") == datetime(2026, 12, 1, 11, tzinfo=UTC)
    assert aware(value, "t").tzinfo is UTC


def test_a_naive_datetime_is_refused_with_the_right_spelling() -> None:
    with pytest.raises(InvalidInput, match=r"expire_time.*no time zone.*tzinfo=ZoneInfo"):
        aware(datetime(2026, 12, 1, 14), "expire_time")


@pytest.mark.parametrize("wrong", ["2026-12-01", date(2026, 12, 1), None, 5])
def test_what_is_no_datetime_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="a datetime with a time zone"):
        aware(wrong, "t")


def test_an_instant_outside_the_calendar_is_refused() -> None:
    with pytest.raises(InvalidInput, match="outside the calendar"):
        aware(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), "t")


@pytest.mark.parametrize(
    ("day", "zone", "hours", "quarters"),
    [
        (date(2026, 3, 29), "Europe/Sofia", 23, 92),
        (date(2026, 10, 25), "Europe/Sofia", 25, 100),
        (date(2026, 3, 29), "Europe/Amsterdam", 23, 92),
        (date(2026, 10, 25), "Europe/Amsterdam", 25, 100),
        (date(2026, 3, 29), "Europe/Istanbul", 24, 96),
        (date(2026, 10, 25), "Europe/Istanbul", 24, 96),
        (date(2016, 3, 27), "Europe/Istanbul", 23, 92),
        (date(2026, 3, 29), "Europe/Moscow", 24, 96),
        (date(2014, 10, 26), "Europe/Moscow", 25, 100),
        (date(2024, 2, 29), "Europe/Sofia", 24, 96),
    ],
)
def test_a_day_has_the_hours_of_its_zone(day: date, zone: str, hours: int, quarters: int) -> None:
    delivery = DeliveryDay(day, zone)
    assert delivery.hours == hours
    for minutes, number in ((60, hours), (30, hours * 2), (15, quarters)):
        periods = delivery.split(minutes)
        assert len(periods) == number
        assert all(period.minutes == minutes for period in periods)
        assert periods[0].start == delivery.start
        assert periods[-1].end == delivery.end
        assert all(a.end == b.start for a, b in pairwise(periods))


def test_a_day_whose_midnight_the_clocks_skip_begins_after_the_gap() -> None:
    day = DeliveryDay(date(2018, 11, 4), "America/Sao_Paulo")
    assert day.start == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert day.hours == 23


def test_the_gas_day_runs_from_eight_to_eight_in_istanbul() -> None:
    day = GasDay(date(2026, 12, 1))
    assert day.start == datetime(2026, 12, 1, 5, tzinfo=UTC)
    assert day.end == datetime(2026, 12, 2, 5, tzinfo=UTC)
    assert day.hours == 24
    assert len(day.split(60)) == 24


def test_a_gas_day_over_a_clock_change_has_23_or_25_hours() -> None:
    assert GasDay(date(2026, 3, 28), "Europe/Amsterdam", 6).hours == 23
    assert GasDay(date(2026, 10, 24), "Europe/Amsterdam", 6).hours == 25


@pytest.mark.parametrize(
    ("hour", "minute", "day"),
    [(4, 59, date(2026, 11, 30)), (5, 0, date(2026, 12, 1)), (23, 0, date(2026, 12, 1))],
)
def test_an_instant_belongs_to_the_gas_day_that_has_begun(hour: int, minute: int, day: date) -> None:
    assert GasDay.of(datetime(2026, 12, 1, hour, minute, tzinfo=UTC)) == GasDay(day)


@given(st.dates(date(1970, 1, 1), date(9998, 12, 30)), st.integers(0, 23))
def test_a_date_names_its_day_whatever_hour_the_day_begins_at(day: date, hour: int) -> None:
    assert GasDay.of(day, start_hour=hour) == GasDay(day, start_hour=hour)
    assert DeliveryDay.of(day, "Europe/Sofia") == DeliveryDay(day, "Europe/Sofia")


@given(
    instant=st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
)
def test_every_instant_lies_in_its_day(instant: datetime, zone: str, hour: int) -> None:
    for day in (DeliveryDay.of(instant, zone), GasDay.of(instant, zone, hour)):
        assert day.start <= instant < day.end
        assert day.hours in (23, 24, 25)


def test_days_compare_and_sort() -> None:
    assert sorted([GasDay(date(2026, 12, 2)), GasDay(date(2026, 12, 1))])[0].day == date(2026, 12, 1)
    assert len({GasDay(date(2026, 12, 1)), GasDay(date(2026, 12, 1))}) == 1


@pytest.mark.parametrize("wrong", [datetime(2026, 12, 1, tzinfo=UTC), "2026-12-01", None])
def test_a_day_is_a_date(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="a date is needed"):
        GasDay(wrong)


@pytest.mark.parametrize("day", [date(1969, 12, 31), date.max])
def test_a_day_far_off_is_refused(day: date) -> None:
    with pytest.raises(InvalidInput, match="not a day"):
        DeliveryDay(day, "Europe/Sofia")


@pytest.mark.parametrize("instant", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_an_instant_far_off_belongs_to_no_day(instant: datetime) -> None:
    with pytest.raises(InvalidInput, match="not in a day"):
        GasDay.of(instant)


@pytest.mark.parametrize("zone", ["Europe/Constantinople", "", "../etc", "Europe", 5])
def test_an_unknown_zone_is_refused(zone: Any) -> None:
    with pytest.raises(InvalidInput, match="not a time zone"):
        DeliveryDay(date(2026, 12, 1), zone)


@pytest.mark.parametrize("hour", [24, -1, True, 8.0])
def test_a_gas_day_begins_at_an_hour(hour: Any) -> None:
    with pytest.raises(InvalidInput, match="not an hour"):
        GasDay(date(2026, 12, 1), start_hour=hour)


@pytest.mark.parametrize("minutes", [0, -15, 15.0, True])
def test_a_resolution_is_a_number_of_minutes(minutes: Any) -> None:
    with pytest.raises(InvalidInput, match="resolution_minutes"):
        GasDay(date(2026, 12, 1)).split(minutes)


def test_a_day_that_cannot_be_cut_evenly_is_refused() -> None:
    with pytest.raises(InvalidInput, match="23 hours cannot be cut into periods of 120 minutes"):
        DeliveryDay(date(2026, 3, 29), "Europe/Sofia").split(120)


def test_a_period_is_kept_in_utc_and_has_a_length() -> None:
    istanbul = ZoneInfo("Europe/Istanbul")
    period = DeliveryPeriod(datetime(2026, 12, 1, 8, tzinfo=istanbul), datetime(2026, 12, 1, 9, tzinfo=istanbul))
    assert period.start == datetime(2026, 12, 1, 5, tzinfo=UTC)
    assert period.start.tzinfo is UTC
    assert period.minutes == 60
    with pytest.raises(InvalidInput, match="ends after it starts"):
        DeliveryPeriod(period.end, period.start)
    with pytest.raises(InvalidInput, match=r"start=.*no time zone"):
        DeliveryPeriod(datetime(2026, 12, 1), period.end)
