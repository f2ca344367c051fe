from __future__ import annotations

import random

import pytest

from gridwire.sandbox.matching import Book, Fill
from tests.support.bruteforce import NaiveMatcher


def rows(book: Book, side: str) -> list[tuple[str, int, int]]:
    return [(order.id, order.price, order.quantity) for order in book.orders(side)]  # type: ignore[arg-type]


def play(seed: int, steps: int) -> None:
    """One random sequence of every kind of step, on both matchers."""
    rng = random.Random(seed)
    book, naive = Book(), NaiveMatcher()
    for step in range(steps):
        resting = [order["id"] for order in naive.resting]
        kind = rng.choice(["submit", "submit", "submit", "cancel", "modify", "expire"]) if resting else "submit"
        price, quantity = rng.randint(95, 105), rng.randint(1, 9)
        if kind == "submit":
            side = rng.choice(["BUY", "SELL"])
            immediate = rng.random() < 0.2
            expires = rng.choice([None, rng.randint(0, steps)])
            fills = book.submit(str(step), side, price, quantity, immediate=immediate, expires=expires)  # type: ignore[arg-type]
            expected = naive.submit(str(step), side, price, quantity, immediate=immediate, expires=expires)
        elif kind == "cancel":
            target = rng.choice(resting)
            assert book.cancel(target) == naive.cancel(target)
            fills, expected = [], []
        elif kind == "modify":
            target = rng.choice(resting)
            fills, expected = book.modify(target, price, quantity), naive.modify(target, price, quantity)
        else:
            assert {order.id for order in book.expire(step)} == naive.expire(step)
            fills, expected = [], []
        assert [(fill.maker, fill.taker, fill.price, fill.quantity) for fill in fills] == expected
        assert rows(book, "BUY") == naive.book("BUY")
        assert rows(book, "SELL") == naive.book("SELL")


def test_ten_thousand_random_sequences_give_the_fills_and_books_of_the_naive_matcher() -> None:
    for seed in range(10_000):
        play(seed, steps=12)


def test_long_sequences_agree_with_the_naive_matcher_too() -> None:
    for seed in range(20):
        play(seed, steps=300)


def test_the_better_price_trades_before_the_older_order() -> None:
    book = Book()
    book.submit("old", "SELL", 101, 5)
    book.submit("cheap", "SELL", 100, 5)
    assert book.submit("taker", "BUY", 101, 7) == [Fill("cheap", "taker", 100, 5), Fill("old", "taker", 101, 2)]
    assert book.open_quantity("old") == 3
    assert "taker" not in book


def test_a_smaller_quantity_keeps_its_place_and_a_larger_one_loses_it() -> None:
    book = Book()
    book.submit("first", "BUY", 100, 5)
    book.submit("second", "BUY", 100, 5)
    book.modify("first", 100, 4)
    assert [order.id for order in book.orders("BUY")] == ["first", "second"]
    book.modify("first", 100, 5)
    assert [order.id for order in book.orders("BUY")] == ["second", "first"]


def test_a_new_price_can_trade_at_once() -> None:
    book = Book()
    book.submit("ask", "SELL", 105, 3)
    book.submit("bid", "BUY", 100, 5)
    assert book.modify("bid", 105, 5) == [Fill("ask", "bid", 105, 3)]
    assert rows(book, "BUY") == [("bid", 105, 2)]


def test_an_immediate_order_leaves_nothing_behind() -> None:
    book = Book()
    book.submit("ask", "SELL", 100, 3)
    assert book.submit("now", "BUY", 100, 5, immediate=True) == [Fill("ask", "now", 100, 3)]
    assert rows(book, "BUY") == []
    assert book.open_quantity("now") == 0


def test_expired_orders_leave_oldest_expiry_first() -> None:
    book = Book()
    book.submit("late", "BUY", 100, 1, expires=20)
    book.submit("early", "SELL", 110, 1, expires=10)
    book.submit("never", "BUY", 99, 1)
    assert [order.id for order in book.expire(20)] == ["early", "late"]
    assert rows(book, "BUY") == [("never", 99, 1)]


def test_wrong_quantities_unknown_and_repeated_ids_are_refused() -> None:
    book = Book()
    book.submit("a", "BUY", 100, 1)
    with pytest.raises(ValueError, match="already resting"):
        book.submit("a", "BUY", 100, 1)
    with pytest.raises(ValueError, match="below 1"):
        book.submit("b", "BUY", 100, 0)
    with pytest.raises(ValueError, match="below 1"):
        book.modify("a", 100, 0)
    with pytest.raises(KeyError):
        book.cancel("b")
