"""The mode for the hours in which milliseconds count. Real time: it measures it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gridwire.orders import trading_mode as module
from gridwire.orders.trading_mode import GENERATION_THRESHOLDS, KEEP, Lag, TradingMode, trading_mode


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return ("asyncio", {})


@pytest.fixture(autouse=True)
def collector_as_it_was() -> Iterator[None]:
    thresholds, callbacks = gc.get_threshold(), list(gc.callbacks)
    yield
    assert gc.get_threshold() == thresholds
    assert gc.callbacks == callbacks
    assert gc.get_freeze_count() == 0


class Client:
    def __init__(self, error: Exception | None = None) -> None:
        self.warm = 0
        self._error = error

    async def warm_up(self) -> None:
        self.warm += 1
        if self._error is not None:
            raise self._error


async def test_clients_are_warm_and_the_collector_is_out_of_the_way_while_it_is_on() -> None:
    one, two = Client(), Client()
    async with trading_mode(one, two):
        assert (one.warm, two.warm) == (1, 1)
        assert gc.get_threshold() == GENERATION_THRESHOLDS
        assert gc.get_freeze_count() > 1000
        assert gc.isenabled()


async def test_the_callers_own_thresholds_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = gc.get_threshold()
    gc.set_threshold(123, 4, 5)
    try:
        async with trading_mode():
            pass
        assert gc.get_threshold() == (123, 4, 5)
    finally:
        gc.set_threshold(*before)


async def test_all_is_undone_also_after_an_error_inside() -> None:
    with pytest.raises(RuntimeError, match="mine"):
        async with trading_mode():
            raise RuntimeError("mine")
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "gridwire-lag"] == []


async def test_nothing_is_changed_if_a_client_cannot_be_warmed() -> None:
    with pytest.raises(RuntimeError, match="no login"):
        async with trading_mode(Client(RuntimeError("no login"))):
            raise AssertionError("entered")


async def test_a_blocked_loop_is_measured_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_EVERY_S", 0.005)
    told: list[float] = []
    async with trading_mode(on_lag=told.append, report_over_ms=10.0) as lag:
        await asyncio.sleep(0.02)
        time.sleep(0.04)  # noqa: ASYNC251 - what a user's own code should not do
        await asyncio.sleep(0.02)
    assert lag.worst_loop_ms > 20.0
    assert max(told) == lag.worst_loop_ms
    assert min(told) > 10.0


async def test_who_is_told_and_fails_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PROBE_EVERY_S", 0.001)

    def fail(late_ms: float) -> None:
        raise RuntimeError("mine")

    async with trading_mode(on_lag=fail, report_over_ms=-1.0) as lag:
        await asyncio.sleep(0.02)
    assert len(lag.loop_ms) > 1
    assert "mine" in caplog.text


async def test_lag_is_measured_without_anybody_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_EVERY_S", 0.001)
    async with trading_mode(report_over_ms=0.0) as lag:
        await asyncio.sleep(0.01)
    assert lag.loop_ms
    assert all(late >= 0.0 for late in lag.loop_ms)


async def test_pauses_of_the_collector_are_measured() -> None:
    async with trading_mode() as lag:
        assert lag.gc_pauses_ms == []
        assert lag.worst_gc_ms == 0.0
        assert lag.worst_loop_ms == 0.0
        gc.collect()
        assert len(lag.gc_pauses_ms) == 1
        assert 0.0 < lag.worst_gc_ms < 1000.0
    gc.collect()
    assert len(lag.gc_pauses_ms) == 1


def test_the_last_thousand_measurements_are_kept() -> None:
    lag = Lag()
    for n in range(KEEP + 5):
        TradingMode._note(lag.loop_ms, float(n))
    assert len(lag.loop_ms) == KEEP
    assert lag.loop_ms[0] == 5.0
    assert lag.worst_loop_ms == KEEP + 4.0
