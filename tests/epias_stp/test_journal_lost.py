"""What STP's client does when its journal is gone, full or damaged."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

import pytest

from gridwire import clock
from gridwire.epias_stp import EpiasStp
from gridwire.errors import JournalError
from gridwire.intents.damage import settle
from gridwire.intents.journal import AGAIN_S, Journal, read
from gridwire.observe.events import Event
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown
from gridwire.sandbox import Sandbox
from tests.acceptance.epias_stp.floor import WRITES, Writes, floor
from tests.epias_stp.trading import CONTRACT, Trading, accepted, buy, refused, trading
from tests.intents.runs import files_no_longer_than, logs, sending


def resting(t: Trading) -> int:
    return sum(bid.is_open for bid in t.venue.market.bids.values())


def trouble(events: list[Event]) -> list[str]:
    found = [event for event in events if event.name == "journal.trouble"]
    assert {event.level for event in found} <= {logging.ERROR}
    return [event.text for event in found]


class TestGone:
    @pytest.mark.parametrize("made_anew", [False, True])
    async def test_nothing_but_cancellations_leaves_and_no_question_is_answered(
        self, tmp_path: Path, made_anew: bool
    ) -> None:
        folder = tmp_path / "journal"
        async with trading(journal=folder) as t:
            bid, other = accepted(await buy(t.desk)), accepted(await buy(t.desk, "12001.00"))
            shutil.rmtree(folder)
            if made_anew:
                Journal.open(folder).close()
            refused(await buy(t.desk), "journal")
            refused(await buy(t.desk, client_ref="mine"), "journal")
            refused(await t.desk.modify(bid, price="1.00", quantity=1), "journal")
            refused(await t.stp.bids.save(CONTRACT, direction="BUY", price="1.00", quantity=1), "journal")
            refused(await t.stp.bids.update(bid, price="1.00", quantity=1), "journal")
            for question in (t.stp.bids.known, t.desk.cancel_all, t.desk.refresh, t.stp.bids.refresh):
                with pytest.raises(JournalError, match="deleted, moved or made anew"):
                    await question()
            with pytest.raises(JournalError, match="deleted, moved or made anew"):
                t.stp.unknown()
            assert resting(t) == 2
            assert isinstance(await t.desk.cancel(bid, client_ref="end"), Accepted)
            turned = other.intent.key[::-1]
            assert isinstance(await t.stp.bids.cancel(other, transaction_id=turned, client_ref="end-2"), Accepted)
            assert resting(t) == 0
            await asyncio.sleep(AGAIN_S)
            told = " ".join(trouble(t.events))
            assert f"of {bid.id} is sent though it could not be written down" in told
            assert f"of {other.id} is sent though it could not be written down" in told
            await t.desk.__aexit__(None, None, None)
            await t.stp._ledger.aclose()
            assert "8 record(s) could not be written" in trouble(t.events)[-1]  # of two bids and two cancellations
            await t.desk.__aenter__()

    @pytest.mark.parametrize("operation", [name for name in WRITES if name != "bid_cancel"])
    async def test_no_write_of_any_kind_leaves(self, tmp_path: Path, operation: str) -> None:
        """Payments, contracts, gates: whatever the journal would have to know of."""
        folder = tmp_path / "journal"
        async with floor() as f:
            writes = await Writes.arrange(f, journal=folder)
            await writes.client(operation).bids.known()  # it is open
            before = len(f.venue.log.calls(operation))
            shutil.rmtree(folder)
            outcome = await writes.call(operation)
            assert isinstance(outcome, Rejected), outcome
            assert (outcome.origin, outcome.code) == ("guard", "journal")
            assert outcome.reason.endswith("Nothing was sent.")
            assert len(f.venue.log.calls(operation)) == before


class TestFull:
    async def test_cancellations_leave_and_are_written_down_when_there_is_room(self, tmp_path: Path) -> None:
        async with trading(journal=tmp_path) as t:
            bids = [accepted(await buy(t.desk, f"1200{n}.00")) for n in range(3)]
            await asyncio.sleep(0.1)
            size = logs(tmp_path)[0].stat().st_size
            with files_no_longer_than(size):
                refused(await buy(t.desk), "journal")
                first = await t.stp.bids.cancel(bids[0])
                second = await t.desk.cancel(bids[1])
                known = [bid.id for bid in await t.stp.bids.known()]  # on the disk and in memory
                rest = await t.desk.cancel_all()
                await asyncio.sleep(5)
                left = resting(t)
            assert all(isinstance(one, Accepted) for one in (first, second))
            assert left == 0
            assert known == [bids[2].id]
            assert [type(one) for one in rest] == [Accepted]
            told = " ".join(trouble(t.events))
            for bid in bids:
                assert f"of {bid.id} is sent though it could not be written down" in told
            await asyncio.sleep(AGAIN_S)
            rows = read(tmp_path).rows
            assert {rows[bid.intent.key].state for bid in bids} == {"closed"}
            assert {row.state for row in rows.values() if row.operation == "bid_cancel"} <= {"done", "rejected"}

    async def test_a_client_that_starts_on_a_full_disk_reads_and_cancels(self, tmp_path: Path) -> None:
        async with Sandbox("epias_stp") as box:
            async with EpiasStp(box.epias_stp, journal=tmp_path) as stp, stp.desk() as desk:
                kept, gone = accepted(await buy(desk)), accepted(await buy(desk, "12001.00"))
            events: list[Event] = []
            with files_no_longer_than(0):
                async with EpiasStp(box.epias_stp, journal=tmp_path, on_event=events.append) as stp, stp.desk() as desk:
                    known = [bid.id for bid in await stp.bids.known()]
                    bid = await buy(desk)
                    cancelled = await desk.cancel(gone)
            assert known == [kept.id, gone.id]
            refused(bid, "journal")
            assert isinstance(cancelled, Accepted)
            assert "Until then cancellations are sent, and nothing else is." in trouble(events)[0]
            assert "before the client was closed, and are lost" in trouble(events)[-1]


class TestDamaged:
    async def test_what_is_lost_is_told_and_what_is_left_is_unknown(self, tmp_path: Path) -> None:
        async with Sandbox("epias_stp") as box:
            box.venue("epias_stp").faults.add("drop_after_execute", operation="bid_save")
            async with EpiasStp(box.epias_stp, journal=tmp_path) as stp:
                lost = await stp.bids.save(CONTRACT, direction="BUY", price="12000.00", quantity=2)
            assert isinstance(lost, Unknown)
            spoilt = bytearray(logs(tmp_path)[0].read_bytes())
            spoilt[60] ^= 1
            logs(tmp_path)[0].write_bytes(spoilt)
            for _ in range(2):
                events: list[Event] = []
                async with (
                    EpiasStp(box.epias_stp, journal=tmp_path, on_event=events.append) as stp,
                    stp.desk(contracts=[CONTRACT]) as desk,
                ):
                    (found,) = stp.unknown()
                    (listed,) = await desk.cancel_all()
                    assert isinstance(listed, Unknown)
                    still = await desk.resolve(found)
                assert (found.intent.key, found.cause) == (lost.intent.key, "damaged")
                assert listed.intent.key == found.intent.key
                assert isinstance(still, Unknown)
                (told,) = [event for event in events if event.name == "journal.damaged"]
                assert (told.level, told.fields["lines"]) == (logging.ERROR, 1)
                assert "gridwire journal damaged" in told.text

    @pytest.mark.parametrize("later", [True, False])
    async def test_a_lost_bid_could_be_the_one_whose_mark_is_seen(self, tmp_path: Path, later: bool) -> None:
        """Until a person has looked, a mark at another unknown bid's price proves nothing, declared exclusive or not."""
        async with Sandbox("epias_stp") as box:
            box.venue("epias_stp").faults.add("drop_after_execute", operation="bid_save")
            async with (
                EpiasStp(box.epias_stp, journal=tmp_path, exclusive=True) as stp,
                stp.desk(contracts=[CONTRACT]) as desk,
            ):
                lost = await desk.buy(CONTRACT, price="12000.00", quantity=2)
            assert isinstance(lost, Unknown)
            dead = Journal.open(tmp_path)
            sending(dead, "of-which-nothing-is-known")
            if later:
                dead.record("unknown", "of-which-nothing-is-known")
            dead._abandon()
            log = tmp_path / "runs" / f"{dead.run}.log"
            log.write_bytes(log.read_bytes().replace(b'"sending"', b'"sanding"', 1))

            async def asked() -> Outcome:
                async with (
                    EpiasStp(box.epias_stp, journal=tmp_path, exclusive=True) as stp,
                    stp.desk(contracts=[CONTRACT]) as desk,
                ):
                    return await desk.resolve(lost)

            assert isinstance(await asked(), Unknown)
            settle(tmp_path, dead.run, "nothing of it rests", at=clock.now())
            if later:
                assert isinstance(await asked(), Unknown)
                journal = Journal.open(tmp_path)
                journal.record("resolved_absent", "of-which-nothing-is-known")
                journal.close()
            assert isinstance(await asked(), Accepted)
