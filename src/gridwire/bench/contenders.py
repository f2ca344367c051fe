"""What is compared: the desk, and what a Python programmer writes first. Each runs ``count`` orders and tells their times.

All send the same order to the same responder. The two httpx contenders are written here as their authors would write
them, with models of their own; they do not use gridwire's client.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr

from gridwire.epias_stp import Account, EpiasStp, Profile
from gridwire.intents.guard import Limits
from gridwire.outcome import Accepted

CONTRACT = "GG20261201"
PATH = "/stp-orchestrator-trading-engine/rest/bid/save"
WARM_UP = 30


@dataclass(slots=True)
class Sample:
    """Times of one contender's orders, and the processor time of all of them."""

    wall_ns: list[int] = field(default_factory=list)
    cpu_ns: int = 0
    stages_ns: list[tuple[int, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the responder listens. ``ca_pem`` None is plain TCP."""

    port: int
    ca_pem: str | None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self.ca_pem else 'http'}://127.0.0.1:{self.port}"

    def account(self) -> Account:
        """An account whose venue is the responder."""
        profile = Profile("sandbox", f"{self.url}/cas/v1", self.url, self.url)
        return Account(profile, "BENCH", SecretStr("no password"), self.ca_pem)


def order_bytes(target: Target) -> bytes:
    """The bytes of one order, as the desk writes them."""

    async def preview() -> bytes:
        async with EpiasStp(target.account()) as stp, stp.desk(contracts=[CONTRACT]) as desk:
            return desk.preview("BUY", CONTRACT, price="12000.50", quantity=155)

    return asyncio.run(preview())


def floor(target: Target, count: int, payload: bytes) -> Sample:
    """A blocking socket that sends ready bytes and receives the answer: nothing in Python can be faster."""
    sample = Sample()
    connection = socket.create_connection(("127.0.0.1", target.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if target.ca_pem is not None:
        context = ssl.create_default_context(cadata=target.ca_pem)
        connection = context.wrap_socket(connection, server_hostname="127.0.0.1")
    with connection:
        for number in range(count + WARM_UP):
            cpu, started = time.thread_time_ns(), time.perf_counter_ns()
            connection.sendall(payload)
            connection.recv(65536)
            ended = time.perf_counter_ns()
            if number >= WARM_UP:
                sample.wall_ns.append(ended - started)
                sample.cpu_ns += time.thread_time_ns() - cpu
    return sample


async def desk(target: Target, count: int) -> Sample:
    """The desk as ``stp.desk(…)`` returns it, with its default guard but for the rate, journal and redaction on.

    The tickets of the whole batch are fetched before it begins, and the pool gets one before each order: in life a spent
    one has been replaced before the next decision, and what is measured is an order's way, not the ticket service.
    """
    sample = Sample()
    limits = Limits(orders_per_second=100_000)
    async with EpiasStp(target.account()) as stp, stp.desk(contracts=[CONTRACT], limits=limits) as trading:
        tickets = stp._tickets
        stock = [await tickets._fetch(urgent=True) for _ in range(count + WARM_UP)]
        for number in range(count + WARM_UP):
            tickets._pool.add(stock[number])
            cpu, started = time.thread_time_ns(), time.perf_counter_ns()
            outcome = await trading.buy(CONTRACT, price="12000.50", quantity=155)
            ended = time.perf_counter_ns()
            spent = time.thread_time_ns() - cpu
            if not isinstance(outcome, Accepted):
                raise RuntimeError(f"the responder's answer was not taken for acceptance: {outcome}")
            if number >= WARM_UP:
                sample.wall_ns.append(ended - started)
                sample.cpu_ns += spent
        sample.stages_ns = [order.stages_ns for order in trading.timings.orders()[WARM_UP:]]
    return sample


class _Header(BaseModel):
    key: str
    value: str


class _Body(BaseModel):
    contractName: str  # noqa: N815 - as such code is written
    price: Decimal
    quantity: int
    bidType: str  # noqa: N815
    bidStatus: str  # noqa: N815
    direction: str


class _Request(BaseModel):
    headers: list[_Header]
    body: _Body


class _Answer(BaseModel):
    resultCode: str  # noqa: N815
    resultDescription: str  # noqa: N815
    resultType: str  # noqa: N815
    body: dict[str, Any]


async def httpx_cached_ticket(target: Target, count: int) -> Sample:
    """An ``httpx.AsyncClient`` with a ticket at hand, and pydantic in and out."""
    return await _httpx(target, count, naive=False)


async def httpx_naive(target: Target, count: int) -> Sample:
    """The same with a ticket fetched for every order."""
    return await _httpx(target, count, naive=True)


async def _httpx(target: Target, count: int, *, naive: bool) -> Sample:
    sample = Sample()
    verify = ssl.create_default_context(cadata=target.ca_pem) if target.ca_pem is not None else True
    async with httpx.AsyncClient(base_url=target.url, verify=verify) as client:
        ticket = "ST-1-cached"
        for number in range(count + WARM_UP):
            cpu, started = time.thread_time_ns(), time.perf_counter_ns()
            if naive:
                ticket = (await client.post("/cas/v1/tickets/TGT-1", data={"service": target.url})).text
            request = _Request(
                headers=[
                    _Header(key="transactionId", value=str(uuid.uuid4())),
                    _Header(key="application", value="bench"),
                ],
                body=_Body(
                    contractName=CONTRACT,
                    price=Decimal("12000.50"),
                    quantity=155,
                    bidType="STANDART_MATCH",
                    bidStatus="ACTIVE",
                    direction="BUY",
                ),
            )
            response = await client.post(
                PATH,
                content=request.model_dump_json(),
                headers={"stp-service-ticket": ticket, "content-type": "application/json"},
            )
            answer = _Answer.model_validate_json(response.content)
            ended = time.perf_counter_ns()
            if answer.resultType != "SUCCESS":
                raise RuntimeError("the responder refused an order")
            if number >= WARM_UP:
                sample.wall_ns.append(ended - started)
                sample.cpu_ns += time.thread_time_ns() - cpu
    return sample


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS["uvloop"] = uvloop.new_event_loop
