"""A matcher written as plainly as possible, to hold against `gridwire.sandbox.matching`.

It keeps one flat list of resting orders and, for every trade, searches the whole list for the order that is next by
price and then by arrival. It shares no code and no data structure with the book under test.
"""

from __future__ import annotations

from typing import Any


class NaiveMatcher:
    def __init__(self) -> None:
        self.resting: list[dict[str, Any]] = []
        self.arrivals = 0

    def submit(
        self, order_id: str, side: str, price: int, quantity: int, immediate: bool = False, expires: int | None = None
    ) -> list[tuple[str, str, int, int]]:
        trades = []
        while quantity > 0:
            candidates = [
                order
                for order in self.resting
                if order["side"] != side and (order["price"] <= price if side == "BUY" else order["price"] >= price)
            ]
            if not candidates:
                break
            cheapest_first = 1 if side == "BUY" else -1
            maker = min(candidates, key=lambda order: (cheapest_first * order["price"], order["arrival"]))
            traded = min(quantity, maker["quantity"])
            trades.append((maker["id"], order_id, maker["price"], traded))
            quantity -= traded
            maker["quantity"] -= traded
            self.resting = [order for order in self.resting if order["quantity"] > 0]
        if quantity > 0 and not immediate:
            self.arrivals += 1
            self.resting.append(
                {
                    "id": order_id,
                    "side": side,
                    "price": price,
                    "quantity": quantity,
                    "arrival": self.arrivals,
                    "expires": expires,
                }
            )
        return trades

    def cancel(self, order_id: str) -> int:
        gone = self._find(order_id)
        self.resting.remove(gone)
        return int(gone["quantity"])

    def modify(self, order_id: str, price: int, quantity: int) -> list[tuple[str, str, int, int]]:
        order = self._find(order_id)
        if order["price"] == price and quantity <= order["quantity"]:
            order["quantity"] = quantity
            return []
        self.resting.remove(order)
        return self.submit(order_id, order["side"], price, quantity, expires=order["expires"])

    def expire(self, now: int) -> set[str]:
        gone = {order["id"] for order in self.resting if order["expires"] is not None and order["expires"] <= now}
        self.resting = [order for order in self.resting if order["id"] not in gone]
        return gone

    def book(self, side: str) -> list[tuple[str, int, int]]:
        sign = -1 if side == "BUY" else 1
        rows = sorted(
            (order for order in self.resting if order["side"] == side),
            key=lambda order: (sign * order["price"], order["arrival"]),
        )
        return [(order["id"], order["price"], order["quantity"]) for order in rows]

    def _find(self, order_id: str) -> dict[str, Any]:
        return next(order for order in self.resting if order["id"] == order_id)
