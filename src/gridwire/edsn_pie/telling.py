"""The words that what happens in the stream of notifications has in the log and for listeners."""

from __future__ import annotations

import logging
from pathlib import Path
from traceback import extract_tb
from typing import Any

from gridwire.edsn_pie.stream import GivenBack, HandlerFailed, LinkState, Parked, PossibleLoss, Told
from gridwire.observe.redact import said


def told(event: Told) -> tuple[str, str, int, dict[str, Any]]:
    """Name, text, level and fields of ``event``."""
    match event:
        case LinkState():
            level = logging.WARNING if event.state == "lost" else logging.INFO
            text = event.reason or event.state
            if event.retry_in_s is not None:
                text = f"{text.removesuffix('.')}; again in {event.retry_in_s:.1f} s"
            return f"link.{event.state}", text, level, {}
        case PossibleLoss():
            text = f"not connected for {event.hours:g} h: notifications may have expired in the queue"
            return "link.possible_loss", text, logging.ERROR, {}
        case HandlerFailed():
            text = f"the handler raised {_raised(event.error)}; again in {event.retry_in_s:g} s"
            return "notification.failed", text, logging.WARNING, {"attempt": event.attempt}
        case Parked():
            text = (
                f"parked after {event.attempts} failures as {event.key}, the last one {_raised(event.error)}; see gridwire "
                "pie parked list"
            )
            return "notification.parked", text, logging.ERROR, {"key": event.key}
        case GivenBack():
            text = f"given back to the queue after {event.attempts} failures; it will come again"
            return "notification.given_back", text, logging.ERROR, {}


def _raised(error: BaseException) -> str:
    """What a handler raised, and where."""
    last = extract_tb(error.__traceback__)[-1:]
    place = f" ({Path(last[0].filename).name}:{last[0].lineno}, {last[0].name})" if last else ""
    return said(error) + place
