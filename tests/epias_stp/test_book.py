"""epias_stp/book.py: which calls are about which bid, and what else of ours can stand there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gridwire.epias_stp.book import APART_S, Book, meant, settled_by_a_person, wanted
from gridwire.intents.records import Row, decode, sign

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
BOOT_S = 1_000_000.0


def row(
    key: str, state: str, operation: str = "bid_save", *, age_s: float = 0.0, id_: str | None = None, **fields: Any
) -> Row:
    at = NOW - timedelta(seconds=age_s)
    given = {"contract": "C", "direction": "BUY", "price": "100", "quantity": 1, **fields}
    named = {name: value for name, value in given.items() if value is not None}
    boot = ("boot", round((BOOT_S - age_s) * 1_000_000))
    return Row(
        key, state, "run", "epias_stp", "test/X", operation, at, at, order_id=id_, fields=named, created_boot=boot,
        changed_boot=boot,
    )  # fmt: skip


LOST = row("L", "unknown")


def places(*rows: Row) -> list[tuple[str, Decimal | None, bool]]:
    return [(one.side, one.price, one.can_rest) for one in Book([*rows, LOST]).others(LOST, LOST)]


def said(lines: list[bytes]) -> list[tuple[str, str]]:
    found = [decode(sign(one)) for one in lines]
    return [(one["k"], one["s"]) for one in found if one is not None]


def test_a_call_is_about_the_bid_with_its_id() -> None:
    bid, change = row("B", "accepted", id_="7"), row("U", "done", "bid_update", bid_id="7")
    book = Book([bid, change, LOST, row("X", "done", "bid_cancel", bid_id="8")])
    assert [book.target(one) for one in (bid, change, LOST)] == [bid, bid, LOST]
    assert book.target(book.rows["X"]) is None
    assert (book.changes(bid), book.changes(LOST)) == ([change], [])


def test_bids_that_may_stand_there_count_and_others_do_not() -> None:
    assert places(row("B", "accepted")) == [("BUY", Decimal(100), True)]
    assert places(row("B", "accepted", contract="D"), row("R", "rejected"), row("A", "resolved_absent")) == []
    assert places(row("B", "closed", age_s=APART_S + 1)) == []
    assert places(row("B", "closed", age_s=1)) == [("BUY", Decimal(100), False)]


def test_a_bid_that_a_change_may_have_moved_counts_at_both_places() -> None:
    bid, change = row("B", "accepted", id_="7"), row("U", "unknown", "bid_update", bid_id="7", price="90")
    assert places(bid, change) == [("BUY", Decimal(100), True), ("BUY", Decimal(90), True), ("BUY", None, True)]
    old = row("U", "done", "bid_update", bid_id="7", price="90", age_s=600)
    assert places(bid, old) == [("BUY", Decimal(100), True)]


@pytest.mark.parametrize("age_s", [600.0, 1.0])
def test_a_bid_entered_elsewhere_counts_where_a_change_has_put_it_until_it_is_cancelled(age_s: float) -> None:
    bare: dict[str, Any] = {"contract": None, "direction": None, "bid_id": "7"}
    change = row("U", "done", "bid_update", age_s=age_s, **bare)
    recent = [("", None, False)] if age_s == 1.0 else []
    assert places(change) == [("", Decimal(100), True), *recent]
    assert places(change, row("K", "done", "bid_cancel", age_s=APART_S + 1, **bare)) == []
    assert places(change, row("K", "done", "bid_cancel", **bare)) == [("", Decimal(100), True), *recent]
    assert places(row("U", "rejected", "bid_update", **bare)) == []
    assert places(row("U", "done", "bid_update", bid_id="7", contract="D")) == []


def test_an_order_says_whether_it_rests_and_shows() -> None:
    assert not wanted(row("B", "unknown", bid_type="MATCH_AND_DESTROY_REST")).can_rest
    assert not wanted(row("B", "accepted", bid_status="PASSIVE")).shows
    assert wanted(row("B", "accepted", price=None)).price is None


def test_what_a_person_finds_out_reaches_the_bid() -> None:
    bid = row("B", "accepted", id_="7")
    for operation, expected in (("bid_cancel", "closed"), ("bid_update", "accepted")):
        call = row("K", "unknown", operation, bid_id="7")
        assert said(settled_by_a_person(call, [bid, call], "done", "n")) == [("B", expected), ("K", "resolved_done")]
        assert said(settled_by_a_person(call, [bid, call], "absent", "n")) == [("K", "resolved_absent")]
        assert said(settled_by_a_person(call, [call], "done", "n")) == [("K", "resolved_done")]
    assert said(settled_by_a_person(LOST, [LOST], "live", "n")) == [("L", "resolved_live")]
    lost = [row("U", "unknown", "bid_update", bid_id="7"), row("C", "unknown", "bid_cancel", bid_id="7")]
    rows = [bid, *lost, row("D", "done", "bid_update", bid_id="7"), row("V", "unknown", "bid_update", bid_id="8")]
    assert said(settled_by_a_person(bid, rows, "closed", "n")) == [
        ("B", "closed"),
        ("U", "resolved_ended"),
        ("C", "resolved_ended"),
    ]
    assert said(settled_by_a_person(lost[1], rows, "done", "n")) == [
        ("B", "closed"),
        ("C", "resolved_done"),
        ("U", "resolved_ended"),
    ]
    found = row("F", "resolved_live")  # a bid without an id was never changed
    assert said(settled_by_a_person(found, [found, *lost], "closed", "n")) == [("F", "closed")]
    assert meant(row("K", "unknown", "bid_cancel", bid_id="7"), row("B", "closed", id_="7"), "n") == []


def test_across_boots_only_wall_times_can_be_compared_and_may_be_a_day_off() -> None:
    for age_s, counts in ((3600.0, True), (86_400.0, True), (3 * 86_400.0, False)):
        ended = replace(row("B", "closed", age_s=age_s), changed_boot=("another boot", 0))
        assert bool(places(ended)) is counts
        assert bool(places(replace(ended, changed_boot=None))) is counts
