"""T51: keeping tickets ready never asks the ticket service more often than allowed, and ends with the desk."""

from __future__ import annotations

import asyncio
import random

import pytest

from gridwire.epias_stp import Limits
from gridwire.outcome import Accepted, Rejected
from tests.acceptance.epias_stp.desks import CONTRACT, armed, cas_calls, most_in, quiet

CALLS_PER_MINUTE = 6


async def test_T51_at_rest_all_cas_calls_together_stay_within_the_rate() -> None:
    with quiet():
        async with armed() as (venue, _, _desk):
            await asyncio.sleep(2 * 3600)  # the session's idle life is over more than twice
            calls = cas_calls(venue)
            assert most_in(calls, 60.0) <= CALLS_PER_MINUTE
            assert len(calls) > 2 * 60 * 4  # and it did keep tickets ready
            assert venue.cas.count("login") == 1


@pytest.mark.parametrize("rate", [1, 3, 10])
async def test_T51_spent_tickets_are_replaced_no_faster_than_orders_may_go(rate: int) -> None:
    rng = random.Random(rate)
    with quiet():
        async with armed(Limits(orders_per_second=rate)) as (venue, _, desk):
            sent = refused = 0
            for _ in range(600):
                await asyncio.sleep(rng.choice((0.0, 0.0, 0.02, 0.5, 3.0)))
                outcome = await desk.buy(CONTRACT, price="12000.50", quantity=1)
                sent += isinstance(outcome, Accepted)
                refused += isinstance(outcome, Rejected) and outcome.code == "orders_per_second"
            assert sent + refused == 600
            assert sent > 100
            calls = cas_calls(venue)
            # An order that finds no ticket ready asks for its own: at most as many again.
            assert most_in(calls, 1.0) <= 2 * rate + CALLS_PER_MINUTE
            assert len(calls) <= sent + len(calls) // 60 * CALLS_PER_MINUTE + 40 * CALLS_PER_MINUTE
            assert venue.cas.count("login") == 1


async def test_T51_closing_the_desk_stops_it() -> None:
    with quiet():
        async with armed() as (venue, stp, desk):
            await asyncio.sleep(60)
            await desk.buy(CONTRACT, price="12000.50", quantity=1)
            await desk.__aexit__(None, None, None)
            before = len(cas_calls(venue))
            await asyncio.sleep(3600)
            assert len(cas_calls(venue)) == before
            assert not stp.ticket_stats().armed
            await desk.__aenter__()  # and it can be opened again
            assert stp.ticket_stats().armed


async def test_T51_outage_of_cas_is_not_answered_with_more_calls() -> None:
    with quiet():
        async with armed() as (venue, _, desk):
            await asyncio.sleep(120)
            venue.cas_faults.add("status", status=503, times=None)
            loop, down = asyncio.get_running_loop(), len(cas_calls(venue))
            await asyncio.sleep(600)
            assert len(cas_calls(venue)) == down  # none was answered
            venue.cas_faults.clear()
            back = loop.time()
            await asyncio.sleep(120)
            assert isinstance(await desk.buy(CONTRACT, price="12000.50", quantity=1), Accepted)
            assert most_in([at for at in cas_calls(venue) if at >= back], 60.0) <= CALLS_PER_MINUTE + 1
