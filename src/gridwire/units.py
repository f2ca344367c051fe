"""Prices and quantities as they are traded: exact, and never a float.

A price is a `decimal.Decimal` in the venue's major unit, or an int whose name says cents. A quantity is an int count of
the venue's unit. Whatever could be misread (a float, an int given as a price, a comma) is refused with the spelling that
would have been right. Nothing here depends on the thread's decimal context: its precision and traps belong to the user.
"""

from __future__ import annotations

import operator
import re
from decimal import Decimal
from typing import SupportsIndex

from gridwire.errors import InvalidInput

INT64_MAX = 2**63 - 1
"""Largest integer that the venues' wires can hold."""

MAX_DIGITS = 15
"""Most digits of a price before and after its decimal point; more is a typing error at every venue we know."""

_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_TWO_PLACES = re.compile(r"(?:0|[1-9][0-9]{0,14})\.[0-9]{2}", re.ASCII)
"""How most prices are given; nothing in it is left to check or to change."""


def price(
    price: Decimal | str | None = None,
    price_cents: int | None = None,
    *,
    unit: str,
    places: int | None = 2,
    name: str = "price",
) -> Decimal | None:
    """The price as an exact Decimal in ``unit``, or None if neither argument was given.

    With ``places`` the result has exactly that many decimals, so equal prices have equal digits on the wire; with
    ``places=None`` any number of decimals is taken and trailing zeros are dropped. Cents are hundredths of ``unit``.

    Raises `InvalidInput` for a float or an int given as ``price``, both arguments at once, anything negative or not
    finite, and more decimals than ``places``; in a text also where they are zeros, because ``"12.000"`` is how some write
    twelve thousand (a Decimal may have more zeros). ``name`` is the argument's name in these sentences.
    """
    if price is not None and price_cents is not None:
        raise InvalidInput(f"Give {name}= or {name}_cents=, not both: they could contradict each other.")
    if price_cents is not None:
        return _from_cents(price_cents, unit, places, name)
    if price is None:
        return None
    return exact(price, unit=unit, places=places, name=name, or_else=f" or {name}_cents=1200050 (an int in hundredths)")


def exact(value: Decimal | str, *, unit: str, places: int | None, name: str, or_else: str = "") -> Decimal:
    """``value`` as an exact Decimal that is not negative, with ``places`` decimals as in `price`.

    Raises `InvalidInput`; ``or_else`` is added to the spelling it recommends.
    """
    if isinstance(value, str):
        if places == 2 and _TWO_PLACES.fullmatch(value):
            return Decimal(value)
        if value.strip().startswith("-"):
            raise InvalidInput(f"{name}={value!r} is negative, which a number of {unit} is not.")
        if not _PLAIN.fullmatch(value):
            raise InvalidInput(
                f"{name}={value!r} is not a plain number; write the digits with a point for the decimals and nothing "
                f'else ({name}="12000.50", in {unit}).'
            )
        if places is not None and len(value.partition(".")[2]) > places:
            raise InvalidInput(
                f"{name}={value!r} has too many decimals; in {unit} it may have {places}, zeros included. If the point "
                f'separates thousands, leave it out: a point is always the decimal point here ({name}="12000.50").'
            )
        return _checked(Decimal(value), unit, places, name)
    if isinstance(value, Decimal):
        return _checked(value, unit, places, name)
    raise InvalidInput(
        f"{name}={value!r} is of type {type(value).__name__}: what it counts and how it rounds cannot be seen. "
        f'Write {name}="12000.50" (a str or a Decimal in {unit}){or_else}.'
    )


def count(quantity: SupportsIndex | Decimal, *, unit: str, name: str = "quantity", least: int = 1) -> int:
    """``quantity`` as an int, a count of ``unit``, not less than ``least``.

    Takes ints, integer types of other libraries, and a Decimal without a fraction. Raises `InvalidInput` for a bool, a
    float, a fraction, too small a number, and more than a 64-bit integer holds.
    """
    if type(quantity) is int and least <= quantity <= INT64_MAX:
        return quantity
    number = _integer(quantity)
    if number is None:
        raise InvalidInput(
            f"{name}={quantity!r} is of type {type(quantity).__name__}; {name} is a whole number of {unit}, "
            f"given as an int: {name}=155."
        )
    if number < least:
        raise InvalidInput(f"{name}={number} is less than {least}; {name} is a number of {unit}.")
    if number > INT64_MAX:
        raise InvalidInput(f"{name} is larger than the venue can hold (a 64-bit integer).")
    return number


def plain(number: Decimal) -> str:
    """``number`` in plain digits, without an exponent and exactly as many decimals as it has: what goes on a wire."""
    return format(number, "f")


def _integer(value: object) -> int | None:
    """``value`` as an int if it is a whole number of an exact type, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        # A huge exponent is checked before int() would build its digits.
        whole = value.is_finite() and value.adjusted() < 2 * MAX_DIGITS
        return int(value) if whole and Decimal(int(value)) == value else None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # anything may be given; the error says so
    except TypeError:
        return None


def _from_cents(cents: int, unit: str, places: int | None, name: str) -> Decimal:
    number = _integer(cents)
    if number is None or isinstance(cents, Decimal):
        raise InvalidInput(
            f"{name}_cents={cents!r} is of type {type(cents).__name__}; it takes an int, the price in hundredths of "
            f'{unit}: {name}_cents=1200050 is {name}="12000.50".'
        )
    if number < 0:
        raise InvalidInput(f"{name}_cents={number} is negative; a price is not.")
    return _checked(Decimal(f"{number // 100}.{number % 100:02d}"), unit, places, f"{name}_cents")


def _checked(number: Decimal, unit: str, places: int | None, name: str) -> Decimal:
    if not number.is_finite():
        raise InvalidInput(f"{name}={number} is not a number of {unit}.")
    if number.is_signed():
        raise InvalidInput(f"{name}={number} is negative, which a number of {unit} is not.")
    if not -2 * MAX_DIGITS < number.adjusted() < MAX_DIGITS:
        raise InvalidInput(f"{name}={number:.3E} is out of any range; check the unit, which is {unit}.")
    whole, _, fraction = plain(number).partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > (MAX_DIGITS if places is None else places):
        raise InvalidInput(f"{name}={number} has too many decimals; in {unit} it may have {places or MAX_DIGITS}.")
    fraction = fraction.ljust(places or 0, "0")
    whole = whole.lstrip("0") or "0"
    return Decimal(f"{whole}.{fraction}" if fraction else whole)
