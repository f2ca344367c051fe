"""Whether a document's bytes are in the encoding that it declares. Pure functions.

A document saved as UTF-8 under the declaration windows-1251 is well-formed and passes its schema, because windows-1251 gives
nearly every byte a letter: each Russian letter becomes two others, and those are signed. So bytes that contradict their
declaration are refused, in a sentence that names both.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from gridwire.transport.xml.hardened import BOM, declared_name, encoding_of

PIECE = 64 * 1024
_WIDE = ("UTF-16", "UTF-32", "ISO-10646-UCS")
_UNMARKED = "no encoding, which means UTF-8"
_WORD = re.compile(rb"(?:[\xd0\xd1][\x80-\xbf]){3}")
"""Three Russian letters in UTF-8. In windows-1251 it would be a Р or С with a sign behind it, three times over."""
_SECOND = re.escape(bytes(range(0x80, 0xC0)).decode("cp1251", "ignore") + "\x98\ufffd")
_WORD_TWICE = re.compile(f"(?:[РС][{_SECOND}]){{3}}")
"""The same three letters after somebody has read them as windows-1251."""
_OVERLAP = 5
"""What a match may need from the end of the piece before."""


def refusal(data: bytes) -> str | None:
    """Why a document is not in an encoding that may be sent, or not in the one that it declares; None where it is."""
    declared = declared_name(data)
    if b"\x00" in data[:4] or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        if declared is None or declared.upper().startswith(_WIDE):
            return _not_taken(f"is in {declared or 'UTF-16 or UTF-32'}")
        return _contradicts(declared, "its bytes are UTF-16 or UTF-32")
    encoding = encoding_of(data)
    if encoding is None and declared is not None and data.startswith(BOM):
        return _contradicts(declared, "it begins with the byte order mark of UTF-8")
    if encoding is None and declared is not None and declared.upper().startswith(_WIDE):
        return _contradicts(declared, "its bytes are not: they are those of UTF-8 or of one byte for each letter")
    if encoding is None:
        return _not_taken(f"declares {declared or 'what nobody can read'}")
    if declared is not None and declared.upper().endswith("ASCII") and not data.isascii():
        line = _line(data, next(at for at, byte in enumerate(data) if byte > 0x7F))
        return _contradicts(declared, f"line {line} holds bytes that {declared} does not have")
    return (_not_utf8 if encoding == "UTF-8" else _not_windows_1251)(data, declared or _UNMARKED)


def _pieces(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """The document in pieces, none of which holds the interpreter for long: offset, bytes, whether it is the last."""
    for start in range(0, len(data), PIECE):
        yield start, data[start : start + PIECE], start + PIECE >= len(data)


def _not_utf8(data: bytes, declared: str) -> str | None:
    decoder, last = codecs.getincrementaldecoder("utf-8")(), ""
    for start, piece, final in _pieces(data):
        try:
            text = decoder.decode(piece, final)
        except UnicodeDecodeError as error:
            line = _line(data, start + len(piece) - len(error.object) + error.start)
            return _contradicts(
                declared, f"line {line} holds bytes that UTF-8 does not have, like those of windows-1251"
            )
        if _WORD_TWICE.search(last + text):
            return (
                f"The document is in UTF-8, and its Russian letters were read as windows-1251 before that (line {_line(data, start)} "
                "or below): each has become two others. Make the document anew from its source."
            )
        last = text[-_OVERLAP:]
    return None


def _not_windows_1251(data: bytes, declared: str) -> str | None:
    decoder, is_utf8, last = codecs.getincrementaldecoder("utf-8")(), not data.isascii(), b""
    for start, piece, final in _pieces(data):
        found = _WORD.search(last + piece)
        if found is not None:
            return _contradicts(
                declared, f"its bytes are UTF-8 (line {_line(data, start - len(last) + found.start())})"
            )
        last = piece[-_OVERLAP:]
        try:
            if is_utf8:
                decoder.decode(piece, final)
        except UnicodeDecodeError:
            is_utf8 = False
    if is_utf8:
        return _contradicts(declared, "its bytes are UTF-8")
    at = data.find(b"\x98")  # the one byte that windows-1251 gives no letter
    return None if at < 0 else _contradicts(declared, f"line {_line(data, at)} holds a byte that it does not have")


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _contradicts(declared: str, what: str) -> str:
    return (
        f"The document declares {declared}, and {what}. Its reader would see other letters than were written: correct the "
        "declaration, or save the document in the encoding that it declares."
    )


def _not_taken(what: str) -> str:
    return f"The document {what}, another encoding than UTF-8 and windows-1251; save it in one of those."
