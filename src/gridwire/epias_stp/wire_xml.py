"""XML of STP: no namespaces, no wrapper around lists, the element of a list repeated instead (STP document 4.1).

Reading gives the same plain values as JSON would, all of them text: an element with children is a mapping, a repeated one a
list, an empty one None. What is a list of one and what is a single value only the models know, and they take both.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gridwire.epias_stp.models.base import Wire
from gridwire.transport import xml
from gridwire.units import plain

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def write(root: str, fields: Mapping[str, Wire]) -> bytes:
    """A document with ``root`` and ``fields`` as its children, in order, without added white space."""
    element = xml.new(root)
    _write_fields(element, fields)
    return xml.serialise(element)


def _write_fields(parent: xml.Element, fields: Mapping[str, Wire]) -> None:
    for name, value in fields.items():
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, dict):
                _write_fields(xml.sub(parent, name), item)
            else:
                xml.sub(parent, name, _text(item))


def _text(value: Wire) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, Decimal) else str(value)


def read(content: bytes, charset: str | None = None) -> tuple[str, Any]:
    """The root's name and its value; ``charset`` is what the Content-Type names. Raises `gridwire.transport.xml.XmlRefused` or `ValueError` saying why not."""
    root = xml.parse(content, charset=charset)
    return xml.local_name(root), _value(root)


def _value(element: xml.Element) -> Any:
    children: dict[str, list[Any]] = {}
    between = element.text or ""
    for name, child in xml.children(element):
        children.setdefault(name, []).append(_value(child))
        between += child.tail or ""
    if not children:
        return None if element.get(_NIL) in ("true", "1") else (between.strip() or None)
    if between.strip():
        raise ValueError(f"its element {xml.local_name(element)} mixes text and elements")
    return {name: values[0] if len(values) == 1 else values for name, values in children.items()}
