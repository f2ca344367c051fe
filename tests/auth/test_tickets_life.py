"""tickets.py from one end of its life to the other: what keeps a session, what ends it, and what waits for that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from gridwire.auth.errors import CasProtocolError
from gridwire.auth.tickets import LOGOUT_WAIT_S, RHYTHM_S, TicketManager
from gridwire.errors import InvalidInput
from gridwire.transport.exchange import Request, Response
from tests.auth.support.cas_server import PASSWORD, SERVICE, USER, answer
from tests.auth.support.desk import desk


async def nowhere(_: Request) -> Response:
    raise AssertionError("nothing may be sent")


@pytest.mark.parametrize(("margin_s", "fits"), [(0.0, True), (2699.0, True), (2700.0, False), (-1.0, False)])
def test_the_margin_of_a_session_is_from_nothing_to_its_life(margin_s: float, fits: bool) -> None:
    options: dict[str, Any] = {"cas_url": "https://cas.example/cas/v1", "username": USER, "service": SERVICE}
    options |= {"password": SecretStr(PASSWORD), "tgt_idle_s": 2700.0, "tgt_margin_s": margin_s}
    if fits:
        assert TicketManager(nowhere, **options).usable_s == 25.0
    else:
        with pytest.raises(InvalidInput, match="more than tgt_margin_s"):
            TicketManager(nowhere, **options)


@pytest.mark.parametrize(("idle_s", "logins"), [(2400.0 + RHYTHM_S / 2, 1), (2400.0 + RHYTHM_S * 1.5, 2)])
async def test_an_idle_session_is_used_up_to_its_margin_and_a_beat(idle_s: float, logins: int) -> None:
    async with desk(tgt_idle_s=2700.0, tgt_margin_s=300.0) as d:
        await d.tickets.take()
        await asyncio.sleep(idle_s)
        await d.tickets.take()
        assert d.cas.logins == logins


async def test_a_desk_s_own_rate_bounds_the_replacements() -> None:
    async with desk() as d:
        await d.tickets.arm(replacements_per_s=1)
        await asyncio.sleep(90)
        before = d.cas.count("ticket")
        for _ in range(10):
            d.tickets.pop_ready()
            await asyncio.sleep(0.1)
        assert d.cas.count("ticket") - before <= 2


async def test_an_unused_pool_asks_nothing_when_an_order_did_not_come_from_it() -> None:
    async with desk() as d:
        await d.tickets.take()
        assert d.tickets.pop_ready() is None
        await asyncio.sleep(60)
        assert d.cas.count("ticket") == 1


async def test_a_lowered_life_is_told_once_with_its_figures() -> None:
    async with desk() as d:
        d.tickets.report_rejected(3.0)  # too young to have been too old
        assert d.told("ticket.ttl_lowered") == []
        d.tickets.report_rejected(17.0)
        (told,) = d.told("ticket.ttl_lowered")
        assert told.fields == {"ttl_s": 15.0}
        assert "17.0 s" in told.text
        assert "live 15 s and are dropped at 10 s" in told.text


async def test_a_refused_ticket_of_an_armed_pool_has_the_others_replaced_at_once() -> None:
    async with desk() as d:
        await d.tickets.arm()
        await asyncio.sleep(90)
        spent = d.tickets.pop_ready()
        assert spent is not None
        asked = d.cas.count("ticket")
        d.tickets.report_rejected(1.0)
        assert d.tickets.stats().pooled == 0
        await asyncio.sleep(0.2)
        assert d.cas.count("ticket") > asked
        assert d.tickets.stats().pooled >= 1


async def test_disarming_returns_when_the_pool_s_task_has_ended() -> None:
    async with desk() as d:
        await d.tickets.arm()
        await asyncio.sleep(1)
        task = d.tickets._refill
        assert task is not None
        await d.tickets.disarm()
        assert task.done()


class TestLogout:
    async def test_tickets_of_the_session_are_not_handed_out_any_more(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(1)
            await d.tickets.logout()
            assert (d.tickets.stats().pooled, d.tickets.stats().armed) == (0, False)
            assert d.tickets.pop_ready() is None
            assert d.cas.calls[-1][1] == "logout"

    async def test_who_asks_meanwhile_waits_and_is_served_by_the_next_session(self) -> None:
        async with desk() as d:
            await d.tickets.take()
            await asyncio.sleep(61)
            d.cas.latency_s = 5.0
            first = asyncio.create_task(d.tickets.take())
            await asyncio.sleep(1)
            leaving = asyncio.create_task(d.tickets.logout())
            await asyncio.sleep(1)
            second = asyncio.create_task(d.tickets.take())
            await leaving
            assert first.done(), "what was under way ended before the session did"
            await second
            kinds = [kind for _, kind in d.cas.calls]
            assert kinds[-3:] == ["logout", "login", "ticket"]

    async def test_a_request_that_never_ends_does_not_keep_it_for_ever(self) -> None:
        async def silent(_: web.Request) -> web.StreamResponse:
            await asyncio.sleep(3600)
            return web.Response()

        async with desk() as d:
            await d.tickets.take()
            d.cas.ticket_faults.append(silent)
            hanging = asyncio.create_task(d.tickets.take())
            await asyncio.sleep(0.5)
            began = asyncio.get_running_loop().time()
            await d.tickets.logout()
            assert asyncio.get_running_loop().time() - began <= LOGOUT_WAIT_S + 1
            hanging.cancel()
            await asyncio.wait([hanging])


async def test_a_session_that_cas_forgets_at_once_is_an_error_and_no_ticket() -> None:
    async with desk() as d:
        await d.tickets.take()
        await asyncio.sleep(61)
        gone = answer(404, "TGT-1 could not be found or is considered invalid")
        d.cas.ticket_faults.extend([gone, gone])
        with pytest.raises(CasProtocolError, match="at once did not know it any more"):
            await d.tickets.take()
        assert d.cas.logins == 2


async def test_pauses_of_a_failing_pool_grow() -> None:
    async with desk() as d:
        await d.tickets.arm()
        await asyncio.sleep(1)
        d.cas.ticket_faults.extend([answer(503)] * 12)
        await asyncio.sleep(600)
        pauses = [event.fields["pause_s"] for event in d.told("ticket.pool_failed")]
        assert len(pauses) >= 4
        assert pauses[0] <= 2.0
        assert all(pause <= 2.0**number for number, pause in enumerate(pauses, 1))
        assert max(pauses) > 4.0
