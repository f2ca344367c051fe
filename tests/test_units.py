"""Prices and quantities: exact, and nothing that could be misread gets through."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, Rounded, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.errors import InvalidInput
from gridwire.units import INT64_MAX, count, exact, plain, price

UNIT = "TL/1000 Sm3"


def digits(number: Decimal | None) -> str:
    assert number is not None
    return plain(number)


@pytest.mark.parametrize(
    ("given_price", "cents", "expected"),
    [
        ("12000.50", None, "12000.50"),
        ("12000.5", None, "12000.50"),
        (Decimal("12000.5"), None, "12000.50"),
        (Decimal("1.20005E+4"), None, "12000.50"),
        (None, 1200050, "12000.50"),
        (None, 5, "0.05"),
        ("0", None, "0.00"),
        ("007", None, "7.00"),
        (Decimal("1.5000"), None, "1.50"),
        (Decimal("0E+10"), None, "0.00"),
    ],
)
def test_equal_prices_have_equal_digits(given_price: Any, cents: int | None, expected: str) -> None:
    assert digits(price(given_price, cents, unit=UNIT)) == expected


def test_no_price_is_none() -> None:
    assert price(unit=UNIT) is None


@pytest.mark.parametrize("wrong", [12000, 12000.5, True, b"1"])
def test_an_int_or_float_as_price_is_refused_with_both_right_spellings(wrong: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        price(wrong, unit=UNIT)
    text = str(caught.value)
    assert 'price="12000.50"' in text
    assert "price_cents=1200050" in text
    assert type(wrong).__name__ in text
    assert UNIT in text


@pytest.mark.parametrize("wrong", [12000.5, True, "1200050", Decimal(5)])
def test_cents_are_an_int_and_nothing_else(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="price_cents=1200050"):
        price(price_cents=wrong, unit=UNIT)


def test_a_price_given_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not both"):
        price("1", 100, unit=UNIT)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("12000,50", "point for the decimals"),
        ("12 000", "plain number"),
        ("1e3", "plain number"),
        ("", "plain number"),
        ("١٢", "plain number"),
        ("NaN", "plain number"),
        ("-1", "negative"),
        (Decimal("NaN"), "not a number"),
        (Decimal("sNaN"), "not a number"),
        (Decimal("Infinity"), "not a number"),
        (Decimal("-0.01"), "negative"),
        (Decimal("1E+999999"), "out of any range"),
        (Decimal("1E-999999"), "out of any range"),
        ("9" * 16, "out of any range"),
        ("1.001", "too many decimals"),
    ],
)
def test_what_is_no_price_is_refused_in_words(wrong: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        price(wrong, unit=UNIT)


def test_negative_cents_are_refused() -> None:
    with pytest.raises(InvalidInput, match="negative"):
        price(price_cents=-1, unit=UNIT)


def test_the_number_of_decimals_can_be_left_open() -> None:
    assert digits(price("1.23400", unit=UNIT, places=None)) == "1.234"
    assert digits(price("5.00", unit=UNIT, places=None)) == "5"
    assert digits(price(Decimal("5.00"), unit=UNIT, places=0)) == "5"
    with pytest.raises(InvalidInput, match="too many decimals"):
        price("0." + "1" * 16, unit=UNIT, places=None)


def test_a_number_of_another_name_is_refused_under_that_name() -> None:
    with pytest.raises(InvalidInput, match=r"ceiling=1\.5 is of type float") as caught:
        exact(1.5, unit=UNIT, places=2, name="ceiling")  # type: ignore[arg-type]
    assert "_cents" not in str(caught.value)


@given(cents=st.integers(min_value=0, max_value=10**14))
def test_the_callers_decimal_context_changes_nothing(cents: int) -> None:
    text = f"{cents // 100}.{cents % 100:02d}"
    with localcontext(Context(prec=1, traps=[Inexact, Rounded])):
        results = [price(text, unit=UNIT), price(Decimal(text), unit=UNIT), price(price_cents=cents, unit=UNIT)]
        assert [digits(result) for result in results] == [text] * 3
        assert count(Decimal(cents + 1), unit="1000 Sm3") == cents + 1


class Index:
    """An integer of another library."""

    def __index__(self) -> int:
        return 155


@pytest.mark.parametrize("right", [155, Index(), Decimal("155"), Decimal("1.55E+2"), Decimal("155.0")])
def test_whole_numbers_of_exact_types_are_counts(right: Any) -> None:
    assert count(right, unit="1000 Sm3") == 155


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (True, "is of type bool"),
        (155.0, "is of type float"),
        ("155", "is of type str"),
        (Decimal("1.5"), "is of type Decimal"),
        (Decimal("NaN"), "is of type Decimal"),
        (Decimal("1E+999999"), "is of type Decimal"),
        (None, "is of type NoneType"),
        (0, "less than 1"),
        (-3, "less than 1"),
        (INT64_MAX + 1, "64-bit"),
    ],
)
def test_what_is_no_count_is_refused_in_words(wrong: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        count(wrong, unit="1000 Sm3")


def test_a_count_may_begin_at_zero_where_the_caller_says_so() -> None:
    assert count(0, unit="1000 Sm3", least=0) == 0
    assert count(INT64_MAX, unit="1000 Sm3") == INT64_MAX


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=0, max_value=10**9))
def test_plain_digits_are_exact_and_without_exponent(number: Decimal) -> None:
    text = plain(number)
    assert "e" not in text.lower()
    assert Decimal(text) == number


@pytest.mark.parametrize("text", ["12.000", "1.000", "12000.500", "0.000", "1.0000"])
def test_a_text_with_a_thousands_separator_is_not_taken_for_decimals(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"may have 2, zeros included\. If the point separates thousands"):
        price(text, unit=UNIT)
    assert price(Decimal(text), unit=UNIT) == Decimal(text)
