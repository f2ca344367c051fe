"""One trading session against the sandbox in which a seed decides what is done and what goes wrong.

`play` returns what has to be held against the invariants. Our own prices never cross; another participant's bids do cross
ours now and then, and fill them in part or in whole. Everything is virtual time; the same seed does the same again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from gridwire import clock
from gridwire.epias_stp import EpiasStp
from gridwire.epias_stp.desk import StpDesk
from gridwire.epias_stp.errors import StpError
from gridwire.errors import GridwireError
from gridwire.intents.guard import Limits
from gridwire.intents.journal import read
from gridwire.intents.records import Row
from gridwire.observe.events import Event
from gridwire.outcome import Accepted, OrderRef, Outcome, Unknown
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue
from gridwire.sandbox.matching import Side
from gridwire.transport.exchange import Request, Response
from gridwire.transport.http import HttpTransport

CONTRACT = "GG20261201"
WRITES = ("bid_save", "bid_update", "bid_cancel")
Fault = tuple[str, dict[str, Any]]

FAULTS: tuple[Fault, ...] = (
    ("close_before_read", {}),
    ("drop_before_execute", {}),
    ("drop_after_execute", {}),
    ("rst_before_execute", {}),
    ("rst_after_execute", {}),
    ("silence_before_execute", {}),
    ("silence_after_execute", {}),
    ("silence_after_execute", {"seconds": 3}),
    ("half_answer", {}),
    ("half_answer", {"at_byte": 0}),
    ("slow_answer", {"seconds": 0.3}),
    ("slow_answer", {"seconds": 2.0}),
    ("close_after_answer", {}),
    ("close_after_answer", {"seconds": 0.1}),
    ("status", {"status": 500}),
    ("status", {"status": 503, "executed": True}),
    ("status", {"status": 401}),
    ("status", {"status": 403, "executed": True}),
    ("status", {"status": 429}),
    ("html", {}),
    ("html", {"executed": True, "status": 502}),
    ("redirect", {"executed": True}),
    ("wrong_types", {}),
    ("wrong_transaction_id", {}),
    ("result", {"result_type": "SYSTEMERROR", "executed": True}),
    ("result", {"result_type": "SYSTEMERROR"}),
    ("result", {"result_type": "BUSINESSERROR", "result_code": "BID-0001"}),
    ("result", {"result_type": "SECURITYERROR", "result_code": "SEC-0001"}),
    ("raw", {"content": b'{"resultCode":"0","resultType":"SUCC', "executed": True}),
)
CAS_FAULTS: tuple[Fault, ...] = (
    ("status", {"status": 503}),
    ("drop_after_execute", {}),
    ("silence_before_execute", {"seconds": 4}),
    ("slow_answer", {"seconds": 1.0}),
)


@dataclass(slots=True)
class Session:
    """What happened, and what is left."""

    venue: EpiasStpVenue
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    """By key, every outcome a caller was handed."""
    rows: dict[str, Row] = field(default_factory=dict)
    """The journal before anything was resolved."""
    resolved: dict[str, Row] = field(default_factory=dict)
    """The journal at the end."""
    known: list[OrderRef] = field(default_factory=list)
    damaged: int = 0
    unjournalled: list[str] = field(default_factory=list)
    """Transactions that reached the venue before their row was on disk."""
    logins_at_once: int = 0
    surprises: list[BaseException] = field(default_factory=list)
    """Exceptions that no documentation promises."""
    heard: list[str] = field(default_factory=list)
    """Everything said: events, log lines, outcomes."""
    deeds: int = 0
    retried: bool = False


class Ear(logging.Handler):
    """Writes down every log line."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(self.format(record))


class Player:
    """Plays one session."""

    def __init__(self, seed: int, venue: EpiasStpVenue, directory: Path) -> None:
        self._random = Random(seed)
        self._directory = directory
        self.session = Session(venue)
        self._bids: list[OrderRef] = []
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._options = {name: self._random.random() < 0.15 for name in ("resend_on_security_error", "retry_cancel")}
        self.session.retried = any(self._options.values())
        self._options["exclusive"] = self._random.random() < 0.7  # which is true here
        self._watch_arrivals(venue)

    def _watch_arrivals(self, venue: EpiasStpVenue) -> None:
        write_down = venue.log.append

        def append(call: Any) -> None:
            key = call.transaction_id
            if call.operation in WRITES and key is not None:
                logs = (path.read_bytes() for path in (self._directory / "runs").glob("*.log"))
                if not any(key.encode() in log for log in logs):
                    self.session.unjournalled.append(key)
            write_down(call)

        venue.log.append = append  # type: ignore[method-assign]

    async def open(self) -> None:
        """A new program on the same journal."""
        self._stp = await self._stack.enter_async_context(
            EpiasStp(
                self.session.venue.account(),
                journal=self._directory,
                on_event=self._hear,
                **self._options,  # type: ignore[arg-type]
            )
        )
        self._stp._tickets._rng.seed(self._random.random())
        self._desk: StpDesk | None = None
        with suppress(GridwireError):  # the ticket service may be struck: then only calls without the desk are made
            self._desk = await self._stack.enter_async_context(
                self._stp.desk(contracts=[CONTRACT], limits=Limits(max_quantity=90))
            )
        self._bids = await self._stp.bids.known()

    def _hear(self, event: Event) -> None:
        self.session.heard.append(f"{event.name} {event.text} {dict(event.fields)}")

    async def crash(self) -> None:
        """Let go of everything as a killed process would: nothing more is written down."""
        self._stp._ledger.journal._abandon()
        for task in self._tasks:
            task.cancel()
        await self.close()

    async def close(self) -> None:
        """Wait for what is under way, and end."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def deed(self) -> None:
        """Arrange for something to go wrong, perhaps; then do something."""
        chance = self._random
        if chance.random() < 0.55:
            kind, options = chance.choice(FAULTS)
            self.session.venue.faults.add(kind, operation=chance.choice(WRITES), **options)  # type: ignore[arg-type]
        if chance.random() < 0.1:
            kind, options = chance.choice(CAS_FAULTS)
            operation = chance.choice(("service_ticket", "login"))
            self.session.venue.cas_faults.add(kind, operation=operation, **options)  # type: ignore[arg-type]
        if chance.random() < 0.05:
            for ticket in list(self.session.venue.cas._tgts):
                self.session.venue.cas.logout(ticket, asyncio.get_running_loop().time())
        if chance.random() < 0.25:
            self._cross()
        self.session.deeds += 1
        task = asyncio.create_task(self._do(self._choose()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if chance.random() < 0.15:
            asyncio.get_running_loop().call_later(chance.choice((0.0, 0.0001, 0.05, 2.0)), task.cancel)
        if chance.random() < 0.6:
            await asyncio.wait([task])
        await asyncio.sleep(chance.choice((0.0, 0.0, 0.01, 1.0, 7.0, 14.0, 31.0)))

    def _cross(self) -> None:
        """Let another participant sell into our bids, or buy from them; what finds no match waits for us."""
        chance, market = self._random, self.session.venue.market
        side: Side = "SELL" if chance.random() < 0.5 else "BUY"
        cents = chance.choice((1000, 1100, chance.randint(1, 4999))) + (0 if side == "SELL" else 2_000_000)
        now = clock.now()
        market.advance(now)
        market.save_bid(
            market.users["TRADER2"], market.contract(CONTRACT), side, cents, chance.randint(1, 150), "STANDART_MATCH",
            "ACTIVE", now,
        )  # fmt: skip

    def _choose(self) -> Callable[[], Awaitable[Outcome]]:
        chance, desk, bids = self._random, self._desk, self._stp.bids
        bid = chance.choice(self._bids) if self._bids and chance.random() < 0.55 else None
        bid = bid if bid is None or bid.id is not None else None
        quantity = chance.randint(1, 100)
        if bid is None:
            buying = chance.random() < 0.5
            cents = chance.choice((1000, 1100, chance.randint(1, 4999))) + (0 if buying else 2_000_000)
            more: dict[str, Any] = {
                "price_cents": cents,
                "quantity": quantity,
                "bid_type": "MATCH_AND_DESTROY_REST" if chance.random() < 0.1 else "STANDART_MATCH",
            }
            if more["bid_type"] == "STANDART_MATCH" and chance.random() < 0.1:
                more["bid_status"] = "PASSIVE"
            if chance.random() < 0.3:
                more["client_ref"] = f"ref-{chance.randint(1, 6)}"
            if desk is None or chance.random() < 0.3:
                return lambda: bids.save(CONTRACT, direction="BUY" if buying else "SELL", **more)
            return lambda: (desk.buy if buying else desk.sell)(CONTRACT, **more)
        if chance.random() < 0.5:
            if desk is None or chance.random() < 0.3:
                return lambda: bids.cancel(bid)
            return lambda: desk.cancel(bid)
        change: dict[str, Any] = {"quantity": quantity, "price": bid.restated.get("price")}
        if chance.random() < 0.5:
            del change["price"]
            side = 0 if bid.restated.get("direction") == "BUY" else 2_000_000
            change["price_cents"] = chance.randint(1, 4999) + side
        elif chance.random() < 0.5:
            change["bid_status"] = chance.choice(("ACTIVE", "PASSIVE"))
        if desk is None or chance.random() < 0.3:
            return lambda: bids.update(bid, **change)
        return lambda: desk.modify(bid, **change)

    async def _do(self, deed: Callable[[], Awaitable[Outcome]]) -> None:
        try:
            outcome = await deed()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the test shows it
            self.session.surprises.append(error)
            return
        self.session.heard.append(repr(outcome))
        if outcome.intent is not None:
            self.session.outcomes.setdefault(outcome.intent.key, []).append(outcome)
        if isinstance(outcome, Accepted) and outcome.order is not None:
            key = outcome.order.intent.key
            self._bids = [bid for bid in self._bids if bid.intent.key != key]
            if outcome.intent.operation != "bid_cancel" and outcome.order.restated.get("bid_type") == "STANDART_MATCH":
                self._bids.append(outcome.order)

    async def take_stock(self) -> None:
        """A last program: what does the journal say, before and after it looked at the venue?"""
        self.session.venue.faults.clear()
        self.session.venue.cas_faults.clear()
        await self.open()
        await asyncio.sleep(61.0)
        reading = read(self._directory)
        self.session.rows, self.session.damaged = reading.rows, reading.damaged
        if self._desk is not None:
            for outcome in self._stp.unknown():
                with suppress(StpError):
                    settled = await self._desk.resolve(outcome)
                    self.session.heard.append(repr(settled))
                    assert not isinstance(settled, Unknown) or settled.reason.startswith(("Still unknown", "Settled"))
            await self._desk.refresh()
        self.session.known = await self._stp.bids.known()
        self.session.resolved = read(self._directory).rows
        await self.close()


@contextmanager
def listening(session: Session, level: int) -> Iterator[None]:
    """Write down every log line of every library."""
    root, ear = logging.getLogger(), Ear(session.heard)
    before = root.level
    root.addHandler(ear)
    root.setLevel(level)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(ear)


@contextmanager
def counting_logins(session: Session) -> Iterator[None]:
    """Count the logins that are under way at the same time, where they leave the client."""
    send = HttpTransport.send
    under_way = 0

    async def counted(self: HttpTransport, request: Request, **options: Any) -> Response:
        nonlocal under_way
        login = request.method == "POST" and urlsplit(request.url).path.endswith("/tickets")
        under_way += login
        session.logins_at_once = max(session.logins_at_once, under_way)
        try:
            return await send(self, request, **options)
        finally:
            under_way -= login

    HttpTransport.send = counted  # type: ignore[method-assign]
    try:
        yield
    finally:
        HttpTransport.send = send  # type: ignore[method-assign]


async def play(seed: int, directory: Path) -> Session:
    """Play the session of ``seed``."""
    chance = Random(f"{seed}:acts")
    random.seed(seed)  # pauses between repeated calls
    async with Sandbox("epias_stp", seed=seed) as box:
        player = Player(seed, box.venue("epias_stp"), directory)
        # The libraries' whispering is heard in every tenth session; it takes a third of the time.
        level = logging.INFO if seed % 10 else logging.DEBUG
        with listening(player.session, level), counting_logins(player.session):
            await player.open()
            for _ in range(chance.randint(1, 8)):
                await player.deed()
                if chance.random() < 0.12:
                    await player.crash()
                    await player.open()
            await (player.crash() if chance.random() < 0.3 else player.close())
            await player.take_stock()
    return player.session
