"""What becomes of an order when anything between us and the venue fails, at every byte.

For every case: the venue sees an order at most once, nothing it executed is called `Rejected`, nothing it did not execute
is called `Accepted`, and the journal holds exactly one row of each intent, which says what the caller was told. Orders go
through a proxy that fails after an exact number of bytes; with TLS these are bytes of ciphertext.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

from gridwire.epias_stp import EpiasStp, Limits
from gridwire.epias_stp.desk import StpDesk
from gridwire.intents.journal import read
from gridwire.outcome import Accepted, OrderRef, Outcome, Rejected, Unknown
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue
from gridwire.sandbox.faults import Kind as FaultKind
from tests.support.fault_proxy import Act, Direction, Fault, FaultProxy, fault_proxy

CONTRACT = "GG20261202"
Transport = Literal["lane", "httpx"]
Kind = Literal["save", "update", "cancel"]


class Matrix:
    """A desk behind a proxy, and what it was told."""

    def __init__(self, venue: EpiasStpVenue, proxy: FaultProxy, stp: EpiasStp, desk: StpDesk, journal: Path) -> None:
        self.venue = venue
        self.proxy = proxy
        self.stp = stp
        self.desk = desk
        self.journal = journal
        self.told: dict[str, Outcome] = {}

    async def settle(self) -> None:
        """Let lanes and tickets be ready again."""
        await asyncio.sleep(1.0)

    async def order(self, kind: Kind = "save", bid: OrderRef | None = None) -> Outcome:
        if kind == "save":
            outcome = await self.desk.buy(CONTRACT, price="12000.50", quantity=7)
        elif kind == "update":
            assert bid is not None
            outcome = await self.desk.modify(bid, price="12000.50", quantity=9)
        else:
            assert bid is not None
            outcome = await self.desk.cancel(bid)
        intent = outcome.intent
        assert intent is not None
        assert intent.key not in self.told
        self.told[intent.key] = outcome
        return outcome

    async def bid(self) -> OrderRef:
        """A bid to change or cancel."""
        outcome = await self.order()
        assert isinstance(outcome, Accepted)
        assert outcome.order is not None
        return outcome.order

    def executed(self, outcome: Outcome) -> bool:
        assert outcome.intent is not None
        return any(call.transaction_id == outcome.intent.key for call in self.venue.log.executed())

    async def check(self) -> None:
        """The invariants, over everything that happened so far."""
        await asyncio.sleep(0.1)
        seen, executed = Counter[str](), Counter[str]()
        for call in self.venue.log:
            if call.operation.startswith("bid_") and call.transaction_id is not None:
                seen[call.transaction_id] += 1
                executed[call.transaction_id] += call.executed
        assert max(seen.values(), default=0) <= 1
        assert self.venue.log.tickets_presented_twice() == []
        reading = read(self.journal)
        assert reading.damaged == 0
        assert set(seen) <= set(reading.rows)
        for row in reading.rows.values():
            assert row.attempts == 1
            if executed[row.key]:
                assert row.state in ("accepted", "done", "closed", "unknown"), row
            else:
                assert row.state in ("rejected", "unknown"), row
        for key, outcome in self.told.items():
            if isinstance(outcome, Accepted):
                assert executed[key] == 1
                assert reading.rows[key].state in ("accepted", "done", "closed")
            elif isinstance(outcome, Rejected):
                assert executed[key] == 0
                assert key not in reading.rows or reading.rows[key].state == "rejected"
            else:
                assert reading.rows[key].state == "unknown"


@asynccontextmanager
async def matrix(path: Path, *, tls: bool, transport: Transport = "lane") -> AsyncIterator[Matrix]:
    async with Sandbox("epias_stp", tls=tls) as box:
        venue, account = box.venue("epias_stp"), box.epias_stp
        port = urlsplit(account.profile.stp_url).port
        assert port is not None
        async with fault_proxy(port) as proxy:
            url = account.profile.stp_url.replace(str(port), str(proxy.port))
            behind = replace(account, profile=replace(account.profile, stp_url=url))
            limits = Limits(orders_per_second=1000)
            async with (
                EpiasStp(behind, journal=path) as stp,
                stp.desk(contracts=[CONTRACT], limits=limits, order_transport=transport) as desk,
            ):
                made = Matrix(venue, proxy, stp, desk, path)
                await made.settle()
                yield made
                proxy.disarm()
                await made.check()


PLAIN_AND_TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
BOTH = pytest.mark.parametrize("transport", ["lane", "httpx"])


async def walk(
    made: Matrix, direction: Direction, act: Act, expected: Callable[[Fault, Outcome], None], *, kind: Kind, step: int
) -> int:
    """Let order after order fail ``step`` bytes later, until one passes undisturbed; how many failed."""
    failed = 0
    while True:
        bid = await made.bid() if kind != "save" else None
        fault = made.proxy.arm(direction, after=failed * step, act=act)
        outcome = await made.order(kind, bid)
        made.proxy.disarm()
        if not fault.struck:
            assert isinstance(outcome, Accepted)
            return failed
        expected(fault, outcome)
        failed += 1
        await made.settle()


def cut_in_the_request(made: Matrix) -> Callable[[Fault, Outcome], None]:
    def judge(fault: Fault, outcome: Outcome) -> None:
        assert isinstance(outcome, Unknown)
        assert made.executed(outcome) == (fault.after >= fault.up)

    return judge


def cut_in_the_answer(made: Matrix) -> Callable[[Fault, Outcome], None]:
    def judge(fault: Fault, outcome: Outcome) -> None:
        assert isinstance(outcome, Accepted if fault.after >= fault.down else Unknown)
        assert made.executed(outcome)

    return judge


@PLAIN_AND_TLS
async def test_connection_cut_after_every_byte_of_the_request(tls: bool, tmp_path: Path) -> None:
    """Before the first, after each, and after the last one; a TCP reset is told apart on real sockets only."""
    async with matrix(tmp_path, tls=tls) as made:
        assert await walk(made, "up", "close", cut_in_the_request(made), kind="save", step=1) > 500


@PLAIN_AND_TLS
async def test_connection_cut_after_every_byte_of_the_answer(tls: bool, tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=tls) as made:
        assert await walk(made, "down", "close", cut_in_the_answer(made), kind="save", step=1) > 250


@PLAIN_AND_TLS
@pytest.mark.parametrize("kind", ["update", "cancel"])
async def test_changes_and_cancellations_cut_on_their_way(tls: bool, kind: Kind, tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=tls) as made:
        assert await walk(made, "up", "close", cut_in_the_request(made), kind=kind, step=23) > 10
        assert await walk(made, "down", "close", cut_in_the_answer(made), kind=kind, step=23) > 10


@PLAIN_AND_TLS
async def test_silence_after_any_byte_ends_as_unknown(tls: bool, tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=tls) as made:
        assert await walk(made, "up", "stall", cut_in_the_request(made), kind="save", step=19) > 20

        def judge(fault: Fault, outcome: Outcome) -> None:
            assert made.executed(outcome)
            assert isinstance(outcome, Accepted if fault.after >= fault.down else Unknown)

        assert await walk(made, "down", "stall", judge, kind="save", step=19) > 10


async def test_ciphertext_changed_at_any_byte_is_never_an_answer(tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=True) as made:

        def judge(fault: Fault, outcome: Outcome) -> None:
            assert isinstance(outcome, Unknown if fault.after < fault.down else (Accepted, Unknown))

        await walk(made, "down", "flip", judge, kind="save", step=11)


@PLAIN_AND_TLS
@pytest.mark.parametrize("direction", ["up", "down"])
async def test_over_httpx_connections_cut_on_the_way(direction: Direction, tls: bool, tmp_path: Path) -> None:
    """Over httpx the first bytes may be a handshake's: what is certain then is that nothing was executed."""
    async with matrix(tmp_path, tls=tls, transport="httpx") as made:

        def judge(fault: Fault, outcome: Outcome) -> None:
            assert not (isinstance(outcome, Rejected) and made.executed(outcome))

        failed = await walk(made, direction, "close", judge, kind="save", step=29)
        assert failed > 10
        causes = Counter(type(outcome).__name__ for outcome in made.told.values())
        assert causes["Unknown"] > 5


# what the venue, or something in front of it, says instead of an answer

Script = Callable[[EpiasStpVenue], object]


def script(kind: FaultKind, **more: Any) -> Script:
    return lambda venue: venue.faults.add(kind, **more)


SAYS: dict[str, Script] = {
    "drop_before": script("drop_before_execute"),
    "drop_after": script("drop_after_execute"),
    "close_before_read": script("close_before_read"),
    "silence_before": script("silence_before_execute"),
    "silence_after": script("silence_after_execute"),
    "slow": script("slow_answer", chunk=3, seconds=0.01),
    "too_slow": script("slow_answer", chunk=3, seconds=1.0),
    "closes_afterwards": script("close_after_answer"),
    "wrong_types": script("wrong_types"),
    "foreign": script("wrong_transaction_id"),
    "redirect": script("redirect"),
    "ban": script("ban", seconds=0.5),
    "system_error": script("result", executed=True),
    "business_error": script("result", result_type="BUSINESSERROR", result_code="BUS-1"),
    "security_error": script("result", result_type="SECURITYERROR", result_code="SEC-1"),
    "busy": script("status", status=429, retry_after="3"),
    **{
        f"{status}{'_executed' if executed else ''}": script("status", status=status, executed=executed)
        for status in (401, 403, 404, 409, 500, 502, 503, 504)
        for executed in (False, True)
    },
    "html": script("html"),
    "html_executed": script("html", executed=True),
    **{
        f"raw_{name}": script("raw", content=content, executed=True)
        for name, content in {
            "empty": b"",
            "truncated": b'{"resultCode":"0","resultType":"SUCC',
            "twice": b'{"resultCode":"0","resultType":"SUCCESS","resultType":"SUCCESS"}',
            "array": b"[]",
            "null": b"null",
            "no_id": b'{"resultCode":"0","resultDescription":"","resultType":"SUCCESS","body":null}',
            "contradiction": b'{"resultCode":"7","resultType":"SUCCESS","body":{"bidResponse":{"id":"1"}}}',
            "binary": bytes(range(256)),
            "megabytes": b" " * 1_200_000,
        }.items()
    },
}
ENDS: dict[str, tuple[type[Any], ...]] = {
    "slow": (Accepted,),
    "closes_afterwards": (Accepted,),
    "business_error": (Rejected,),
    "security_error": (Rejected,),
    "busy": (Rejected,),
    "wrong_types": (Unknown, Accepted),
}
"""All others are `Unknown`."""


@BOTH
@PLAIN_AND_TLS
async def test_whatever_comes_instead_of_an_answer(tls: bool, transport: Transport, tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=tls, transport=transport) as made:
        for name, act in SAYS.items():
            act(made.venue)
            outcome = await made.order()
            assert isinstance(outcome, ENDS.get(name, (Unknown,))), (name, outcome)
            made.venue.faults.clear()
            await made.settle()
            after = await made.order()
            # httpx does not notice that a kept connection was ended under TLS: the lane's poll does.
            lost = (Unknown,) if transport == "httpx" and tls and name == "closes_afterwards" else ()
            assert isinstance(after, (Accepted, *lost)), name
            await made.settle()


@BOTH
@PLAIN_AND_TLS
async def test_body_cut_off_at_any_place(tls: bool, transport: Transport, tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=tls, transport=transport) as made:
        for at_byte in range(0, 160, 7):
            made.venue.faults.add("half_answer", at_byte=at_byte)
            outcome = await made.order()
            assert isinstance(outcome, Unknown)
            assert made.executed(outcome)
            await made.settle()


# tickets


@BOTH
async def test_ticket_expired_on_arrival_is_refused_and_sent_once(transport: Transport, tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=False, transport=transport) as made:
        made.venue.cas.knobs.st_ttl_s = 0.5
        outcome = await made.order()  # its ticket has waited in the pool for a second
        assert isinstance(outcome, Rejected)
        assert outcome.origin == "security"
        assert made.venue.log[-1].ticket_problem == "expired"
        made.venue.cas.knobs.st_ttl_s = 30.0
        await made.settle()
        assert isinstance(await made.order(), Accepted)


@BOTH
async def test_session_that_ends_between_ticket_and_order(transport: Transport, tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=False, transport=transport) as made:
        for tgt in list(made.venue.cas._tgts):
            made.venue.cas.logout(tgt, asyncio.get_running_loop().time())
        outcome = await made.order()
        assert isinstance(outcome, Rejected)
        assert outcome.origin == "security"
        assert made.venue.log[-1].ticket_problem == "dead_parent"
        await asyncio.sleep(120)  # another login a minute after the last one
        assert isinstance(await made.order(), Accepted)


# connections


@PLAIN_AND_TLS
@pytest.mark.parametrize("steps", range(6))
async def test_half_closed_connections_cost_no_order(tls: bool, steps: int, tmp_path: Path) -> None:
    """All of them are ended by the other side, and the order comes a few turns of the loop later."""
    async with matrix(tmp_path, tls=tls) as made:
        for _ in range(10):
            made.proxy.hang_up()
            for _ in range(steps):
                await asyncio.sleep(0)
            outcome = await made.order()
            assert isinstance(outcome, Accepted | Unknown)  # Unknown where the end crossed the order on its way
            await made.settle()


async def test_over_httpx_a_half_closed_connection_never_costs_the_truth(tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=False, transport="httpx") as made:
        for steps in range(12):
            assert isinstance(await made.order(), Accepted)
            made.proxy.hang_up()
            for _ in range(steps):
                await asyncio.sleep(0)
            await made.order()
            await made.settle()


@BOTH
async def test_venue_that_is_not_there_and_comes_back(transport: Transport, tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=False, transport=transport) as made:
        target, made.proxy.target = made.proxy.target, 9

        def refused(outcome: Outcome) -> bool:
            return isinstance(outcome, Rejected | Unknown) and not made.executed(outcome)

        made.proxy.hang_up()
        for _ in range(5):
            await asyncio.sleep(0.5)
            assert refused(await made.order())
        made.proxy.target = target
        await asyncio.sleep(10)
        assert isinstance(await made.order(), Accepted)


# callers


@BOTH
@PLAIN_AND_TLS
async def test_caller_cancelled_at_any_step(tls: bool, transport: Transport, tmp_path: Path) -> None:
    async with matrix(tmp_path, tls=tls, transport=transport) as made:
        made.venue.knobs.latency_s = 0.5
        cancelled = 0
        for steps in range(40):
            async with cancelling(made.order, steps) as gone:
                pass
            cancelled += gone[0]
            await asyncio.sleep(2)
            await made.check()
        assert cancelled == 40
        states = Counter(row.state for row in read(made.journal).rows.values())
        assert states["unknown"] >= 30
        made.venue.knobs.latency_s = 0.0
        assert isinstance(await made.order(), Accepted)


@asynccontextmanager
async def cancelling(order: Callable[[], Awaitable[Outcome]], steps: int) -> AsyncIterator[list[int]]:
    """Begin an order and cancel it after so many turns of the loop."""
    gone = [0]
    task = asyncio.ensure_future(order())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        gone[0] = 1
    yield gone
