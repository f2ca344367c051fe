"""Open enumerations: known values by name, unknown ones passed through.

A venue adds a status or a type without asking its clients; a stream must not die of it. Values that decide about an
order's fate are not open: they stay strict where they are read.
"""

from __future__ import annotations

from enum import Enum
from typing import Self


class OpenEnum(str, Enum):
    """A string enumeration that also takes values it does not know.

    ``Direction("BUY") is Direction.BUY``; ``Direction("SWAP")`` is a member-like value with ``known`` False that compares
    equal to ``"SWAP"``. Matching is case-sensitive, as the wires are.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    @property
    def known(self) -> bool:
        """Whether this is one of the documented values."""
        return self._value_ in type(self)._value2member_map_

    def __str__(self) -> str:
        """The wire value."""
        return str(self.value)

    # As text, and without a Python call: bids are looked up by them on their way out.
    __eq__ = str.__eq__
    __hash__ = str.__hash__

    def __reduce_ex__(self, proto: object) -> tuple[type[Self], tuple[str]]:
        """By value: Python before 3.11.4 pickles members by name, which finds no unknown one."""
        return type(self), (str(self._value_),)
