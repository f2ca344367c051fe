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
    """Whether a document type or entity declaration is in ``data``, wherever it stands."""
    return _DOCTYPE.search(data) is not None
