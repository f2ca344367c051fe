"""Wall time: one reader, which a test or a simulation can replace."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

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
