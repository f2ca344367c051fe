"""XML off a wire, as a tree.

A venue's answer is untrusted input: a document type declaration is refused before parsing (no entities, no external
files, no network), size and depth are bounded, and whatever is wrong raises `XmlRefused`, never lxml's own errors.
"""

from __future__ import annotations

from collections.abc import Collection

from lxml import etree

from gridwire.errors import ProtocolError
from gridwire.transport.xml.elements import UTF8, Element, Encoding
from gridwire.transport.xml.hardened import MAX_DEPTH, declares_a_type, encoding_of, parser

MAX_BYTES = 8 * 1024 * 1024
"""Largest answer read. The largest documented STP answer (a full depth) is well under 1 MiB."""


class XmlRefused(ProtocolError):
    """Bytes that are not XML we are willing to read. ``line`` is 1-based, or None where no line can be named."""

    def __init__(self, text: str, *, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


def parse(data: bytes, *, max_bytes: int = MAX_BYTES, encodings: Collection[Encoding] = (UTF8,)) -> Element:
    """Parse a document in one of ``encodings`` and return its root element.

    Raises `XmlRefused` for a document type declaration, an entity declaration, another encoding, more than ``max_bytes``
    bytes, more than 64 levels, or anything that is not well-formed.
    """
    if len(data) > max_bytes:
        raise XmlRefused(f"The XML answer is {len(data)} bytes long; more than {max_bytes} are not read.")
    encoding = encoding_of(data)
    if encoding is None or encoding not in encodings:
        raise XmlRefused(f"The XML answer is in an encoding other than {' or '.join(encodings)}; it was not read.")
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        raise XmlRefused(f"The XML answer is not {encoding} (byte {error.start}).") from None
    if declares_a_type(data):
        raise XmlRefused(
            "The XML answer carries a document type or entity declaration, which no venue sends; it was not read."
        )
    try:
        root = etree.fromstring(data, parser(remove_comments=True, remove_pis=True))
    except etree.XMLSyntaxError as error:
        raise XmlRefused(f"The answer is not well-formed XML: {error.msg}.", line=error.lineno) from None
    except ValueError as error:
        raise XmlRefused(f"The answer is not XML: {error}.") from None
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
