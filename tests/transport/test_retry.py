"""transport/retry.py: bounded by count, deadline and quota, with pauses that were asked for or jittered."""

from __future__ import annotations

import asyncio

import pytest

from gridwire.transport.retry import LONGEST_PAUSE_S, Again, RetryQuota, retrying


class _Attempts:
    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


async def test_success_needs_one_attempt() -> None:
    attempts = _Attempts()
    assert await retrying(attempts, rule=lambda _: Again(3), deadline_s=60, quota=RetryQuota()) == "done"
    assert attempts.count == 1


async def test_as_many_retries_as_the_rule_allows_then_the_error_itself() -> None:
    attempts = _Attempts(*[OSError(str(i)) for i in range(9)])
    with pytest.raises(OSError, match="2"):
        await retrying(attempts, rule=lambda _: Again(2), deadline_s=60, quota=RetryQuota())
    assert attempts.count == 3


async def test_no_permission_means_no_retry() -> None:
    attempts = _Attempts(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await retrying(attempts, rule=lambda _: None, deadline_s=60, quota=RetryQuota())
    assert attempts.count == 1


async def test_asked_pause_is_kept_and_told() -> None:
    told: list[float] = []
    loop = asyncio.get_running_loop()
    before = loop.time()
    await retrying(
        _Attempts(OSError()),
        rule=lambda _: Again(2, 17.0),
        deadline_s=60,
        quota=RetryQuota(),
        on_retry=lambda error, pause_s: told.append(pause_s),
    )
    assert loop.time() - before == pytest.approx(17)
    assert told == [17.0]


async def test_pauses_without_a_wish_stay_under_the_longest() -> None:
    told: list[float] = []
    await retrying(
        _Attempts(*[OSError() for _ in range(8)]),
        rule=lambda _: Again(8),
        deadline_s=600,
        quota=RetryQuota(),
        on_retry=lambda error, pause_s: told.append(pause_s),
    )
    assert len(told) == 8
    assert max(told) <= LONGEST_PAUSE_S


async def test_no_pause_begins_that_would_end_after_the_deadline() -> None:
    attempts = _Attempts(OSError("first"), OSError("second"))
    with pytest.raises(OSError, match="second"):
        await retrying(attempts, rule=lambda _: Again(5, 40.0), deadline_s=60, quota=RetryQuota())
    assert attempts.count == 2


async def test_quota_stops_retries_and_successes_refill_it() -> None:
    quota = RetryQuota(capacity=1)
    with pytest.raises(OSError, match="b"):
        await retrying(_Attempts(OSError("a"), OSError("b")), rule=lambda _: Again(5), deadline_s=60, quota=quota)
    assert not quota.take()
    await retrying(_Attempts(), rule=lambda _: Again(5), deadline_s=60, quota=quota)
    assert quota.take()
    assert not quota.take()
