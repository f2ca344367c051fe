"""Golden tests T30 to T41 of the specification: what is sent again, what never is, and what the caller is told.

Where the specification resends by itself and gridwire does not, a test runs twice: as a user gets it, and with the switch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gridwire.epias_stp import EpiasStp
from gridwire.epias_stp.errors import StpBusinessError, StpSecurityError, StpSystemError
from gridwire.epias_stp.wire import Envelope
from gridwire.errors import NoAnswer, OutcomeUnknown
from gridwire.outcome import Outcome, Rejected, Unknown
from gridwire.sandbox.epias_stp.log import LoggedCall
from tests.acceptance.epias_stp.floor import BID, TODAY, Floor, Wire, Writes, accepted, floor, until
from tests.acceptance.epias_stp.relay import Relay, relay


def rejected(outcome: Outcome) -> Rejected:
    assert isinstance(outcome, Rejected), outcome
    return outcome


def unknown(outcome: Outcome) -> Unknown:
    assert isinstance(outcome, Unknown), outcome
    return outcome


def one_transaction(calls: list[LoggedCall], key: str) -> None:
    assert {call.transaction_id for call in calls} <= {key, None}, "all attempts of a call carry one transactionId"


async def with_stale_ticket(f: Floor) -> None:
    """The venue's tickets live 15 s as at EPİAŞ's sister services, and the pool holds one of 16 s."""
    f.venue.cas.knobs.st_ttl_s = 15
    await f.stp.warm_up()
    await asyncio.sleep(16)


@asynccontextmanager
async def over_relay(f: Floor, **options: Any) -> AsyncIterator[tuple[Any, Relay]]:
    """A client whose way to STP leads over a relay."""
    async with relay(f.venue.profile.stp_url) as wire:
        yield await f.client(f.account(stp_url=wire.url), **options), wire


# ---------------------------------------------------------------------------------------------------------------------
# Tickets that the venue refuses


async def test_T30_stale_ticket_on_bid_save_is_an_honest_refusal_by_default(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        await with_stale_ticket(f)
        outcome = rejected(await f.stp.bids.save(TODAY, **BID))
        assert (outcome.origin, outcome.repeatable, outcome.code) == ("security", True, "SEC-0001")
        assert "may have expired: the same call can be made again" in outcome.reason
        assert "No bid was placed." in outcome.reason
        (call,) = f.venue.log.calls("bid_save")
        assert (call.ticket_problem, call.executed) == ("expired", False)
        assert f.stp.unknown() == []

        await f.bid()  # said to be repeatable, and is
        assert len(f.venue.log.executed("bid_save")) == 1


async def test_T30_stale_ticket_on_bid_save_is_resent_once_where_switched_on(wire: Wire) -> None:
    async with floor(message_format=wire, resend_on_security_error=True) as f:
        await with_stale_ticket(f)
        outcome = accepted(await f.stp.bids.save(TODAY, **BID))
        first, second = f.venue.log.calls("bid_save")
        assert (first.ticket_problem, second.ticket_problem) == ("expired", "")
        assert first.ticket != second.ticket
        assert first.transaction_id == second.transaction_id == outcome.intent.key
        assert (outcome.intent.attempts, outcome.possibly_duplicate) == (2, False)
        assert len(f.venue.log.executed("bid_save")) == len(f.venue.market.bids) == 1
        assert len(f.told("ticket.ttl_lowered")) == 1


@pytest.mark.parametrize("resend", [False, True])
async def test_T31_fresh_ticket_without_the_right_is_never_resent(wire: Wire, resend: bool) -> None:
    async with floor(user="OPERATOR1", message_format=wire, resend_on_security_error=resend) as f:
        outcome = rejected(await f.stp.bids.save(TODAY, **BID))
        assert (outcome.origin, outcome.repeatable, outcome.code) == ("security", False, "SEC-0002")
        assert "too young to have expired: the user probably lacks the right" in outcome.reason
        assert len(f.venue.log.calls("bid_save")) == 1
        assert f.told("ticket.ttl_lowered") == []


async def test_T32_one_security_error_is_one_request_by_default(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        await with_stale_ticket(f)
        f.venue.faults.add("result", result_type="SECURITYERROR", result_code="SEC-0001", times=None)
        outcome = rejected(await f.stp.bids.save(TODAY, **BID))
        assert (outcome.origin, outcome.repeatable) == ("security", True)
        assert len(f.venue.log) == 1


@pytest.mark.parametrize("operation", ["bid_save", "bid_cancel", "payment_order"])
async def test_T32_two_security_errors_in_a_row_end_it_and_a_third_never_comes(wire: Wire, operation: str) -> None:
    async with floor(message_format=wire) as f:
        writes = await Writes.arrange(f, message_format=wire, resend_on_security_error=True)
        await writes.client(operation).warm_up()
        await asyncio.sleep(16)
        f.venue.faults.add("result", result_type="SECURITYERROR", result_code="SEC-0001", times=None)
        before = len(f.venue.log)
        outcome = rejected(await writes.call(operation))
        assert (outcome.origin, outcome.code) == ("security", "SEC-0001")
        assert outcome.intent is not None
        assert outcome.intent.attempts == 2
        assert outcome.repeatable is False, "the second ticket was fresh, so a third try would not help either"
        calls = list(f.venue.log)[before:]
        assert len(calls) == 2
        assert not any(call.executed for call in calls)


async def test_T32_a_read_asks_twice_and_then_raises(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        f.venue.faults.add("result", result_type="SECURITYERROR", result_code="SEC-0002", times=None)
        with pytest.raises(StpSecurityError, match="Nothing was read"):
            await f.stp.contracts.standard()
        assert len({call.ticket for call in f.venue.log}) == len(f.venue.log) == 2


# ---------------------------------------------------------------------------------------------------------------------
# Answers that get lost


@pytest.mark.parametrize("fault", ["drop_after_execute", "silence_after_execute", "half_answer"])
@pytest.mark.parametrize("operation", ["bid_save", "bid_update", "payment_order"])
async def test_T33_executed_and_then_silent_is_unknown_and_never_sent_again(
    wire: Wire, operation: str, fault: Any
) -> None:
    async with floor(message_format=wire) as f:
        writes = await Writes.arrange(f, message_format=wire, resend_on_security_error=True, retry_cancel=True)
        before = len(f.venue.log.executed(operation))
        f.venue.faults.add(fault, operation=operation)
        outcome = unknown(await writes.call(operation))
        assert outcome.cause == ("timeout" if fault.startswith("silence") else "disconnected")
        assert outcome.intent.attempts == 1
        assert outcome.intent.key in outcome.reason
        await asyncio.sleep(3600)
        executed = f.venue.log.executed(operation)[before:]
        assert len(executed) == 1
        assert executed[0].transaction_id == outcome.intent.key, "the key to quote to EPİAŞ"
        assert [call.transaction_id for call in f.venue.log].count(outcome.intent.key) == 1
        assert writes.client(operation).unknown() == [outcome]
        assert [event.fields["transaction_id"] for event in f.told("outcome.unknown")] == [outcome.intent.key]
        with pytest.raises(OutcomeUnknown):
            outcome.accepted()


async def test_T33_what_an_unknown_bid_restates_finds_it_in_the_depth(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        f.venue.faults.add("drop_after_execute", operation="bid_save")
        outcome = unknown(await f.stp.bids.save(TODAY, **BID))
        assert "Look for it among your own bids and matches before you enter it again" in outcome.reason
        (level,) = (await f.stp.contracts.depth(TODAY)).buys
        assert level.owner
        assert (level.price, level.amount) == (outcome.intent.restated["price"], outcome.intent.restated["quantity"])


@pytest.mark.parametrize("taken", [0, 1, 40, 200, 380, 10_000])
async def test_T33_a_wire_cut_anywhere_in_the_request_is_unknown(wire: Wire, taken: int) -> None:
    async with floor() as f, over_relay(f, message_format=wire) as (stp, line):
        line.cut_requests = taken
        outcome = await stp.bids.save(TODAY, **BID)
        executed = len(f.venue.log.executed("bid_save"))
        if taken == 10_000:
            accepted(outcome)
            assert executed == 1
        else:
            assert unknown(outcome).cause == "disconnected"
            assert executed == 0
        assert line.requests == 1, "nothing is resent"


@pytest.mark.parametrize("passed", [0, 1, 30, 100, 200])
async def test_T33_a_wire_cut_anywhere_in_the_answer_is_unknown(wire: Wire, passed: int) -> None:
    async with floor() as f, over_relay(f, message_format=wire) as (stp, line):
        line.cut_answers = passed
        outcome = unknown(await stp.bids.save(TODAY, **BID))
        assert outcome.cause == "disconnected"
        assert len(f.venue.log.executed("bid_save")) == line.requests == 1


@pytest.mark.parametrize("fault", ["drop_before_execute", "drop_after_execute", "half_answer", "silence_after_execute"])
async def test_T34_a_read_whose_answer_got_lost_is_read_again(wire: Wire, fault: Any) -> None:
    async with floor(message_format=wire) as f:
        f.venue.faults.add(fault, times=2)
        contracts = await f.stp.contracts.standard()
        assert TODAY in [contract.name for contract in contracts]
        assert len({call.ticket for call in f.venue.log}) == len(f.venue.log) == 3
        one_transaction(list(f.venue.log), f.venue.log[2].transaction_id or "")
        assert len(f.told("call.retried")) == 2


async def test_T34_a_read_gives_up_after_two_repetitions() -> None:
    async with floor() as f:
        f.venue.faults.add("drop_after_execute", times=None)
        with pytest.raises(NoAnswer):
            await f.stp.contracts.standard()
        assert len(f.venue.log) == 3


async def test_T35_a_lost_cancellation_is_unknown_by_default(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        order = await f.bid()
        f.venue.faults.add("drop_after_execute", operation="bid_cancel")
        outcome = unknown(await f.stp.bids.cancel(order))
        assert outcome.cause == "disconnected"
        assert "may be cancelled, or may still be resting" in outcome.reason
        await asyncio.sleep(3600)
        assert len(f.venue.log.calls("bid_cancel")) == 1

        by_hand = rejected(await f.stp.bids.cancel(order))
        assert (by_hand.origin, by_hand.code) == ("venue", "BID-0005")
        assert f.stp.unknown() == [outcome], "a refusal settles nothing"


async def test_T35_a_business_error_to_the_second_cancellation_comes_with_the_first_failure(wire: Wire) -> None:
    async with floor(message_format=wire, retry_cancel=True) as f:
        order = await f.bid()
        f.venue.faults.add("drop_after_execute", operation="bid_cancel")
        outcome = unknown(await f.stp.bids.cancel(order))
        assert outcome.cause == "possibly_duplicate"
        first, second = outcome.raw
        assert isinstance(first, str)
        assert isinstance(second, Envelope)
        assert second.result_code == "BID-0005"
        assert "A refusal of the last can mean that the earlier one had already done it" in outcome.reason
        assert outcome.intent.attempts == 2
        calls = f.venue.log.calls("bid_cancel")
        assert len({call.ticket for call in calls}) == len(calls) == 2
        one_transaction(calls, outcome.intent.key)
        assert len(f.venue.log.executed("bid_cancel")) == 1
        assert f.stp.unknown() == [outcome]


async def test_T35_a_second_cancellation_that_succeeds_is_flagged(wire: Wire) -> None:
    async with floor(message_format=wire, retry_cancel=True) as f:
        order = await f.bid()
        f.venue.faults.add("drop_before_execute", operation="bid_cancel")
        outcome = accepted(await f.stp.bids.cancel(order))
        assert (outcome.possibly_duplicate, outcome.intent.attempts) == (True, 2)
        assert order.id is not None
        assert f.venue.market.bids[order.id].status == "CANCEL"
        assert f.stp.unknown() == []


async def test_T35_a_third_cancellation_never_goes_out(wire: Wire) -> None:
    async with floor(message_format=wire, retry_cancel=True, resend_on_security_error=True) as f:
        order = await f.bid()
        f.venue.faults.add("drop_before_execute", operation="bid_cancel", times=None)
        outcome = unknown(await f.stp.bids.cancel(order))
        assert (outcome.cause, outcome.intent.attempts) == ("possibly_duplicate", 2)
        assert len(f.venue.log.calls("bid_cancel")) == 2


# ---------------------------------------------------------------------------------------------------------------------
# Answers that are errors


async def test_T36_a_system_error_is_read_again_twice_at_most(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        f.venue.faults.add("result", times=2)
        await f.stp.contracts.standard()
        assert len(f.venue.log) == 3
        f.venue.faults.add("result", times=None)
        with pytest.raises(StpSystemError, match="SYS-0001") as caught:
            await f.stp.contracts.standard()
        assert len(f.venue.log) == 6
        assert caught.value.transaction_id == f.venue.log[5].transaction_id
        assert f"Contact EPİAŞ, quoting transactionId {caught.value.transaction_id}" in str(caught.value)


@pytest.mark.parametrize("executed", [False, True])
async def test_T36_a_system_error_leaves_a_bid_unknown_and_is_not_resent(wire: Wire, executed: bool) -> None:
    async with floor(message_format=wire, retry_cancel=True, resend_on_security_error=True) as f:
        f.venue.faults.add("result", executed=executed)
        outcome = unknown(await f.stp.bids.save(TODAY, **BID))
        assert outcome.cause == "system_error"
        assert isinstance(outcome.raw[0], Envelope)
        assert len(f.venue.log.calls("bid_save")) == 1
        assert len(f.venue.market.bids) == executed


async def test_T38_a_business_error_is_never_retried(wire: Wire) -> None:
    async with floor(message_format=wire, retry_cancel=True, resend_on_security_error=True) as f:
        outcome = rejected(await f.stp.bids.save(TODAY, **{**BID, "price": "99999"}))
        assert (outcome.origin, outcome.code, outcome.repeatable) == ("venue", "BID-0001", False)
        assert "Teklif fiyatı sınırların dışındadır" in outcome.reason, "the venue's own words"
        cancelled = rejected(await f.stp.bids.cancel("7"))
        assert (cancelled.origin, cancelled.code) == ("venue", "BID-0004")
        with pytest.raises(StpBusinessError) as caught:
            await f.stp.contracts.get("GG19990101")
        assert caught.value.result_code == "CON-0001"
        assert len(f.venue.log) == 3
        assert f.venue.log.executed() == []


async def test_T40_too_many_calls_is_a_refusal_that_says_how_long_to_wait(wire: Wire) -> None:
    async with floor(message_format=wire, retry_cancel=True, resend_on_security_error=True) as f:
        f.venue.faults.add("status", status=429, retry_after="7")
        outcome = rejected(await f.stp.bids.save(TODAY, **BID))
        assert (outcome.origin, outcome.code, outcome.repeatable) == ("venue", "429", True)
        assert outcome.retry_after_s == 7
        assert "Wait 7 s before the next call" in outcome.reason
        assert len(f.venue.log) == 1
        f.venue.faults.add("status", status=429)
        assert rejected(await f.stp.bids.cancel("1")).retry_after_s == 60
        assert len(f.venue.log) == 2


async def test_T40_a_read_waits_as_long_as_asked() -> None:
    async with floor() as f:
        loop = asyncio.get_running_loop()
        f.venue.faults.add("status", status=429, retry_after="30", times=2)
        before = loop.time()
        await f.stp.contracts.standard()
        assert loop.time() - before == pytest.approx(60, abs=0.5)
        assert len({call.ticket for call in f.venue.log}) == 3


# ---------------------------------------------------------------------------------------------------------------------
# Nothing left


async def test_T37_refused_connection_is_tried_again_with_a_new_ticket_each_time(wire: Wire) -> None:
    async with floor() as f:
        stp = await f.client(f.account(stp_url="http://127.0.0.1:59999"), message_format=wire)
        outcome = rejected(await stp.bids.save(TODAY, **BID))
        assert (outcome.origin, outcome.code, outcome.repeatable) == ("wire", "refused", True)
        assert "Nothing was sent." in outcome.reason
        assert "No bid was placed." in outcome.reason
        assert f.venue.cas.count("service_ticket") == 4, "each attempt has a ticket of its own"
        assert len(f.venue.log) == 0
        assert stp.unknown() == []


async def test_T37_a_connection_that_comes_back_in_time_carries_the_bid_once(wire: Wire) -> None:
    async with floor() as f:
        stp = await f.client(f.account(stp_url="http://127.0.0.1:59998"), message_format=wire)
        bid = asyncio.create_task(stp.bids.save(TODAY, **BID))
        await until(lambda: f.venue.cas.count("service_ticket") >= 2)
        async with relay(f.venue.profile.stp_url, port=59998) as line:
            outcome = accepted(await bid)
            assert line.requests == 1
        assert outcome.intent.attempts == 1, "the attempts of which nothing left do not count"
        assert len(f.venue.log.executed("bid_save")) == 1


@pytest.mark.parametrize("executed", [False, True])
async def test_a_cancellation_without_any_answer_is_sent_again_with_the_time_that_is_usual(
    wire: Wire, executed: bool
) -> None:
    """Nothing but the switch is set: the first attempt has then used up the whole time in which a write leaves."""
    async with floor(message_format=wire, retry_cancel=True) as f:
        order = await f.bid()
        f.venue.faults.add("silence_after_execute" if executed else "silence_before_execute", operation="bid_cancel")
        outcome = await f.stp.bids.cancel(order)
        assert outcome.intent is not None
        calls = f.venue.log.calls("bid_cancel")
        assert (len(calls), outcome.intent.attempts) == (2, 2)
        one_transaction(calls, outcome.intent.key)
        if executed:
            assert unknown(outcome).cause == "possibly_duplicate"
        else:
            assert accepted(outcome).possibly_duplicate


# ---------------------------------------------------------------------------------------------------------------------
# Connections that go away


async def test_T39_a_connection_that_ends_under_the_request_is_unknown_and_no_silent_resend(wire: Wire) -> None:
    async with floor() as f, over_relay(f, message_format=wire) as (stp, line):
        await stp.contracts.standard()
        line.cut_requests = 0  # its FIN is on its way while the request is written
        outcome = unknown(await stp.bids.save(TODAY, **BID))
        assert outcome.cause == "disconnected"
        assert (line.connections, line.requests) == (2, 2), "the bid went out once, on a connection of its own"
        assert f.venue.log.calls("bid_save") == []


async def test_T39_a_write_never_uses_a_kept_alive_connection(wire: Wire) -> None:
    """So a FIN that waits on an idle connection, seen or not, cannot cost a bid."""
    async with floor() as f, over_relay(f, message_format=wire) as (stp, line):
        await stp.contracts.standard()
        for writer in line.opened:
            writer.close()  # its FIN is on its way while the bid is written
        accepted(await stp.bids.save(TODAY, **BID))
        accepted(await stp.bids.save(TODAY, **BID))
        assert (line.connections, line.requests) == (3, 3)


async def test_T39_the_venue_hanging_up_at_the_head_is_unknown(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        await f.stp.contracts.standard()
        f.venue.faults.add("close_before_read")
        outcome = unknown(await f.stp.bids.save(TODAY, **BID))
        assert outcome.cause == "disconnected"
        assert len(f.venue.log.calls("bid_save")) == 1
        assert f.venue.log.executed("bid_save") == []


async def test_T39_a_connection_seen_to_have_ended_is_replaced_without_doubt(wire: Wire) -> None:
    async with floor() as f, over_relay(f, message_format=wire) as (stp, line):
        f.venue.faults.add("close_after_answer", seconds=1.0)
        await stp.contracts.standard()
        await asyncio.sleep(2)
        accepted(await stp.bids.save(TODAY, **BID))
        assert (line.connections, line.requests) == (2, 2)


# ---------------------------------------------------------------------------------------------------------------------
# Tasks that are cancelled


async def test_T41_a_task_cancelled_after_the_request_left_leaves_an_unknown_outcome(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        await f.stp.warm_up()
        f.venue.faults.add("silence_after_execute")
        bid = asyncio.create_task(f.stp.bids.save(TODAY, **BID))
        await asyncio.sleep(1)
        bid.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bid
        (outcome,) = f.stp.unknown()
        assert outcome.cause == "cancelled"
        assert outcome.intent.key == f.venue.log.executed("bid_save")[0].transaction_id
        assert outcome.intent.restated["contract"] == TODAY
        (event,) = f.told("outcome.unknown")
        assert event.fields == {"cause": "cancelled", "operation": "bid_save", "transaction_id": outcome.intent.key}

        await f.bid()
        await f.bid()
        assert f.venue.log.tickets_presented_twice() == []
        assert len(f.venue.log.calls("bid_save")) == 3


async def test_T41_a_deadline_of_the_caller_is_a_cancellation() -> None:
    async with floor() as f:
        f.venue.faults.add("silence_before_execute")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await f.stp.bids.save(TODAY, **BID)
        assert [outcome.cause for outcome in f.stp.unknown()] == ["cancelled"]


async def test_T41_a_task_cancelled_before_the_request_left_leaves_no_doubt() -> None:
    async with floor() as f:
        f.venue.cas_faults.add("silence_before_execute", operation="service_ticket")
        bid = asyncio.create_task(f.stp.bids.save(TODAY, **BID))
        await asyncio.sleep(1)
        bid.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bid
        assert f.stp.unknown() == []
        assert len(f.venue.log) == 0


async def test_T41_a_task_cancelled_between_two_attempts_does_not_forget_the_first() -> None:
    async with floor(retry_cancel=True) as f:
        order = await f.bid()
        f.venue.faults.add("drop_after_execute", operation="bid_cancel")
        cancel = asyncio.create_task(f.stp.bids.cancel(order))
        await until(lambda: bool(f.venue.log.calls("bid_cancel")))
        f.venue.cas_faults.add("silence_before_execute", operation="service_ticket")
        await asyncio.sleep(1)
        cancel.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancel
        assert [outcome.cause for outcome in f.stp.unknown()] == ["disconnected"]
        assert len(f.venue.log.calls("bid_cancel")) == 1


async def test_T41_a_client_closed_under_a_request_leaves_an_unknown_outcome() -> None:
    async with floor() as f:
        f.venue.faults.add("silence_after_execute")
        async with EpiasStp(f.account()) as stp:
            bid = asyncio.create_task(stp.bids.save(TODAY, **BID))
            await asyncio.sleep(1)
        outcome = unknown(await bid)
        assert outcome.cause == "disconnected"
        assert stp.unknown() == [outcome]


async def test_T41_a_client_closed_between_two_attempts_does_not_forget_the_first() -> None:
    async with floor() as f:
        order = await f.bid()
        f.venue.faults.add("drop_after_execute", operation="bid_cancel")
        async with EpiasStp(f.account(), retry_cancel=True) as stp:
            cancel = asyncio.create_task(stp.bids.cancel(order))
            await until(lambda: bool(f.venue.log.calls("bid_cancel")))
        outcome = unknown(await cancel)
        assert outcome.cause == "disconnected"
        assert stp.unknown() == [outcome]
