"""The text of an answer, in whatever character set it came. Pure functions, used for every venue, JSON and XML.

The order: a byte order mark or the zero bytes of UTF-16 and UTF-32, which leave no doubt; then the charset of Content-Type,
which outranks the XML declaration (RFC 7303, section 3); then that declaration; then UTF-8; then what a profile names. A name
that nobody knows, or that the bytes contradict, is passed over.
"""

from __future__ import annotations

import codecs
import functools
import json
import re

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
_PROBE = b'\\u0041 +AEE- ~{ <a b="c">&'


def charset_of(content_type: str) -> str | None:
    """The charset that a Content-Type names; None if it names none."""
    found = _CHARSET.search(content_type)
    return None if found is None else found[1].lower()


def decoded(content: bytes, *named: str | None, last: str | None = None, errors: str = "strict") -> str:
    """``content`` as text, without a byte order mark. ``named`` are names of character sets, the first one first.

    UTF-8 is tried after these, and ``last`` after that. Raises `UnicodeDecodeError` if it is in none of them; with
    ``errors="replace"`` it is then read as UTF-8 with replacement characters.
    """
    sure = json.detect_encoding(content)
    if sure not in ("utf-8", "utf-8-sig"):
        return content.decode(sure, errors).removeprefix("\ufeff")
    content = content.removeprefix(codecs.BOM_UTF8)
    if sure == "utf-8":
        for name in named:
            if name is not None and _is_wider_ascii(name) and (text := _in(content, name)) is not None:
                return text
    if (text := _in(content, "utf-8")) is None and last is not None and _is_wider_ascii(last):
        text = _in(content, last)
    return content.decode("utf-8", errors) if text is None else text


def _in(content: bytes, name: str) -> str | None:
    try:
        return content.decode(name)
    except ValueError:
        return None


@functools.lru_cache(maxsize=64)
def _is_wider_ascii(name: str) -> bool:
    """Whether it is a character set that Python knows and in which ASCII is ASCII: JSON and XML begin so.

    UTF-16 is none where no byte is zero, and escapes such as UTF-7 would make other text of what everybody else reads.
    """
    try:
        return _PROBE.decode(name) == _PROBE.decode("ascii")
    except (LookupError, ValueError):
        return False
