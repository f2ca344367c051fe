"""A ticket manager over real HTTP at the test's ticket service."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from gridwire.auth.tickets import TicketManager
from gridwire.observe.events import Event
from gridwire.transport.http import HttpTransport
from tests.auth.support.cas_server import PASSWORD, SERVICE, USER, CasServer


class Desk:
    def __init__(self, cas: CasServer, tickets: TicketManager, events: list[Event]) -> None:
        self.cas, self.tickets, self.events = cas, tickets, events

    def told(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]


@asynccontextmanager
async def desk_at(cas: CasServer, *, password: str = PASSWORD, **options: Any) -> AsyncIterator[Desk]:
    events: list[Event] = []
    async with HttpTransport() as http:
        settings: dict[str, Any] = {
            "cas_url": cas.url,
            "username": USER,
            "password": SecretStr(password),
            "service": SERVICE,
            "on_event": events.append,
            "rng": random.Random(7),
        } | options
        tickets = TicketManager(http.send, **settings)
        try:
            yield Desk(cas, tickets, events)
        finally:
            await tickets.aclose()


@asynccontextmanager
async def desk(**options: Any) -> AsyncIterator[Desk]:
    async with CasServer() as cas, desk_at(cas, **options) as opened:
        yield opened
