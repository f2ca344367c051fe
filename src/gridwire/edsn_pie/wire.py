"""EDSN's REST messages: paths and headers of a request, and what an answer holds. Pure functions.

What is fixed is the sector's convention, not a document of this API: JSON in camelCase, problem details for errors, an
opaque cursor for lists, HAL links now and then (docs/protocols/edsn_pie.md). So the reader takes what any of these would
send, and says what it cannot read instead of guessing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from gridwire.edsn_pie.errors import EdsnAnswerError, EdsnForeignReference, Facts, Problem
from gridwire.edsn_pie.models import Comment, Ticket
from gridwire.edsn_pie.profile import Profile
from gridwire.errors import InvalidInput
from gridwire.observe.redact import excerpt
from gridwire.transport.classify import BodyKind, body_kind
from gridwire.transport.exchange import Response

LONGEST_ID = 256
MAX_TEXT = 500
"""Most characters kept of a text that the API sent: it ends up in errors and logs."""

_TICKET_OF_COMMENT = ("ticketId", "ticketMrid")
_STANDARD = frozenset({"type", "title", "status", "detail", "instance"})


# ---------------------------------------------------------------------------------------------------------------------
# Requests


def check_id(value: str, name: str) -> str:
    """``value`` if it can be an id in a path. Raises `InvalidInput` in one sentence.

    Everything but letters, digits and ``-._~`` is percent-encoded later, slashes too. What a server could read as a step
    out of its folder is refused all the same, also where it is encoded: some decode twice.
    """
    if not isinstance(value, str):
        raise InvalidInput(
            f'{name}={value!r} is of type {type(value).__name__}; a str is needed: {name}="{value}". Nothing was sent.'
        )
    if not value or len(value) > LONGEST_ID:
        raise InvalidInput(f"{name} must have 1 to {LONGEST_ID} characters, and has {len(value)}. Nothing was sent.")
    if value != value.strip() or not value.isprintable():
        raise InvalidInput(f"{name}={value!r} holds control characters, or blanks around it. Nothing was sent.")
    if _climbs(value):
        raise InvalidInput(f"{name}={value!r} is a path and not an id: it would lead elsewhere. Nothing was sent.")
    return value


def _climbs(text: str) -> bool:
    """Whether a segment of ``text`` is ``.`` or ``..``, however often it was encoded, also with parameters (``..;x``).

    Java's servers cut a segment's parameters off before they resolve its steps.
    """
    while True:
        segments = text.replace("\\", "/").split("/")
        if any(segment.partition(";")[0].strip(" ") in (".", "..") for segment in segments):
            return True
        decoded = unquote(text)
        if decoded == text:
            return False
        text = decoded


def path(template: str, **ids: str) -> str:
    """``template`` with every id percent-encoded as one segment. Raises `InvalidInput` for an id that cannot be one."""
    return template.format(**{name: quote(check_id(value, name), safe="") for name, value in ids.items()})


def page_query(page_size: int | None, cursor: str | None) -> str:
    """The query of one page of a list, with its question mark; empty if there is nothing to say."""
    given: dict[str, str] = {}
    if page_size is not None:
        given["_limit"] = str(page_size)
    if cursor is not None:
        given["_cursor"] = cursor
    return f"?{urlencode(given)}" if given else ""


def headers(profile: Profile, token: str, request_id: str, correlation_id: str) -> dict[str, str]:
    """The headers of one attempt."""
    said = {
        "authorization": f"Bearer {token}",
        "accept": "application/json, application/hal+json, application/problem+json",
        "x-request-id": request_id,
        "x-correlation-id": correlation_id,
    }
    if profile.sender_id is not None:
        said["x-sender-id"] = profile.sender_id
    if profile.role is not None:
        said["x-role"] = profile.role
    return said


def reference(dataref: str, rest_url: str) -> str:
    """``dataref`` if the token may be sent there: https, and exactly the host and port of the configured API.

    A sandbox's API without TLS is reached as it is. Raises `EdsnForeignReference`; nothing was sent then.
    """
    ours = urlsplit(rest_url)
    try:
        theirs = urlsplit(dataref)
        same = _origin(ours) == _origin(theirs)
    except ValueError:
        same, theirs = False, urlsplit("")
    if not same or theirs.username is not None or not dataref.isprintable() or set("\\ #") & set(dataref):
        raise EdsnForeignReference(
            f"The notification's dataref leads to {(theirs.hostname or 'no host')[:100]!r}, and tokens are sent to "
            f"{ours.hostname} over https alone. Nothing was sent. Fetch the ticket or comment by its id instead, and ask "
            "EDSN about the other host."
        )
    if _climbs(theirs.path):
        raise EdsnForeignReference(
            "The notification's dataref holds steps out of its folder. Nothing was sent. Fetch the ticket or comment by its "
            "id instead."
        )
    return dataref


def _origin(parts: Any) -> tuple[str, str | None, int | None]:
    port = parts.port if parts.port is not None else {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


# ---------------------------------------------------------------------------------------------------------------------
# Answers


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. ``cursor`` asks for the next one; None: this was the last."""

    items: tuple[Mapping[str, Any], ...]
    cursor: str | None


def ticket(body: Any, asked: str | None, facts: Facts, profile: Profile) -> Ticket:
    """The ticket of an answer. One that names no id has the one asked for."""
    found = _object(body, "a ticket", facts)
    return Ticket(_first(found, profile.ticket_id_names) or asked or "", found)


def comment(body: Any, asked: str | None, ticket_id: str | None, facts: Facts, profile: Profile) -> Comment:
    """The comment of an answer or of a list. What it does not name is what was asked for."""
    found = _object(body, "a comment", facts)
    return Comment(
        _first(found, profile.comment_id_names) or asked or "", _first(found, _TICKET_OF_COMMENT) or ticket_id, found
    )


def page(body: Any, facts: Facts) -> Page:
    """One page of a list: the records under ``items``, in HAL's ``_embedded``, or in the only array there is.

    Raises `EdsnAnswerError` where no list can be found, or where more is announced in a way that cannot be followed:
    ending there would forget comments.
    """
    if body is None:
        return Page((), None)
    if isinstance(body, list):
        return Page(_records(body, facts), None)
    found = _object(body, "a list", facts)
    return Page(_records(_list_in(found, facts), facts), _cursor(found, facts))


def _list_in(found: Mapping[str, Any], facts: Facts) -> list[Any]:
    for place in (found, found.get("_embedded")):
        if not isinstance(place, dict):
            continue
        if isinstance(place.get("items"), list):
            return list(place["items"])
        lists = [value for name, value in place.items() if isinstance(value, list) and not name.startswith("_")]
        if len(lists) == 1:
            return list(lists[0])
    raise EdsnAnswerError(
        "The answer holds no list that can be told from others, so nothing was read. Report its field names.", facts
    )


def _records(items: list[Any], facts: Facts) -> tuple[Mapping[str, Any], ...]:
    return tuple(_object(item, "a record of the list", facts) for item in items)


def _cursor(found: Mapping[str, Any], facts: Facts) -> str | None:
    cursor = found.get("nextCursor")
    if isinstance(cursor, str) and cursor:
        return _sendable(cursor, facts)
    if cursor not in (None, ""):
        raise EdsnAnswerError("The answer's nextCursor is not a text, so the rest cannot be asked for.", facts)
    links = found.get("_links")
    following = links.get("next") if isinstance(links, dict) else None
    if following is None:
        return None
    href = following.get("href") if isinstance(following, dict) else None
    # Only the cursor is taken from the link: where the token goes is not for an answer to say.
    cursors = _cursors(href) if isinstance(href, str) else None
    if not cursors:
        raise EdsnAnswerError(
            "The list goes on, and the answer says where in a way that is not known: a next link without _cursor. Nothing is "
            "returned, because it would not be all.",
            facts,
        )
    return _sendable(cursors[0], facts)


def _cursors(href: str) -> list[str] | None:
    try:
        return parse_qs(urlsplit(href).query).get("_cursor")
    except ValueError:  # not an address at all, or with more fields than anybody reads
        return None


def _sendable(cursor: str, facts: Facts) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in cursor):
        raise EdsnAnswerError(
            "The list goes on at a cursor that holds half of a character, which cannot be sent back. Nothing is returned, "
            "because it would not be all.",
            facts,
        )
    return cursor


def read_json(response: Response, facts: Facts) -> Any:
    """The JSON of a success; None for 204 and for an empty body. Raises `EdsnAnswerError` for anything else."""
    kind = body_kind(response)
    if response.status == 204 or kind is BodyKind.EMPTY:
        return None
    if kind is BodyKind.HTML:
        raise EdsnAnswerError(
            "A web page came instead of the API's answer; a proxy, a login page or a firewall may stand before it.",
            facts,
        )
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise EdsnAnswerError("The answer is not JSON, or is damaged; nothing was read.", facts) from None


def problem(response: Response, secrets: Collection[str] = ()) -> Problem | None:
    """The problem details of an error answer, whatever media type it claims; None if it has none (RFC 9457).

    ``secrets`` are what was sent and may be repeated by it, such as the token: they stand in none of its fields.
    """
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    status = body.get("status")
    return Problem(
        type=_said(body.get("type"), secrets),
        title=_said(body.get("title"), secrets),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        detail=_said(body.get("detail"), secrets),
        instance=_said(body.get("instance"), secrets),
        extensions={
            quoted(name, secrets): _masked(value, secrets) for name, value in body.items() if name not in _STANDARD
        },
    )


def _object(value: Any, what: str, facts: Facts) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    came = "nothing" if value is None else f"a {type(value).__name__}"
    raise EdsnAnswerError(f"The answer holds {came} where {what} should be; nothing was read.", facts)


def _first(found: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := id_text(found.get(name))) is not None), None)


def id_text(value: Any) -> str | None:
    """An id as text, also one that came as a number; None for what is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def quoted(value: str, secrets: Collection[str]) -> str:
    """The beginning of a text that the API sent, on one line, masked, and without ``secrets`` however they are spelled.

    A token need not look like one, so it is known by its value alone.
    """
    return "".join(letter if letter.isprintable() else " " for letter in excerpt(value, secrets))[:MAX_TEXT]


def _said(value: Any, secrets: Collection[str]) -> str | None:
    return quoted(value, secrets) if isinstance(value, str) else None


def _masked(value: Any, secrets: Collection[str]) -> Any:
    if isinstance(value, str):
        return quoted(value, secrets)
    if isinstance(value, (int, float, bool, type(None))):
        return value
    return quoted(json.dumps(value, ensure_ascii=False), secrets)
