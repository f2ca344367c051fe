"""Documents from nested values: exact numbers, ISO dates, and nothing that was not given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from lxml import etree
from pydantic import BaseModel

from gridwire.errors import InvalidInput
from gridwire.transport.xml.elements import Element, Encoding, new, serialise
from gridwire.transport.xml.hardened import MAX_DEPTH
from gridwire.units import plain


class DocumentBuilder:
    """Makes documents with the root element ``root`` from mappings or pydantic models.

    A key names a child element; ``@name`` is an attribute, ``#text`` the element's own text. A sequence repeats its element,
    None leaves it out. ``prefix:name`` takes its namespace from ``nsmap``, and a name without prefix that of the key None.
    Of a model the aliases are the keys.

    Numbers are written as they are, `Decimal` without an exponent; a float is refused. Dates are ISO 8601, a time needs its
    offset. ``formats`` writes the fields of these names in another way: ``{"date": lambda day: f"{day:%d.%m.%Y}"}``.
    """

    def __init__(
        self,
        root: str,
        nsmap: Mapping[str | None, str] | None = None,
        *,
        encoding: Encoding = "UTF-8",
        double_quoted: bool = False,
        formats: Mapping[str, Callable[[Any], str]] | None = None,
    ) -> None:
        self._root = root
        self._nsmap = dict(nsmap or {})
        self._encoding: Encoding = encoding
        self._double_quoted = double_quoted
        self._formats = dict(formats or {})

    def build(self, content: Mapping[str, Any] | BaseModel) -> bytes:
        """The document. Raises `InvalidInput`, naming the place, for what cannot be written exactly."""
        return serialise(self.element(content), encoding=self._encoding, double_quoted=self._double_quoted)

    def element(self, content: Mapping[str, Any] | BaseModel) -> Element:
        """The document as an element, to be put into another one."""
        at = f"/{self._root}"
        try:
            root = new(self._name(self._root, at), self._nsmap)
        except ValueError as error:
            raise _refused(at, str(error)) from None
        self._fill(root, content, at, 1)
        return root

    def _fill(self, element: Element, content: Any, at: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _refused(at, f"there are more than {MAX_DEPTH} levels")
        for key, value in _fields(content):
            if not isinstance(key, str):
                raise _refused(at, f"the name {key!r} is no text")
            place = f"{at}/{key}"
            try:
                if key == "#text":
                    element.text = self._text(key, value, place)
                elif key.startswith("@"):
                    if value is not None:
                        element.set(self._name(key[1:], place, attribute=True), self._text(key[1:], value, place))
                else:
                    self._add(element, key, value, place, depth)
            except (ValueError, TypeError) as error:
                if isinstance(error, InvalidInput):
                    raise
                raise _refused(place, str(error)) from None

    def _add(self, parent: Element, key: str, value: Any, at: str, depth: int) -> None:
        name = self._name(key, at)
        for item in _items(value):
            child = etree.SubElement(parent, name)
            if isinstance(item, (Mapping, BaseModel)):
                self._fill(child, item, at, depth + 1)
            else:
                child.text = self._text(key, item, at)

    def _name(self, key: str, at: str, *, attribute: bool = False) -> str:
        prefix, colon, local = key.rpartition(":")
        if not colon:
            default = None if attribute else self._nsmap.get(None)
            return f"{{{default}}}{key}" if default else key
        if prefix not in self._nsmap:
            raise _refused(at, f"the prefix {prefix} is not in nsmap")
        return f"{{{self._nsmap[prefix]}}}{local}"

    def _text(self, name: str, value: Any, at: str) -> str:
        written = self._formats.get(name)
        if written is not None:
            return written(value)
        match value:
            case Enum():
                return self._text(name, value.value, at)
            case str():
                return value
            case bool():
                return "true" if value else "false"
            case int():
                return str(value)
            case Decimal() if value.is_finite():
                return plain(value)
            case datetime() if value.tzinfo is None:
                raise _refused(at, "a time needs its offset, as datetime(..., tzinfo=UTC)")
            case date():
                return value.isoformat()
            case float():
                raise _refused(at, f"{value!r} is a float, which is not exact; give a Decimal or a str")
        raise _refused(at, f"{type(value).__name__} cannot be written; give text, a number, a date, or a format for it")


def _fields(content: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(content, BaseModel):
        fields = type(content).model_fields
        for name, value in content:
            info = fields.get(name)
            yield (info.serialization_alias or info.alias or name) if info is not None else name, value
    else:
        yield from content.items()


def _items(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else (value,)


def _refused(at: str, why: str) -> InvalidInput:
    return InvalidInput(f"{at}: {why}. Nothing was sent.")
