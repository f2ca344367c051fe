"""Secrets that tests plant, and the search for them in whatever comes out."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote, quote_plus

PASSWORD = 'Gizli&Söz+%41 "İıŞ"'
"""Given to the users of the acceptance tests' sandboxes; every form and query would mangle it if it were not encoded."""

MARK = "Gizli&Söz"
"""The part of `PASSWORD` that no shortening leaves out."""

_TICKET = re.compile(r"(?i)(TGT|ST)(?:-|%2D|\\u002D)[0-9]+(?:-|%2D|\\u002D)[A-Z0-9]{12,}")
"""A ticket as the sandbox and the real service write it, in any letters and after anything; ``TGT-***`` and the short ones in
test files are none."""

_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}")
"""An assertion or access token, whole; the short ones in test files are none."""

_KEY = re.compile(r"-----BEGIN (?:\w+ )?PRIVATE KEY-----(?:\\r|\\n|\s)*[A-Za-z0-9+/]{40,}")

_FORMS = tuple(
    sorted({MARK, quote(MARK), quote_plus(MARK), json.dumps(MARK)[1:-1], html.escape(MARK), repr(MARK.encode())[2:-1]})
)


def leaks(text: str) -> list[str]:
    """What ``text`` gives away: a sentence for each planted password or real ticket in it, with its surroundings."""
    found = []
    for form in _FORMS:
        at = text.find(form)
        if at >= 0:
            found.append(f"the planted password, after {text[max(0, at - 60) : at]!r}")
    tickets = {ticket[1].upper(): ticket.start() for ticket in _TICKET.finditer(text)}
    found += [f"a {kind}, after {text[max(0, at - 60) : at]!r}" for kind, at in tickets.items()]
    for what, pattern in (("a token", _TOKEN), ("a private key", _KEY)):
        if (match := pattern.search(text)) is not None:
            found.append(f"{what}, after {text[max(0, match.start() - 60) : match.start()]!r}")
    return found
