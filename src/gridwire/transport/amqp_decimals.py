"""AMQP's decimal numbers as Python's. Pure functions.

AMQP 1.0 (part 1, section 1.6.13 to 1.6.15) has decimals in the binary integer form of IEEE 754-2008: a sign, an exponent
and a whole number.
"""

from __future__ import annotations

from decimal import Decimal

_DIGITS = {32: 7, 64: 16, 128: 34}
_EXPONENT_BITS = {32: 8, 64: 10, 128: 14}
_BIAS = {32: 101, 64: 398, 128: 6176}


def decimal_of(bits: int, width: int) -> Decimal:
    """The number that these ``bits`` encode, with the trailing zeros it was sent with. ``width`` is 32, 64 or 128."""
    exponent_bits = _EXPONENT_BITS[width]
    sign = bits >> (width - 1) & 1
    if bits >> (width - 5) & 0b1111 == 0b1111:  # no finite number
        return _special(sign, nan=bool(bits >> (width - 6) & 1))
    room = width - 1 - exponent_bits
    coefficient = bits & ((1 << room) - 1)
    if bits >> (width - 3) & 0b11 == 0b11:  # the long form: the exponent stands two bits later, before a hidden 100
        room -= 2
        coefficient = 0b100 << room | bits & ((1 << room) - 1)
    exponent = bits >> room & ((1 << exponent_bits) - 1)
    if coefficient >= 10 ** _DIGITS[width]:  # IEEE 754-2008, section 3.5.2: such an encoding stands for zero
        coefficient = 0
    return Decimal((sign, tuple(map(int, str(coefficient))), exponent - _BIAS[width]))


def _special(sign: int, *, nan: bool) -> Decimal:
    return Decimal("NaN") if nan else Decimal("-Infinity" if sign else "Infinity")
