"""Typed reading of request fields. Strict in JSON, where types are on the wire; by parsing in XML, where they are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from gridwire.sandbox.epias_stp import dates
from gridwire.sandbox.epias_stp.texts import Refused

T = TypeVar("T")

_INT64 = 2**63


class Fields:
    """The fields of one object. Every reader raises `Refused` naming the field that is missing or wrong."""

    def __init__(self, values: dict[str, Any], *, from_xml: bool) -> None:
        self._values = values
        self._from_xml = from_xml

    def text(self, name: str) -> str:
        """A required, non-empty string."""
        return self._required(name, self.optional_text(name))

    def optional_text(self, name: str) -> str | None:
        """A string, or None where it is absent, null or empty."""
        return self._read(name, _text) or None

    def integer(self, name: str) -> int:
        """A required 64-bit integer."""
        return self._required(name, self._read(name, self._integer))

    def optional_decimal(self, name: str) -> Decimal | None:
        """A finite number, or None."""
        return self._read(name, self._decimal)

    def decimal(self, name: str) -> Decimal:
        """A required finite number."""
        return self._required(name, self.optional_decimal(name))

    def optional_instant(self, name: str) -> datetime | None:
        """A date in the wire's format as UTC, or None."""
        return self._read(name, _instant)

    def instant(self, name: str) -> datetime:
        """A required date."""
        return self._required(name, self.optional_instant(name))

    def texts(self, name: str) -> list[str]:
        """A required array of strings; may be empty."""
        return [self._convert(name, item, _text) for item in self._array(name)]

    def integers(self, name: str) -> list[int]:
        """A required array of integers; may be empty."""
        return [self._convert(name, item, self._integer) for item in self._array(name)]

    def instants(self, name: str) -> list[datetime]:
        """A required array of dates; may be empty."""
        return [self._convert(name, item, _instant) for item in self._array(name)]

    def objects(self, name: str) -> list[Fields]:
        """A required array of objects; may be empty."""
        return [Fields(self._convert(name, item, _object), from_xml=self._from_xml) for item in self._array(name)]

    def given(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    def _array(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if self._from_xml:  # one element is an array of one, and no element is an empty array
            return [] if value is None else value if isinstance(value, list) else [value]
        self._required(name, value)
        if not isinstance(value, list):
            raise Refused("REQ-0006", name)
        return value

    def _read(self, name: str, convert: Callable[[Any], T]) -> T | None:
        value = self._values.get(name)
        return None if value is None else self._convert(name, value, convert)

    def _convert(self, name: str, value: Any, convert: Callable[[Any], T]) -> T:
        try:
            return convert(value)
        except (TypeError, ValueError, InvalidOperation):
            raise Refused("REQ-0006", name) from None

    def _required(self, name: str, value: T | None) -> T:
        if value is None:
            raise Refused("REQ-0005", name)
        return value

    def _integer(self, value: Any) -> int:
        number = int(value) if self._from_xml else value
        if type(number) is not int or not -_INT64 <= number < _INT64:
            raise ValueError(value)
        return number

    def _decimal(self, value: Any) -> Decimal:
        if isinstance(value, bool) or not (self._from_xml or isinstance(value, int | Decimal)):
            raise TypeError(value)
        number = Decimal(value)
        if not number.is_finite():
            raise ValueError(value)
        return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _instant(value: Any) -> datetime:
    return dates.from_wire(_text(value))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value
