"""Dates as STP writes them and as its answers may come."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.epias_stp import dates
from gridwire.errors import InvalidInput

MOMENT = datetime(2018, 2, 20, 16, 30, 33, tzinfo=UTC)


def test_milliseconds_have_three_digits_and_are_cut_not_rounded() -> None:
    value = datetime(2026, 7, 1, 9, 0, 0, 999_999, tzinfo=UTC)
    assert dates.write(value, "t") == "2026-07-01T12:00:00.999+03:00"


@pytest.mark.parametrize("value", [datetime(1969, 12, 31, 23, 59, tzinfo=UTC), datetime(9999, 12, 31, 22, tzinfo=UTC)])
def test_a_moment_outside_the_market_is_not_written(value: datetime) -> None:
    with pytest.raises(InvalidInput, match=r"before 1970|outside the calendar"):
        dates.write(value, "t")


@pytest.mark.parametrize(
    "text",
    [
        "2018-02-20T19:30:33.000+03:00",
        "2018-02-20T16:30:33Z",
        "2018-02-20t16:30:33z",
        "2018-02-20T19:30:33+0300",
        "2018-02-20T19:30:33+03",
        "2018-02-20T19:30:33.0+03:00",
        "2018-02-20T19:30:33.000000000+03:00",
        "2018-02-20 19:30:33,00",
        " 2018-02-20T19:30:33 ",
        "1519144233000",
        1519144233000,
        Decimal("1519144233000"),
        MOMENT,
        MOMENT.astimezone(timezone(timedelta(hours=-4))),
    ],
)
def test_every_form_of_a_date_is_read_as_the_same_instant(text: Any) -> None:
    assert dates.read(text) == MOMENT
    assert (dates.read(text) or MOMENT).tzinfo is UTC


@pytest.mark.parametrize("fraction", ["1", "12", "123", "1234", "123456789"])
def test_one_to_nine_digits_of_a_second_are_read(fraction: str) -> None:
    expected = MOMENT + timedelta(microseconds=int(fraction.ljust(6, "0")[:6]))
    assert dates.read(f"2018-02-20T19:30:33.{fraction}+03:00") == expected


def test_a_time_without_an_offset_is_istanbuls_and_so_is_a_date_alone() -> None:
    assert dates.read("2018-02-20T19:30:33") == MOMENT
    assert dates.read("2018-02-20T19:30") == MOMENT - timedelta(seconds=33)
    assert dates.read("2018-02-20") == datetime(2018, 2, 19, 21, tzinfo=UTC)


@pytest.mark.parametrize("empty", [None, ""])
def test_no_date_is_none(empty: Any) -> None:
    assert dates.read(empty) is None


@pytest.mark.parametrize(
    "wrong",
    [True, 1.5, [], "yesterday", "2018-02-30", "2018-W08-2", "20180220", "2018-02-20T19:30:33.1234567890+03:00",
     "2018-02-20T25:00:00Z", "0001-01-01T00:00:00+03:00", "999999999999999", Decimal("NaN"), Decimal("1.5")],
)  # fmt: skip
def test_what_is_no_date_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"not a date|cannot be a"):
        dates.read(wrong)


def test_a_naive_datetime_object_is_refused_in_both_directions() -> None:
    naive = datetime(2026, 12, 1, 12)
    for call in (lambda: dates.read(naive), lambda: dates.write(naive, "t"), lambda: dates.gas_day(naive, "t")):
        with pytest.raises(InvalidInput, match="no time zone"):
            call()


@given(st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)))
def test_what_is_written_is_read_again_to_the_millisecond(value: datetime) -> None:
    assert dates.read(dates.write(value, "t")) == value.replace(microsecond=value.microsecond // 1000 * 1000)


@given(st.text(max_size=40) | st.integers() | st.decimals())
def test_reading_raises_nothing_but_value_errors(value: Any) -> None:
    with contextlib.suppress(ValueError):
        dates.read(value)
