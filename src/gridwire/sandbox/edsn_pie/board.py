"""Tickets and comments as pure state, and what is told of them.

Their fields are the simulator's own: EDSN publishes no schema. Names are camelCase, times UTC with milliseconds, as the
sector's conventions want them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, TypeAlias

from gridwire import clock

Kind: TypeAlias = Literal["ticket", "comment"]


@dataclass(frozen=True, slots=True)
class Created:
    """Something new, for the queue of ``organisation``."""

    kind: Kind
    organisation: str
    ticket_id: str
    comment_id: str | None
    at: str


@dataclass(slots=True)
class Board:
    """The state. ``listeners`` are told of each new ticket and comment."""

    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By id; ``organisation`` says whose it is."""
    comments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By ticket, oldest first."""
    listeners: list[Callable[[Created], None]] = field(default_factory=list)
    _tickets: count[int] = field(default_factory=lambda: count(1))
    _comments: count[int] = field(default_factory=lambda: count(1))

    def open_ticket(
        self, subject: str, *, organisation: str, description: str = "", ticket_id: str | None = None
    ) -> str:
        """Open a ticket that ``organisation`` may read, and tell of it. Returns its id."""
        number = next(self._tickets)
        name = f"PIE-{number:06d}" if ticket_id is None else ticket_id
        at = timestamp()
        self.tickets[name] = {
            "id": name,
            "subject": subject,
            "description": description,
            "status": "NEW",
            "createdDateTime": at,
            "organisation": organisation,
        }
        self.comments[name] = []
        self._tell(Created("ticket", organisation, name, None, at))
        return name

    def add_comment(self, ticket_id: str, text: str, *, author: str = "EDSN Servicedesk") -> str:
        """Write a comment on a ticket, and tell of it. Returns its id."""
        ticket = self.tickets[ticket_id]
        name, at = f"COM-{next(self._comments):06d}", timestamp()
        self.comments[ticket_id].append(
            {"id": name, "ticketId": ticket_id, "text": text, "author": author, "createdDateTime": at}
        )
        self._tell(Created("comment", ticket["organisation"], ticket_id, name, at))
        return name

    def _tell(self, created: Created) -> None:
        for listener in self.listeners:
            listener(created)


def timestamp() -> str:
    """Now, as the sector writes it: UTC, milliseconds, ``Z``."""
    return clock.now().strftime("%Y-%m-%dT%H:%M:%S.") + f"{clock.now().microsecond // 1000:03d}Z"
