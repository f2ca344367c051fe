"""Request bodies of the forms a profile can name. Pure functions.

Fields come as names and values in order; a ``/`` in a name goes one level deeper in JSON and XML. The document itself is
set into the finished body by its bytes, so that what was hashed is what is sent and twenty megabytes are scanned by nobody.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlencode
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from gridwire.errors import InvalidInput
from gridwire.siooi.profile import XmlShape
from gridwire.siooi.spelling import NOT_IN_XML

_SOAP = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
_PIECE = 3 * 64 * 1024
"""Bytes encoded at a time: the interpreter is not held for longer."""

Fields: TypeAlias = Mapping[str, str]
Tree: TypeAlias = "dict[str, str | Tree]"


@dataclass(frozen=True, slots=True)
class Body:
    """A body and its media type."""

    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """The document on its way into a body: the field for it, its file name, media type and bytes."""

    field: str
    name: str
    content_type: str
    content: bytes
    as_text: bool = False


def form(fields: Fields, charset: str) -> Body:
    """``application/x-www-form-urlencoded`` in ``charset``."""
    try:
        return Body(
            "application/x-www-form-urlencoded", urlencode(fields, encoding=charset, errors="strict").encode("ascii")
        )
    except UnicodeEncodeError:
        raise InvalidInput(f"A field holds a letter that {charset} does not have. Nothing was sent.") from None


def as_json(fields: Fields, document: Document | None = None, charset: str | None = None) -> Body:
    """A JSON object, the document in it as base64. In UTF-8, and says no more of it (RFC 8259), unless ``charset`` is told."""
    marker = uuid4().hex
    tree = _tree(fields if document is None else {**fields, document.field: marker})
    try:
        json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput("A field holds half of a character (a lone surrogate). Nothing was sent.") from None
    try:
        whole = json.dumps(tree, ensure_ascii=False).encode(charset or "utf-8")
    except UnicodeEncodeError:  # a letter that the encoding does not have
        whole = json.dumps(tree).encode("ascii")
    return Body("application/json" + (f"; charset={charset}" if charset else ""), _with(whole, marker, document))


def multipart(fields: Fields, charset: str, document: Document | None = None) -> Body:
    """``multipart/form-data`` (RFC 7578); names and values in ``charset``, the document as it is."""
    boundary = f"gridwire-{uuid4().hex}"
    lead = f"--{boundary}\r\nContent-Disposition: form-data; name="
    parts: list[bytes] = []
    try:
        for name, value in fields.items():
            parts.append(f'{lead}"{_quoted(name)}"\r\n\r\n{value}\r\n'.encode(charset))
        if document is not None:
            names = f'"{_quoted(document.field)}"; filename="{_quoted(document.name)}"'
            parts.append(f"{lead}{names}\r\nContent-Type: {document.content_type}\r\n\r\n".encode(charset))
            parts += [document.content, b"\r\n"]
    except UnicodeEncodeError:
        raise InvalidInput(f"A field holds a letter that {charset} does not have. Nothing was sent.") from None
    parts.append(f"--{boundary}--\r\n".encode("ascii"))
    return Body(f"multipart/form-data; boundary={boundary}", b"".join(parts))


def as_xml(fields: Fields, shape: XmlShape, charset: str, *, soap: bool, document: Document | None = None) -> Body:
    """The fields as elements of ``shape``; in a SOAP envelope, those below ``Header/`` in its header."""
    marker = uuid4().hex
    tree = _tree(fields if document is None else {**fields, document.field: marker})
    header = tree.pop("Header", None) if soap else None
    prefix = "q:" if shape.namespace and not shape.qualified else ""
    space = f" xmlns{':q' if prefix else ''}={quoteattr(shape.namespace)}" if shape.namespace else ""
    inner = f"<{prefix}{shape.root}{space}>{_elements(tree)}</{prefix}{shape.root}>"
    if soap:
        head = (
            f"<soap:Header>{_elements(header, space if not prefix else '')}</soap:Header>"
            if isinstance(header, dict)
            else ""
        )
        inner = f'<soap:Envelope xmlns:soap="{_SOAP[shape.soap]}">{head}<soap:Body>{inner}</soap:Body></soap:Envelope>'
    if NOT_IN_XML.search(inner):
        raise InvalidInput("A field holds a character that XML cannot carry. Nothing was sent.")
    # A letter that the encoding does not have is written as a character reference, which XML reads as that letter.
    whole = f'<?xml version="1.0" encoding="{charset}"?>{inner}'.encode(charset, "xmlcharrefreplace")
    action = f'; action="{shape.action}"' if soap and shape.soap == "1.2" and shape.action else ""
    media = "application/soap+xml" if soap and shape.soap == "1.2" else "text/xml"
    return Body(f"{media}; charset={charset}{action}", _with(whole, marker, document, charset))


def _with(whole: bytes, marker: str, document: Document | None, charset: str = "utf-8") -> bytes:
    if document is None:
        return whole
    before, _, after = whole.partition(marker.encode("ascii"))
    return b"".join(
        (before, *(_escaped(document.content, charset) if document.as_text else encoded(document.content)), after)
    )


def encoded(content: bytes) -> list[bytes]:
    """``content`` as base64, in pieces."""
    return [base64.b64encode(content[at : at + _PIECE]) for at in range(0, len(content), _PIECE)]


def _escaped(content: bytes, charset: str) -> list[bytes]:
    """The document as the text of an element: decoded by its own declaration, encoded as the body is."""
    declared = re.match(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)", content.removeprefix(b"\xef\xbb\xbf"))
    text = content.decode(declared[1].decode("ascii") if declared else "utf-8").removeprefix("\ufeff")
    step = 64 * 1024
    return [escape(text[at : at + step]).encode(charset, "xmlcharrefreplace") for at in range(0, len(text), step)]


def _tree(fields: Fields) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        *above, last = name.split("/")
        here = tree
        for step in above:
            here = here.setdefault(step, {})
            if not isinstance(here, dict):
                raise InvalidInput(
                    f"The field {name} stands below another field. Correct the profile. Nothing was sent."
                )
        here[last] = value
    return tree


def _elements(tree: Mapping[str, Any], space: str = "") -> str:
    return "".join(
        f"<{name}{space}>{_elements(value) if isinstance(value, dict) else escape(value)}</{name}>"
        for name, value in tree.items()
    )


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
