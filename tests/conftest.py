"""Fixtures of the whole suite: virtual time by default, real time where a module asks for it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
import pytest

from gridwire import clock
from gridwire.observe.redact import guard_loggers
from tests.support.leak_scan import LeakScan
from tests.support.virtual_loop import VirtualLoop

EPOCH = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
"""Wall time at second 0 of every virtual loop: 09:00 in Istanbul, an hour into gas day GG20261201."""


# A busy machine is no defect: how long examples take is not judged.
hypothesis.settings.register_profile("gridwire", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("gridwire")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing the suite prints or logs may hold a secret; the tests' own bare httpx clients are guarded like gridwire's."""
    guard_loggers()
    # A shell starts what it runs in the background with Ctrl-C ignored; the tests of Ctrl-C would wait for ever there.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(LeakScan(), "leak_scan")
    config.pluginmanager.import_plugin("tests.support.real_servers")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Async tests run on virtual time; a module that needs real time overrides this with ``real_time_backend``."""
    return ("asyncio", {"loop_factory": VirtualLoop})


@pytest.fixture(autouse=True)
def virtual_wall_clock() -> Iterator[None]:
    """While a virtual loop runs, wall time and boot time follow it."""

    def virtual_s() -> float | None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        return loop.time() if isinstance(loop, VirtualLoop) else None

    def read() -> datetime:
        seconds = virtual_s()
        return datetime.now(UTC) if seconds is None else EPOCH + timedelta(seconds=seconds)

    def read_boot_us() -> int:
        seconds = virtual_s()
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000 if seconds is None else round(seconds * 1_000_000)

    with clock.use(read, boot=read_boot_us):
        yield
