"""The frames of AMQP's SASL layer (AMQP 1.0, sections 1.6, 2.3 and 5.3) as bytes, and back. Pure functions.

Five frames and six types are all there is, so they are written here; whole AMQP is the engine's.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

HEADER = b"AMQP\x03\x01\x00\x00"
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
MECHANISMS, INIT, CHALLENGE, RESPONSE, OUTCOME = 0x40, 0x41, 0x42, 0x43, 0x44
MOST_BYTES = 64 * 1024
"""A longer SASL frame is taken for garbage. The standard's own bound, 512 bytes, is too small for tokens."""

MOST_DEPTH = 4
"""Lists within lists. The standard's frames nest none; what nests without end would exhaust the stack."""

Field: TypeAlias = "str | bytes | int | Symbol | list[Symbol] | None"


class Symbol(str):
    """A text that travels as an AMQP symbol."""

    __slots__ = ()


class BadFrame(ValueError):
    """The bytes are no SASL frame."""


def frame(descriptor: int, fields: Sequence[Field]) -> bytes:
    """One whole frame."""
    items = b"".join(map(_encoded, fields))
    if len(items) + 1 <= 0xFF:
        listed = bytes((0xC0, len(items) + 1, len(fields))) + items
    else:
        listed = struct.pack(">BII", 0xD0, len(items) + 4, len(fields)) + items
    body = bytes((0x00, 0x53, descriptor)) + listed
    return struct.pack(">IBBH", len(body) + 8, 2, 1, 0) + body


def _encoded(value: Field) -> bytes:
    match value:
        case None:
            return b"\x40"
        case Symbol():
            return _sized(0xA3, value.encode("ascii"))
        case str():
            return _sized(0xA1, value.encode())
        case bytes():
            return _sized(0xA0, value)
        case int():
            return bytes((0x50, value))
        case _:
            names = b"".join(bytes((len(name),)) + name.encode("ascii") for name in value)
            return bytes((0xE0, len(names) + 2, len(value), 0xA3)) + names


def _sized(code: int, content: bytes) -> bytes:
    if len(content) <= 0xFF:
        return bytes((code, len(content))) + content
    return struct.pack(">BI", code + 0x10, len(content)) + content


def take(buffer: bytes) -> tuple[int, list[Any], bytes] | None:
    """The first frame in ``buffer`` as (descriptor, fields, what follows it), or None while it is incomplete.

    Raises `BadFrame` for what can never become one.
    """
    if len(buffer) < 8:
        return None
    size, offset, kind = struct.unpack_from(">IBB", buffer)
    if not 8 <= size <= MOST_BYTES or kind != 1 or not 8 <= offset * 4 <= size:
        raise BadFrame("the peer's bytes are no SASL frame")
    if len(buffer) < size:
        return None
    body = buffer[offset * 4 : size]
    try:
        descriptor, fields = _described(body)
    except (IndexError, struct.error, UnicodeDecodeError):
        raise BadFrame("the peer's SASL frame ends too early or holds no text") from None
    return descriptor, fields, buffer[size:]


def _described(body: bytes) -> tuple[int, list[Any]]:
    if body[0] != 0:
        raise BadFrame("the peer's SASL frame has no descriptor")
    if body[1] == 0x53:
        descriptor, at = body[2], 3
    elif body[1] == 0x80:
        (descriptor,) = struct.unpack_from(">Q", body, 2)
        at = 10
    else:
        raise BadFrame("the peer's SASL frame has a descriptor of a strange type")
    value, _ = _decoded(body, at)
    if not isinstance(value, list):
        raise BadFrame("the peer's SASL frame holds no list")
    return descriptor, value


def _decoded(data: bytes, at: int, depth: int = 0) -> tuple[Any, int]:
    """The value at ``at`` and where the next one begins."""
    if depth > MOST_DEPTH:
        raise BadFrame("the peer's SASL frame holds lists within lists")
    code = data[at]
    at += 1
    match code:
        case 0x40 | 0x45:
            return ([] if code == 0x45 else None), at
        case 0x50:
            return data[at], at + 1
        case 0xA0 | 0xA1 | 0xA3 | 0xB0 | 0xB1 | 0xB3:
            length, at = _count(data, at, wide=code >= 0xB0)
            content = data[at : at + length]
            if len(content) < length:
                raise IndexError
            return (content if code in (0xA0, 0xB0) else content.decode()), at + length
        case 0xC0 | 0xD0:
            _, at = _count(data, at, wide=code == 0xD0)
            count, at = _count(data, at, wide=code == 0xD0)
            items = []
            for _ in range(count):
                item, at = _decoded(data, at, depth + 1)
                items.append(item)
            return items, at
        case 0xE0 | 0xF0:
            return _array(data, at, wide=code == 0xF0)
        case _:
            raise BadFrame(f"the peer's SASL frame holds a value of type 0x{code:02x}")


def _array(data: bytes, at: int, *, wide: bool) -> tuple[list[str], int]:
    _, at = _count(data, at, wide=wide)
    count, at = _count(data, at, wide=wide)
    constructor = data[at]
    at += 1
    if constructor not in (0xA3, 0xB3):
        raise BadFrame("the peer's list of mechanisms does not hold symbols")
    names = []
    for _ in range(count):
        length, at = _count(data, at, wide=constructor == 0xB3)
        if at + length > len(data):
            raise IndexError
        names.append(data[at : at + length].decode("ascii"))
        at += length
    return names, at


def _count(data: bytes, at: int, *, wide: bool) -> tuple[int, int]:
    if not wide:
        return data[at], at + 1
    (count,) = struct.unpack_from(">I", data, at)
    return count, at + 4
