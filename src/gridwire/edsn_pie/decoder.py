"""One message of the queue to one notification. Pure, and it never raises: what it cannot read, the application gets whole.

Three wrappings are known to the sector, tried in this order: CloudEvents as one JSON object, CloudEvents with their
attributes in the application properties, and a JSON object of its own form. Which of them EDSN uses is not public. What
kind of event it is says the event's type; without one the AMQP subject, then an application property, then which ids
there are. A type that names something else is believed: a ticket that was closed is not taken for one that was created.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from gridwire.edsn_pie.inflate import Packed, inflated, words
from gridwire.edsn_pie.models import CommentCreated, Envelope, Notification, TicketCreated, UnknownNotification
from gridwire.edsn_pie.profile import IdPointers
from gridwire.edsn_pie.wire import id_text
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.decoding import charset_of, decoded

MAX_BODY_BYTES = 256 * 1024
"""The sector's convention allows no larger event."""

_LONGEST_TYPE = 200

_USUAL = IdPointers()

Kind: TypeAlias = Literal["ticket", "comment"]

_TYPE = re.compile(r"(?i)(ticket|comment)[._ -]?created(?:[._-]?v[0-9]+)*$")
_ABOUT = re.compile(r"(?i)ticket|comment")
_BINARY = re.compile(r"(?i)cloudEvents[:_](.+)")
_PLAIN_TYPES = ("type", "eventType", "event")
_PROPERTY_TYPES = frozenset({"type", "eventtype", "messagetype", "event"})


class _Unreadable(Exception):
    """Says in a sentence why a body cannot be read; never leaves this module."""


@dataclass(frozen=True, slots=True)
class _Event:
    """A message unwrapped."""

    envelope: Envelope
    view: Mapping[str, Any]
    """What pointers point into."""
    attributes: Mapping[str, Any]
    """Those of CloudEvents; empty for a plain body."""
    type: str | None
    data: Any


def decode(message: AmqpMessage, pointers: IdPointers = _USUAL) -> Notification:
    """What ``message`` tells. Raises nothing."""
    try:
        return _decode(message, pointers)
    except _Unreadable as why:
        return _unknown(message, None, str(why))
    except Exception as error:  # noqa: BLE001 - whatever a peer may send, the stream must go on and the message be seen
        return _unknown(message, None, f"The message could not be read ({type(error).__name__}).")


def _decode(message: AmqpMessage, pointers: IdPointers) -> Notification:
    event = _unwrap(message)
    if event is None:
        return _unknown(message, None, "The body is neither a CloudEvent nor a JSON object.")
    kind = _kind(event, message, pointers)
    if kind is None:
        return _unknown(
            message, event, f"Its type, {event.type!r}, is not one that is known." if event.type else _NO_KIND
        )
    if kind == "ticket":
        ticket_id = _find(event, pointers.ticket)
        if ticket_id is None:
            return _unknown(message, event, "It tells of a new ticket, and its id was found nowhere.")
        return TicketCreated(ticket_id=ticket_id, **_common(message, event))
    comment_id = _find(event, pointers.comment)
    if comment_id is None:
        return _unknown(message, event, "It tells of a new comment, and its id was found nowhere.")
    ticket_id = _find(event, pointers.ticket_of_comment)
    return CommentCreated(comment_id=comment_id, ticket_id=ticket_id, **_common(message, event))


_NO_KIND = "It names no type, and the ids in it are neither a ticket's nor a comment's."


# ---------------------------------------------------------------------------------------------------------------------
# Wrappings


def _unwrap(message: AmqpMessage) -> _Event | None:
    content_type = (message.content_type or "").partition(";")[0].strip().lower()
    attributes = {
        found[1].lower(): value for name, value in message.properties.items() if (found := _BINARY.fullmatch(str(name)))
    }
    structured = content_type == "application/cloudevents+json"
    if not structured and attributes:
        # The payload of a binary event may be of any kind, so what is no JSON is no reason to refuse the event.
        try:
            data = _body(message)
        except _Unreadable:
            data = None
        if not (isinstance(data, dict) and "specversion" in data):
            return _event("binary", attributes, data)
    body = _body(message)
    if not isinstance(body, dict):
        return None
    if structured or "specversion" in body:
        attributes = {str(name): value for name, value in body.items() if name not in ("data", "data_base64")}
        return _event("structured", attributes, _payload(body))
    kind = next((body[name] for name in _PLAIN_TYPES if isinstance(body.get(name), str) and body[name]), None)
    return _Event("plain", body, {}, kind, body)


def _event(envelope: Envelope, attributes: Mapping[str, Any], data: Any) -> _Event:
    kind = attributes.get("type")
    view = {name: value for name, value in attributes.items() if name != "id"}
    return _Event(envelope, {**view, "data": data}, attributes, kind if isinstance(kind, str) and kind else None, data)


def _payload(body: Mapping[str, Any]) -> Any:
    encoded = body.get("data_base64")
    if "data" in body or not isinstance(encoded, str):
        data = body.get("data")
        return _json_or(data) if isinstance(data, str) else data
    try:
        packed = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
    return _json_or(packed, _attribute(body, "datacontenttype"))


def _json_or(text: str | bytes, content_type: str | None = None) -> Any:
    """A payload that is JSON within JSON, or the text itself."""
    try:
        return json.loads(_text(text, content_type), strict=False)
    except (ValueError, RecursionError):
        return text


def _text(body: str | bytes, content_type: str | None) -> str:
    """``body`` in the character set that its content type names, else in UTF-8. Raises `UnicodeDecodeError`."""
    return decoded(body, charset_of(content_type or "")) if isinstance(body, bytes) else body


def _body(message: AmqpMessage) -> Any:
    """The body's JSON, or the mapping that an AMQP value section held. Raises `_Unreadable`."""
    return _parsed(message.body, message.content_encoding, message.content_type)


def _parsed(body: Any, encoding: str | None, content_type: str | None) -> Any:
    if isinstance(body, Mapping):
        return {str(name): value for name, value in body.items()}
    if isinstance(body, Sequence) and not isinstance(body, (str, bytes, bytearray, memoryview)):
        parts = list(body)
        if len(parts) == 1:
            return _parsed(parts[0], encoding, content_type)
        if not parts or not all(isinstance(part, (bytes, bytearray, memoryview)) for part in parts):
            raise _Unreadable("The body is a sequence, and of its parts none can be told to be the event.")
        body = b"".join(bytes(part) for part in parts)
    if isinstance(body, (bytearray, memoryview)):
        body = bytes(body)
    if not isinstance(body, (str, bytes)) or not body.strip():
        raise _Unreadable("The body is empty, or neither text nor a map.")
    if len(body) > MAX_BODY_BYTES:
        raise _Unreadable(f"The body is larger than the {MAX_BODY_BYTES} bytes that an event may have.")
    try:
        body = inflated(body, encoding, MAX_BODY_BYTES) if isinstance(body, bytes) else body
        return json.loads(_text(body, content_type), strict=False)  # a raw line break within a text is readable
    except Packed as why:
        raise _Unreadable(str(why)) from None
    except UnicodeDecodeError:
        raise _Unreadable("The body is not UTF-8" + _charset(content_type) + "." + _packing(encoding)) from None
    except (ValueError, RecursionError):
        raise _Unreadable("The body is not JSON." + _packing(encoding)) from None


def _charset(content_type: str | None) -> str:
    """The character set that was named, for a body that is not in it."""
    named = "".join(letter for letter in charset_of(content_type or "") or "" if letter.isprintable())[:40]
    return f", nor what its content type names ({named})" if named not in ("", "utf-8") else ""


def _packing(encoding: str | None) -> str:
    """A sentence about a packing that is not undone here, for a body that cannot be read."""
    named = "".join(letter for letter in ", ".join(words(encoding)) if letter.isprintable())[:40]
    undone = (
        "gzip and deflate are unpacked here" if "," not in named else "one packing is undone here, by gzip or deflate"
    )
    return f" Its content-encoding is {named!r}; {undone}." if named else ""


# ---------------------------------------------------------------------------------------------------------------------
# Kind and ids


def _kind(event: _Event, message: AmqpMessage, pointers: IdPointers) -> Kind | None:
    named = _named(event.type, pointers)
    if named is not None:
        return named
    if event.type is not None and (event.envelope != "plain" or _ABOUT.search(event.type)):
        return None
    candidates = [message.subject] + [
        value
        for name, value in message.properties.items()
        if re.sub(r"[^a-z]", "", str(name).lower()) in _PROPERTY_TYPES
    ]
    for candidate in candidates:
        named = _named(candidate, pointers)
        if named is not None:
            return named
        if isinstance(candidate, str) and _ABOUT.search(candidate):
            return None
    return _by_ids(event.data)


def _named(value: object, pointers: IdPointers) -> Kind | None:
    if not isinstance(value, str):
        return None
    if pointers.ticket_types or pointers.comment_types:
        name = value.strip().casefold()
        if name in (one.strip().casefold() for one in pointers.ticket_types):
            return "ticket"
        if name in (one.strip().casefold() for one in pointers.comment_types):
            return "comment"
    found = _TYPE.search(value.strip()[-_LONGEST_TYPE:])
    if found is None:
        return None
    return "ticket" if found[1].lower() == "ticket" else "comment"


def _by_ids(data: Any) -> Kind | None:
    if not isinstance(data, dict):
        return None
    places = [place for place in (data, data.get("data")) if isinstance(place, dict)]
    for kind in ("comment", "ticket"):
        for place in places:
            inner = place.get(kind)
            if id_text(place.get(f"{kind}Id")) or (isinstance(inner, dict) and id_text(inner.get("id"))):
                return "comment" if kind == "comment" else "ticket"
    return None


def _find(event: _Event, pointers: Sequence[str]) -> str | None:
    return next((text for pointer in pointers if (text := id_text(_at(event.view, pointer))) is not None), None)


def _at(value: Any, pointer: str) -> Any:
    for step in pointer[1:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name[:9]) < len(value):
            value = value[int(name[:9])]
        else:
            return None
    return value


# ---------------------------------------------------------------------------------------------------------------------
# What all notifications have


def _common(message: AmqpMessage, event: _Event | None) -> dict[str, Any]:
    attributes = event.attributes if event is not None else {}
    source, event_id, dataref = (_attribute(attributes, name) for name in ("source", "id", "dataref"))
    if dataref is None and event is not None and event.envelope == "plain":
        dataref = _attribute(event.view, "dataref")
    key = None
    if source is not None and event_id is not None:
        key = json.dumps([source, event_id])
    elif message.message_id:
        key = json.dumps([message.message_id])
    return {
        "envelope": event.envelope if event is not None else "none",
        "key": key,
        "type": event.type if event is not None else None,
        "source": source,
        "event_id": event_id,
        "time": _time(attributes.get("time")),
        "dataref": dataref,
        "data": event.data if event is not None else None,
        "raw": message.body,
        "properties": message.properties,
    }


def _unknown(message: AmqpMessage, event: _Event | None, reason: str) -> UnknownNotification:
    return UnknownNotification(reason=reason, **_common(message, event))


def _attribute(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    return value if isinstance(value, str) and value else None


def _time(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo is not None else None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
