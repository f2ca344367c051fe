"""Names of namespaces that no document may declare, or that the parser does not read."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from lxml import etree

from gridwire.transport.xml.hardened import parser

NO_URI = (
    "no URI in the letters of ASCII (RFC 3986: those of other scripts are percent-encoded), and the XML parser of gridwire reads no "
    "document with such a namespace"
)
FAULT = "WAR_NS_URI"
"""The parser's name for it. By the rules of XML such a document is well-formed (Namespaces in XML 1.0, section 2.1)."""
_RESERVED = frozenset({"http://www.w3.org/2000/xmlns/", "http://www.w3.org/XML/1998/namespace"})


def is_reserved(name: str) -> bool:
    """Whether XML keeps the namespace for itself, so that no document declares it (Namespaces in XML 1.0, section 3)."""
    return name in _RESERVED


def is_readable(name: str) -> bool:
    """Whether the parser reads a document that declares the namespace; of a reserved one it knows without a declaration."""
    if is_reserved(name):
        return True
    try:
        etree.fromstring(f"<a xmlns={quoteattr(name)}/>".encode(), parser())
    except (etree.XMLSyntaxError, ValueError):
        return False
    return True
