"""Elements: made, written out, and looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

from lxml import etree

Element: TypeAlias = Any
"""An lxml element; typed loosely because lxml ships no annotations."""

Encoding: TypeAlias = Literal["UTF-8", "windows-1251"]
UTF8: Encoding = "UTF-8"


def new(tag: str, nsmap: Mapping[Any, str] | None = None) -> Element:
    """A new root element; ``nsmap`` declares prefixes, None the default namespace."""
    return etree.Element(tag, nsmap=dict(nsmap) if nsmap else None)


def sub(parent: Element, tag: str, text: str | None = None) -> Element:
    """Append a child with ``text`` to ``parent`` and return it. Raises `ValueError` for characters XML cannot carry."""
    child = etree.SubElement(parent, tag)
    child.text = text
    return child


def serialise(root: Element, *, encoding: Encoding = "UTF-8", double_quoted: bool = False) -> bytes:
    """The document as bytes with an XML declaration, no document type and no added white space.

    Letters that ``encoding`` lacks become character references. The declaration has single quotes, which some servers
    cannot read; ``double_quoted`` writes the other kind.
    """
    data = bytes(etree.tostring(root, xml_declaration=not double_quoted, encoding=encoding))  # type: ignore[arg-type]
    return f'<?xml version="1.0" encoding="{encoding}"?>\n'.encode("ascii") + data if double_quoted else data


def is_name(text: str) -> bool:
    """Whether an element may be called so, without a prefix (NCName, Namespaces in XML 1.0)."""
    try:
        etree.Element(text)
    except ValueError:
        return False
    return not text.startswith("{")


def local_name(element: Element) -> str:
    """The element's name without its namespace."""
    return str(etree.QName(element).localname)


def children(element: Element) -> Iterator[tuple[str, Element]]:
    """The child elements of ``element`` with their local names, in document order."""
    for child in element:
        yield local_name(child), child
