"""A sandbox with clients on it: what every acceptance test of EDSN Partners in Energie stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from gridwire.edsn_pie import Account, EdsnPie
from gridwire.edsn_pie.profile import Profile
from gridwire.observe.events import Event
from gridwire.sandbox import Sandbox
from gridwire.sandbox.edsn_pie import EdsnPieVenue

TICKET = "PIE-000001"
"""A ticket that is there from the start."""


class Ground:
    """A running sandbox. ``pie`` is the client of its default service account, ``events`` what all clients told."""

    def __init__(self, box: Sandbox, stack: AsyncExitStack) -> None:
        self.box = box
        self.venue: EdsnPieVenue = box.venue("edsn_pie")
        self.events: list[Event] = []
        self.pie: EdsnPie
        self._stack = stack

    def account(self, client: str = "pie-service-1", **changes: Any) -> Account:
        """A service account; ``changes`` are fields of the account or of its profile."""
        account = self.venue.account(client)
        own = {name: changes.pop(name) for name in list(changes) if name in Account.__dataclass_fields__}
        assert set(changes) <= set(Profile.__dataclass_fields__)
        return replace(account, profile=replace(account.profile, **changes), **own)

    async def client(self, account: str | Account = "pie-service-1", **options: Any) -> EdsnPie:
        """An open client, closed with the ground."""
        account = account if isinstance(account, Account) else self.account(account)
        return await self._stack.enter_async_context(EdsnPie(account, on_event=self.events.append, **options))

    def told(self, name: str) -> list[Event]:
        """The events of that name."""
        return [event for event in self.events if event.name == name]

    def statuses(self, operation: str) -> list[int | None]:
        """What the venue answered to each call of this operation."""
        return [call.status for call in self.venue.log.calls(operation)]


@asynccontextmanager
async def ground(*, tls: bool = False, **options: Any) -> AsyncIterator[Ground]:
    """Open a sandbox and, with ``options``, a client of its default service account."""
    async with AsyncExitStack() as stack:
        opened = Ground(await stack.enter_async_context(Sandbox("edsn_pie", tls=tls)), stack)
        opened.pie = await opened.client(**options)
        yield opened
