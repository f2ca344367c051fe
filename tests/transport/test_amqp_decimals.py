"""AMQP's decimals: every form of their encoding."""

from __future__ import annotations

from decimal import Decimal

import proton
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.transport.amqp import Decoder
from gridwire.transport.amqp_decimals import decimal_of
from gridwire.transport.amqp_message import dump, load

SIZES = {32: (8, 101, 7), 64: (10, 398, 16), 128: (14, 6176, 34)}


@pytest.mark.parametrize(
    ("bits", "width", "number"),
    [
        (99 << 23 | 750, 32, "7.50"),
        (1 << 31 | 99 << 23 | 750, 32, "-7.50"),
        (396 << 53 | 750, 64, "7.50"),
        (6174 << 113 | 750, 128, "7.50"),
        (0x77F8967F, 32, "9.999999E+96"),  # the highest of all: its number needs the long form
        (0x77FB86F26FC0FFFF, 64, "9.999999999999999E+384"),
        (0x5FFFED09BEAD87C0378D8E63FFFFFFFF, 128, "9.999999999999999999999999999999999E+6144"),
        (0x6CB89680, 32, "0E+0"),  # ten million has a digit too many
        (0x78000000, 32, "Infinity"),
        (0xF800000000000000, 64, "-Infinity"),
        (0x7C << 120, 128, "NaN"),
    ],
)
def test_every_form_is_the_number_it_stands_for(bits: int, width: int, number: str) -> None:
    assert str(decimal_of(bits, width)) == str(Decimal(number))


@given(st.sampled_from([32, 64, 128]), st.booleans(), st.integers(-90, 90), st.data())
def test_any_number_comes_back_with_its_zeros(width: int, below: bool, exponent: int, data: st.DataObject) -> None:
    exponent_bits, bias, digits = SIZES[width]
    whole = data.draw(st.integers(0, min(10**digits - 1, (1 << (width - 1 - exponent_bits)) - 1)))
    bits = int(below) << (width - 1) | (exponent + bias) << (width - 1 - exponent_bits) | whole
    assert str(decimal_of(bits, width)) == str(Decimal((int(below), tuple(map(int, str(whole))), exponent)))


def test_a_price_is_a_decimal_wherever_it_stands_in_a_message() -> None:
    price: dict[str, object] = {
        "p32": proton.decimal32(99 << 23 | 750),
        "p64": proton.decimal64(396 << 53 | 750),
        "p128": proton.decimal128((6174 << 113 | 750).to_bytes(16, "big")),
    }
    message = proton.Message(body={"prices": [price], "array": proton.Array(proton.UNDESCRIBED, proton.Data.DECIMAL64, *[price["p64"]])})  # type: ignore[arg-type] # fmt: skip
    message.properties = price  # type: ignore[assignment]
    found = Decoder().decode(bytes(message.encode()))
    expected = dict.fromkeys(price, Decimal("7.50"))
    assert found.properties == expected
    assert found.body == {"prices": [expected], "array": [Decimal("7.50")]}
    values = [*found.properties.values(), *found.body["prices"][0].values(), *found.body["array"]]
    assert {(type(one), str(one)) for one in values} == {(Decimal, "7.50")}
    assert str(load(dump(found)).properties["p64"]) == "7.50", "the inbox keeps it as it is"
