"""Bytes and plain values: JSON with decimals as numbers, XML as the venue flattens it.

In XML an array is its element repeated, so one element can be a value or a list of one, and every leaf is text: what is
meant is decided by who reads it (`gridwire.sandbox.epias_stp.fields`).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from gridwire.sandbox.epias_stp.texts import Refused
from gridwire.transport import xml

Format: TypeAlias = Literal["json", "xml"]

MEDIA_TYPES: dict[str, Format] = {"application/json": "json", "application/xml": "xml"}
CONTENT_TYPES: dict[Format, str] = {"json": "application/json;charset=UTF-8", "xml": "application/xml;charset=UTF-8"}


def read(data: bytes, wire: Format, root: str) -> dict[str, Any]:
    """The request's top level. Raises `Refused` for what cannot be read, or an XML root other than ``root``."""
    try:
        if wire == "json":
            value = json.loads(data, parse_float=Decimal)
        else:
            element = xml.parse(data)
            value = _value(element) or {} if xml.local_name(element) == root else None
    except (ValueError, RecursionError, xml.XmlRefused):
        value = None
    if not isinstance(value, dict):
        raise Refused("REQ-0001")
    return value


def write(value: dict[str, Any], wire: Format, root: str) -> bytes:
    """An answer's bytes."""
    if wire == "json":
        return as_json(value).encode()
    element = xml.new(root)
    _append(element, value)
    return xml.serialise(element)


def as_json(value: Any) -> str:
    """JSON text in which a Decimal is a number with all its digits."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{as_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(as_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _append(parent: xml.Element, value: dict[str, Any]) -> None:
    for name, item in value.items():
        for single in item if isinstance(item, list | tuple) else [item]:
            if isinstance(single, dict):
                _append(xml.sub(parent, name), single)
            elif single is not None:
                xml.sub(parent, name, _leaf(single))


def _leaf(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _value(element: xml.Element) -> Any:
    found: dict[str, Any] = {}
    repeated: set[str] = set()
    for name, child in xml.children(element):
        value = _value(child)
        if name in repeated:
            found[name].append(value)
        elif name in found:
            repeated.add(name)
            found[name] = [found[name], value]
        else:
            found[name] = value
    return found or (element.text or "").strip()
