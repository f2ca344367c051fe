"""epias_stp/desk.py: what is lost, what the journal says of it, and what a desk tells."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gridwire.epias_stp import EpiasStp
from gridwire.errors import InvalidInput
from gridwire.intents.journal import read
from gridwire.intents.records import rejected_as
from gridwire.outcome import Accepted, Rejected, Unknown
from gridwire.sandbox import Sandbox
from tests.epias_stp.trading import CONTRACT, accepted, buy, full_disk, refused, trading

# what is lost


async def test_cancelled_caller_leaves_a_journalled_unknown_and_nothing_else(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t:
        t.venue.knobs.latency_s = 1.0
        tasks = asyncio.all_tasks()
        caller = asyncio.create_task(buy(t.desk, client_ref="gone"))
        await asyncio.sleep(0.5)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        (lost,) = t.stp.unknown()
        assert (lost.cause, lost.intent.client_ref) == ("cancelled", "gone")
        assert t.desk.open_notional == Decimal("120005.00")
        await asyncio.sleep(2)
        assert {task for task in asyncio.all_tasks() - tasks if "gridwire" in repr(task.get_coro())} == set()
        (row,) = await t.stp._ledger.rows()
        assert (row.key, row.state, row.note) == (lost.intent.key, "unknown", "cancelled")
        assert t.desk.timings.waited() == 0
        t.venue.knobs.latency_s = 0.0
        accepted(await buy(t.desk))


async def test_closing_the_desk_settles_orders_under_way() -> None:
    for transport in ("lane", "httpx"):
        async with trading(order_transport=transport) as t:
            t.venue.knobs.latency_s = 5.0
            caller = asyncio.create_task(buy(t.desk))
            await asyncio.sleep(1)
            await t.desk.__aexit__(None, None, None)
            loop = asyncio.get_running_loop()
            before = loop.time()
            assert isinstance(await caller, Unknown)
            assert loop.time() == before
            await t.desk.__aenter__()


async def test_journal_that_cannot_be_written_stops_orders(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t:
        journal = t.stp._ledger.journal
        with full_disk() as full:
            before, journal._descriptor = journal._descriptor, full
            outcome = refused(await buy(t.desk, client_ref="mine"), "journal")
            assert "Nothing was sent" in outcome.reason
            bid_outcome = await t.desk.sell(CONTRACT, price="1.00", quantity=1)
            refused(bid_outcome, "journal")
            journal._descriptor = before
        assert len(t.venue.log) == 0
        assert t.desk.open_notional == 0
        accepted(await buy(t.desk, client_ref="mine"))


async def test_place_of_references_that_cannot_be_written_stops_orders_that_have_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trading(journal=tmp_path) as t:
        monkeypatch.setattr("gridwire.intents.journal.reference_file", lambda *_: Path("/proc/none/of/it"))
        refused(await buy(t.desk, client_ref="mine"), "journal")
        assert len(t.venue.log) == 0
        accepted(await buy(t.desk))


@pytest.mark.parametrize("over_the_desk", [True, False])
async def test_outcome_that_cannot_be_written_down_is_told_and_written_later(
    tmp_path: Path, over_the_desk: bool
) -> None:
    async with trading(journal=tmp_path) as t:
        journal = t.stp._ledger.journal
        with full_disk() as full:
            append, before = journal.append, journal._descriptor

            def then_full(body: bytes, *more: bytes) -> None:
                append(body, *more)
                journal._descriptor = full

            journal.append = then_full  # type: ignore[method-assign]
            if over_the_desk:
                outcome = await buy(t.desk)
            else:
                outcome = await t.stp.bids.save(CONTRACT, direction="BUY", price="12000.50", quantity=10)
            await asyncio.sleep(0.1)
            journal.append, journal._descriptor = append, before  # type: ignore[method-assign]
        assert isinstance(outcome, Accepted)
        (trouble,) = [event.text for event in t.events if event.name == "journal.trouble"]
        assert "written before the next call" in trouble
        assert "Nothing was sent" not in trouble
        assert read(tmp_path).rows[outcome.intent.key].state == "sending"
        accepted(await buy(t.desk))
        assert read(tmp_path).rows[outcome.intent.key].state == "accepted"


async def test_outcome_that_can_never_be_written_down_is_recovered_as_unknown(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t:
        outcome = await buy(t.desk)
        journal = t.stp._ledger.journal
        with full_disk() as full:
            before, journal._descriptor = journal._descriptor, full
            await asyncio.sleep(0.1)
            journal._descriptor, journal._first = before, b""
        assert isinstance(outcome, Accepted)
        assert "journal.trouble" in t.codes()
        await t.desk.__aexit__(None, None, None)
        await t.stp._ledger.aclose()
        async with EpiasStp(t.box.epias_stp, journal=tmp_path) as again, again.desk() as desk:
            assert [one.intent.key for one in again.unknown()] == [outcome.intent.key]
            assert desk.open_notional == Decimal("120005.00")
        await t.desk.__aenter__()


async def test_every_outcome_is_in_the_journal_as_it_was_told(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t:
        bid = accepted(await buy(t.desk))
        t.venue.faults.add("drop_after_execute", operation="bid_update")
        lost = await t.desk.modify(bid, price=bid.restated["price"], quantity=1)
        t.venue.faults.add("result", operation="bid_save", result_type="BUSINESSERROR", result_code="X-1")
        no = await buy(t.desk)
        gone = await t.desk.cancel(bid)
    rows = read(tmp_path).rows
    assert isinstance(no, Rejected)
    assert no.intent is not None
    assert isinstance(gone, Accepted)
    assert isinstance(lost, Unknown)
    assert {key: row.state for key, row in rows.items()} == {
        bid.intent.key: "closed",
        lost.intent.key: "resolved_ended",
        no.intent.key: "rejected",
        gone.intent.key: "done",
    }
    assert rows[no.intent.key].note == "venue X-1"
    assert rows[bid.intent.key].fields["price"] == "12000.50"


@pytest.mark.parametrize("how", ["desk", "bids"])
async def test_the_journal_keeps_whether_and_when_a_refused_bid_may_be_entered_again(tmp_path: Path, how: str) -> None:
    async with trading(journal=tmp_path) as t:
        t.venue.faults.add("status", operation="bid_save", status=429, retry_after="45")
        if how == "desk":
            no = await buy(t.desk)
        else:
            no = await t.stp.bids.save(CONTRACT, direction="BUY", price="12000.50", quantity=1)
        assert isinstance(no, Rejected)
        assert (no.code, no.repeatable, no.retry_after_s) == ("429", True, 45.0)
    (row,) = read(tmp_path).rows.values()
    assert row.note == "venue 429: repeatable after 45 s"
    assert rejected_as(row.note) == ("venue", "429", True, 45.0)


# seeing and switching


async def test_preview_shows_the_bytes_that_would_go_with_the_ticket_masked() -> None:
    async with trading() as t:
        shown = t.desk.preview("BUY", CONTRACT, price="12000.50", quantity=155)
        assert len(t.venue.log) == 0
        assert b"ST-preview" not in shown
        assert b"stp-service-ticket: ***" in shown or b"ST-***" in shown
        body = json.loads(shown.partition(b"\r\n\r\n")[2])
        assert body["body"]["contractName"] == CONTRACT
        assert body["body"]["price"] == 12000.5
        with pytest.raises(InvalidInput, match="is not a side"):
            t.desk.preview("BID", CONTRACT, price="1", quantity=1)  # type: ignore[arg-type]


async def test_answers_meant_for_others_are_told() -> None:
    async with trading() as t:
        t.venue.faults.add("wrong_transaction_id", operation="bid_save")
        outcome = await buy(t.desk)
        assert isinstance(outcome, Unknown)
        assert outcome.cause == "foreign_answer"
        assert {"answer.foreign", "outcome.unknown"} <= set(t.codes())


async def test_ticket_refused_young_lowers_the_life_tickets_are_believed_to_have() -> None:
    async with trading() as t:
        await asyncio.sleep(18)
        t.venue.cas.knobs.st_ttl_s = 12.0
        outcome = await buy(t.desk)
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, outcome.repeatable) == ("security", True)
        assert t.stp.ticket_stats().ttl_s == 15.0
        await asyncio.sleep(61)
        accepted(await buy(t.desk))


async def test_prices_have_as_many_decimals_as_the_profile_says() -> None:
    for places, price, written in (
        (0, "12000", b'"price":12000,'),
        (3, "1.5", b'"price":1.500,'),
        (None, "1.50", b'"price":1.5,'),
    ):
        async with Sandbox("epias_stp") as box:
            account = box.epias_stp
            odd = replace(account, profile=replace(account.profile, price_places=places))
            async with EpiasStp(odd) as stp, stp.desk(contracts=[CONTRACT]) as desk:
                assert written in desk.preview("SELL", CONTRACT, price=price, quantity=1)


@pytest.mark.parametrize("how", ["desk", "save", "lost", "dead run", "archive"])
async def test_transaction_id_of_an_earlier_call_is_refused_and_nothing_is_sent(tmp_path: Path, how: str) -> None:
    """Whoever chose it: the second call would have no row of its own, and its answer could not be told from the first's."""
    async with trading(journal=tmp_path) as t:
        if how == "save":
            first = await t.stp.bids.save(CONTRACT, direction="BUY", price="100.00", quantity=10)
        else:
            if how == "lost":
                t.venue.faults.add("drop_after_execute", operation="bid_save")
            first = await buy(t.desk)
        assert first.intent is not None
        journal = t.stp._ledger.journal
        journal.flush()
        if how in ("dead run", "archive"):
            journal._abandon()
            await t.desk.__aexit__(None, None, None)
            t.stp._ledger._journal = None
            if how == "archive":
                await asyncio.to_thread((await t.stp._ledger.open()).recover)
        sent = t.saves()
        for client in (t.stp, EpiasStp(t.box.epias_stp, journal=tmp_path)):
            if client is not t.stp:
                await client.__aenter__()
            again = await client.bids.save(
                CONTRACT, direction="SELL", price="200.00", quantity=10, transaction_id=first.intent.key
            )
            refused(again, "transaction_id")
            if client is not t.stp:
                await client.__aexit__(None, None, None)
        assert t.saves() == sent
        assert read(tmp_path).damaged == 0
        if how in ("dead run", "archive"):
            await t.desk.__aenter__()


async def test_transaction_id_of_ones_own_is_sent_once(tmp_path: Path) -> None:
    key = "11111111-2222-4333-8444-555555555555"
    async with trading(journal=tmp_path) as t:
        for expected in (1, 1):
            outcome = await t.stp.bids.save(CONTRACT, direction="BUY", price="1.00", quantity=1, transaction_id=key)
            assert outcome.intent is not None
            assert outcome.intent.key == key
            assert t.saves() == expected


async def test_caller_who_leaves_before_anything_was_sent_leaves_his_transaction_id_free(tmp_path: Path) -> None:
    key = "11111111-2222-4333-8444-555555555555"
    async with trading(journal=tmp_path) as t:
        order: dict[str, Any] = {"direction": "BUY", "price": "1.00", "quantity": 1, "transaction_id": key}
        caller = asyncio.create_task(t.stp.bids.save(CONTRACT, **order))
        await asyncio.sleep(0)  # the key is reserved, and a thread looks whether it was used before
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert t.saves() == 0
        accepted(await t.stp.bids.save(CONTRACT, **order))


async def test_a_change_and_a_cancellation_keep_the_callers_own_reference(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t:
        bid = accepted(await buy(t.desk, client_ref="entry"))
        changed = accepted(await t.desk.modify(bid, price="12000.00", quantity=10, client_ref="change"))
        refused(await t.desk.modify(bid, price="11000.00", quantity=10, client_ref="change"), "client_ref")
        await t.desk.cancel(changed, client_ref="end")
        await asyncio.sleep(1.0)
        rows = sorted(read(tmp_path).rows.values(), key=lambda row: row.created)
        assert {row.operation: row.client_ref for row in rows} == {
            "bid_save": "entry",
            "bid_update": "change",
            "bid_cancel": "end",
        }
