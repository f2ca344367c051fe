"""A price-time-priority queue in integer ticks, and nothing else.

One `Book` holds the resting orders of one contract. It knows no users, money, calendars or wires: prices are integer
ticks, quantities are positive integers, and expiry is any integer scale its caller keeps to (STP: epoch milliseconds).

Rules: an incoming order trades against the best opposite price first and, at one price, against the order that has been
there longest; every fill is at the resting order's price. A smaller quantity at the same price keeps an order's place;
a new price or a larger quantity sends it to the end of its price's queue, after it has traded what crosses.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["BUY", "SELL"]


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade: ``maker`` was resting, ``taker`` arrived; ``price`` in ticks is the maker's."""

    maker: str
    taker: str
    price: int
    quantity: int


@dataclass(slots=True)
class Order:
    """A resting order. ``quantity`` is what is still open; ``expires`` is None for an order without a time limit."""

    id: str
    side: Side
    price: int
    quantity: int
    expires: int | None = None


class _Half:
    """One side of the book: a queue per price (dicts keep arrival order), and the prices, worst first."""

    def __init__(self, side: Side) -> None:
        self._sign = 1 if side == "BUY" else -1
        self._keys: list[int] = []
        self.queues: dict[int, dict[str, Order]] = {}

    def add(self, order: Order) -> None:
        queue = self.queues.get(order.price)
        if queue is None:
            queue = self.queues[order.price] = {}
            insort(self._keys, order.price * self._sign)
        queue[order.id] = order

    def remove(self, order: Order) -> None:
        queue = self.queues[order.price]
        del queue[order.id]
        if not queue:
            del self.queues[order.price]
            self._keys.remove(order.price * self._sign)

    def best(self) -> int | None:
        return self._keys[-1] * self._sign if self._keys else None

    def crosses(self, price: int) -> bool:
        """Whether an order of the other side at ``price`` trades with the best order here."""
        return bool(self._keys) and self._keys[-1] >= price * self._sign

    def prices(self) -> Iterator[int]:
        return (key * self._sign for key in reversed(self._keys))


class Book:
    """The resting orders of one contract."""

    def __init__(self) -> None:
        self._halves: dict[Side, _Half] = {"BUY": _Half("BUY"), "SELL": _Half("SELL")}
        self._orders: dict[str, Order] = {}
        self._timed: dict[str, Order] = {}

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._orders

    def submit(
        self,
        order_id: str,
        side: Side,
        price: int,
        quantity: int,
        *,
        immediate: bool = False,
        expires: int | None = None,
    ) -> list[Fill]:
        """Trade an incoming order against the book and let the rest rest, or vanish if ``immediate``.

        Returns the fills in the order in which they happened. Raises `ValueError` for an id that already rests here and
        for a quantity below 1.
        """
        if order_id in self._orders or quantity < 1:
            raise ValueError(f"order {order_id} is already resting, or its quantity {quantity} is below 1")
        other = self._halves["SELL" if side == "BUY" else "BUY"]
        fills: list[Fill] = []
        while quantity and other.crosses(price):
            queue = other.queues[other.best() or 0]
            maker = next(iter(queue.values()))
            traded = min(quantity, maker.quantity)
            fills.append(Fill(maker.id, order_id, maker.price, traded))
            quantity -= traded
            maker.quantity -= traded
            if not maker.quantity:
                self._remove(maker)
        if quantity and not immediate:
            self._add(Order(order_id, side, price, quantity, expires))
        return fills

    def cancel(self, order_id: str) -> int:
        """Take an order off the book; returns the quantity it still had. Raises `KeyError` if it does not rest here."""
        order = self._orders[order_id]
        self._remove(order)
        return order.quantity

    def modify(self, order_id: str, price: int, quantity: int) -> list[Fill]:
        """Restate a resting order's price and open quantity; returns the fills of an order that now crosses.

        Raises `KeyError` if it does not rest here and `ValueError` for a quantity below 1.
        """
        order = self._orders[order_id]
        if quantity < 1:
            raise ValueError(f"quantity {quantity} is below 1")
        if price == order.price and quantity <= order.quantity:
            order.quantity = quantity
            return []
        self._remove(order)
        return self.submit(order_id, order.side, price, quantity, expires=order.expires)

    def expire(self, now: int) -> list[Order]:
        """Take off every order whose ``expires`` is at or before ``now``; returns them, oldest expiry first."""
        due = [order for order in self._timed.values() if (order.expires or 0) <= now]
        due.sort(key=lambda order: order.expires or 0)
        for order in due:
            self._remove(order)
        return due

    def open_quantity(self, order_id: str) -> int:
        """What the order still has open; 0 if it does not rest here."""
        order = self._orders.get(order_id)
        return order.quantity if order else 0

    def orders(self, side: Side) -> Iterator[Order]:
        """The resting orders of one side, best price first and oldest first at one price."""
        half = self._halves[side]
        for price in half.prices():
            yield from half.queues[price].values()

    def _add(self, order: Order) -> None:
        self._orders[order.id] = order
        if order.expires is not None:
            self._timed[order.id] = order
        self._halves[order.side].add(order)

    def _remove(self, order: Order) -> None:
        del self._orders[order.id]
        self._timed.pop(order.id, None)
        self._halves[order.side].remove(order)
