"""One AMQP 1.0 message as plain values, so that what reads it needs no AMQP library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class AmqpMessage:
    """A received message (AMQP 1.0, part 3, section 3.2). It may hold business data, so its body stays out of ``repr``.

    ``body`` is bytes (a data section), a string, a mapping or a sequence (a value or sequence section), or None.
    """

    body: Any = field(default=None, repr=False)
    content_type: str | None = None
    subject: str | None = None
    message_id: str | None = None
    correlation_id: str | None = None
    created: datetime | None = None
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The application properties."""
    delivery_count: int = 0
    """How many deliveries of it have failed before, as the broker counts."""
