"""epias_stp/calls.py: how long and how often a call is tried, beside what the acceptance tests show."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gridwire.auth.errors import CasProtocolError
from gridwire.epias_stp.calls import FINISH_S, READ_DEADLINE_S, WRITE_DEADLINE_S, Caller
from gridwire.epias_stp.errors import StpRateLimited
from gridwire.errors import GridwireError, InvalidInput, JournalError, NoAnswer, ReadOnly
from gridwire.outcome import Rejected
from tests.acceptance.epias_stp.floor import BID, TODAY, accepted, floor, until


async def test_reads_of_a_venue_that_is_down_do_not_hammer_it() -> None:
    async with floor() as f:
        f.venue.faults.add("drop_before_execute", times=None)
        for _ in range(40):
            with pytest.raises(NoAnswer):
                await f.stp.contracts.standard()
        assert len(f.venue.log) == 40 + 20, "the client's quota of retries is used up"
        f.venue.faults.clear()
        await f.stp.contracts.standard()
        f.venue.faults.add("drop_before_execute")
        await f.stp.contracts.standard()


async def test_read_that_is_limited_for_too_long_is_given_up_in_time() -> None:
    async with floor() as f:
        loop = asyncio.get_running_loop()
        f.venue.faults.add("status", status=429, retry_after="100", times=None)
        before = loop.time()
        with pytest.raises(StpRateLimited) as caught:
            await f.stp.contracts.standard()
        assert caught.value.retry_after_s == 100
        assert loop.time() - before <= READ_DEADLINE_S
        assert len(f.venue.log) == 2


async def test_write_stops_connecting_at_its_deadline() -> None:
    async with floor() as f:
        loop = asyncio.get_running_loop()
        stp = await f.client(f.account(stp_url="http://127.0.0.1:59997"))
        before = loop.time()
        outcome = await stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Rejected)
        assert loop.time() - before <= WRITE_DEADLINE_S
        assert outcome.intent is not None
        assert outcome.intent.attempts == 1


async def test_ticket_service_that_says_no_is_not_asked_again_for_the_same_call() -> None:
    async with floor() as f:
        f.venue.cas_faults.add("html", operation="service_ticket", times=None)
        with pytest.raises(CasProtocolError):
            await f.stp.contracts.standard()
        assert f.venue.cas.count("login") == 1
        assert len(f.venue.log) == 0


async def test_logging_out_waits_for_a_hanging_call_only_so_long() -> None:
    async with floor(timeout=120.0) as f:
        loop = asyncio.get_running_loop()
        f.venue.faults.add("silence_before_execute")
        bid = asyncio.create_task(f.stp.bids.save(TODAY, **BID))
        await until(lambda: len(f.venue.log) == 1)
        before = loop.time()
        await f.stp.logout()
        assert loop.time() - before == pytest.approx(FINISH_S, abs=0.1)
        assert f.venue.cas.count("logout") == 1
        assert not bid.done()
        bid.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bid
        assert [outcome.cause for outcome in f.stp.unknown()] == ["cancelled"]


async def test_retries_are_told_with_their_pause() -> None:
    async with floor() as f:
        f.venue.faults.add("status", status=429, retry_after="30")
        await f.stp.contracts.standard()
        (event,) = f.told("call.retried")
        assert event.text.startswith("activecontracts_standart is tried again in 30.0 s: STP received too many calls")
        (call,) = {call.transaction_id for call in f.venue.log.calls("activecontracts_standart")}
        assert event.fields == {"operation": "activecontracts_standart", "transaction_id": call}


@pytest.mark.parametrize("reference", [5, b"x", "\ud800", "", " a"])
async def test_a_client_ref_is_checked_as_the_desk_does(reference: Any) -> None:
    async with floor() as f:
        with pytest.raises(InvalidInput, match="client_ref") as caught:
            await f.stp.bids.save(TODAY, **BID, client_ref=reference)
        async with f.stp.desk() as desk:
            with pytest.raises(InvalidInput) as at_desk:
                await desk.buy(TODAY, price="12000.50", quantity=155, client_ref=reference)
        assert str(caught.value) == str(at_desk.value)
        assert len(f.venue.log) == 0


async def test_without_a_usable_journal_a_write_is_refused_and_not_raised(tmp_path: Path) -> None:
    place = tmp_path / "journal"
    place.write_text("a file where a folder should be")
    async with floor(journal=place) as f:
        bid = await f.stp.bids.save(TODAY, **BID)
        change = await f.stp.bids.update("1", price="1.00", quantity=1, bid_status="ACTIVE")
        for outcome in (bid, change):
            assert isinstance(outcome, Rejected), outcome
            assert (outcome.origin, outcome.code) == ("guard", "journal")
            assert "Nothing was sent" in outcome.reason
        with pytest.raises(JournalError):
            await f.stp.bids.known()
        assert len(f.venue.log) == 0


async def test_a_reference_that_cannot_be_reserved_leaves_the_transaction_id_free(tmp_path: Path) -> None:
    reference = "mine"
    blocked = tmp_path / "refs" / hashlib.sha256(reference.encode()).hexdigest()[:2]
    async with floor(journal=tmp_path) as f:
        await f.stp.bids.known()
        blocked.rmdir()
        blocked.write_text("a file where a folder should be")
        key = str(uuid4())
        outcome = await f.stp.bids.save(TODAY, **BID, client_ref=reference, transaction_id=key)
        assert isinstance(outcome, Rejected), outcome
        assert (outcome.origin, outcome.code) == ("guard", "journal")
        assert len(f.venue.log) == 0
        blocked.unlink()
        blocked.mkdir()
        accepted(await f.stp.bids.save(TODAY, **BID, client_ref=reference, transaction_id=key))


async def test_a_client_that_was_closed_meanwhile_leaves_the_reference_free(tmp_path: Path) -> None:
    async with floor(journal=tmp_path) as f:
        f.venue.cas_faults.add("silence_before_execute", operation="service_ticket", seconds=2)
        stp = await f.client(journal=tmp_path)
        bid = asyncio.create_task(stp.bids.save(TODAY, **BID, client_ref="mine"))
        await asyncio.sleep(1)
        await stp.__aexit__(None, None, None)
        with contextlib.suppress(GridwireError):
            assert isinstance(await bid, Rejected)
        accepted(await f.stp.bids.save(TODAY, **BID, client_ref="mine"))
        assert len(f.venue.log.calls("bid_save")) == 1


async def test_a_read_only_client_opens_no_journal(tmp_path: Path) -> None:
    place = tmp_path / "journal"
    async with floor(journal=place, read_only=True) as f:
        with pytest.raises(ReadOnly):
            await f.stp.bids.cancel("1")
        with pytest.raises(ReadOnly):
            await f.stp.bids.update("1", price="1.00", quantity=1, bid_status="ACTIVE")
    assert not place.exists()


async def test_a_client_closed_between_row_and_request_ends_the_row(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with floor(journal=tmp_path) as f:
        stp = await f.client(journal=tmp_path)
        await stp.warm_up()
        request = Caller._request

        def closing(self: Caller, *arguments: Any) -> Any:
            stp._http._context = None
            return request(self, *arguments)

        monkeypatch.setattr(Caller, "_request", closing)
        outcome = await stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Rejected), outcome
        assert (outcome.origin, outcome.code) == ("wire", "closed")
        assert len(f.venue.log) == 0
        assert [row.state for row in await stp._ledger.rows()] == ["rejected"]


async def test_a_surprise_after_the_row_was_written_ends_the_row(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with floor(journal=tmp_path) as f:
        await f.stp.warm_up()

        def broken(self: Caller, *_: Any) -> None:
            raise ValueError("a mistake of ours")

        monkeypatch.setattr(Caller, "_request", broken)
        outcome = await f.stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Rejected), outcome
        assert outcome.origin == "wire"
        assert "could not be made or sent (ValueError)" in outcome.reason
        monkeypatch.undo()
        stp = await f.client(journal=tmp_path)
        await stp.bids.known()
        assert stp.unknown() == []
