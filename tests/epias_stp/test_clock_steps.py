"""Wall clocks are stepped by minutes and days, within a run and between two; no answer becomes wrong by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gridwire import clock
from gridwire.epias_stp import EpiasStp
from gridwire.epias_stp.desk import StpDesk
from gridwire.epias_stp.ledger import Ledger
from gridwire.intents.journal import read
from gridwire.observe.events import Events
from gridwire.outcome import Accepted, OrderRef, Unknown
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue
from tests.conftest import EPOCH
from tests.epias_stp.resolving import CONTRACT, absent, still

STEPS_S = [600, -600, 86_400, -86_400, 20, -20]


class Clock:
    """Our wall clock, which can be stepped; the venue's and the machine's boot clock go on."""

    def __init__(self, venue: EpiasStpVenue) -> None:
        self._venue = venue
        self._offset_s = 0.0
        self._loop = asyncio.get_running_loop()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time() + self._offset_s)

    def step(self, seconds: float) -> None:
        self._offset_s += seconds
        self._venue.knobs.clock_offset_s = -self._offset_s


@asynccontextmanager
async def stepped() -> AsyncIterator[tuple[EpiasStpVenue, Clock]]:
    async with Sandbox("epias_stp") as box:
        venue = box.venue("epias_stp")
        hands = Clock(venue)
        with clock.use(hands.now):
            yield venue, hands


@asynccontextmanager
async def program(venue: EpiasStpVenue, journal: Path) -> AsyncIterator[tuple[EpiasStp, StpDesk]]:
    async with (
        EpiasStp(venue.account(), journal=journal, exclusive=True) as stp,
        stp.desk(contracts=[CONTRACT]) as desk,
    ):
        yield stp, desk


def sell(venue: EpiasStpVenue, kurus: int, quantity: int) -> None:
    market, now = venue.market, venue.knobs.now()
    market.save_bid(
        market.users["TRADER2"], market.contract(CONTRACT), "SELL", kurus, quantity, "STANDART_MATCH", "ACTIVE", now
    )


async def lose(venue: EpiasStpVenue, desk: StpDesk, *, executed: bool) -> Unknown:
    venue.faults.add("drop_after_execute" if executed else "drop_before_execute", operation="bid_save")
    lost = await desk.buy(CONTRACT, price="100.00", quantity=10)
    assert isinstance(lost, Unknown)
    return lost


@contextmanager
def another_boot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is started again: boot time begins anew, under another name."""
    with monkeypatch.context() as patch:
        patch.setattr(clock, "boot_name", lambda: "another0")
        yield


@pytest.mark.parametrize("between_runs", [True, False])
@pytest.mark.parametrize("seconds", STEPS_S)
async def test_a_filled_bid_is_never_called_absent(tmp_path: Path, seconds: float, between_runs: bool) -> None:
    async with stepped() as (venue, hands):
        async with program(venue, tmp_path) as (_, desk):
            lost = await lose(venue, desk, executed=True)
            await asyncio.sleep(5.0)
            sell(venue, 10000, 10)
            if not between_runs:
                hands.step(seconds)
                await asyncio.sleep(85.0)
                assert not absent(await desk.resolve(lost))
        if between_runs:
            hands.step(seconds)
            async with program(venue, tmp_path) as (stp, desk):
                await asyncio.sleep(85.0)
                (found,) = stp.unknown()
                answer = await desk.resolve(found)
                # By a clock that is a day off, the venue's own time is not believed either: then it stays unknown.
                assert still(answer, "clocks") if abs(seconds) > 3600 else isinstance(answer, Accepted)


@pytest.mark.parametrize("seconds", STEPS_S)
async def test_after_a_restart_of_the_machine_a_match_that_may_be_older_proves_nothing(
    tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stepped() as (venue, hands):
        async with program(venue, tmp_path) as (_, desk):
            await lose(venue, desk, executed=True)
            await asyncio.sleep(5.0)
            sell(venue, 10000, 10)
            await asyncio.sleep(20.0)
        hands.step(seconds)
        with another_boot(monkeypatch):
            async with program(venue, tmp_path) as (stp, desk):
                await asyncio.sleep(85.0)
                (found,) = stp.unknown()
                assert still(await desk.resolve(found), "clocks are not known well enough")


@pytest.mark.parametrize("seconds", STEPS_S)
async def test_the_minute_counts_from_the_boot_clock_or_from_the_start_of_this_run(
    tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stepped() as (venue, hands):
        async with program(venue, tmp_path) as (_, desk):
            await lose(venue, desk, executed=False)
            await asyncio.sleep(10.0)
        hands.step(seconds)
        async with program(venue, tmp_path) as (stp, desk):  # the same boot: 50 s are left
            assert still(await desk.resolve(stp.unknown()[0]), "look again in 50 s")
        with another_boot(monkeypatch):
            async with program(venue, tmp_path) as (stp, desk):
                await asyncio.sleep(55.0)
                assert still(await desk.resolve(stp.unknown()[0]), "look again in 5 s")
                await asyncio.sleep(6.0)
                assert absent(await desk.resolve(stp.unknown()[0]))


@pytest.mark.parametrize("seconds", STEPS_S)
async def test_of_two_changes_the_one_sent_later_holds_whatever_the_clock_says(tmp_path: Path, seconds: float) -> None:
    async with stepped() as (venue, hands), program(venue, tmp_path) as (stp, desk):
        bid = (await desk.buy(CONTRACT, price="100.00", quantity=10)).accepted()
        assert isinstance(bid, OrderRef)
        await desk.modify(bid, price="101.00", quantity=10)
        hands.step(seconds)
        await asyncio.sleep(1.0)
        await desk.modify(bid, price="102.00", quantity=10)
        (known,) = await stp.bids.known()
        assert str(known.restated["price"]) == "102.00"


@pytest.mark.parametrize("seconds", STEPS_S)
async def test_a_bid_is_judged_a_few_seconds_after_the_last_word_about_it(tmp_path: Path, seconds: float) -> None:
    async with stepped() as (venue, hands), program(venue, tmp_path) as (_, desk):
        await desk.buy(CONTRACT, price="100.00", quantity=10)
        sell(venue, 10000, 10)
        hands.step(seconds)
        assert await desk.refresh() == []  # too young, though the wall clock may say that it is a day old
        await asyncio.sleep(6.0)
        assert (
            len(await desk.refresh()) == 1
        )  # old enough, though the wall clock may say that it is to be sent tomorrow


@pytest.mark.parametrize("seconds", STEPS_S)
async def test_a_bid_that_ended_before_is_no_rival_and_one_that_ended_since_is_one(
    tmp_path: Path, seconds: float
) -> None:
    async with stepped() as (venue, hands), program(venue, tmp_path) as (_, desk):
        first = (await desk.buy(CONTRACT, price="100.00", quantity=10)).accepted()
        assert first is not None
        await asyncio.sleep(1.0)
        hands.step(seconds)
        lost = await lose(venue, desk, executed=False)
        sell(venue, 10000, 10)  # it fills the first one, which was sent before the clock was stepped
        await asyncio.sleep(70.0)
        await desk.refresh()
        assert not isinstance(await desk.resolve(lost), Accepted)


async def test_where_the_boot_has_no_name_only_the_own_process_is_trusted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, account="test/A", throw_away=False, events=Events(None))
    journal = await ledger.open()
    journal.record("sending", "K", v="epias_stp", a="test/A", o="bid_save", f={})
    (row,) = await ledger.rows()
    await asyncio.sleep(30.0)
    assert ledger.ages(row).least_s == 30.0
    journal.record("unknown", "K", n="timeout")
    await asyncio.sleep(5.0)
    (row,) = await ledger.rows()
    assert (ledger.ages(row).least_s, ledger.quiet_s(row)) == (35.0, 5.0)
    assert read(tmp_path).rows["K"].created_boot == row.created_boot
    await ledger.aclose()
