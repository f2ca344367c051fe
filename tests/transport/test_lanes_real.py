"""The order lanes on real TCP in real time, on asyncio and on uvloop: resets, Nagle, and what is left over."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gridwire.errors import NoAnswer, NotSent
from gridwire.transport.lanes import LaneLimits, Lanes
from gridwire.transport.tls import Network
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.raw_server import RawServer
from tests.transport.servers import REQUEST, authority, descriptors, port_of, served
from tests.transport.test_lanes import faithful, order

uvloop = pytest.importorskip("uvloop")


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return ("asyncio", {"loop_factory": uvloop.new_event_loop} if request.param == "uvloop" else {})


pytestmark = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])

PATIENT_S = 10.0
"""An answer that is awaited: as long as a busy machine may need."""


@asynccontextmanager
async def through_a_proxy(
    tls: bool, answer_timeout_s: float = PATIENT_S
) -> AsyncIterator[tuple[Lanes, FaultProxy, RawServer]]:
    async with served(faithful, tls=tls) as server, fault_proxy(port_of(server)) as proxy:
        url = server.url.replace(str(port_of(server)), str(proxy.port))
        limits = LaneLimits(answer_timeout_s=answer_timeout_s, connect_timeout_s=PATIENT_S)
        async with Lanes(url, Network(ca_pem=authority().pem if tls else None), limits) as lanes:
            await until(lambda: len(proxy.links) == 2)
            await asyncio.sleep(0.01)
            yield lanes, proxy, server


async def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENT_S
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.001)


async def test_orders_go_without_nagle_s_delay(tls: bool) -> None:
    async with through_a_proxy(tls) as (lanes, _, _):
        for lane in lanes._all:
            assert lane._transport is not None
            wire = lane._transport.get_extra_info("socket")
            assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        for _ in range(20):
            assert (await order(lanes)).body == b"body!"
        assert lanes.handshakes == 2


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
async def test_connections_ended_by_the_server_cost_no_order(tls: bool, reset: bool) -> None:
    """However far the news has come when the order is decided: both are closed, or one is and the spare is used."""
    async with through_a_proxy(tls) as (lanes, proxy, _):
        for count in (1, 2, 1, 2):
            for link in list(proxy.links) if count == 2 else list(proxy.links)[:1]:
                link.end(reset=reset)
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # closed now
            time.sleep(0.002)  # noqa: ASYNC251 - the news is in the kernel, and the loop has not run
            assert (await order(lanes)).body == b"body!"
            await until(lambda: len(lanes._all) >= 2)
            await asyncio.sleep(0.01)


async def test_poll_counts_the_lanes_it_found_closed(tls: bool) -> None:
    async with through_a_proxy(tls) as (lanes, proxy, _):
        before = lanes.found_closed
        for link in list(proxy.links):
            assert link.client.transport is not None
            wire = link.client.transport.get_extra_info("socket")
            with socket.socket(fileno=os.dup(wire.fileno())) as again:
                again.shutdown(socket.SHUT_WR)
        time.sleep(0.002)  # noqa: ASYNC251 - the loop must not run
        assert not lanes.ready()
        assert lanes.found_closed == before + 2
        await lanes.open_one()
        assert (await order(lanes)).body == b"body!"


@pytest.mark.parametrize("after", [0, 1, 17, len(REQUEST)])
@pytest.mark.parametrize("act", ["close", "reset"])
async def test_connection_lost_under_way_is_no_answer(tls: bool, after: int, act: Any) -> None:
    async with through_a_proxy(tls) as (lanes, proxy, _):
        fault = proxy.arm("up", after=after, act=act)
        with pytest.raises(NoAnswer) as caught:
            await order(lanes)
        assert caught.value.reason == "disconnected"
        assert fault.struck
        assert (await order(lanes)).body == b"body!"  # over the spare


@pytest.mark.parametrize("after", [1, 20, 40])
async def test_reset_in_mid_answer_is_no_answer(tls: bool, after: int) -> None:
    async with through_a_proxy(tls) as (lanes, proxy, _):
        proxy.arm("down", after=after, act="reset")
        with pytest.raises(NoAnswer):
            await order(lanes)
        assert (await order(lanes)).body == b"body!"


async def test_silence_ends_at_the_deadline(tls: bool) -> None:
    async with through_a_proxy(tls, answer_timeout_s=0.05) as (lanes, proxy, _):
        proxy.arm("down", after=5, act="stall")
        began = time.monotonic()
        with pytest.raises(NoAnswer, match=r"within 0\.05 s"):
            await order(lanes)
        assert 0.045 < time.monotonic() - began < 2


async def test_cancelled_orders_and_closing_leave_no_descriptor_and_no_task(tls: bool) -> None:
    before, tasks = 0, asyncio.all_tasks()
    for turn in range(4):
        if turn == 1:  # a loop opens some of its own at its first use
            before = descriptors()
        async with through_a_proxy(tls) as (lanes, proxy, _):
            for after in (3, 30):
                proxy.arm("down", after=after, act="stall")
                caller = asyncio.create_task(order(lanes))
                await asyncio.sleep(0.005)
                caller.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await caller
            await order(lanes)
        await until(lambda: proxy.links == set())
    await until(lambda: descriptors() <= before and asyncio.all_tasks() <= tasks)


async def test_nothing_listens_there(tls: bool) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"{'https' if tls else 'http'}://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(NotSent, match="nothing listens there"):
            async with Lanes(url, Network()):
                pass
