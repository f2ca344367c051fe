"""A sandbox with clients on it: what every acceptance test of EPİAŞ STP stands on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Literal, TypeAlias

from gridwire.epias_stp import Account, EpiasStp, match_change, payment
from gridwire.observe.events import Event
from gridwire.outcome import Accepted, OrderRef, Outcome
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue
from tests.conftest import EPOCH
from tests.support.planted import PASSWORD

Wire: TypeAlias = Literal["json", "xml"]

TODAY = "GG20261201"
"""A daily contract that is open at the tests' epoch."""

TOMORROW = "GG20261202"
BID: dict[str, Any] = {"direction": "BUY", "price": "12000.50", "quantity": 155}

WRITES = (
    "bid_save",
    "bid_update",
    "bid_cancel",
    "contract_save",
    "contract_conf_save",
    "contract_gate_update",
    "contract_gate_change_status",
    "match_change_status",
    "payment_order",
)


class Floor:
    """A running sandbox. ``stp`` is the client of its default participant, ``events`` what all clients told."""

    def __init__(self, box: Sandbox, stack: AsyncExitStack) -> None:
        self.box = box
        self.venue: EpiasStpVenue = box.venue("epias_stp")
        self.events: list[Event] = []
        self.stp: EpiasStp
        self._stack = stack

    def account(self, user: str = "TRADER1", **changes: Any) -> Account:
        """A user's account; ``changes`` are fields of the profile."""
        account = self.venue.account(user)
        return replace(account, profile=replace(account.profile, **changes))

    async def client(self, user: str | Account = "TRADER1", **options: Any) -> EpiasStp:
        """An open client, closed with the floor."""
        account = user if isinstance(user, Account) else self.account(user)
        return await self._stack.enter_async_context(EpiasStp(account, on_event=self.events.append, **options))

    def told(self, name: str) -> list[Event]:
        """The events of that name."""
        return [event for event in self.events if event.name == name]

    async def bid(self, stp: EpiasStp | None = None, contract: str = TODAY, **changes: Any) -> OrderRef:
        """An accepted bid, resting unless ``changes`` make it match."""
        order = accepted(await (stp or self.stp).bids.save(contract, **{**BID, **changes})).order
        assert order is not None
        return order


@asynccontextmanager
async def floor(*, user: str = "TRADER1", tls: bool = False, **options: Any) -> AsyncIterator[Floor]:
    """Open a sandbox and, with ``options``, a client of ``user``. All passwords are the planted one."""
    async with AsyncExitStack() as stack:
        box = await stack.enter_async_context(Sandbox("epias_stp", tls=tls))
        opened = Floor(box, stack)
        opened.venue.cas.passwords.update(dict.fromkeys(opened.venue.cas.passwords, PASSWORD))
        opened.stp = await opened.client(user, **options)
        yield opened


def accepted(outcome: Outcome) -> Accepted:
    """``outcome``, which must be an acceptance."""
    assert isinstance(outcome, Accepted), outcome
    return outcome


class Writes:
    """One call of each writing operation, with what it needs arranged at the venue and a client that may make it."""

    def __init__(self, floor: Floor, trader: EpiasStp, operator: EpiasStp, resting: OrderRef, match_id: str) -> None:
        self._floor = floor
        self._trader = trader
        self._operator = operator
        self.resting = resting
        self.match_id = match_id
        self._days = 0

    @classmethod
    async def arrange(cls, floor: Floor, **options: Any) -> Writes:
        """Clients for a trader and the operator, one resting bid and one match."""
        trader = await floor.client("TRADER1", **options)
        operator = await floor.client("OPERATOR1", **options)
        other = await floor.client("TRADER2")
        await floor.bid(trader, TOMORROW, direction="SELL", price="100", quantity=7)
        await floor.bid(other, TOMORROW, price="100", quantity=7)
        (match,) = await other.matches.of(TOMORROW)
        resting = await floor.bid(trader)
        assert match.match_id is not None
        return cls(floor, trader, operator, resting, match.match_id)

    def client(self, operation: str) -> EpiasStp:
        """Who makes the call."""
        return self._trader if operation.startswith("bid_") else self._operator

    async def call(self, operation: str, **more: Any) -> Outcome:
        """Make the call once."""
        make: Callable[..., Awaitable[Outcome]] = getattr(self, f"_{operation}")
        return await make(**more)

    async def _bid_save(self, **more: Any) -> Outcome:
        return await self._trader.bids.save(TODAY, **{**BID, **more})

    async def _bid_update(self, **more: Any) -> Outcome:
        return await self._trader.bids.update(self.resting, price="12001.25", quantity=100, **more)

    async def _bid_cancel(self, **more: Any) -> Outcome:
        return await self._trader.bids.cancel(self.resting, **more)

    async def _contract_save(self, **more: Any) -> Outcome:
        self._days += 1
        day = date(2026, 12, 20) + timedelta(days=self._days)
        return await self._operator.contracts.save(
            "STANDART", direction="BUY", quantity=10, gas_days=day, physical_point_ids=[101], **more
        )

    async def _contract_conf_save(self, **more: Any) -> Outcome:
        return await self._operator.contract_configuration.save(
            TODAY,
            dap_scope_date=EPOCH,
            dap_final_date=EPOCH + timedelta(days=1),
            grp_scope_date=EPOCH,
            grp_final_date=EPOCH + timedelta(days=1),
            market_ceiling_price="29000",
            **more,
        )

    def _gate_id(self) -> int:
        return self._floor.venue.market.contracts[TOMORROW].gate.id

    async def _contract_gate_update(self, **more: Any) -> Outcome:
        return await self._operator.contract_gates.update(self._gate_id(), end_date=EPOCH + timedelta(days=30), **more)

    async def _contract_gate_change_status(self, **more: Any) -> Outcome:
        return await self._operator.contract_gates.change_status(self._gate_id(), gate_status="CLOSED", **more)

    async def _match_change_status(self, **more: Any) -> Outcome:
        change = match_change(self.match_id, status="CANCELLED", description="entered by mistake")
        (outcome,) = await self._operator.matches.change_status([change], **more)
        return outcome

    async def _payment_order(self, **more: Any) -> Outcome:
        market = self._floor.venue.market
        paid = market.users["TRADER1"].organisation
        market.balances[paid.id] += 100  # what the order takes, in kuruş; without cover it is refused
        order = payment(1, eic=paid.eic, amount="1.00", request_time=EPOCH)
        (outcome,) = await self._operator.payments.order([order], **more)
        return outcome


async def until(true: Callable[[], bool]) -> None:
    """Wait, in steps of a (virtual) millisecond and not longer than a minute, until something has happened elsewhere."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - what is waited for is the venue's log, which sets no event
            await asyncio.sleep(0.001)
