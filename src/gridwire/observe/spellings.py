"""The ways in which a foreign text may write a known secret: raw, escaped, encoded, or all of these at once.

An answer that repeats a password may do so in JSON, in XML or HTML, in an address or a form, or in Base64, and each of them leaves
choices to its writer. So every character is looked for in every spelling, and the spellings may be mixed within one secret.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection, Iterator
from functools import lru_cache
from html.entities import codepoint2name

_CHARSETS = ("utf-8", "windows-1251")
"""The character sets in which the venues are written to."""
_LONGEST = 40
"""Characters that one of a secret may take where it was escaped twice, like ``%25F0%259F%2598%2580``."""
_BEGINNING = 8
"""Characters of a secret that are looked for first: what finds a long one takes long to make."""
_SHORTEST_PART = 6
"""Base64 letters that are taken for a part of a secret; fewer may stand in any word."""
_ENTITIES = {**codepoint2name, 39: "apos"}
_BASE64_GOES_ON = r"(?:[A-Za-z0-9+/_-]|%2[BbFf]|\\/)*(?:=|%3[Dd]){0,2}"


def hide(text: str, secrets: Collection[str], *, most: int) -> str:
    """The first ``most`` characters of ``text``, or a little more, with ``***`` for each of ``secrets``, however it is spelled.

    No beginning of a secret is left where the text is cut. Empty secrets hide nothing.
    """
    margin = _LONGEST * max(map(len, secrets), default=0)
    goes_on = len(text) > most + margin
    text = text[: most + margin]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):  # one may be the beginning of another
        if _pattern(secret[:_BEGINNING]).search(text):
            text = _pattern(secret).sub("***", text)
    return text[: max(len(text) - margin, 0)] if goes_on else text


@lru_cache(maxsize=64)
def _pattern(secret: str) -> re.Pattern[str]:
    forms = ["".join(map(_character, secret))]
    for charset in _CHARSETS:
        forms += _base64(secret.encode(charset, "replace"))
    return re.compile("|".join(dict.fromkeys(forms)))


def _character(letter: str) -> str:
    """One character in each of its spellings; an escape may have been escaped once more by who passed it on."""
    code, found = ord(letter), [re.escape(letter)]
    if letter in "\"\\/'":  # RFC 8259, section 7
        found.append(rf"\\+{re.escape(letter)}")
    if letter == " ":
        found.append(r"\+")  # application/x-www-form-urlencoded
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    found.append("".join(rf"\\+u{_hex(units[at : at + 4])}" for at in range(0, len(units), 4)))
    for charset in _CHARSETS:
        data = letter.encode(charset, "replace" if charset == "utf-8" else "ignore")
        found += ["".join(f"%(?:25)*{_hex(f'{byte:02x}')}" for byte in data)] if data else []
    references = [f"#0*{code}", f"#[xX]0*{_hex(f'{code:x}')}", *([_ENTITIES[code]] if code in _ENTITIES else [])]
    found.append(rf"\\*&(?:amp;)*(?:{'|'.join(references)});")  # XML 1.0, section 4.1
    return f"(?:{'|'.join(dict.fromkeys(reversed(found)))})"  # the longest first: & begins &amp; too


def _base64(data: bytes) -> Iterator[str]:
    """``data`` in Base64 (RFC 4648, sections 4 and 5), alone or within something longer, like a login before it."""
    for before in range(3):
        letters = b64encode(bytes(before) + data).decode("ascii")
        part = letters[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]  # what follows changes no letter of these
        if len(part) >= _SHORTEST_PART:
            yield "".join(map(_base64_letter, part)) + _BASE64_GOES_ON
    whole = b64encode(data).decode("ascii").rstrip("=")
    yield rf"(?<![A-Za-z0-9+/_-]){''.join(map(_base64_letter, whole))}(?![A-Za-z0-9+/_-])(?:=|%3[Dd]){{0,2}}"


def _base64_letter(letter: str) -> str:
    if letter in "+/":
        return f"(?:{_character(letter)}|{'-' if letter == '+' else '_'})"
    return letter


def _hex(digits: str) -> str:
    return "".join(f"[{digit.upper()}{digit}]" if digit.isalpha() else digit for digit in digits)
