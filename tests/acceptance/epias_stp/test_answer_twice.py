"""An answer that comes twice is never taken for the answer to another order, on any way an order takes."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from gridwire.epias_stp import Limits
from gridwire.outcome import Outcome, Rejected, Unknown
from gridwire.transport.lanes import LaneLimits
from tests.acceptance.epias_stp.floor import BID, TODAY, TOMORROW, Floor, Wire, accepted, floor
from tests.acceptance.epias_stp.relay import relay

Over = Literal["httpx", "lane"]
SELL: dict[str, Any] = {"price": "13000.00", "quantity": 7}


def refuse_the_next(f: Floor) -> None:
    f.venue.faults.add("result", result_type="BUSINESSERROR", result_code="BID-0001", operation="bid_save")


def refused(outcome: Outcome) -> None:
    assert isinstance(outcome, Rejected), outcome
    assert (outcome.origin, outcome.code) == ("venue", "BID-0001")


@pytest.mark.parametrize("seconds", [None, 0.5])
@pytest.mark.parametrize("tls", [False, True])
async def test_bids_of_the_model_path_get_their_own_answers(wire: Wire, seconds: float | None, tls: bool) -> None:
    async with floor(message_format=wire, tls=tls) as f:
        f.venue.faults.add("answer_twice", operation="bid_save", seconds=seconds)
        accepted(await f.stp.bids.save(TODAY, **BID))
        refuse_the_next(f)
        refused(await f.stp.bids.save(TODAY, **{**BID, "direction": "SELL", **SELL}))
        assert len(f.venue.log.executed("bid_save")) == 1


@pytest.mark.parametrize("seconds", [None, 0.5])
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("over", ["httpx", "lane"])
async def test_bids_of_a_desk_get_their_own_answers(over: Over, seconds: float | None, tls: bool) -> None:
    async with floor(tls=tls) as f, f.stp.desk(order_transport=over, limits=Limits()) as desk:
        f.venue.faults.add("answer_twice", operation="bid_save", seconds=seconds)
        accepted(await desk.buy(TODAY, price="12000.50", quantity=155))
        await asyncio.sleep(seconds or 0.0)
        refuse_the_next(f)
        refused(await desk.sell(TODAY, **SELL))
        await asyncio.sleep(1.0)
        accepted(await desk.sell(TODAY, **SELL))
        assert len(f.venue.log.executed("bid_save")) == 2


@pytest.mark.parametrize("seconds", [None, 1.0])
async def test_a_copy_of_a_refusal_that_names_nothing_does_not_reject_the_next_order(seconds: float | None) -> None:
    async with floor() as f, f.stp.desk(lanes=LaneLimits(standing=1, most=1)) as desk:
        f.venue.knobs.echo_transaction_id = False  # as in the document's samples
        # The refusal as STP would send it, twice: the fault "answer_twice" repeats what the engine answers.
        f.venue.faults.add("answer_twice", operation="bid_save", seconds=seconds)
        refused_by_rule = await desk.buy(TODAY, price="99999999.00", quantity=155)
        assert isinstance(refused_by_rule, Rejected), refused_by_rule
        f.venue.faults.add("slow_answer", operation="bid_save", seconds=3.0, chunk=4096)
        accepted(await desk.sell(TODAY, **SELL))


async def test_a_copy_of_a_change_is_not_the_answer_to_the_cancellation_of_that_bid() -> None:
    async with floor() as f, f.stp.desk(lanes=LaneLimits(standing=1, most=1)) as desk:
        f.venue.knobs.echo_transaction_id = False
        bid = accepted(await desk.buy(TODAY, price="12000.50", quantity=155)).order
        assert bid is not None
        f.venue.faults.add("answer_twice", operation="bid_update", seconds=1.0)
        accepted(await desk.modify(bid, price="12000.00", quantity=155))
        f.venue.faults.add("silence_before_execute", operation="bid_cancel", seconds=3)
        lost = await desk.cancel(bid)
        assert isinstance(lost, Unknown), lost
        assert f.venue.market.bids[str(bid.id)].is_open


@pytest.mark.parametrize("echoes", [True, False])
async def test_a_lane_is_used_again_only_after_an_answer_that_repeats_its_transaction(echoes: bool) -> None:
    async with floor() as f, relay(f.venue.profile.stp_url) as line:
        f.venue.knobs.echo_transaction_id = echoes
        stp = await f.client(f.account(stp_url=line.url))
        async with stp.desk(lanes=LaneLimits(standing=1, most=2)) as desk:
            for _ in range(3):
                accepted(await desk.buy(TODAY, price="12000.50", quantity=155))
                await asyncio.sleep(0.3)
            carried = [bytes(written).count(b"/bid/save") for written in line.written if b"/bid/save" in bytes(written)]
            assert carried == ([3] if echoes else [1, 1, 1])


async def test_bytes_that_no_call_had_asked_for_are_reported_with_the_last_call_of_the_lane() -> None:
    async with floor() as f, f.stp.desk(lanes=LaneLimits(standing=1, most=1)) as desk:
        f.venue.faults.add("answer_twice", operation="bid_save", seconds=0.5)
        first = accepted(await desk.buy(TODAY, price="12000.50", quantity=155))
        await asyncio.sleep(1.0)
        (event,) = f.told("lane.unrequested")
        assert event.fields["transaction_id"] == first.intent.key
        assert first.intent.key in event.text
        accepted(await desk.sell(TODAY, **SELL))


async def test_an_identifier_that_was_named_before_is_no_answer_to_a_new_bid(wire: Wire) -> None:
    """Whatever brings it: here something between us and the venue says again what it said before."""
    async with floor(message_format=wire) as f:
        order = await f.bid()
        await f.bid(contract=TOMORROW)
        market_ids = [str(bid.id) for bid in f.venue.market.bids.values()]
        assert order.id in market_ids
        copy = _success(wire, str(order.id))
        f.venue.faults.add("raw", operation="bid_save", content=copy, content_type=f"application/{wire}")
        outcome = await f.stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Unknown), outcome
        assert outcome.cause == "foreign_answer"
        accepted(await f.stp.bids.cancel(order))  # naming it is right here
        accepted(await f.stp.bids.save(TODAY, **BID))


async def test_an_order_has_a_connection_of_its_own_and_reads_keep_theirs(wire: Wire) -> None:
    async with floor() as f, relay(f.venue.profile.stp_url) as line:
        stp = await f.client(f.account(stp_url=line.url), message_format=wire)
        await stp.contracts.standard()
        accepted(await stp.bids.save(TODAY, **BID))
        accepted(await stp.bids.save(TODAY, **BID))
        await stp.contracts.standard()
        reads, *bids = [bytes(written) for written in line.written]
        assert reads.count(b"POST /") == 2
        assert b"connection: close" not in reads.lower()
        assert [bid.lower().count(b"connection: close") for bid in bids] == [1, 1]
        assert [bid.count(b"POST /") for bid in bids] == [1, 1]


async def test_a_copy_of_an_answer_is_not_read_as_the_answer_to_another_question(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        f.venue.faults.add("answer_twice", operation="activecontracts_standart")
        contracts = await f.stp.contracts.standard()
        assert TODAY in [contract.name for contract in contracts]
        depth = await f.stp.contracts.depth(TODAY)
        assert depth == await f.stp.contracts.depth(TODAY)
        (retried,) = f.told("call.retried")
        assert "was there before the request had left" in retried.text


def _success(wire: Wire, bid_id: str) -> bytes:
    if wire == "json":
        return (
            b'{"resultCode":"0","resultDescription":"OK","resultType":"SUCCESS","body":{"bidResponse":{"id":"%b"}}}'
            % bid_id.encode()
        )
    return (
        b"<stpResponse><resultCode>0</resultCode><resultDescription>OK</resultDescription><resultType>SUCCESS</resultType>"
        b"<body><bidResponse><id>%b</id></bidResponse></body></stpResponse>" % bid_id.encode()
    )
