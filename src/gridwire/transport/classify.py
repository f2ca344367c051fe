"""What kind of answer this is, before anyone tries to understand it. Pure functions."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from gridwire.transport import decoding
from gridwire.transport.exchange import Response


class BodyKind(Enum):
    """The form of an answer's body, by its first bytes; a wrong media type does not mislead it."""

    EMPTY = "empty"
    JSON = "json"
    XML = "xml"
    HTML = "html"
    OTHER = "other"


_HTML_STARTS = ("<!doctype html", "<html", "<head", "<body")
_LOOKED_AT = 4096
"""Bytes at the beginning; divisible by four, so that no character of UTF-32 is cut."""


def body_kind(response: Response) -> BodyKind:
    """Look at the first bytes of the body. HTML is what a login page, a firewall or a proxy answers."""
    start = decoding.decoded(response.content[:_LOOKED_AT], errors="replace").lstrip()[:64].lower()
    if not start:
        return BodyKind.EMPTY
    if start.startswith(_HTML_STARTS):
        return BodyKind.HTML
    if start.startswith("<"):
        return BodyKind.HTML if response.media_type == "text/html" else BodyKind.XML
    if start[:1] in "{[":
        return BodyKind.JSON
    return BodyKind.OTHER


def is_redirect(response: Response) -> bool:
    """Whether something in front of the venue points elsewhere. gridwire never follows."""
    return 300 <= response.status < 400


def http_date(value: str) -> datetime | None:
    """An HTTP date as an instant; None where it is none (RFC 9110 section 5.6.7)."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return None if moment.tzinfo is None else moment  # None: "-0000" in an old date format


def retry_after_s(response: Response, *, now: datetime, default_s: float, cap_s: float = 120.0) -> float:
    """Seconds the answer asks to wait, from ``Retry-After`` as a number or an HTTP date, between 0 and ``cap_s``.

    ``default_s`` where the header is missing or cannot be read (RFC 9110 section 10.2.3).
    """
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), cap_s)
    moment = http_date(value)
    if moment is None:
        return min(default_s, cap_s)
    return min(max((moment - now).total_seconds(), 0.0), cap_s)
