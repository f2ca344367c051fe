"""epias_stp/calls.py: how long and how often a call is tried, beside what the acceptance tests show."""

from __future__ import annotations

import asyncio

import pytest

from gridwire.auth.errors import CasProtocolError
from gridwire.epias_stp.calls import FINISH_S, READ_DEADLINE_S, WRITE_DEADLINE_S
from gridwire.epias_stp.errors import StpRateLimited
from gridwire.errors import NoAnswer
from gridwire.outcome import Rejected
from tests.acceptance.epias_stp.floor import BID, TODAY, floor, until


async def test_reads_of_a_venue_that_is_down_do_not_hammer_it() -> None:
    async with floor() as f:
        f.venue.faults.add("drop_before_execute", times=None)
        for _ in range(40):
            with pytest.raises(NoAnswer):
                await f.stp.contracts.standard()
        assert len(f.venue.log) == 40 + 20, "the client's quota of retries is used up"
        f.venue.faults.clear()
        await f.stp.contracts.standard()
        f.venue.faults.add("drop_before_execute")
        await f.stp.contracts.standard()


async def test_read_that_is_limited_for_too_long_is_given_up_in_time() -> None:
    async with floor() as f:
        loop = asyncio.get_running_loop()
        f.venue.faults.add("status", status=429, retry_after="100", times=None)
        before = loop.time()
        with pytest.raises(StpRateLimited) as caught:
            await f.stp.contracts.standard()
        assert caught.value.retry_after_s == 100
        assert loop.time() - before <= READ_DEADLINE_S
        assert len(f.venue.log) == 2


async def test_write_stops_connecting_at_its_deadline() -> None:
    async with floor() as f:
        loop = asyncio.get_running_loop()
        stp = await f.client(f.account(stp_url="http://127.0.0.1:59997"))
        before = loop.time()
        outcome = await stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Rejected)
        assert loop.time() - before <= WRITE_DEADLINE_S
        assert outcome.intent is not None
        assert outcome.intent.attempts == 1


async def test_ticket_service_that_says_no_is_not_asked_again_for_the_same_call() -> None:
    async with floor() as f:
        f.venue.cas_faults.add("html", operation="service_ticket", times=None)
        with pytest.raises(CasProtocolError):
            await f.stp.contracts.standard()
        assert f.venue.cas.count("login") == 1
        assert len(f.venue.log) == 0


async def test_logging_out_waits_for_a_hanging_call_only_so_long() -> None:
    async with floor(timeout=120.0) as f:
        loop = asyncio.get_running_loop()
        f.venue.faults.add("silence_before_execute")
        bid = asyncio.create_task(f.stp.bids.save(TODAY, **BID))
        await until(lambda: len(f.venue.log) == 1)
        before = loop.time()
        await f.stp.logout()
        assert loop.time() - before == pytest.approx(FINISH_S, abs=0.1)
        assert f.venue.cas.count("logout") == 1
        assert not bid.done()
        bid.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bid
        assert [outcome.cause for outcome in f.stp.unknown()] == ["cancelled"]


async def test_retries_are_told_with_their_pause() -> None:
    async with floor() as f:
        f.venue.faults.add("status", status=429, retry_after="30")
        await f.stp.contracts.standard()
        (event,) = f.told("call.retried")
        assert event.text.startswith("activecontracts_standart is tried again in 30.0 s: STP received too many calls")
        assert event.fields == {"operation": "activecontracts_standart"}
