"""orders/envelope.py: fixed text with values in it, or a refusal to compile."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gridwire.errors import InvalidInput
from gridwire.orders.envelope import Envelope, EnvelopeError, Slot


def number(value: int) -> bytes:
    if value < 0:
        raise InvalidInput("negative")
    return b"%d" % value


def text(value: str) -> bytes:
    return json.dumps(value)[1:-1].encode()


A: Slot[int] = Slot("a", number, (1234567, 89))
B: Slot[str] = Slot("b", text, ("first-sample", "other"))


def render(values: dict[str, Any]) -> bytes:
    return json.dumps({"x": 1, "b": values["b"], "a": values["a"], "y": [2]}).encode()


def test_message_is_filled_byte_for_byte_in_whatever_order_its_slots_stand() -> None:
    for slots in ((A, B), (B, A)):
        envelope = Envelope(render, slots)
        for a, b in ((0, ""), (1, "x"), (10**30, 'quo"te\n'), (89, "first-sample"), (5, "ş")):
            values: dict[str, Any] = {"a": a, "b": b}
            filled = envelope.fill([slot.encode(values[slot.name]) for slot in slots])
            assert filled == render(values)


def test_message_without_slots_is_itself() -> None:
    envelope = Envelope(lambda _: b"fixed", ())
    assert envelope.fill([]) == b"fixed"


def test_fewer_values_than_slots_make_no_message() -> None:
    envelope = Envelope(render, (A, B))
    with pytest.raises(IndexError):
        envelope.fill([b"1"])


@pytest.mark.parametrize(
    ("message", "slots", "why"),
    [
        (lambda v: b"nothing of it", (A,), "occurs 0 times"),
        (lambda v: b"%d and %d" % (v["a"], v["a"]), (A,), "occurs 2 times"),
        (lambda v: b"%d" % v["a"] if v["a"] > 100 else b"small %d" % v["a"], (A,), "differ in more"),
        (lambda v: b"%d,%x" % (v["a"], v["a"]), (A,), "differ in more"),
        (lambda v: b"len=%d %s" % (len(v["b"]), v["b"].encode()), (B,), "differ in more"),
    ],
)
def test_what_is_not_fixed_text_with_values_in_it_is_not_compiled(message: Any, slots: Any, why: str) -> None:
    with pytest.raises(EnvelopeError, match=why):
        Envelope(message, slots)
