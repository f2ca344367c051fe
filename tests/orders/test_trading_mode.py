"""orders/trading_mode.py: everything warm and the collector out of the way while it lasts, and as before afterwards."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gridwire.orders.trading_mode import GENERATION_THRESHOLDS, KEEP, Lag, TradingMode, trading_mode


class Client:
    def __init__(self, failure: Exception | None = None) -> None:
        self.warmed = self.cooled = 0
        self._failure = failure

    async def warm_up(self) -> None:
        self.warmed += 1
        if self._failure is not None:
            raise self._failure

    async def cool_down(self) -> None:
        self.cooled += 1


@pytest.fixture(autouse=True)
def collector_is_left_as_it_was() -> Iterator[None]:
    before, callbacks, frozen = gc.get_threshold(), list(gc.callbacks), gc.get_freeze_count()
    yield
    assert gc.get_threshold() == before
    assert gc.callbacks == callbacks
    assert gc.get_freeze_count() == frozen


async def test_clients_are_warmed_and_the_collector_is_put_aside() -> None:
    first, second = Client(), Client()
    async with trading_mode(first, second) as lag:
        assert (first.warmed, second.warmed) == (1, 1)
        assert (first.cooled, second.cooled) == (0, 0)
        assert gc.get_threshold() == GENERATION_THRESHOLDS
        assert gc.get_freeze_count() > 1000
        assert (lag.worst_loop_ms, lag.worst_gc_ms) == (0.0, 0.0)
        assert [task.get_name() for task in asyncio.all_tasks()].count("gridwire-lag") == 1
    assert (first.cooled, second.cooled) == (1, 1)
    await asyncio.sleep(0)
    assert "gridwire-lag" not in [task.get_name() for task in asyncio.all_tasks()]


async def test_lag_of_the_loop_is_measured_and_told() -> None:
    told: list[float] = []
    loop = asyncio.get_running_loop()
    async with trading_mode(on_lag=told.append, report_over_ms=20.0) as lag:
        await asyncio.sleep(0.2)
        assert lag.loop_ms
        assert lag.worst_loop_ms == pytest.approx(0.0, abs=0.001)
        loop._virtual.now += 0.5  # type: ignore[attr-defined]  # as if something had held the loop
        await asyncio.sleep(0.06)
    assert told == [pytest.approx(500, abs=60)]
    assert lag.worst_loop_ms == told[0]


async def test_lag_nobody_asked_for_is_kept_alone() -> None:
    loop = asyncio.get_running_loop()
    async with trading_mode() as lag:
        await asyncio.sleep(0.06)
        loop._virtual.now += 0.5  # type: ignore[attr-defined]
        await asyncio.sleep(0.06)
    assert lag.worst_loop_ms > 400


async def test_listener_that_fails_does_not_end_the_measurement(caplog: pytest.LogCaptureFixture) -> None:
    def fail(late_ms: float) -> None:
        raise ZeroDivisionError

    loop = asyncio.get_running_loop()
    async with trading_mode(on_lag=fail) as lag:
        for _ in range(2):
            await asyncio.sleep(0.06)
            loop._virtual.now += 0.5  # type: ignore[attr-defined]
            await asyncio.sleep(0.06)
    assert sum(late > 400 for late in lag.loop_ms) == 2
    assert caplog.text.count("on_lag failed") == 2


async def test_pauses_of_the_collector_are_measured() -> None:
    async with trading_mode() as lag:
        before = time.perf_counter()
        gc.collect()
        assert 0 < lag.worst_gc_ms <= (time.perf_counter() - before) * 1000
    count = len(lag.gc_pauses_ms)
    gc.collect()
    assert len(lag.gc_pauses_ms) == count  # not after its end


async def test_measurements_are_bounded() -> None:
    async with trading_mode() as lag:
        await asyncio.sleep(KEEP * 0.05 * 1.2)
        assert len(lag.loop_ms) == KEEP


async def test_client_that_cannot_be_warmed_leaves_everything_as_it_was() -> None:
    first, second = Client(), Client(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        async with trading_mode(first, second):
            pass
    assert (first.cooled, second.cooled) == (1, 0)
    assert "gridwire-lag" not in [task.get_name() for task in asyncio.all_tasks()]


async def test_leaving_what_was_never_entered_is_harmless() -> None:
    mode = TradingMode()
    gc.callbacks.append(mode._collected)  # as its entry does before its probe runs
    await mode.__aexit__(None, None, None)
    assert mode._collected not in gc.callbacks


def test_nothing_measured_is_no_lag() -> None:
    lag: Any = Lag()
    assert (lag.worst_loop_ms, lag.worst_gc_ms) == (0.0, 0.0)
