"""One AMQP 1.0 message as plain values, so that what reads it needs no AMQP library."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AmqpMessage:
    """A received message (AMQP 1.0, part 3, section 3.2). It may hold business data, so its body stays out of ``repr``.

    ``body`` is bytes (a data section), a string, a mapping or a sequence (a value or sequence section), or None.
    """

    body: Any = field(default=None, repr=False)
    content_type: str | None = None
    content_encoding: str | None = None
    """How the body is packed, ``gzip`` say. It is kept as it came; who reads it unpacks it."""
    subject: str | None = None
    message_id: str | None = None
    correlation_id: str | None = None
    created: datetime | None = None
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The application properties."""
    delivery_count: int = 0
    """How many deliveries of it have failed before, as the broker counts."""


def dump(message: AmqpMessage) -> str:
    """``message`` as text that `load` makes the same message of, whatever its values' types are."""
    values = {one.name: _packed(getattr(message, one.name)) for one in fields(message)}
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"))


def load(text: str) -> AmqpMessage:
    """The message that `dump` was given. Raises `ValueError` for a text that `dump` has not made."""
    try:
        return AmqpMessage(**{name: _unpacked(value) for name, value in json.loads(text).items()})
    except (TypeError, AttributeError, KeyError, RecursionError, ArithmeticError) as error:
        raise ValueError(f"the text holds no message ({type(error).__name__})") from None


def _packed(value: Any) -> Any:
    """JSON's own types as they are, all others as an object with one member that names the type."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"bytes": base64.b64encode(value).decode("ascii")}
        case datetime():
            return {"time": value.isoformat()}
        case UUID():
            return {"uuid": str(value)}
        case Decimal():
            return {"decimal": str(value)}
        case Mapping():
            return {"map": [[_packed(key), _packed(item)] for key, item in value.items()]}
        case list() | tuple():
            return [_packed(item) for item in value]
    return {"text": str(value)}


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "bytes":
            return base64.b64decode(content)
        case "time":
            return datetime.fromisoformat(content)
        case "uuid":
            return UUID(content)
        case "decimal":
            return Decimal(content)
        case "map":
            return {_unpacked(key): _unpacked(item) for key, item in content}
    return content
