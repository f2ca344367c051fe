"""XML off a wire, hardened; the only module that imports lxml.

A venue's answer is untrusted input: a document type declaration is refused before parsing (no entities, no external
files, no network), size and depth are bounded, and whatever is wrong raises `XmlRefused`, never lxml's own errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from lxml import etree

from gridwire.errors import ProtocolError

Element: TypeAlias = Any
"""An lxml element; typed loosely because lxml ships no annotations."""

MAX_BYTES = 8 * 1024 * 1024
"""Largest answer read. The largest documented STP answer (a full depth) is well under 1 MiB."""

MAX_DEPTH = 64

_DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_UTF8_NAMES = frozenset({None, "UTF-8", "UTF8", "US-ASCII", "ASCII"})


class XmlRefused(ProtocolError):
    """Bytes that are not XML we are willing to read. ``line`` is 1-based, or None where no line can be named."""

    def __init__(self, text: str, *, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


def parse(data: bytes, *, max_bytes: int = MAX_BYTES) -> Element:
    """Parse a UTF-8 document and return its root element.

    Raises `XmlRefused` for a document type declaration, an entity declaration, another encoding, more than ``max_bytes``
    bytes, more than 64 levels, or anything that is not well-formed.
    """
    if len(data) > max_bytes:
        raise XmlRefused(f"The XML answer is {len(data)} bytes long; more than {max_bytes} are not read.")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise XmlRefused(f"The XML answer is not UTF-8 (byte {error.start}).") from None
    if _DOCTYPE.search(data):
        raise XmlRefused(
            "The XML answer carries a document type or entity declaration, which no venue sends; it was not read."
        )
    try:
        # A parser is not shared: lxml locks it, and threads would queue on it.
        parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise XmlRefused(f"The answer is not well-formed XML: {error.msg}.", line=error.lineno) from None
    except ValueError as error:
        raise XmlRefused(f"The answer is not XML: {error}.") from None
    if root.getroottree().docinfo.encoding not in _UTF8_NAMES:
        raise XmlRefused("The XML answer declares an encoding other than UTF-8; it was not read.")
    if _depth_over(root, MAX_DEPTH):
        raise XmlRefused(f"The XML answer is nested deeper than {MAX_DEPTH} levels; it was not read.")
    return root


def _depth_over(root: Element, limit: int) -> bool:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > limit:
            return True
    return False


def new(tag: str) -> Element:
    """A new root element without a namespace."""
    return etree.Element(tag)


def sub(parent: Element, tag: str, text: str | None = None) -> Element:
    """Append a child with ``text`` to ``parent`` and return it. Raises `ValueError` for characters XML cannot carry."""
    child = etree.SubElement(parent, tag)
    child.text = text
    return child


def serialise(root: Element) -> bytes:
    """The document as UTF-8 bytes with an XML declaration and no added white space."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def local_name(element: Element) -> str:
    """The element's name without its namespace."""
    return str(etree.QName(element).localname)


def children(element: Element) -> Iterator[tuple[str, Element]]:
    """The child elements of ``element`` with their local names, in document order."""
    for child in element:
        yield local_name(child), child


class XPath:
    """An XPath 1.0 expression, compiled once. Raises `ValueError` for one that cannot be compiled."""

    def __init__(self, expression: str, namespaces: Mapping[str, str] | None = None) -> None:
        try:
            self._run = etree.XPath(expression, namespaces=dict(namespaces or {}), smart_strings=False)
        except (etree.XPathError, ValueError, TypeError) as error:
            raise ValueError(f"{expression!r} is not an XPath expression: {error}") from None

    def texts(self, root: Element) -> list[str]:
        """What it selects from ``root``, as text: of an element all the text in it."""
        found = self._found(root)
        return [one if isinstance(one, str) else "".join(one.itertext()) for one in found]

    def elements(self, root: Element) -> list[Element]:
        """The elements it selects from ``root``."""
        return [one for one in self._found(root) if not isinstance(one, str)]

    def _found(self, root: Element) -> list[Any]:
        try:
            found = self._run(root)
        except etree.XPathError:  # a prefix nobody declared
            return []
        if isinstance(found, bool):
            return ["true" if found else "false"]
        if isinstance(found, float):
            return [str(int(found)) if found.is_integer() else repr(found)]
        return list(found) if isinstance(found, list) else [found]
