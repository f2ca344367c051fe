"""What is wrong with a document, and where. Pure code without a parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gridwire.errors import InvalidInput

MOST_FAULTS = 100
"""Faults that are reported of one document; a wrong form has one in every row."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``line`` and ``column`` count from 1; None where they are not known."""

    line: int | None
    column: int | None
    path: str
    """The element, as ``/doc/row[2]/value[1]``, without namespaces; empty where none can be named."""
    type: str
    """The parser's name for this kind of fault, as ``SCHEMAV_CVC_DATATYPE_VALID_1_2_1``."""
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line is not None else ""
        place = ", ".join(filter(None, (where, self.path)))
        return f"{place}: {self.message}" if place else self.message


class DocumentRefused(InvalidInput):
    """A document is not fit to be sent; nothing was sent. ``faults`` says what to mend, in the order of the document."""

    def __init__(self, text: str, faults: Sequence[Fault] = ()) -> None:
        listed = "".join(f"\n  {fault}" for fault in faults[:_SHOWN])
        more = f"\n  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        super().__init__(f"{text} Nothing was sent.{listed}{more}")
        self.faults: tuple[Fault, ...] = tuple(faults)


class Locator:
    """A parser's target that knows which element the parser touched last."""

    def __init__(self) -> None:
        self._open: list[tuple[str, dict[str, int]]] = [("", {})]
        self.path: str = ""

    def start(self, tag: str, _attributes: Mapping[str, str], _nsmap: Any = None) -> None:
        """An element begins."""
        name = tag.rpartition("}")[2]
        above, seen = self._open[-1]
        seen[name] = seen.get(name, 0) + 1
        self.path = f"{above}/{name}" if not above else f"{above}/{name}[{seen[name]}]"
        self._open.append((self.path, {}))

    def end(self, _tag: str) -> None:
        """An element ends."""
        self.path = self._open.pop()[0]

    def close(self) -> None:
        """The document is over."""


def pieces(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """``data`` from ``start`` to ``end`` cut behind each ``>``, so that no piece ends more than one tag; with offsets."""
    while start < end:
        cut = data.find(b">", start, end) + 1 or end
        yield start, data[start:cut]
        start = cut


class Lines:
    """Turns offsets, asked for in ascending order, into lines and columns."""

    def __init__(self, data: bytes, encoding: str) -> None:
        self._data = data
        self._encoding = encoding
        self._line, self._begins, self._at = 1, 0, 0

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of ``offset``, counted from 1 in characters."""
        self._line += self._data.count(b"\n", self._at, offset)
        self._begins = max(self._begins, self._data.rfind(b"\n", self._at, offset) + 1)
        self._at = offset
        return self._line, len(self._data[self._begins : offset].decode(self._encoding, errors="replace")) + 1
