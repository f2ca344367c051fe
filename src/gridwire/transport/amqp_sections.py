"""The body sections of an encoded AMQP message, found without decoding what they hold. Pure functions.

A message may carry its body in several data sections, or in several sequence sections (AMQP 1.0, section 3.2). The engine
keeps the last one alone and says nothing, so what it makes of a message is only right where there is one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["data", "sequence", "value"]

_CODES: dict[int, Kind] = {0x75: "data", 0x76: "sequence", 0x77: "value"}
_SYMBOLS: dict[bytes, Kind] = {
    b"amqp:data:binary": "data",
    b"amqp:amqp-sequence:list": "sequence",
    b"amqp:amqp-value:*": "value",
}
_FIXED = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
"""The bytes of a value by the upper half of its constructor (section 1.2.2); from 0xA on a length stands before them."""

_BEGIN = re.compile(rb"\x00(?:(?:S|\x80\x00{7})[uvw]|[\xa3\xb3])")
"""What the beginning of a body section looks like; a value inside a section may look so too."""


class BadSections(ValueError):
    """The bytes are not a row of sections, or hold no body that is one."""


def maybe_several(data: bytes) -> bool:
    """Whether ``data`` may hold more than one body section. Cheap, as every message is asked; `bodies` is sure."""
    first = _BEGIN.search(data)
    return first is not None and _BEGIN.search(data, first.end()) is not None


def whole_body(data: bytes, decoded: Callable[[bytes], Any]) -> Any:
    """The body of a message out of all its sections, None where there is none; ``decoded`` reads an encoded value.

    Raises `BadSections` where a part of it would be left out.
    """
    found = bodies(data)
    kinds = {kind for kind, _ in found}
    if len(kinds) > 1 or (kinds == {"value"} and len(found) > 1):
        raise BadSections("there are several bodies")
    if kinds == {"data"}:
        return b"".join(content(value) for _, value in found)
    values = [decoded(value) for _, value in found]
    if kinds != {"sequence"}:
        return values[0] if values else None
    if not all(isinstance(value, list) for value in values):
        raise BadSections("a sequence section holds no list")
    return [item for value in values for item in value]


def bodies(data: bytes) -> list[tuple[Kind, bytes]]:
    """The body sections of a message in order, each with its encoded value. Raises `BadSections`."""
    found: list[tuple[Kind, bytes]] = []
    at = 0
    while at < len(data):
        if data[at] != 0:
            raise BadSections("a section has no descriptor")
        begin = _after(data, at + 1)
        end = _after(data, begin)
        if (kind := _kind(data, at + 1)) is not None:
            found.append((kind, data[begin:end]))
        at = end
    return found


def content(value: bytes) -> bytes:
    """What an encoded binary value holds. Raises `BadSections` for a value that is none."""
    if value[0] not in (0xA0, 0xB0):
        raise BadSections("a data section holds no bytes")
    return value[2 if value[0] == 0xA0 else 5 :]


def _kind(data: bytes, at: int) -> Kind | None:
    """Which body the descriptor at ``at`` announces; None for another section. It is known to be whole."""
    match data[at]:
        case 0x53:
            return _CODES.get(data[at + 1])
        case 0x80:
            return _CODES.get(struct.unpack_from(">Q", data, at + 1)[0])
        case 0xA3:
            return _SYMBOLS.get(data[at + 2 : at + 2 + data[at + 1]])
        case 0xB3:
            return _SYMBOLS.get(data[at + 5 : at + 5 + struct.unpack_from(">I", data, at + 1)[0]])
    raise BadSections("a section has a descriptor of a strange type")


def _after(data: bytes, at: int) -> int:
    """Where the value at ``at`` ends. A described value is a zero byte, its descriptor and its value."""
    due = 1
    while due:
        due -= 1
        if at >= len(data):
            raise BadSections("a section ends too early")
        constructor = data[at]
        at += 1
        if constructor == 0:
            due += 2
            continue
        form = constructor >> 4
        if form in _FIXED:
            at += _FIXED[form]
        elif form >= 0xA:
            wide = form & 1
            if at + (4 if wide else 1) > len(data):
                raise BadSections("a section ends too early")
            at += 4 + struct.unpack_from(">I", data, at)[0] if wide else 1 + data[at]
        else:
            raise BadSections("a section holds a value of a strange type")
        if at > len(data):
            raise BadSections("a section ends too early")
    return at
