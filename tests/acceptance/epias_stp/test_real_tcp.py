"""What virtual time cannot carry: resets and refusals of real TCP connections, in real time with short deadlines."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from gridwire.errors import NotSent
from gridwire.outcome import Rejected, Unknown
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport, Progress
from tests.acceptance.epias_stp.floor import BID, Floor, Wire, accepted, floor
from tests.acceptance.epias_stp.relay import relay


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Real time."""
    return ("asyncio", {})


def open_contract(f: Floor) -> str:
    """A contract that trades today, whatever day it is."""
    return f.venue.market.active("STANDART")[0].name


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("tls", [False, True])
async def test_T33_reset_after_the_request_is_unknown_and_not_resent(wire: Wire, executed: bool, tls: bool) -> None:
    async with floor(message_format=wire, tls=tls) as f:
        f.venue.faults.add("rst_after_execute" if executed else "rst_before_execute", operation="bid_save")
        outcome = await f.stp.bids.save(open_contract(f), **BID)
        assert isinstance(outcome, Unknown)
        assert outcome.cause == "disconnected"
        assert len(f.venue.log.calls("bid_save")) == 1
        assert len(f.venue.market.bids) == executed
        assert f.stp.unknown() == [outcome]


async def test_T34_a_read_that_was_reset_is_read_again(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        f.venue.faults.add("rst_after_execute")
        contracts = await f.stp.contracts.standard()
        assert open_contract(f) in [contract.name for contract in contracts]
        assert len({call.ticket for call in f.venue.log}) == 2


async def test_T37_a_port_that_refuses_is_certain_to_have_got_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    progress = Progress()
    async with HttpTransport() as http:
        with pytest.raises(NotSent, match="nothing listens there") as caught:
            await http.send(Request("POST", f"http://127.0.0.1:{port}/bid/save", content=b"{}"), progress=progress)
    assert caught.value.reason == "refused"
    assert not progress.written


async def test_T39_a_fin_on_an_idle_connection_cannot_hurt_a_write() -> None:
    """A write has a connection of its own; whether the FIN was seen by then makes no difference."""
    async with floor() as f, relay(f.venue.profile.stp_url) as line:
        stp = await f.client(f.account(stp_url=line.url))
        for pause_s in (0.0, 0.02):
            f.venue.faults.add("close_after_answer")
            await stp.contracts.standard()
            await asyncio.sleep(pause_s)
            accepted(await stp.bids.save(open_contract(f), **BID))
        assert (line.connections, line.requests) == (4, 4)


async def test_T39_a_fin_that_crosses_the_request_is_unknown_and_no_silent_resend() -> None:
    async with floor() as f, relay(f.venue.profile.stp_url) as line:
        stp = await f.client(f.account(stp_url=line.url))
        await stp.contracts.standard()
        line.cut_requests = 0
        outcome = await stp.bids.save(open_contract(f), **BID)
        assert isinstance(outcome, Unknown)
        assert outcome.cause == "disconnected"
        assert (line.connections, line.requests) == (2, 2)
        assert f.venue.log.calls("bid_save") == []


async def test_T39_a_fin_at_any_moment_around_the_request_never_doubles_a_bid() -> None:
    """The server hangs up after a pause that falls before, into and after the request that follows."""
    async with floor() as f:
        contract = open_contract(f)
        for microseconds in range(0, 4000, 200):
            f.venue.faults.add("close_after_answer", operation="activecontracts_standart", seconds=microseconds / 1e6)
            await f.stp.contracts.standard()
            await asyncio.sleep(0.002)
            outcome = await f.stp.bids.save(contract, **BID)
            assert outcome.intent is not None
            sent = [call for call in f.venue.log.calls("bid_save") if call.transaction_id == outcome.intent.key]
            assert len(sent) <= 1
            assert isinstance(outcome, Unknown) or sent[0].executed
            assert not isinstance(outcome, Rejected)
