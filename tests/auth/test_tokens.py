"""One shared token, on virtual time."""

from __future__ import annotations

import asyncio
import math

import pytest

from gridwire.auth.tokens import Lease, TokenCache
from gridwire.errors import WrongLoop


class Provider:
    """Issues token 1, 2, 3 …, each after ``takes_s`` seconds, unless told to fail."""

    def __init__(self, *, takes_s: float = 1.0, usable_s: float = 100.0, fresh_s: float = math.inf) -> None:
        self.takes_s, self.usable_s, self.fresh_s = takes_s, usable_s, fresh_s
        self.begun = 0
        self.in_the_air = 0
        self.most_in_the_air = 0
        self.fail: Exception | None = None

    async def __call__(self) -> Lease[int]:
        self.begun += 1
        number, fail = self.begun, self.fail
        self.in_the_air += 1
        self.most_in_the_air = max(self.most_in_the_air, self.in_the_air)
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.in_the_air -= 1
        if fail is not None:
            raise fail
        return Lease(number, usable_s=self.usable_s, fresh_s=self.fresh_s)


async def settle() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_hundred_callers_share_one_fetch() -> None:
    provider = Provider()
    cache = TokenCache(provider)
    assert await asyncio.gather(*(cache.get() for _ in range(100))) == [1] * 100
    assert await cache.get() == 1
    assert provider.begun == 1


async def test_a_cancelled_caller_leaves_the_fetch_to_the_others() -> None:
    provider = Provider()
    cache = TokenCache(provider)
    first, second = asyncio.create_task(cache.get()), asyncio.create_task(cache.get())
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second == 1
    assert first.cancelled()
    assert provider.begun == 1


async def test_a_fetch_nobody_waits_for_any_more_is_kept() -> None:
    cache = TokenCache(Provider())
    only = asyncio.create_task(cache.get())
    await asyncio.sleep(0.5)
    only.cancel()
    await asyncio.sleep(1)
    assert cache.peek() == 1


async def test_a_failure_reaches_everyone_who_waited_and_is_not_remembered() -> None:
    provider = Provider()
    cache = TokenCache(provider)
    provider.fail = OSError("down")
    results = await asyncio.gather(*(cache.get() for _ in range(5)), return_exceptions=True)
    assert [str(result) for result in results] == ["down"] * 5
    assert provider.begun == 1
    provider.fail = None
    assert await cache.get() == 2


async def test_deadlines_count_from_before_the_fetch() -> None:
    provider = Provider(takes_s=30.0, usable_s=100.0)
    cache = TokenCache(provider)
    assert await cache.get() == 1
    await asyncio.sleep(69.9)
    assert (await cache.get(), cache.peek()) == (1, 1)
    await asyncio.sleep(0.2)
    assert cache.peek() is None
    assert await cache.get() == 2


async def test_a_token_that_is_short_lived_on_arrival_is_handed_out_once() -> None:
    provider = Provider(takes_s=5.0, usable_s=2.0)
    cache = TokenCache(provider)
    assert await cache.get() == 1
    assert cache.peek() is None
    assert await cache.get() == 2


async def test_between_the_thresholds_the_old_token_is_given_while_a_new_one_is_fetched() -> None:
    provider = Provider(usable_s=100.0, fresh_s=80.0)
    cache = TokenCache(provider)
    await cache.get()
    await asyncio.sleep(80)
    assert [await cache.get() for _ in range(3)] == [1, 1, 1]
    await asyncio.sleep(1.1)
    assert await cache.get() == 2
    assert provider.begun == 2


async def test_a_failed_background_fetch_disturbs_nobody_and_pauses() -> None:
    provider = Provider(usable_s=100.0, fresh_s=50.0)
    cache = TokenCache(provider, early_pause_s=30.0)
    await cache.get()
    await asyncio.sleep(50)
    provider.fail = OSError("down")
    for _ in range(20):
        assert await cache.get() == 1
        await asyncio.sleep(1)
    assert provider.begun == 2
    provider.fail = None
    await asyncio.sleep(15)
    assert await cache.get() == 1
    await asyncio.sleep(1.1)
    assert await cache.get() == 3


async def test_use_prolongs_the_current_token_only() -> None:
    cache = TokenCache(Provider(usable_s=100.0))
    token = await cache.get()
    loop = asyncio.get_running_loop()
    cache.touch(token, until=loop.time() + 500)
    cache.touch(token, until=loop.time() + 1)
    cache.touch(99, until=loop.time() + 5000)
    await asyncio.sleep(499)
    assert await cache.get() == token
    await asyncio.sleep(2)
    assert cache.peek() is None


async def test_invalidating_the_current_token_makes_the_next_caller_fetch() -> None:
    cache = TokenCache(Provider())
    token = await cache.get()
    assert cache.invalidate(token) is True
    assert cache.peek() is None
    assert await cache.get() == 2


async def test_invalidating_a_token_that_was_renewed_meanwhile_changes_nothing() -> None:
    cache = TokenCache(Provider())
    old = await cache.get()
    cache.invalidate(old)
    new = await cache.get()
    assert cache.invalidate(old) is False
    assert await cache.get() == new


async def test_five_refusals_of_one_token_cost_one_fetch() -> None:
    provider = Provider()
    cache = TokenCache(provider)
    token = await cache.get()

    async def refused() -> int:
        cache.invalidate(token)
        return await cache.get()

    assert await asyncio.gather(*(refused() for _ in range(5))) == [2] * 5
    assert (provider.begun, provider.most_in_the_air) == (2, 1)


async def test_a_late_fetch_cannot_bring_an_invalidated_token_back() -> None:
    provider = Provider(usable_s=100.0, fresh_s=50.0)
    cache = TokenCache(provider)
    token = await cache.get()
    await asyncio.sleep(60)
    await cache.get()  # starts the background fetch of token 2
    await settle()
    cache.invalidate(token)
    assert await cache.get() == 3  # the caller waited for fetch 2, which belongs to the old generation, and went on
    assert cache.peek() == 3
    assert provider.most_in_the_air == 1


async def test_a_failure_of_an_older_generation_is_not_the_new_callers_failure() -> None:
    provider = Provider()
    cache = TokenCache(provider)
    provider.fail = OSError("wrong password")
    early = asyncio.create_task(cache.get())
    await asyncio.sleep(0.5)
    provider.fail = None
    cache.reset()
    late = asyncio.create_task(cache.get())
    assert (await early, await late) == (2, 2)


async def test_closing_stops_the_fetch_and_tells_those_who_wait() -> None:
    provider = Provider()
    cache = TokenCache(provider)
    waiting = asyncio.create_task(cache.get())
    await asyncio.sleep(0.5)
    await cache.aclose()
    with pytest.raises(WrongLoop, match="closed"):
        await waiting
    with pytest.raises(WrongLoop, match="closed"):
        await cache.get()
    assert (provider.in_the_air, cache.peek()) == (0, None)


async def test_closing_an_idle_cache_is_quiet() -> None:
    cache = TokenCache(Provider())
    assert cache.peek() is None
    await cache.aclose()


async def test_a_fetch_that_cancels_itself_does_not_look_like_a_cancelled_caller() -> None:
    async def fetch() -> Lease[int]:
        raise asyncio.CancelledError

    with pytest.raises(WrongLoop, match="cancelled from outside"):
        await TokenCache(fetch).get()


def test_a_second_loop_is_refused() -> None:
    cache = TokenCache(Provider(takes_s=0.0))
    asyncio.run(cache.get())
    with pytest.raises(WrongLoop, match="another event loop"):
        asyncio.run(cache.get())


async def test_a_lease_does_not_show_its_token() -> None:
    assert "secret" not in repr(Lease("secret", usable_s=1.0))


async def test_a_renewal_leaves_the_old_token_in_use_until_the_new_one_is_here() -> None:
    provider = Provider()
    cache = TokenCache(provider)
    assert await cache.get() == 1
    renewing = [asyncio.create_task(cache.renew(1)) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert cache.peek() == await cache.get() == 1
    assert await asyncio.gather(*renewing) == [2, 2, 2]
    assert cache.peek() == await cache.renew(1) == 2, "somebody else has renewed it"
    assert provider.begun == 2


async def test_a_renewal_that_fails_leaves_the_old_token_and_is_not_repeated_at_once() -> None:
    provider = Provider()
    cache = TokenCache(provider, early_pause_s=30)
    assert await cache.get() == 1
    provider.fail = OSError("down")
    with pytest.raises(OSError, match="down"):
        await cache.renew(1)
    assert cache.peek() == await cache.get() == await cache.renew(1) == 1
    assert provider.begun == 2
    provider.fail = None
    await asyncio.sleep(31)
    assert await cache.renew(1) == 3


async def test_a_renewal_that_was_outdated_goes_round_again() -> None:
    provider = Provider()
    cache = TokenCache(provider)
    assert await cache.get() == 1
    renewing = asyncio.create_task(cache.renew(1))
    await asyncio.sleep(0.5)
    cache.reset()
    assert await renewing == 3


async def test_a_token_past_its_life_is_renewed_though_a_fetch_has_just_failed() -> None:
    provider = Provider(usable_s=10)
    cache = TokenCache(provider, early_pause_s=30)
    assert await cache.get() == 1
    provider.fail = OSError("down")
    with pytest.raises(OSError, match="down"):
        await cache.renew(1)
    provider.fail = None
    await asyncio.sleep(10)
    assert await cache.renew(1) == 3
