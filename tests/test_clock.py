"""Wall time: one reader, which a test or a simulation can replace."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire import clock
from tests.conftest import EPOCH


def test_now_is_aware_utc_and_the_machines_time() -> None:
    with clock.use(clock._system):
        before = datetime.now(UTC)
        now = clock.now()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


def test_a_clock_put_in_tells_the_time_until_its_context_ends() -> None:
    fixed = datetime(2018, 9, 1, 5, 0, tzinfo=UTC)
    with clock.use(lambda: fixed):
        assert clock.now() == fixed
    assert clock.now() != fixed


async def test_wall_time_follows_virtual_time() -> None:
    before = clock.now()
    await asyncio.sleep(3600)
    assert clock.now() - before == timedelta(hours=1)
    assert clock.now() >= EPOCH


def test_now_in_microseconds_is_the_same_moment() -> None:
    fixed = datetime(2026, 12, 1, 6, 0, 0, 123456, tzinfo=UTC)
    with clock.use(lambda: fixed):
        assert clock.moment(clock.now_us()) == fixed
    with clock.use(clock._system):
        before = clock.microseconds(datetime.now(UTC))
        assert before <= clock.now_us() <= clock.microseconds(datetime.now(UTC))


@given(st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31)))
def test_microseconds_go_there_and_back(value: datetime) -> None:
    aware = value.replace(tzinfo=UTC)
    assert clock.moment(clock.microseconds(aware)) == aware
    assert clock.microseconds(aware) == (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_boot_time_is_the_machines_and_goes_on() -> None:
    with clock.use(clock._system, boot=clock._system_boot_us):
        before = clock.boot_us()
        assert before <= clock.boot_us() <= before + 60_000_000
    assert abs(clock._system_boot_us() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000) < 60_000_000


async def test_boot_time_follows_virtual_time_and_no_step_of_the_wall_clock() -> None:
    with clock.use(lambda: EPOCH):
        before = clock.boot_us()
        await asyncio.sleep(60)
        assert clock.boot_us() - before == 60_000_000


def test_a_boot_has_one_name() -> None:
    assert clock.boot_name() == clock.boot_name()
    assert len(clock.boot_name()) == 8


def test_where_the_boot_has_no_name_or_no_clock_the_name_is_the_processs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    named = clock.boot_name()
    nameless = clock.boot_name.__wrapped__  # without its memory
    assert nameless() == named
    monkeypatch.setattr(clock, "_BOOTTIME", None)
    assert len({named, nameless(), nameless()}) == 3
