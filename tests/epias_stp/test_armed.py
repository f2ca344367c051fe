"""Tickets are kept ready as long as an open desk or a warm client wants them; trading mode warms all there is to warm."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from gridwire.epias_stp import EpiasStp
from gridwire.epias_stp.models import BidSaveRequestBody
from gridwire.errors import ConfigurationError
from gridwire.orders.trading_mode import trading_mode
from gridwire.outcome import Accepted
from gridwire.sandbox import Sandbox
from tests.epias_stp.trading import CONTRACT

TEN_MINUTES_S = 600.0


async def test_in_trading_mode_everything_is_there_and_after_it_nothing_is_asked_for(tmp_path: Path) -> None:
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp, journal=tmp_path) as stp:
        venue = box.venue("epias_stp")
        desk = stp.desk(contracts=[CONTRACT])
        async with trading_mode(stp, desk):
            assert len(desk._forms) == 5  # both sides, two states of a change, the cancellation
            assert desk._path is not None
            assert desk._path._wire.ready()
            assert len(desk._path._keys) > 100
            assert not stp._http.closed
            assert os.listdir(tmp_path / "runs") == [f"{stp._ledger.journal.run}.log"]
            assert BidSaveRequestBody.__pydantic_complete__
            assert "httptools" in sys.modules
            assert stp.ticket_stats().pooled >= 1
            assert isinstance(await desk.buy(CONTRACT, price="1.00", quantity=1), Accepted)
            assert desk.timings.waited() == 0
        calls = len(venue.cas.log)
        await asyncio.sleep(TEN_MINUTES_S)
        assert len(venue.cas.log) == calls
        assert not stp.ticket_stats().armed


async def test_a_client_alone_is_warmed_and_cooled() -> None:
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
        async with trading_mode(stp):
            assert stp.ticket_stats().armed
            assert stp._ledger.journal.run
        assert not stp.ticket_stats().armed


async def test_a_client_that_only_reads_opens_no_journal(tmp_path: Path) -> None:
    async with (
        Sandbox("epias_stp") as box,
        EpiasStp(box.epias_stp, journal=tmp_path, read_only=True) as stp,
        trading_mode(stp),
    ):
        assert os.listdir(tmp_path) == []


async def test_a_desk_that_closes_inside_the_mode_does_not_disarm_its_client() -> None:
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
        async with trading_mode(stp):
            async with stp.desk(contracts=[CONTRACT]):
                pass
            assert stp.ticket_stats().armed
        assert not stp.ticket_stats().armed


async def test_a_desk_that_was_open_before_stays_open_and_armed_after() -> None:
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
        async with stp.desk(contracts=[CONTRACT]) as desk:
            async with trading_mode(stp, desk):
                pass
            assert stp.ticket_stats().armed
            assert isinstance(await desk.buy(CONTRACT, price="1.00", quantity=1), Accepted)
        assert not stp.ticket_stats().armed


async def test_logging_out_disarms_whoever_wants_tickets() -> None:
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
        await stp.warm_up()
        await stp.warm_up()
        await stp.logout()
        assert not stp.ticket_stats().armed
        await stp.cool_down()
        assert not stp.ticket_stats().armed


async def test_a_second_desk_does_not_open_and_leaves_the_first_armed() -> None:
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp, stp.desk() as desk:
        second = stp.desk()
        with pytest.raises(ConfigurationError, match="open desk already"):
            async with trading_mode(second):
                pass
        assert stp.ticket_stats().armed
        assert isinstance(await desk.buy(CONTRACT, price="1.00", quantity=1), Accepted)
