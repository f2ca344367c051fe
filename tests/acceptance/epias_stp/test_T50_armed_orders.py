"""T50: with an armed desk nothing is asked of the ticket service between the decision and the bytes of the order."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest

from gridwire.epias_stp import BidType, Limits
from gridwire.outcome import Accepted
from gridwire.transport.lanes import Lanes
from tests.acceptance.epias_stp.desks import CONTRACT, armed, quiet

RATE = 20
MINUTES = 2 if sys.gettrace() is not None else 10  # tracing makes ten of them last for minutes; tools/check.py runs all


async def test_T50_no_cas_call_between_decision_and_send_of_an_armed_desk() -> None:
    async with armed() as (venue, _, desk):
        for _ in range(50):
            before = len(venue.cas.log)
            outcome = await desk.buy(CONTRACT, price="12000.50", quantity=1)
            assert isinstance(outcome, Accepted)
            # What the ticket service saw first is STP's question whether the order's ticket is good.
            assert venue.cas.log[before].kind == "validated"
            await asyncio.sleep(0.2)
        assert desk.timings.waited() == 0


async def test_T50_twenty_orders_a_second_for_ten_minutes(record_property: Callable[[str, object], None]) -> None:
    """CAS takes 30 ms for an answer and STP 5 ms; at most one order in a thousand may have to wait for a ticket."""
    with quiet():
        async with armed(Limits(orders_per_second=RATE + 5)) as (venue, _, desk):
            venue.cas_faults.add("slow_answer", operation="service_ticket", times=None, seconds=0.03, chunk=1000)
            venue.knobs.latency_s = 0.005
            loop, waited = asyncio.get_running_loop(), 0
            start = loop.time()
            for number in range(RATE * 60 * MINUTES):
                await asyncio.sleep(start + number / RATE - loop.time())
                before = len(venue.cas.log)
                outcome = await desk.buy(
                    CONTRACT, price="12000.50", quantity=1, bid_type=BidType.MATCH_AND_DESTROY_REST
                )
                assert isinstance(outcome, Accepted)
                waited += venue.cas.log[before].kind != "validated"
            assert loop.time() - start == pytest.approx(60 * MINUTES, abs=1)
            orders = RATE * 60 * MINUTES
            assert len(venue.log.executed("bid_save")) == orders
            assert waited <= orders / 1000
            assert desk.timings.waited() == waited
            ages = [call.ticket_age_s or 0.0 for call in venue.log.calls("bid_save")]
            assert max(ages) <= 25
            assert venue.log.tickets_presented_twice() == []
            overheads = sorted(order.to_wire_ns for order in desk.timings.orders())
            p50_us = overheads[len(overheads) // 2] / 1000
            record_property("client_overhead_p50_us", p50_us)
            record_property("orders_that_waited_for_a_ticket", waited)
            assert p50_us < 2000  # some tens are usual; this is a shared machine


async def test_T50_ticket_is_fresh_after_ten_minutes_of_rest() -> None:
    with quiet():
        async with armed() as (venue, _, desk):
            for _ in range(3):
                await asyncio.sleep(600)
                before = len(venue.cas.log)
                assert isinstance(await desk.buy(CONTRACT, price="12000.50", quantity=1), Accepted)
                assert venue.cas.log[before].kind == "validated"
            assert max(call.ticket_age_s or 0.0 for call in venue.log.calls("bid_save")) <= 25


async def test_T50_ticket_is_never_over_25_s_old_however_orders_come() -> None:
    rng = random.Random(50)
    with quiet():
        async with armed() as (venue, _, desk):
            for _ in range(400):
                await asyncio.sleep(rng.choice((0.0, 0.3, 5.0, 24.0, rng.uniform(0, 90))))
                await desk.buy(CONTRACT, price="12000.50", quantity=1)
            calls = venue.log.calls("bid_save")
            assert len(calls) > 350  # the guard refuses what is over ten a second
            assert all(call.ticket_problem == "" for call in calls)
            assert max(call.ticket_age_s or 0.0 for call in calls) <= 25


@pytest.mark.parametrize("slow_s", [4.0, 4.9])
async def test_T50_ticket_does_not_age_while_a_connection_is_opened(slow_s: float) -> None:
    """The connection is opened first, and the ticket taken when it stands."""
    async with armed() as (venue, _, desk):
        lanes = desk._orders_over
        assert isinstance(lanes, Lanes)
        loop = asyncio.get_running_loop()
        create = loop.create_connection

        async def slowly(*args: Any, **more: Any) -> Any:
            await asyncio.sleep(slow_s)
            return await create(*args, **more)

        loop.create_connection = slowly  # type: ignore[method-assign]
        for pause_s in (0.0, 17.0, 19.0, 20.9):
            await asyncio.sleep(pause_s)
            for lane in list(lanes._all):
                lane.retire()
            assert isinstance(await desk.buy(CONTRACT, price="12000.50", quantity=1), Accepted)
        assert max(call.ticket_age_s or 0.0 for call in venue.log.calls("bid_save")) <= 25


@pytest.mark.parametrize("idle_s", [60.0, 61.3, 600.0, 3601.7])
async def test_T50_order_after_rest_needs_no_handshake(idle_s: float) -> None:
    with quiet():
        async with armed() as (_, _, desk):
            lanes = desk._orders_over
            assert isinstance(lanes, Lanes)
            await asyncio.sleep(idle_s)
            assert lanes.ready()
            before, connections = lanes.handshakes, set(lanes._all)
            outcome = await desk.buy(CONTRACT, price="12000.50", quantity=1)
            assert isinstance(outcome, Accepted)
            assert connections & {lane for lane in lanes._all if lane.used}  # it went over one that stood
            if idle_s % 12:
                assert lanes.handshakes == before
            assert desk.timings.waited() == 0
            assert lanes.found_closed == 0
