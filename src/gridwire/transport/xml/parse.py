"""XML off a wire, as a tree.

A venue's answer is untrusted input: a document type declaration is refused before parsing (no entities, no external
files, no network), size and depth are bounded, and whatever is wrong raises `XmlRefused`, never lxml's own errors.
"""

from __future__ import annotations

import re

from lxml import etree

from gridwire.errors import ProtocolError
from gridwire.transport.decoding import decoded
from gridwire.transport.xml.elements import Element
from gridwire.transport.xml.hardened import MAX_DEPTH, declared_name, declares_a_type, parser
from gridwire.transport.xml.namespaces import NO_URI

MAX_BYTES = 8 * 1024 * 1024
"""Largest answer read. The largest documented STP answer (a full depth) is well under 1 MiB."""

_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*\?>")
_TYPE_DECLARED = "The XML answer carries a document type or entity declaration, which no venue sends; it was not read."


class XmlRefused(ProtocolError):
    """Bytes that are not XML we are willing to read. ``line`` is 1-based, or None where no line can be named."""

    def __init__(self, text: str, *, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


def parse(data: bytes, *, charset: str | None = None, last: str | None = None, max_bytes: int = MAX_BYTES) -> Element:
    """Parse a document and return its root element.

    It is read in ``charset``, which its Content-Type names, else as it declares, else as UTF-8, else in ``last``; see
    `gridwire.transport.decoding`. Raises `XmlRefused` for a document type declaration, an entity declaration, bytes in none of
    these, more than ``max_bytes`` bytes, more than 64 levels, or anything that is not well-formed.
    """
    if len(data) > max_bytes:
        raise XmlRefused(f"The XML answer is {len(data)} bytes long; more than {max_bytes} are not read.")
    declared = declared_name(data.lstrip())
    try:
        text = decoded(data, charset, declared, last=last)
    except UnicodeDecodeError as error:
        named = " nor ".join(filter(None, (charset, declared)))
        raise XmlRefused(f"The XML answer is not UTF-8 (byte {error.start}){named and f', nor {named}'}.") from None
    # The parser gets UTF-8 without a declaration, which would outrank what was found here.
    declaration = _DECLARATION.match(text)
    if declaration is not None:
        text = "\n" * declaration[0].count("\n") + text[declaration.end() :]
    content = text.encode("utf-8", "surrogatepass")
    if declares_a_type(content):
        raise XmlRefused(_TYPE_DECLARED)
    try:
        root = etree.fromstring(content, parser(remove_comments=True, remove_pis=True))
    except etree.XMLSyntaxError as error:
        if getattr(error, "code", None) == etree.ErrorTypes.WAR_NS_URI:
            raise XmlRefused(
                f"The XML answer declares a namespace that is {NO_URI}: {error.msg}.", line=error.lineno
            ) from None
        raise XmlRefused(f"The answer is not well-formed XML: {error.msg}.", line=error.lineno) from None
    except ValueError as error:
        raise XmlRefused(f"The answer is not XML: {error}.") from None
    if root.getroottree().docinfo.internalDTD is not None:  # pragma: no cover - found above
        raise XmlRefused(_TYPE_DECLARED)
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
