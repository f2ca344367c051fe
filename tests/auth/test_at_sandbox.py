"""The golden tests of the ticket service, against the sandbox's simulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from gridwire.auth.budget import LoginBudget
from gridwire.auth.errors import CasCredentialsError, CasLoginBudgetExceeded, CasThrottledError
from gridwire.auth.tickets import TicketManager
from gridwire.sandbox import Sandbox
from gridwire.sandbox.cas import Cas
from gridwire.transport.http import HttpTransport


class Client:
    def __init__(self, cas: Cas, tickets: TicketManager, service: str) -> None:
        self.cas, self.tickets, self.service = cas, tickets, service

    def count(self, kind: str) -> int:
        return sum(event.kind == kind for event in self.cas.log)


@asynccontextmanager
async def client(**options: Any) -> AsyncIterator[Client]:
    async with Sandbox("epias_stp") as box, HttpTransport() as http:
        account = box.epias_stp
        settings: dict[str, Any] = {
            "cas_url": account.profile.cas_url,
            "username": account.username,
            "password": account.password,
            "service": account.profile.service,
        } | options
        tickets = TicketManager(http.send, **settings)
        try:
            yield Client(box.venue("epias_stp").cas, tickets, account.profile.service)
        finally:
            await tickets.aclose()


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("body", ["asked", "text", "json", "xml", "html", "location"])
async def test_logs_in_whatever_form_the_ticket_comes_in(status: Literal[200, 201], body: Any) -> None:
    async with client() as c:
        c.cas.knobs.tgt_status = status
        c.cas.knobs.body = body
        assert (await c.tickets.take()).value.startswith("ST-")
        assert c.count("login") == 1


async def test_a_session_that_ends_after_eight_hours_is_renewed_in_the_middle_of_the_day() -> None:
    async with client() as c:
        c.cas.knobs.tgt_max_s = 8 * 3600.0
        for _ in range(30):
            await c.tickets.take()
            await asyncio.sleep(1200)
        assert (c.count("login"), c.count("service_ticket"), c.count("service_ticket_refused")) == (2, 30, 1)


async def test_every_ticket_is_valid_when_it_is_handed_out_also_after_ten_idle_minutes() -> None:
    async with client() as c:
        await c.tickets.arm()
        for pause in (0.0, 600.0, 3.0, 24.0, 0.5):
            await asyncio.sleep(pause)
            ready = c.tickets.pop_ready()
            assert ready is not None
            verdict = c.cas.validate(ready.value, c.service, asyncio.get_running_loop().time())
            assert verdict.ok
            assert verdict.age_s is not None
            assert verdict.age_s <= 25


@pytest.mark.parametrize("errors", ["4.x", "5+"])
async def test_a_bad_password_is_tried_once(errors: Literal["4.x", "5+"]) -> None:
    async with client(password=SecretStr("wrong")) as c:
        c.cas.knobs.errors = errors
        for _ in range(51):
            with pytest.raises(CasCredentialsError):
                await c.tickets.take()
        assert c.count("login_refused") == 1


async def test_a_client_that_asks_for_a_session_per_call_is_banned_and_ours_is_not() -> None:
    async def load(c: Client) -> None:
        c.cas.knobs.login_limit = 20
        for _ in range(60):
            with suppress(CasLoginBudgetExceeded):
                await c.tickets.logout()  # as if each call were a program of its own
                await c.tickets.take()
            await asyncio.sleep(30)

    async with client() as ours:
        await load(ours)
        assert (ours.count("banned"), ours.count("login")) == (0, 10)
    async with client(login_budget=LoginBudget(min_gap_s=0.0, per_hour=1000)) as careless:
        with pytest.raises(CasThrottledError):
            await load(careless)
        assert careless.count("banned") >= 1
