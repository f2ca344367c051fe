"""epias_stp/services: what each method restates, keeps and leaves out. The calls themselves are in the acceptance tests."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gridwire.epias_stp import BidStatus, BidType, Direction, EpiasStp
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.errors import InvalidInput
from gridwire.outcome import Accepted, Rejected
from tests.acceptance.epias_stp.floor import BID, TODAY, accepted, floor
from tests.conftest import EPOCH


async def test_accepted_bid_restates_all_that_was_sent() -> None:
    async with floor() as f:
        expires = EPOCH + timedelta(hours=2)
        outcome = accepted(
            await f.stp.bids.save(
                TODAY,
                direction=Direction.SELL,
                price_cents=1_200_050,
                quantity=7,
                bid_type=BidType.MATCH_WITH_TIME_LIMIT,
                bid_status=BidStatus.PASSIVE,
                expire_time=expires,
            )
        )
        assert outcome.order is not None
        assert outcome.order.restated == {
            "contract": TODAY,
            "direction": "SELL",
            "price": Decimal("12000.50"),
            "quantity": 7,
            "bid_type": "MATCH_WITH_TIME_LIMIT",
            "bid_status": "PASSIVE",
            "expire_time": expires,
        }
        assert outcome.intent.created == EPOCH


async def test_change_keeps_the_status_it_does_not_name() -> None:
    async with floor() as f:
        order = await f.bid()
        assert order.id is not None
        cheaper = accepted(await f.stp.bids.update(order, price_cents=1_199_900, quantity=155)).order
        assert cheaper is not None
        assert cheaper.id == order.id
        assert (cheaper.restated["price"], cheaper.restated["quantity"]) == (Decimal("11999.00"), 155)
        assert cheaper.restated["contract"] == TODAY
        parked = accepted(await f.stp.bids.update(cheaper, price="11999", quantity=20, bid_status="PASSIVE")).order
        assert parked is not None
        assert (parked.restated["price"], parked.restated["quantity"]) == (Decimal("11999.00"), 20)
        bid = f.venue.market.bids[order.id]
        assert (bid.price, bid.remaining, bid.status) == (1_199_900, 20, "PASSIVE")
        assert accepted(await f.stp.bids.cancel(parked)).order is not None
        assert bid.status == "CANCEL"


async def test_bare_id_needs_the_whole_state() -> None:
    async with floor() as f:
        order = await f.bid()
        assert order.id is not None
        given: dict[str, Any] = {"price": "12000", "quantity": 5, "bid_status": "ACTIVE"}
        with pytest.raises(InvalidInput, match="bid_status= is missing"):
            await f.stp.bids.update(order.id, price="12000", quantity=5)
        for bid in (order, order.id):  # what was matched or changed since is not known to either
            with pytest.raises(TypeError, match="quantity"):
                await f.stp.bids.update(bid, price="12000")  # type: ignore[call-arg]
            with pytest.raises(InvalidInput, match="A bid needs price="):
                await f.stp.bids.update(bid, quantity=5, bid_status="ACTIVE")
        with pytest.raises(InvalidInput, match="A bid needs price="):
            await f.stp.bids.update(order.id, quantity=5, bid_status="ACTIVE")
        changed = accepted(await f.stp.bids.update(order.id, **given)).order
        assert changed is not None
        assert changed.restated == {
            "price": Decimal("12000.00"),
            "quantity": 5,
            "bid_status": "ACTIVE",
            # what the journal knows of the bid, so that a desk can hold its limits against the next change
            "contract": TODAY,
            "direction": "BUY",
            "bid_type": "STANDART_MATCH",
        }
        accepted(await f.stp.bids.update(order.id, quantity=5, bid_status="PASSIVE", allow_no_price=True))
        accepted(await f.stp.bids.cancel(order.id))


async def test_price_may_be_left_out_only_on_purpose() -> None:
    async with floor() as f:
        outcome = await f.stp.bids.save(TODAY, **{**BID, "price": None}, allow_no_price=True)
        assert isinstance(outcome, Rejected), "the sandbox wants one; the venue is not documented"
        assert outcome.code == "REQ-0005"
        odd = await f.stp.bids.save(TODAY, **BID, bid_status="CANCEL", allow_any_status=True)
        assert isinstance(odd, Rejected)
        assert odd.code == "BID-0006"


async def test_decimals_of_a_price_are_the_profiles() -> None:
    async with floor() as f:
        stp = await f.client(f.account(price_places=None))
        outcome = await stp.bids.save(TODAY, **{**BID, "price": "12000.505"})
        assert isinstance(outcome, Rejected)
        assert outcome.origin == "venue"
        with pytest.raises(InvalidInput, match="too many decimals"):
            await f.stp.bids.save(TODAY, **{**BID, "price": "12000.505"})


@pytest.mark.parametrize("shape", ["definition", "document"])
async def test_contracts_about_to_open_are_listed_and_told_from_those_that_are_open(shape: Any) -> None:
    async with floor() as f:
        f.venue.knobs.shape = shape
        listed = await f.stp.contracts.standard()
        assert [(one.name, one.is_open()) for one in listed] == [
            ("GG20261203", False), ("GG20261130", True), (TODAY, True), ("GG20261202", True),
        ]  # fmt: skip
        waiting = listed[0]
        assert waiting.activation_time == datetime(2026, 12, 2, 5, tzinfo=UTC)
        assert isinstance(await f.stp.bids.save(waiting.name, **BID), Rejected)
        assert waiting.is_open(waiting.activation_time)
        (regional,) = await f.stp.contracts.regional()
        (weekly,) = await f.stp.contracts.weekly()
        assert regional.is_open()
        assert weekly.is_open()
        assert weekly.closing_time is not None
        assert not weekly.is_open(weekly.closing_time)


async def test_point_and_process_names_are_sent() -> None:
    async with floor() as f:
        regional = f.venue.market.active("REGIONAL")[0].name
        outcome = await f.stp.bids.save(regional, **BID, point_name="Malkoçlar", bid_process_name="desk 7")
        assert isinstance(outcome, Accepted)
        assert f.venue.market.bids[str(accepted(outcome).order.id)].point_name == "Malkoçlar"  # type: ignore[union-attr]


async def test_matches_take_one_name_or_several() -> None:
    async with floor() as f:
        assert await f.stp.matches.of(TODAY) == []
        assert await f.stp.matches.of(iter([TODAY, "GG20261202"])) == []


Read = Callable[[EpiasStp, str | None], Awaitable[Any]]
READS: dict[str, Read] = {
    "activecontracts_standart": lambda stp, key: stp.contracts.standard(transaction_id=key),
    "activecontracts_weekly": lambda stp, key: stp.contracts.weekly(transaction_id=key),
    "activecontracts_regional": lambda stp, key: stp.contracts.regional(transaction_id=key),
    "activecontracts_depth": lambda stp, key: stp.contracts.depth(TODAY, transaction_id=key),
    "activecontracts_depth_summary": lambda stp, key: stp.contracts.depth_summary(TODAY, transaction_id=key),
    "activecontracts_matchings": lambda stp, key: stp.matches.of(TODAY, transaction_id=key),
    "contract_get": lambda stp, key: stp.contracts.get(TODAY, transaction_id=key),
    "contract_conf_get": lambda stp, key: stp.contract_configuration.get(TODAY, transaction_id=key),
    "contract_status_list": lambda stp, key: stp.contract_statuses.all(transaction_id=key),
    "market_price_calculate_grp": lambda stp, key: stp.market_prices.calculate_grp(
        "STANDART", date(2026, 12, 1), transaction_id=key
    ),
}


def test_every_read_is_among_them() -> None:
    reads = {name for name, one in OPERATIONS.items() if not one.is_write and one.module == "engine"}
    assert reads == set(READS)


@pytest.mark.parametrize("operation", READS)
async def test_a_read_tells_its_transaction_id_and_takes_one(operation: str) -> None:
    async with floor(user="OPERATOR1") as f:
        given = "8c6fd1b0-7b1e-4f53-a3a0-5f5f0f4f7a10"
        first, second = await READS[operation](f.stp, given), await READS[operation](f.stp, None)
        sent = [call.transaction_id for call in f.venue.log.calls(operation)]
        assert sent[0] == given != sent[1]
        assert [first.transaction_id, second.transaction_id] == sent
        assert first == second  # the id of the call is no part of what was answered
        assert [copy.deepcopy(first).transaction_id, pickle.loads(pickle.dumps(first)).transaction_id] == [given, given]  # noqa: S301
        told = [event.fields for event in f.told("call.answered") if event.fields["operation"] == operation]
        assert [fields["transaction_id"] for fields in told] == sent
        with pytest.raises(InvalidInput, match="transaction_id"):
            await READS[operation](f.stp, "mine")
        assert len(f.venue.log.calls(operation)) == 2


async def test_a_read_that_was_tried_again_tells_the_one_id_of_all_attempts() -> None:
    async with floor() as f:
        f.venue.faults.add("drop_before_execute", operation="activecontracts_depth")
        found = await f.stp.contracts.depth(TODAY)
        assert [call.transaction_id for call in f.venue.log.calls("activecontracts_depth")] == [
            found.transaction_id
        ] * 2
        assert [event.fields["transaction_id"] for event in f.told("call.retried")] == [found.transaction_id]


async def test_an_accepted_call_s_answer_names_its_call_and_parts_name_none() -> None:
    async with floor() as f:
        outcome = accepted(await f.stp.bids.save(TODAY, **BID))
        answer = outcome.raw.model()
        assert answer.transaction_id == outcome.intent.key
        assert answer.bid.transaction_id is None
