"""A document that is to be sent: checked and hashed in one pass, without a tree.

It streams through the parser in pieces of 64 KiB. The schema sees each element as it passes, the canonical form is hashed
beside it, and no piece holds Python's lock for longer than some milliseconds: run `inspect` in a thread, and the event loop
goes on. The schema library says nothing about places while it streams; only where something is wrong, a second pass feeds the
pieces concerned tag by tag and looks where each fault appears. What needs a whole tree, that an ``xs:ID`` is used once,
is checked of documents of up to 1 MiB.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from lxml import etree

from gridwire.transport.xml import declared
from gridwire.transport.xml.canonical import Canonical, TooDeep, TypeDeclared
from gridwire.transport.xml.elements import Encoding
from gridwire.transport.xml.faults import MOST_FAULTS, DocumentRefused, Fault, Lines, Locator, pieces
from gridwire.transport.xml.hardened import BOM, MAX_DEPTH, declares_a_type, encoding_of, other_kind, parser
from gridwire.transport.xml.namespaces import FAULT, NO_URI
from gridwire.transport.xml.schema import Schema

MAX_DOCUMENT_BYTES = 20 * 1024 * 1024
TREE_BYTES = 1024 * 1024
"""Up to this size a document is checked as a tree too, which takes about 30 times its size in memory."""
PIECE = 64 * 1024
_TOO_LONG = re.compile(r"(?i)too (big|long)|limit exceeded")
_PLACE = re.compile(r", line \d+, column \d+")

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes done and the bytes there are, in the thread that works."""

_TYPE_DECLARED = (
    "The document carries a document type or entity declaration, which could draw in other files; take it out."
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a document that may be sent."""

    root: str
    """The root element, as ``{namespace}name``."""
    encoding: Encoding
    size_bytes: int
    exact_sha256: str
    """Of the bytes as they are: those and no others are sent."""
    canonical_sha256: str
    """Of what the document says, whatever its formatting; see `gridwire.transport.xml.canonical`."""


def inspect(
    data: bytes,
    *,
    schema: Schema | None = None,
    max_bytes: int = MAX_DOCUMENT_BYTES,
    refuse_bom: bool = False,
    progress: Progress | None = None,
) -> Inspection:
    """Check a document and hash it. Takes about 0.1 s per MiB: call it in a thread.

    Raises `DocumentRefused` for more than ``max_bytes``, another encoding than UTF-8 and windows-1251, bytes that are not in the
    encoding they declare, a byte order mark if ``refuse_bom``, a document type declaration, more than 64 levels, a document that
    is not well-formed or declares a namespace that is no URI in ASCII, or one that breaks ``schema``. Without ``schema`` nothing is known about the form's own rules.
    """
    encoding = _check_start(data, max_bytes, refuse_bom)
    canonical, exact, faulty = Canonical(MAX_DEPTH), hashlib.sha256(), _Faulty()
    with _refusals():
        reader = parser(target=canonical, schema=schema.compiled if schema is not None else None)
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            try:
                reader.feed(piece)
            except etree.XMLSyntaxError as error:
                raise _plain(data, error) from None
            exact.update(piece)
            canonical.flush()
            faulty.note(start, reader)
            if progress is not None:
                progress(min(start + PIECE, len(data)), len(data))
            if faulty.count >= MOST_FAULTS:
                break
        else:
            _close(reader, data)
            faulty.note(len(data), reader)
    if schema is not None:
        _check_faults(data, encoding, None, _against_namespaces(data))
    _check_faults(data, encoding, schema, faulty)
    return Inspection(canonical.root, encoding, len(data), exact.hexdigest(), canonical.hexdigest())


def _check_start(data: bytes, max_bytes: int, refuse_bom: bool) -> Encoding:
    if len(data) > max_bytes:
        raise DocumentRefused(f"The document is {len(data)} bytes long; at most {max_bytes} are allowed.")
    if not data:
        raise DocumentRefused("The document is empty.")
    if refuse_bom and data.startswith(BOM):
        raise DocumentRefused("The document begins with a byte order mark, which its receiver does not take.")
    kind = other_kind(data)
    if kind is not None:
        raise DocumentRefused(f"The document is no XML: it is {kind}. Unpack or export the XML document in it.")
    encoding, refused = encoding_of(data), declared.refusal(data)
    if refused is not None or encoding is None:
        raise DocumentRefused(refused or "The document is in an encoding that cannot be told.")
    if declares_a_type(data):
        raise DocumentRefused(_TYPE_DECLARED)
    return encoding


def _errors(reader: Any) -> Any:
    return reader.feed_error_log.filter_from_errors()  # a namespace that is no address is worth a warning only


class _Faulty:
    """The pieces in which something was found, by the schema or against the rules of namespaces."""

    def __init__(self) -> None:
        self.count = 0
        self.starts: set[int] = set()

    def note(self, start: int, reader: Any) -> None:
        count = len(_errors(reader))
        if count > self.count:
            self.count = count
            self.starts.add(start)


class _Nothing:
    """A target that wants to hear of nothing, which lets the parser run at its full speed."""

    def close(self) -> None:
        """The document is over."""


def _against_namespaces(data: bytes) -> _Faulty:
    """Where the rules of namespaces are broken: beside a schema the parser says nothing of it."""
    faulty, reader = _Faulty(), parser(target=_Nothing())
    with _refusals():
        for start in range(0, len(data), PIECE):
            reader.feed(data[start : start + PIECE])
            faulty.note(start, reader)
    return faulty


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except TypeDeclared:
        raise DocumentRefused(_TYPE_DECLARED) from None
    except TooDeep:
        raise DocumentRefused(f"The document is nested deeper than {MAX_DEPTH} levels.") from None
    except etree.XMLSyntaxError as error:
        raise _malformed(error) from None


def _close(reader: Any, data: bytes) -> None:
    try:
        reader.close()
    except etree.XMLSyntaxError as error:
        raise _plain(data, error) from None


def _plain(data: bytes, error: Any) -> Any:
    """The error with its place: beside a schema it comes without, so the document is read once more."""
    reader = parser(target=Canonical(MAX_DEPTH))
    try:
        for start in range(0, len(data), PIECE):
            reader.feed(data[start : start + PIECE])
        reader.close()
    except etree.XMLSyntaxError as placed:
        return placed
    return error


def _malformed(error: Any) -> DocumentRefused:
    line, column = error.position if error.position[0] else (None, None)
    message = _PLACE.sub("", str(error.msg)).strip()
    if _TOO_LONG.search(message):
        fault = Fault(line, column, "", "ERR_TOO_LONG", message)
        return DocumentRefused(
            "The document holds one text, attribute, comment or name that is longer than the XML parser takes (10,000,000 "
            "bytes, a name 50,000). It may be well-formed all the same: divide what it holds.",
            [fault],
        )
    fault = Fault(line, column, "", "ERR_NOT_WELL_FORMED", message)
    return DocumentRefused("The document is not well-formed XML.", [fault])


def _check_faults(data: bytes, encoding: Encoding, schema: Schema | None, faulty: _Faulty) -> None:
    faults = _located(data, encoding, schema, faulty.starts) if faulty.count else []
    if not faults and schema is not None and len(data) <= TREE_BYTES:
        faults = schema.faults(etree.fromstring(data, parser()))
    if faults:
        many = "" if len(faults) < MOST_FAULTS else f" in at least {MOST_FAULTS} places"
        if any(fault.type == FAULT for fault in faults):
            raise DocumentRefused(f"The document declares a namespace that is {NO_URI}.", faults[:MOST_FAULTS])
        what = f"breaks its schema {schema.name}" if schema is not None else "is not well-formed XML"
        raise DocumentRefused(f"The document {what}{many}.", faults[:MOST_FAULTS])


def _located(data: bytes, encoding: Encoding, schema: Schema | None, starts: set[int]) -> list[Fault]:
    """The faults with their places. ``starts`` are the pieces in which they appear."""
    locator, lines, found = Locator(), Lines(data, encoding), list[Fault]()
    reader = parser(target=locator, schema=schema.compiled if schema is not None else None)
    for start in range(0, len(data), PIECE):
        end = min(start + PIECE, len(data))
        for at, piece in pieces(data, start, end) if start in starts else [(start, data[start:end])]:
            reader.feed(piece)
            log = _errors(reader)
            if len(log) > len(found):
                line, column = lines.position(at + max(piece.rfind(b"<"), 0))
                found += [
                    Fault(line, column, locator.path, entry.type_name, entry.message) for entry in log[len(found) :]
                ]
            if len(found) >= MOST_FAULTS:
                return found
    return found
