"""epias_stp/desk.py: orders through a desk at the sandbox, one by one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gridwire import clock
from gridwire.epias_stp import BidType, EpiasStp, Limits
from gridwire.errors import InvalidInput
from gridwire.outcome import Accepted, OrderRef, Rejected, Unknown
from tests.epias_stp.trading import CONTRACT, EXCLUSIVE, OTHER, Trading, accepted, buy, refused, trading

# entering, changing, cancelling


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("transport", ["lane", "httpx"])
async def test_bids_are_entered_changed_and_cancelled(tls: bool, transport: str) -> None:
    async with trading(tls=tls, order_transport=transport) as t:
        bid = accepted(await buy(t.desk))
        offer = accepted(await t.desk.sell(OTHER, price_cents=1300000, quantity=5))
        held = t.venue.market.bids[bid.id or ""]
        assert (held.contract.name, held.direction, held.price, held.remaining) == (CONTRACT, "BUY", 1200050, 10)
        assert t.venue.market.bids[offer.id or ""].direction == "SELL"
        bid = accepted(await t.desk.modify(bid, price="12000.75", quantity=bid.restated["quantity"]))
        assert bid.restated["price"] == Decimal("12000.75")
        assert (held.price, held.remaining) == (1200075, 10)
        bid = accepted(await t.desk.modify(bid, price=bid.restated["price"], quantity=4))
        assert (held.price, held.remaining) == (1200075, 4)
        bid = accepted(await t.desk.deactivate(bid, quantity=bid.restated["quantity"]))
        assert str(held.status) == "PASSIVE"
        bid = accepted(await t.desk.activate(bid, quantity=bid.restated["quantity"]))
        assert str(held.status) == "ACTIVE"
        assert bid.intent.operation == "bid_save"  # still that bid's reference, whatever was done to it
        cancelled = accepted(await t.desk.cancel(bid))
        assert str(held.status) == "CANCEL"
        assert cancelled.intent.key == bid.intent.key
        assert [one.id for one in await t.stp.bids.known()] == [offer.id]
        assert t.venue.log.tickets_presented_twice() == []


async def test_bids_of_every_type_and_state() -> None:
    async with trading(bid_type="MATCH_WITH_TIME_LIMIT") as t:
        expires = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
        timed = accepted(await buy(t.desk, expire_time=expires))
        assert timed.restated["expire_time"] == expires
        with pytest.raises(InvalidInput, match="needs expire_time"):
            await buy(t.desk)
        with pytest.raises(InvalidInput, match="expire_time= belongs to"):
            await buy(t.desk, bid_type="STANDART_MATCH", expire_time=expires)
        passive = accepted(await buy(t.desk, bid_type=BidType.STANDARD_MATCH, bid_status="PASSIVE"))
        assert t.venue.market.bids[passive.id or ""].status == "PASSIVE"
        with pytest.raises(InvalidInput, match="bid_type="):
            await buy(t.desk, bid_type="FILL_OR_KILL")
        assert t.saves() == 2


@pytest.mark.parametrize("fmt", ["json", "xml"])
async def test_bids_on_regional_contracts_name_their_point(fmt: str) -> None:
    regional = "BG20261202"
    async with trading(contracts=[regional], client={"message_format": fmt}) as t:
        terms: Any = {"price": "100.00", "quantity": 5}
        refused(await t.desk.sell(regional, **terms), "BID-0008", "venue")
        bid = accepted(await t.desk.sell(regional, **terms, point_name="Malkoçlar"))
        assert t.venue.market.bids[bid.id or ""].point_name == bid.restated["point_name"] == "Malkoçlar"
        refused(await t.desk.sell(regional, **terms, point_name="Kıyıköy"), "BID-0008", "venue")
        written = "<pointName>Malkoçlar</pointName>" if fmt == "xml" else r'"pointName":"Malko\u00e7lar"'
        assert written in t.desk.preview("SELL", regional, **terms, point_name="Malkoçlar").decode()
        changed = accepted(await t.desk.modify(bid, price="101.00", quantity=5))
        assert changed.restated["point_name"] == "Malkoçlar"
        (known,) = await t.stp.bids.known()
        assert known.restated["point_name"] == "Malkoçlar"
        for wrong in ("", " x", 5, "a\x00"):
            with pytest.raises(InvalidInput, match="point_name"):
                await t.desk.sell(regional, **terms, point_name=wrong)  # type: ignore[arg-type]
        accepted(await t.desk.cancel(changed))


async def test_immediate_orders_rest_nowhere() -> None:
    async with trading(Limits(max_open_notional="1000000")) as t:
        outcome = await buy(t.desk, bid_type="MATCH_AND_DESTROY_REST")
        accepted(outcome)
        assert t.desk.open_notional == 0
        assert await t.stp.bids.known() == []
        rows = await t.stp._ledger.rows()
        assert [row.state for row in rows] == ["done"]


async def test_cancel_all_cancels_what_the_journal_believes_live() -> None:
    async with trading() as t:
        bids = [accepted(await buy(t.desk, price=f"{12000 + n}.00")) for n in range(4)]
        await t.desk.cancel(bids[0])
        outcomes = await t.desk.cancel_all()
        assert [type(one) for one in outcomes] == [Accepted] * 3
        assert {bid.status for bid in t.venue.market.bids.values()} == {"CANCEL"}
        assert await t.desk.cancel_all() == []


async def test_cancel_all_names_the_bids_of_which_nobody_knows_whether_they_rest(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t:
        accepted(await buy(t.desk))
        t.venue.faults.add("drop_after_execute", operation="bid_save")
        lost = await buy(t.desk, price="12345.00")
        assert isinstance(lost, Unknown)
        first, second = await t.desk.cancel_all()
        assert isinstance(first, Accepted)
        assert isinstance(second, Unknown)
        assert second.intent.key == lost.intent.key
        assert len(t.venue.log.executed("bid_cancel")) == 1


async def test_cancel_all_names_the_bids_that_are_under_way(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t:
        rests = accepted(await buy(t.desk))
        for _ in range(2):
            t.venue.faults.add("slow_answer", operation="bid_save", seconds=2.0, chunk=4096)
        sending = asyncio.create_task(buy(t.desk, price="12345.00", client_ref="quote-1"))
        past_the_desk = asyncio.create_task(
            t.stp.bids.save(CONTRACT, direction="BUY", price="12346.00", quantity=1, client_ref="other-1")
        )
        await asyncio.sleep(0.5)
        first, *under_way = await t.desk.cancel_all()
        assert accepted(first).id == rests.id
        assert [(type(one), getattr(one, "cause", "")) for one in under_way] == [(Unknown, "underway")] * 2
        assert [one.intent.client_ref for one in under_way if one.intent] == ["quote-1", "other-1"]
        assert all("was not cancelled" in getattr(one, "reason", "") for one in under_way)
        assert [one.intent.client_ref for one in await t.desk.cancel_all(ref_prefix="quote-") if one.intent] == [
            "quote-1"
        ]
        late = [accepted(await sending).id, accepted(await past_the_desk).id]
        assert [accepted(one).id for one in await t.desk.cancel_all()] == late
        assert await t.desk.cancel_all() == []


async def test_cancel_all_names_what_another_program_is_sending(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t, EpiasStp(t.venue.account(), journal=tmp_path) as other:
        t.venue.faults.add("slow_answer", operation="bid_save", seconds=2.0, chunk=4096)
        sending = asyncio.create_task(other.bids.save(CONTRACT, direction="SELL", price="12346.00", quantity=1))
        await asyncio.sleep(0.5)
        (under_way,) = await t.desk.cancel_all()
        assert isinstance(under_way, Unknown)
        assert under_way.cause == "underway"
        still = await t.desk.resolve(under_way)
        assert isinstance(still, Unknown)
        assert "under way" in still.reason
        entered = accepted(await sending)
        assert accepted(await t.desk.resolve(under_way)).id == entered.id
        assert [accepted(one).id for one in await t.desk.cancel_all()] == [entered.id]


async def test_change_by_a_bare_reference_does_not_slip_past_the_limits(tmp_path: Path) -> None:
    async with trading(Limits(sides=["BUY"]), journal=tmp_path, contracts=[CONTRACT]) as t:
        market = t.venue.market
        foreign = market.save_bid(
            market.users["TRADER1"], market.contract(OTHER), "SELL", 2000000, 5, "STANDART_MATCH", "ACTIVE", clock.now()
        )
        changed = accepted(await t.stp.bids.update(foreign.id, price="20000.00", quantity=5, bid_status="ACTIVE"))
        assert "contract" not in changed.restated
        refused(await t.desk.modify(changed, price="20001.00", quantity=6), "contract_not_allowed")
        own = accepted(await buy(t.desk))
        bare = OrderRef(own.venue, own.id, own.intent, {"bid_status": "ACTIVE"})
        again = accepted(await t.desk.modify(bare, price="12001.00", quantity=5))
        assert again.restated["contract"] == CONTRACT
        assert t.desk.open_notional == 12001 * 5
    async with trading(Limits(sides=["BUY"]), contracts=None) as t:
        stranger = OrderRef(own.venue, "77", own.intent, {})
        refused(await t.desk.modify(stranger, price="1.00", quantity=1), "side_not_allowed")


async def test_bid_without_an_id_is_named_and_not_cancelled() -> None:
    async with trading(client=EXCLUSIVE) as t:
        t.venue.faults.add("drop_after_execute", operation="bid_save")
        lost = await buy(t.desk, price="12345.00")
        assert isinstance(lost, Unknown)
        found = accepted(await t.desk.resolve(lost))
        assert found.id is None
        (outcome,) = await t.desk.cancel_all()
        assert f"quoting the transactionId {lost.intent.key}" in refused(outcome, "no_id").reason
        with pytest.raises(InvalidInput, match="quoting the transactionId"):
            await t.desk.cancel(found)


async def test_second_cancellation_is_the_venue_s_refusal() -> None:
    async with trading() as t:
        bid = accepted(await buy(t.desk))
        accepted(await t.desk.cancel(bid))
        outcome = await t.desk.cancel(bid)
        assert isinstance(outcome, Rejected)
        assert outcome.origin == "venue"


async def test_refusal_by_the_venue_leaves_nothing_open() -> None:
    async with trading(Limits(max_open_notional="1000000000000")) as t:
        outcome = await buy(t.desk, price="99999999.00")
        assert isinstance(outcome, Rejected)
        assert outcome.origin == "venue"
        assert t.desk.open_notional == 0


# what is refused before anything is sent


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"price": 12000}, 'price="12000.50"'),
        ({"price": 12000.5}, 'price="12000.50"'),
        ({"price": "12.000,50"}, "plain number"),
        ({"price": "1", "price_cents": 100}, "both"),
        ({"price": None}, "A bid needs price"),
        ({"price": "-1"}, "plain number|negative"),
        ({"price": "1.001"}, "too many decimals"),
        ({"quantity": 0}, "less than 1"),
        ({"quantity": 1.5}, "whole number"),
        ({"quantity": True}, "whole number"),
        ({"quantity": 2**63}, "64-bit"),
        ({"contract": ""}, "contract is empty"),
        ({"contract": ["GG"]}, "contract="),
        ({"contract": "GG\x00"}, "contract"),
        ({"bid_status": "ACCEPTED"}, "STP gives a bid"),
        ({"client_ref": 7}, "client_ref="),
        ({"client_ref": ""}, "client_ref is empty"),
        ({"client_ref": "\ud800"}, "client_ref"),
    ],
)
async def test_argument_that_cannot_be_right_is_refused_before_anything_is_written(
    arguments: dict[str, Any], words: str
) -> None:
    async with trading() as t:
        given = {"contract": CONTRACT, "price": "1.00", "quantity": 1, **arguments}
        with pytest.raises(InvalidInput, match=words):
            await t.desk.buy(given.pop("contract"), **given)
        assert len(t.venue.log) == 0
        assert await t.stp._ledger.rows() == []


async def test_references_that_are_none_are_refused() -> None:
    async with trading() as t:
        with pytest.raises(InvalidInput, match="reference of an accepted bid"):
            await t.desk.cancel("1000001")  # type: ignore[arg-type]
        bid = accepted(await buy(t.desk))
        with pytest.raises(TypeError, match="quantity"):  # a reference does not know what was matched since
            await t.desk.modify(bid, price="1.00")  # type: ignore[call-arg]
        with pytest.raises(InvalidInput, match="A bid needs price"):
            await t.desk.modify(bid, quantity=1)


async def test_every_rule_of_the_guard_is_told_by_its_name(tmp_path: Path) -> None:
    halt = tmp_path / "halt"
    limits = Limits(
        max_quantity=100, min_price="100", max_price="20000", max_open_notional="500000", sides=("BUY",), halt_file=halt
    )
    async with trading(limits) as t:
        refused(await buy(t.desk, quantity=101), "max_quantity")
        refused(await buy(t.desk, price="99.99"), "min_price")
        refused(await buy(t.desk, price="20000.01"), "max_price")
        refused(await buy(t.desk, price="10000", quantity=51), "max_open_notional")
        refused(await t.desk.sell(CONTRACT, price="100", quantity=1), "side_not_allowed")
        refused(await t.desk.buy("GG20261130", price="100", quantity=1), "contract_not_allowed")
        halt.touch()
        assert str(halt) in refused(await buy(t.desk, price="100"), "halted").reason
        halt.unlink()
        assert t.saves() == 0
        accepted(await buy(t.desk, price="100", quantity=100))


async def test_orders_per_second_counts_what_left() -> None:
    async with trading(Limits(orders_per_second=3)) as t:
        outcomes = [await buy(t.desk) for _ in range(5)]
        assert [type(one) for one in outcomes] == [Accepted] * 3 + [Rejected] * 2
        no = refused(outcomes[3], "orders_per_second")
        assert no.repeatable
        accepted(await t.desk.cancel(accepted(outcomes[0])))  # cancelling is always allowed
        assert no.retry_after_s is not None
        await asyncio.sleep(no.retry_after_s)
        accepted(await buy(t.desk))


@pytest.mark.parametrize("transport", ["lane", "httpx"])
async def test_cancellations_use_up_no_orders_per_second(transport: str) -> None:
    async with trading(Limits(orders_per_second=6), order_transport=transport) as t:
        for _ in range(3):  # a quoting program: enter, change, cancel
            bid = accepted(await buy(t.desk))
            bid = accepted(await t.desk.modify(bid, price="11000.00", quantity=1))
            accepted(await t.desk.cancel(bid))
        no = refused(await buy(t.desk), "orders_per_second")
        assert (no.repeatable, no.origin) == (True, "guard")
        assert len(t.venue.log.calls("bid_cancel")) == 3


async def test_halted_desk_lets_only_cancellations_pass() -> None:
    async with trading() as t:
        bid = accepted(await buy(t.desk))
        t.desk.halt("the risk desk called")
        assert "the risk desk called" in refused(await buy(t.desk), "halted").reason
        refused(await t.desk.modify(bid, price=bid.restated["price"], quantity=1), "halted")
        refused(await t.desk.deactivate(bid, quantity=bid.restated["quantity"]), "halted")
        accepted(await t.desk.cancel(bid))
        assert "desk.halted" in t.codes()
        t.desk.resume()
        accepted(await buy(t.desk))


async def test_halting_while_an_order_waits_for_its_ticket_stops_it() -> None:
    async with trading() as t:
        await empty(t)
        t.venue.cas_faults.add("slow_answer", operation="service_ticket", seconds=2, chunk=1000)
        waiting = asyncio.create_task(buy(t.desk, client_ref="mine"))
        await asyncio.sleep(1)
        t.desk.halt()
        refused(await waiting, "halted")
        assert t.saves() == 0
        t.desk.resume()
        accepted(await buy(t.desk, client_ref="mine"))  # the reference was not used up


async def empty(t: Trading) -> None:
    """Take every ready ticket, and let none be fetched for the pool."""
    await t.stp._tickets.disarm()
    while t.stp._tickets.pop_ready() is not None:
        pass


async def test_order_that_finds_no_ticket_fetches_one_and_says_so() -> None:
    async with trading() as t:
        accepted(await buy(t.desk))
        assert t.desk.timings.waited() == 0
        await empty(t)
        t.venue.cas_faults.add("slow_answer", operation="service_ticket", seconds=2, chunk=1000)
        loop = asyncio.get_running_loop()
        before = loop.time()
        accepted(await buy(t.desk))
        assert loop.time() - before == pytest.approx(2, abs=0.1)
        assert t.desk.timings.waited() == 1
        assert t.desk.timings.orders()[-1].credential_waited
        assert set(t.desk.timings.summary()) == {
            "guard", "credential", "journal", "render", "write", "answer", "parse", "total",
        }  # fmt: skip


async def test_order_without_a_ticket_to_be_had_is_rejected_and_its_reference_free() -> None:
    async with trading() as t:
        await empty(t)
        t.venue.cas_faults.add("status", status=503, times=None)
        outcome = await buy(t.desk, client_ref="mine")
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, outcome.repeatable) == ("security", True)
        t.venue.cas_faults.clear()
        accepted(await buy(t.desk, client_ref="mine"))
        assert t.saves() == 1


async def test_order_without_a_connection_to_be_had_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading() as t:

        async def refuse(*_: Any, **__: Any) -> Any:
            raise ConnectionRefusedError

        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", refuse)
        for lane in list(t.desk._orders_over._all):  # type: ignore[union-attr]
            lane.retire()
        refused(await buy(t.desk, client_ref="mine"), "refused", "wire")
        monkeypatch.undo()
        await asyncio.sleep(10)
        accepted(await buy(t.desk, client_ref="mine"))
        assert t.saves() == 1


# the same order twice


async def test_client_ref_is_used_once_in_this_client_and_in_others(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t:
        bid = accepted(await buy(t.desk, client_ref="cell 7"))
        assert bid.intent.client_ref == "cell 7"
        assert "was not sent" in refused(await buy(t.desk, client_ref="cell 7"), "client_ref").reason
        refused(
            await t.stp.bids.save(
                CONTRACT, direction="BUY", price="1", quantity=1, bid_type="STANDART_MATCH", client_ref="cell 7"
            ),
            "client_ref",
        )
        async with EpiasStp(t.box.epias_stp, journal=tmp_path) as second, second.desk() as desk:
            refused(await desk.buy(CONTRACT, price="1.00", quantity=1, client_ref="cell 7"), "client_ref")
            accepted(await desk.buy(CONTRACT, price="1.00", quantity=1, client_ref="cell 8"))
        refused(await buy(t.desk, client_ref="cell 8"), "client_ref")
        assert t.saves() == 2


async def test_client_ref_survives_the_run(tmp_path: Path) -> None:
    async with trading(journal=tmp_path) as t:
        accepted(await buy(t.desk, client_ref="once"))
    async with trading(journal=tmp_path) as t:
        refused(await buy(t.desk, client_ref="once"), "client_ref")
        assert t.saves() == 0


async def test_client_ref_of_what_the_venue_refused_or_lost_stays_used() -> None:
    async with trading() as t:
        t.venue.faults.add("result", operation="bid_save", result_type="BUSINESSERROR", result_code="X-1")
        assert isinstance(await buy(t.desk, client_ref="a"), Rejected)
        refused(await buy(t.desk, client_ref="a"), "client_ref")
        t.venue.faults.add("drop_before_execute", operation="bid_save")
        assert isinstance(await buy(t.desk, client_ref="b"), Unknown)
        refused(await buy(t.desk, client_ref="b"), "client_ref")


async def test_same_reference_in_two_orders_at_once_sends_one() -> None:
    async with trading() as t:
        outcomes = await asyncio.gather(*(buy(t.desk, client_ref="x") for _ in range(5)))
        assert sorted(type(one).__name__ for one in outcomes) == ["Accepted"] + ["Rejected"] * 4
        assert t.saves() == 1
