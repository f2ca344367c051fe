"""Messages compiled once and filled many times, byte for byte what the model path writes.

An envelope is made *from the model path's own bytes*: it renders the message with two sets of sample values, finds where
they stand, and keeps the rest as fixed segments. Before it is used it has to reproduce the second rendering from the
first one's segments, so a wire form that is not "fixed text with values in it" is refused when the desk is armed and not
discovered with an order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class EnvelopeError(Exception):
    """A message cannot be compiled: its wire form is not fixed text with values in it. A mistake of a venue's code."""


@dataclass(frozen=True, slots=True)
class Slot(Generic[V]):
    """A place for one value. ``encode`` gives its bytes and refuses with `InvalidInput` what cannot be right there.

    ``samples`` are two values whose bytes occur nowhere else in the message.
    """

    name: str
    encode: Callable[[V], bytes]
    samples: tuple[V, V]


class Envelope:
    """A compiled message: ``fill`` joins the fixed segments with the values' bytes.

    ``render`` is the model path: it takes the slots' values by name and returns the message's bytes.
    """

    __slots__ = ("_order", "_parts")

    def __init__(self, render: Callable[[dict[str, Any]], bytes], slots: Sequence[Slot[Any]]) -> None:
        first, second = (render({slot.name: slot.samples[n] for slot in slots}) for n in (0, 1))
        found = []
        for position, slot in enumerate(slots):
            value = slot.encode(slot.samples[0])
            if first.count(value) != 1:
                raise EnvelopeError(f"{value!r}, the sample for {slot.name}, occurs {first.count(value)} times")
            found.append((first.index(value), len(value), position))
        parts: list[bytes] = []
        end = 0
        for start, size, _ in sorted(found):
            parts.append(first[end:start])
            end = start + size
        parts.append(first[end:])
        self._parts = tuple(parts)
        self._order = tuple(position for _, _, position in sorted(found))
        if self.fill([slot.encode(slot.samples[1]) for slot in slots]) != second:
            raise EnvelopeError("two renderings differ in more than their values")

    def fill(self, encoded: Sequence[bytes]) -> bytes:
        """The message with ``encoded`` in its slots, given in the order in which the slots were."""
        pieces = [self._parts[0]]
        for position, part in zip(self._order, self._parts[1:], strict=True):
            pieces.append(encoded[position])
            pieces.append(part)
        return b"".join(pieces)


UUID_SAMPLES = ("11111111-2222-4333-8444-555555555555", "66666666-7777-4888-9999-aaaaaaaaaaaa")
PRICE_SAMPLES = (Decimal("987654321.25"), Decimal("123456.75"))
COUNT_SAMPLES = (7_000_000_000_000_001, 8_000_000_000_002)
MOMENT_SAMPLES = (
    datetime.fromisoformat("2031-03-04T05:06:07.089+00:00"),
    datetime.fromisoformat("2032-10-11T12:13:14.151+00:00"),
)
