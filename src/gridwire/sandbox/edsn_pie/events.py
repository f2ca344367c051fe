"""What goes to the queue for each new ticket and comment, in any of the wrappings that a client must take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, Literal

from gridwire.sandbox.edsn_pie.board import Created
from gridwire.transport.amqp_message import AmqpMessage

SOURCE = "urn:ean13:8716925800005:pie"


@dataclass(slots=True)
class EventKnobs:
    """The form of events. All may be changed while it runs."""

    envelope: Literal["structured", "binary", "plain"] = "structured"
    """CloudEvents as one JSON object, with attributes in application properties, or a JSON object of its own form."""
    binary_prefix: Literal["cloudEvents:", "cloudEvents_"] = "cloudEvents:"
    thin: bool = False
    """Whether events carry no payload, only the id as their subject."""
    dataref: bool = False
    """Whether events say where the details are."""
    context: str = "pie"
    """First part of the type, as in ``pie.ticket.created``."""


class Writer:
    """Makes messages. ``rest_url`` is where a ``dataref`` leads."""

    def __init__(self, seed: int, knobs: EventKnobs) -> None:
        self._knobs = knobs
        self._random = Random(f"{seed}:events")  # noqa: S311 - ids of a venue in memory
        self._numbers = count(1)
        self.rest_url: str = ""

    def message(self, created: Created) -> AmqpMessage:
        """The message of one event, with a message-id of its own."""
        knobs = self._knobs
        number = next(self._numbers)
        data: dict[str, Any] = {"ticketId": created.ticket_id}
        if created.comment_id is not None:
            data["commentId"] = created.comment_id
        attributes: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"{self._random.getrandbits(64):016x}-{number}",
            "source": SOURCE,
            "type": f"{knobs.context}.{created.kind}.created",
            "time": created.at,
            "datacontenttype": "application/json",
            "dataversion": "1.0.0",
            "subject": created.comment_id or created.ticket_id,
        }
        if knobs.dataref:
            attributes["dataref"] = self.rest_url + _path(created)
        return self._wrapped(attributes, None if knobs.thin else data, f"sandbox-{number}", created)

    def _wrapped(
        self, attributes: dict[str, Any], data: dict[str, Any] | None, message_id: str, created: Created
    ) -> AmqpMessage:
        knobs = self._knobs
        if knobs.envelope == "binary":
            properties = {knobs.binary_prefix + name: value for name, value in attributes.items()}
            body = b"" if data is None else json.dumps(data).encode()
            return AmqpMessage(body, "application/json", message_id=message_id, properties=properties)
        if knobs.envelope == "plain":
            plain = {"type": f"{created.kind.capitalize()}Created", "ticketId": created.ticket_id, **(data or {})}
            if created.comment_id is not None:
                plain["commentId"] = created.comment_id
            return AmqpMessage(json.dumps(plain).encode(), "application/json", message_id=message_id)
        whole = attributes if data is None else {**attributes, "data": data}
        return AmqpMessage(json.dumps(whole).encode(), "application/cloudevents+json", message_id=message_id)


BASE = "/energy-market/market-participant/market-case/market-case-management/v1"


def _path(created: Created) -> str:
    comment = "" if created.comment_id is None else f"/comments/{created.comment_id}"
    return f"{BASE}/tickets/{created.ticket_id}{comment}"
