"""The guard: what an order must not break before a byte of it leaves.

A breach is `Rejected` with ``origin="guard"`` and the rule's name as its code. Cancelling takes risk away, so the kill
switch, the rate and the limits do not stand in its way.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import floor
from pathlib import Path
from typing import Literal, TypeAlias

from gridwire.errors import ConfigurationError
from gridwire.settings import expanded

Rule: TypeAlias = Literal[
    "halted",  # the kill switch was thrown, by halt() or by its file
    "contract_not_allowed",
    "side_not_allowed",
    "max_quantity",
    "min_price",
    "max_price",
    "max_open_notional",
    "orders_per_second",
    "client_ref",  # an intent with this reference is in the journal already
]

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""The caller's decimal context must not decide about a limit."""


_SECOND = 1.0 - 1e-6
"""Less than a second by what rounding may take from the difference of two moments, so that the pause told is long enough."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a desk may do. None means no limit of that kind.

    ``max_quantity`` is per order, in the venue's unit; ``min_price`` and ``max_price`` are the collar, in the venue's
    major unit; ``max_open_notional`` bounds price times quantity of everything that may be resting: accepted orders and
    unknown ones count until evidence closes them, also those that other calls of the same client entered. ``halt_file`` is a
    kill switch: while that file exists, no order leaves the desk.
    """

    max_quantity: int | None = None
    min_price: Decimal | str | None = None
    max_price: Decimal | str | None = None
    max_open_notional: Decimal | str | None = None
    orders_per_second: int = 10
    sides: Collection[str] = ("BUY", "SELL")
    halt_file: str | Path | None = None

    def __post_init__(self) -> None:
        """Refuse limits that cannot be meant."""
        for name in ("min_price", "max_price", "max_open_notional"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, (Decimal, str)) or not _is_amount(value)):
                raise ConfigurationError(f'{name}={value!r} must be an amount as Decimal or str, like "12000.50".')
        if (
            self.min_price is not None
            and self.max_price is not None
            and Decimal(self.min_price) > Decimal(self.max_price)
        ):
            raise ConfigurationError(
                f"min_price={self.min_price} is above max_price={self.max_price}: no order would pass."
            )
        if self.max_quantity is not None and (type(self.max_quantity) is not int or self.max_quantity < 1):
            raise ConfigurationError(f"max_quantity={self.max_quantity!r} must be an int of at least 1.")
        if type(self.orders_per_second) is not int or self.orders_per_second < 1:
            raise ConfigurationError(f"orders_per_second={self.orders_per_second!r} must be an int of at least 1.")
        if (
            isinstance(self.sides, str)
            or not isinstance(self.sides, Collection)
            or not self.sides
            or any(side not in ("BUY", "SELL") for side in self.sides)
        ):
            raise ConfigurationError(f'sides={self.sides!r} must name BUY, SELL, or both, like ("BUY",).')
        if self.halt_file is not None and (
            not isinstance(self.halt_file, (str, Path)) or not str(self.halt_file).strip()
        ):
            raise ConfigurationError(f"halt_file={self.halt_file!r} must be the path of a file, as str or Path.")
        if self.halt_file is not None:  # one place for good, and the link itself where it is one
            try:
                place = os.path.abspath(expanded(self.halt_file, "halt_file"))
            except OSError:
                raise ConfigurationError(
                    f"halt_file={str(self.halt_file)!r} belongs to the working folder, which was deleted: write the whole path."
                ) from None
            object.__setattr__(self, "halt_file", place)


def _is_amount(value: Decimal | str) -> bool:
    try:
        number = Decimal(value)
    except ArithmeticError:
        return False
    return number.is_finite() and number >= 0


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that an order would break, and the sentence about it."""

    rule: Rule
    text: str
    retry_after_s: float | None = None
    """After how long the same order passes, if that is known; waiting alone does not help where it is None."""


def _contract_breach(contract: str | None) -> str:
    if contract is None:
        return "Which contract the order is on is not known, and this desk was opened for some contracts only."
    return f"{contract} is not one of the contracts this desk was opened for."


def _side_breach(side: str | None) -> str:
    return (
        f"This desk may not {side}."
        if side
        else "Whether the order buys or sells is not known; this desk may not do both."
    )


class Guard:
    """The limits of one desk, and what stands open against them. Times are the loop's, in seconds."""

    def __init__(self, limits: Limits, contracts: Collection[str] | None) -> None:
        self.limits = limits
        self._contracts = None if contracts is None else frozenset(contracts)
        self._sides = frozenset(limits.sides)
        self._min = None if limits.min_price is None else Decimal(limits.min_price)
        self._max = None if limits.max_price is None else Decimal(limits.max_price)
        self._most_open = None if limits.max_open_notional is None else Decimal(limits.max_open_notional)
        self._sent: deque[float] = deque(maxlen=limits.orders_per_second)
        self._open: dict[str, Decimal] = {}
        self._stated: dict[str, Decimal] = {}  # what each open order is, as far as it is certain
        self._changes: dict[str, tuple[str, Decimal]] = {}  # what may have become of one: by the change's key
        self._total = Decimal(0)
        self._halted: str | None = None

    @property
    def open_notional(self) -> Decimal:
        """Price times quantity of everything that may be resting."""
        return self._total

    @property
    def halted(self) -> str | None:
        """Why no order leaves at present; None if they may."""
        if self._halted is None and self.limits.halt_file is not None and os.path.lexists(self.limits.halt_file):
            return f"the file {self.limits.halt_file} exists"
        return self._halted

    def halt(self, reason: str) -> None:
        """Throw the kill switch: no new order or change leaves, cancellations still do."""
        self._halted = reason or "halt() was called"

    def resume(self) -> None:
        """Take `halt` back. A halt file has to be removed by who made it."""
        self._halted = None

    def check(
        self, contract: str | None, side: str | None, price: Decimal | None, quantity: int, now: float, *, key: str
    ) -> Breach | None:
        """The first rule that this order would break. ``key`` is the order it replaces, or its own new key."""
        limits = self.limits
        if (self._halted is not None or limits.halt_file is not None) and (why := self.halted) is not None:
            return Breach("halted", f"The desk is halted because {why}; no order was sent.")
        if self._contracts is not None and contract not in self._contracts:
            return Breach("contract_not_allowed", _contract_breach(contract))
        if side not in self._sides and (side is not None or len(self._sides) < 2):
            return Breach("side_not_allowed", _side_breach(side))
        if limits.max_quantity is not None and quantity > limits.max_quantity:
            return Breach("max_quantity", f"Quantity {quantity} is above the limit of {limits.max_quantity}.")
        if price is not None:
            if self._min is not None and price < self._min:
                return Breach("min_price", f"Price {price} is below the collar's {self._min}.")
            if self._max is not None and price > self._max:
                return Breach("max_price", f"Price {price} is above the collar's {self._max}.")
        if self._most_open is not None and (breach := self._too_much(price, quantity, key)) is not None:
            return breach
        sent = self._sent
        if len(sent) == limits.orders_per_second and now - sent[0] < _SECOND:
            return self._too_fast(sent[0] + 1.0 - now)
        return None

    def _too_fast(self, left_s: float) -> Breach:
        # Up to the next whole millisecond: who waits exactly that long must not be a rounding error too early.
        wait_s = (floor(left_s * 1000) + 1) / 1000
        most = self.limits.orders_per_second
        return Breach(
            "orders_per_second",
            f"This desk sends at most {most} order{'s' if most > 1 else ''} a second; the next one may leave in {wait_s:g} s. No order was sent.",
            wait_s,
        )

    def _too_much(self, price: Decimal | None, quantity: int, key: str) -> Breach | None:
        if price is None:
            return Breach("max_open_notional", "An order without a price cannot be held against max_open_notional.")
        before, amount = self._open.get(key, Decimal(0)), _EXACT.multiply(price, Decimal(quantity))
        after = _EXACT.add(_EXACT.subtract(self._total, before), amount)
        if self._most_open is not None and after > self._most_open and amount > before:
            return Breach(
                "max_open_notional",
                f"With this order {after} would be open; the limit is {self._most_open}. Accepted and unknown orders count "
                "until they are known to be closed.",
            )
        return None

    def sent(self, now: float) -> None:
        """A new order or a change leaves. Cancellations are not counted: they must not keep an order from leaving."""
        self._sent.append(now)

    def opened(self, key: str, price: Decimal | None, quantity: int) -> None:
        """Count an order that may be resting from now on. ``key`` names it until it is closed."""
        if key in self._open or self._changes:
            self.closed(key)
        if price is not None:
            self._stated[key] = self._open[key] = amount = _EXACT.multiply(price, Decimal(quantity))
            self._total = _EXACT.add(self._total, amount)

    def changing(self, key: str, of: str, price: Decimal, quantity: int, *, before: tuple[Decimal | None, int]) -> None:
        """A change ``key`` of the order ``of`` leaves: until it is `settled`, the order counts as the larger of the two.

        ``before`` is what the caller believes the order to be; it counts only for an order not known here.
        """
        amount = _EXACT.multiply(price, Decimal(quantity))
        if of not in self._stated and before[0] is not None:
            amount = max(amount, _EXACT.multiply(before[0], Decimal(before[1])))
        self._changes[key] = of, amount
        self._count(of)

    def settled(self, key: str, price: Decimal | None = None, quantity: int = 0) -> None:
        """The change ``key`` left the order at ``price`` and ``quantity``, or, without them, did not act."""
        found = self._changes.pop(key, None)
        if found is not None:
            if price is not None:
                self._stated[found[0]] = _EXACT.multiply(price, Decimal(quantity))
            self._count(found[0])

    def counted(self) -> frozenset[str]:
        """The orders that count as open."""
        return frozenset(self._open)

    def reset(self) -> None:
        """Forget every order, before they are counted anew."""
        self._open.clear()
        self._stated.clear()
        self._changes.clear()
        self._total = Decimal(0)

    def closed(self, key: str) -> None:
        """Forget an order that is certainly not resting any more."""
        self._stated.pop(key, None)
        for change in [change for change, (of, _) in self._changes.items() if of == key]:
            del self._changes[change]
        self._count(key)

    def _count(self, key: str) -> None:
        """Count the order as the most it can be."""
        can_be = [amount for of, amount in self._changes.values() if of == key]
        if key in self._stated:
            can_be.append(self._stated[key])
        self._total = _EXACT.subtract(self._total, self._open.pop(key, Decimal(0)))
        if can_be:
            self._open[key] = max(can_be)
            self._total = _EXACT.add(self._total, self._open[key])
