"""JSON of STP, without floats in either direction.

Written in one form only, byte for byte the same for the same values: no white space, characters beyond ASCII as escapes
(no server can then read them in a wrong character set), numbers in plain digits. Orders are compiled into byte templates
from this form, so it must not depend on anything but its input.

Read strictly where JSON is loose: a repeated key, NaN, a number of absurd length and deep nesting are refused, because an
answer that can be understood in two ways must not decide about a bid.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from gridwire.epias_stp.models.base import Wire
from gridwire.transport.decoding import decoded
from gridwire.units import plain

MAX_BYTES = 8 * 1024 * 1024
"""Largest answer read, as for XML."""

MAX_DEPTH = 64
MAX_DIGITS = 60

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def write(value: Wire) -> str:
    """``value`` as compact ASCII JSON; fields in the order of the mapping."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, list):
        return f"[{','.join(write(item) for item in value)}]"
    return "{" + ",".join(f"{json.dumps(name)}:{write(item)}" for name, item in value.items()) + "}"


def read(content: bytes, charset: str | None = None) -> Any:
    """The value that ``content`` holds, its fractions as Decimal; ``charset`` is what its Content-Type names.

    A raw line break or another control character within a text is read as it is. Raises `ValueError` saying why it cannot be
    read.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is {len(content)} bytes long, and more than {MAX_BYTES} are not read")
    text = decoded(content, charset)  # UnicodeDecodeError is a ValueError
    try:
        value = json.loads(
            text,
            strict=False,
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False, default=str).encode()  # UnicodeEncodeError is a ValueError
    _check_depth(value)
    return value


def _fraction(digits: str) -> Decimal:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    try:
        number = Decimal(digits)
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f"it holds the number {digits}")
    return number


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("it names a field twice in one object")
    return fields


def _check_depth(value: object) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        containers = [item for item in level if isinstance(item, (dict, list))]
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
