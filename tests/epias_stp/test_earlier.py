"""What the journal knows of the call that holds a key."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gridwire.epias_stp import EpiasStp
from gridwire.epias_stp.earlier import earlier
from gridwire.errors import InvalidInput
from gridwire.intents.records import Row
from gridwire.outcome import Accepted, Intent, Rejected, Unknown
from gridwire.sandbox import Sandbox
from tests.epias_stp.trading import accepted, buy, refused, trading

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
BID: dict[str, Any] = {"contract": "C", "direction": "BUY", "price": Decimal("100.00"), "quantity": 5}
ROW_OF_BID: dict[str, Any] = {"contract": "C", "direction": "BUY", "price": "100.00", "quantity": "5"}


def row(key: str, state: str, operation: str = "bid_save", at_s: float = 0.0, **more: Any) -> Row:
    at = NOW + timedelta(seconds=at_s)
    given: dict[str, Any] = {"fields": ROW_OF_BID, "client_ref": "m", **more}
    return Row(key, state, "run", "epias_stp", "test/X", operation, at, at, **given)


def again(operation: str = "bid_save", key: str = "NEW", code: str = "client_ref", **fields: Any) -> Rejected:
    return Rejected(code, "", "guard", Intent("epias_stp", operation, key, NOW, "m", fields or BID))


def only(rows: list[Row], asked: Rejected | None = None) -> Any:
    found = earlier(rows, [again() if asked is None else asked])
    assert found is not None
    (outcome,) = found
    return outcome


def test_each_state_of_the_row_is_its_outcome() -> None:
    entered = only([row("K", "accepted", order_id="7")])
    assert isinstance(entered, Accepted)
    assert entered.order is not None
    assert (entered.order.id, entered.intent.key) == ("7", "K")
    assert isinstance(only([row("K", "closed", order_id="7")]), Accepted)
    lost = only([row("K", "unknown", note="timeout")])
    assert (type(lost), lost.cause) == (Unknown, "timeout")
    sending = only([row("K", "sending")])
    assert (type(sending), sending.cause) == (Unknown, "underway")
    absent = only([row("K", "resolved_absent", note="not seen")])
    assert (type(absent), absent.code) == (Rejected, "absent")
    no = only([row("K", "rejected", note="venue X-1")])
    assert (type(no), no.code, no.origin, no.reason) == (
        Rejected,
        "X-1",
        "venue",
        "It was refused when it was made (venue X-1).",
    )


def test_a_key_without_a_row_says_nothing() -> None:
    for rows in ([], [row("K", "accepted", client_ref="other")], [row("K", "rejected", note="wire closed")]):
        outcome = only(rows)
        assert (type(outcome), outcome.cause, outcome.intent.key) == (Unknown, "underway", "NEW")


def test_a_key_that_was_free_again_is_that_of_the_call_which_took_it_last() -> None:
    rows = [row("J", "resolved_absent"), row("K", "rejected", note="wire closed"), row("L", "accepted", at_s=5.0)]
    assert only(rows).intent.key == "L"


@pytest.mark.parametrize(
    "other",
    [
        again("bid_cancel", bid_id="7"),
        again(**{**BID, "price": Decimal("100.01")}),
        again(**{**BID, "contract": "D"}),
        again(**BID, point_name="x"),
    ],
)
def test_a_call_that_says_something_else_is_another(other: Rejected) -> None:
    assert earlier([row("K", "accepted", order_id="7")], [other]) is None


def test_what_a_change_restated_is_the_same_bid() -> None:
    changed = row("K", "accepted", order_id="7", fields={**ROW_OF_BID, "price": "90.00", "quantity": 2, "bid_id": "7"})
    change = row("U", "done", "bid_update", client_ref=None, fields={"bid_id": "7", "price": "90.00", "quantity": 2})
    assert earlier([changed], [again()]) is None
    assert only([changed, change]).order.id == "7"
    assert earlier([changed, change], [again(**{**BID, "direction": "SELL"})]) is None


def test_a_call_about_a_bid_that_is_not_in_the_journal_keeps_its_id() -> None:
    cancelled = only([row("K", "done", "bid_cancel", fields={"bid_id": "7"})], again("bid_cancel", bid_id="7"))
    assert cancelled.order.id == "7"
    made = only([row("K", "done", "contract_save", fields={"quantity": 1})], again("contract_save", quantity=1))
    assert made.order is None


def test_entries_come_in_their_order_and_all_or_none() -> None:
    keys = ["K", *(f"K/{number}" for number in range(2, 12))]
    fields = [{"payment_order_id": number, "amount": "1.00"} for number in range(11)]
    rows = [
        row(key, "done", "payment_order", fields={**one, "request_time": NOW.isoformat()})
        for key, one in zip(keys, fields, strict=True)
    ]
    later = NOW + timedelta(days=1)
    asked = [
        again(
            "payment_order", code="transaction_id", key=key, payment_order_id=n, amount=Decimal(1), request_time=later
        )
        for n, key in enumerate(keys)
    ]
    found = earlier(rows[::-1], asked)
    assert found is not None
    assert [one.intent.key for one in found if one.intent is not None] == keys
    assert earlier(rows, asked[:1]) is None
    assert earlier(rows, asked[::-1]) is None


async def test_a_client_tells_it_of_desk_and_services_and_of_nothing_else() -> None:
    async with trading() as t:
        entered = accepted(await buy(t.desk, client_ref="m"))
        repeated = refused(await buy(t.desk, client_ref="m"), "client_ref")
        found = await t.stp.earlier(repeated)
        assert found is not None
        assert [accepted(one).id for one in found] == [entered.id]
        other = refused(await buy(t.desk, client_ref="m", quantity=11), "client_ref")
        assert await t.stp.earlier(other) is None
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
        for wrong in ((), (replace(repeated, code="halted"),), (replace(repeated, intent=None),)):
            with pytest.raises(InvalidInput, match="takes what was Rejected with the code"):
                await stp.earlier(*wrong)
        assert box.venue("epias_stp").log.calls("bid_save") == []
