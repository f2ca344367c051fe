"""XML, hardened: the only package that imports lxml.

Answers are parsed (`parse`), documents that are to be sent are built (`DocumentBuilder`), held against their schema
(`Schemas`) and hashed (`inspect`). Nothing here opens a file or a connection because a document or a schema asked for it.
"""

from __future__ import annotations

from gridwire.transport.xml.build import DocumentBuilder
from gridwire.transport.xml.documents import MAX_DOCUMENT_BYTES, Inspection, Progress, inspect
from gridwire.transport.xml.elements import Element, Encoding, children, is_name, local_name, new, serialise, sub
from gridwire.transport.xml.faults import DocumentRefused, Fault
from gridwire.transport.xml.namespaces import NO_URI, is_readable, is_reserved
from gridwire.transport.xml.parse import MAX_BYTES, XmlRefused, parse
from gridwire.transport.xml.schema import Schema, Schemas
from gridwire.transport.xml.xpath import XPath

__all__ = [
    "MAX_BYTES",
    "MAX_DOCUMENT_BYTES",
    "NO_URI",
    "DocumentBuilder",
    "DocumentRefused",
    "Element",
    "Encoding",
    "Fault",
    "Inspection",
    "Progress",
    "Schema",
    "Schemas",
    "XPath",
    "XmlRefused",
    "children",
    "inspect",
    "is_name",
    "is_readable",
    "is_reserved",
    "local_name",
    "new",
    "parse",
    "serialise",
    "sub",
]
