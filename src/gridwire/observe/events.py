"""What a client tells those who watch it: one flat record per happening."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from gridwire import clock

_log = logging.getLogger("gridwire")


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth knowing. ``name`` is dotted (``ticket.dropped``); ``fields`` hold plain values, never a secret."""

    name: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    level: int = logging.INFO
    at: datetime = field(default_factory=clock.now)


Listener: TypeAlias = Callable[[Event], None]


class Events:
    """Hands events to one listener and to the ``gridwire`` logger.

    A listener that raises is reported on the logger and otherwise ignored: watching must not break trading.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener

    def emit(self, name: str, text: str, *, level: int = logging.INFO, **fields: Any) -> None:
        """Tell that ``name`` happened."""
        event = Event(name, text, fields, level)
        _log.log(level, "%s: %s", name, text)
        if self._listener is not None:
            try:
                self._listener(event)
            except Exception:  # noqa: BLE001 - it is the caller's code, and may raise anything
                _log.exception("The listener for events failed on %s; the client goes on.", name)
