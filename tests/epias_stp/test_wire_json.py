"""JSON without floats: one form written, loose JSON refused."""

from __future__ import annotations

import contextlib
import json
from decimal import Context, Decimal, Inexact, Rounded, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.epias_stp import wire_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXT
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def test_there_is_one_form_without_white_space_and_in_the_given_order() -> None:
    value: Any = {"b": [1, True, False, "x"], "a": {"price": Decimal("12000.50"), "big": Decimal("1E+3")}}
    assert wire_json.write(value) == '{"b":[1,true,false,"x"],"a":{"price":12000.50,"big":1000}}'


def test_letters_beyond_ascii_are_escaped_so_that_no_server_can_misread_them() -> None:
    assert wire_json.write({"ş": "Karşılıklı"}) == '{"\\u015f":"Kar\\u015f\\u0131l\\u0131kl\\u0131"}'


def test_numbers_are_written_exactly_whatever_the_callers_context() -> None:
    with localcontext(Context(prec=2, traps=[Inexact, Rounded])):
        assert wire_json.write(Decimal("123456789.123456789")) == "123456789.123456789"


@given(VALUES)
def test_what_is_written_reads_back_the_same(value: Any) -> None:
    assert wire_json.read(wire_json.write(value).encode()) == value


def test_fractions_are_read_exactly() -> None:
    assert wire_json.read(b'{"price": 0.1}') == {"price": Decimal("0.1")}
    assert wire_json.read(b"\xef\xbb\xbf[1e2]") == [Decimal(100)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1', "delimiter"),
        (b"{} {}", "Extra data"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": ' + b"1" * 5000 + b"}", "5000 digits"),
        (b'{"a": 0.' + b"1" * 61 + b"}", "63 digits"),
        (b'{"a": 1e' + b"9" * 30 + b"}", "the number 1e9"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b'{"a": "\xff"}', "invalid start byte"),
        (b"", "Expecting value"),
        (b" " * (wire_json.MAX_BYTES + 1), "more than"),
    ],
)
def test_what_could_be_understood_in_two_ways_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wire_json.read(content)


def test_a_whole_surrogate_pair_is_a_letter() -> None:
    assert wire_json.read(b'{"a": "\\ud83d\\ude00", "n": 1.5}') == {"a": "😀", "n": Decimal("1.5")}


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value, default=str).encode()[:-1]))
def test_reading_raises_nothing_but_value_errors(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        wire_json.read(content)
