"""What EDSN tells: notifications, tickets, comments.

The venue publishes no schema of any of them. So nothing is required but what makes the thing usable (an id), every field
of the wire is kept under its own name in ``raw``, and what is not understood is handed on instead of refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

Envelope: TypeAlias = Literal["structured", "binary", "plain", "none"]
"""How a notification was wrapped: CloudEvents as one JSON object, CloudEvents with attributes in the application
properties, a JSON object of its own form, or in no way that was understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What all notifications have. Business data stays out of ``repr``."""

    envelope: Envelope
    """Which form was found."""
    key: str | None
    """The same for every delivery of one event: ``source`` and ``id`` of the envelope, else the message-id; None if the
    message has neither."""
    type: str | None = None
    """The event's type in the venue's words, if it named one."""
    source: str | None = None
    event_id: str | None = None
    time: datetime | None = None
    """When it happened, UTC, if the envelope says so."""
    dataref: str | None = field(default=None, repr=False)
    """Where the venue says that the details are; `EdsnPie.fetch` uses it only if it leads to the configured API."""
    data: Any = field(default=None, repr=False)
    """The event's payload as read from JSON; None where there was none, or none that could be read."""
    raw: Any = field(default=None, repr=False)
    """The message's body as it came: bytes, text, a mapping, a sequence, or None."""
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The message's application properties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketCreated(Notification):
    """Somebody opened a ticket."""

    ticket_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentCreated(Notification):
    """Somebody wrote a comment. ``ticket_id`` is None if the notification names the comment alone."""

    comment_id: str
    ticket_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownNotification(Notification):
    """Something else, or something damaged. ``reason`` says in a sentence why; everything it holds is in ``raw``."""

    reason: str

    @property
    def raw_bytes(self) -> bytes:
        """The body where it came as bytes or text; empty otherwise."""
        if isinstance(self.raw, str):
            return self.raw.encode("utf-8", "surrogatepass")
        return bytes(self.raw) if isinstance(self.raw, (bytes, bytearray, memoryview)) else b""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket. ``raw`` is the API's whole object, untouched, with the API's names."""

    id: str
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment. ``id`` is empty where a list holds a comment without one; ``raw`` is the API's whole object."""

    id: str
    ticket_id: str | None
    """None where neither the API nor the caller named the ticket."""
    raw: Mapping[str, Any] = field(repr=False)
