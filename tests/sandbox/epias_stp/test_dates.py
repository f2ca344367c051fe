from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from gridwire.sandbox.epias_stp import dates

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)  # a Tuesday, 09:00 in Istanbul


def test_the_gas_day_changes_at_eight_in_istanbul() -> None:
    assert dates.gas_day_of(NOW) == date(2026, 12, 1)
    assert dates.gas_day_of(datetime(2026, 12, 1, 4, 59, tzinfo=UTC)) == date(2026, 11, 30)
    assert dates.gas_day_start(date(2026, 12, 1)) == datetime(2026, 12, 1, 5, 0, tzinfo=UTC)


def test_a_daily_contract_trades_54_hours() -> None:
    start, end = dates.daily_window(date(2026, 12, 1))
    assert dates.to_wire(start) == "2026-11-30T08:00:00.000+03:00"
    assert dates.to_wire(end) == "2026-12-02T14:00:00.000+03:00"
    assert (end - start).total_seconds() == 54 * 3600


def test_the_weekly_contract_that_is_open_begins_next_monday() -> None:
    assert dates.weekly_monday(NOW) == date(2026, 12, 7)
    assert dates.weekly_monday(datetime(2026, 12, 7, 4, 59, tzinfo=UTC)) == date(2026, 12, 7)
    assert dates.weekly_monday(datetime(2026, 12, 7, 5, 0, tzinfo=UTC)) == date(2026, 12, 14)
    start, end = dates.weekly_window(date(2026, 12, 7))
    assert start <= NOW < end


@pytest.mark.parametrize("text", ["2026-12-01T09:00:00.000+03:00", "2026-12-01T06:00:00.000Z"])
def test_wire_dates_are_read_as_utc(text: str) -> None:
    assert dates.from_wire(text) == NOW
    assert dates.day_of(NOW) == date(2026, 12, 1)
    assert dates.epoch_ms(NOW) == int(NOW.timestamp()) * 1000


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T09:00:00+03:00",
        "2026-12-01T09:00:00.000+0300",
        "2026-12-01T09:00:00.000",
        "2026-12-01 09:00:00.000+03:00",
        "2026-13-01T09:00:00.000+03:00",
        "",
    ],
)
def test_anything_looser_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"date must look like|month must be"):
        dates.from_wire(text)


def test_a_winter_before_the_change_of_2016_had_another_offset() -> None:
    assert dates.to_wire(datetime(2016, 1, 15, 10, tzinfo=UTC)) == "2016-01-15T12:00:00.000+02:00"
