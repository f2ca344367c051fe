"""The one way to make a parser, and what is looked at before it sees a byte.

lxml's own defaults are safe today, but any library in the process can replace its default parser, and then files are read.
So a parser of ours is passed everywhere. Entities stay unread, nothing is fetched, and a document type declaration is
refused altogether: with entities unread, text would silently be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from lxml import etree

from gridwire.transport.xml.elements import Encoding

Parser: TypeAlias = Any

MAX_DEPTH = 64

_DECLARATION = re.compile(rb"<\?xml\s[^>]*\?>")
_BEGINS = re.compile(rb"<\?xml\s")
_LONGEST_DECLARATION = 1024
_DECLARED = re.compile(rb"[^>]*?\sencoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._-]*)[\"']")
_DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_NAMES: Mapping[str, Encoding] = {"UTF-8": "UTF-8", "UTF8": "UTF-8", "US-ASCII": "UTF-8", "ASCII": "UTF-8",
          "WINDOWS-1251": "windows-1251", "CP1251": "windows-1251"}  # fmt: skip
_BLANKS = re.compile(rb"[ \t\r\n]*")
_SKIPPED = ((b"<!--", b"-->"), (b"<?", b"?>"))
_KINDS = {
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a ZIP archive, or a file of an office program",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF file",
    b"\xd0\xcf\x11\xe0": "a file of an older office program",
    b"0\x82": "in DER form, as a certificate or a signed container (PKCS #7) is",
    b"0\x80": "in BER form, as a signed container (PKCS #7) is",
}
BOM = b"\xef\xbb\xbf"


def parser(**options: Any) -> Parser:
    """A new parser. It is not shared: lxml locks it, and threads would queue on it."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        **options,
    )


def encoding_of(data: bytes) -> Encoding | None:
    """``UTF-8`` or ``windows-1251``, as the document's first bytes declare; None for every other encoding."""
    if b"\x00" in data[:4] or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    marked = data.startswith(BOM)
    start = data[:_LONGEST_DECLARATION].removeprefix(BOM)
    declaration = _DECLARATION.match(start)
    if declaration is None:
        return None if _BEGINS.match(start) else "UTF-8"
    declared = _DECLARED.match(declaration[0])
    name = "UTF-8" if declared is None else _NAMES.get(declared[1].decode("ascii").upper())
    return None if marked and name != "UTF-8" else name


def declared_name(data: bytes) -> str | None:
    """The encoding that the document's declaration names, as it is written there, also in UTF-16; None without one."""
    start = data[: 2 * _LONGEST_DECLARATION].removeprefix(BOM)
    if b"\x00" in start[:4] or start.startswith((b"\xff\xfe", b"\xfe\xff")):
        start = start.replace(b"\x00", b"").lstrip(b"\xff\xfe")
    declaration = _DECLARATION.match(start[:_LONGEST_DECLARATION])
    declared = None if declaration is None else _DECLARED.match(declaration[0])
    return None if declared is None else declared[1].decode("ascii")


def declares_a_type(data: bytes) -> bool:
    """Whether a document type or entity declaration stands where one has an effect: before the root element.

    Elsewhere, in a comment or in CDATA, its letters are text (XML 1.0, section 2.8); as markup the parser refuses it.
    """
    at = len(BOM) if data.startswith(BOM) else 0
    while True:
        at = _blanks_end(data, at)
        opening, closing = next((pair for pair in _SKIPPED if data.startswith(pair[0], at)), (b"", b""))
        if not opening:
            return _DOCTYPE.match(data, at) is not None
        end = data.find(closing, at + len(opening))
        if end < 0:
            return False
        at = end + len(closing)


def _blanks_end(data: bytes, at: int) -> int:
    found = _BLANKS.match(data, at)
    return at if found is None else found.end()


def other_kind(data: bytes) -> str | None:
    """What the bytes are, by their beginning, where they are a file of another kind than XML."""
    return next((kind for magic, kind in _KINDS.items() if data.startswith(magic)), None)
