"""The broadcaster: what STP tells about the market as it happens.

Known from the venue's own sample program of 2018 only: a call names a WebSocket address, a text frame ``X`` is a
heart-beat, other frames are messages of an undocumented form. So messages come as the text that arrived, heart-beats are
dropped, and silence is watched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from gridwire import clock
from gridwire.transport.websocket import Step

HEARTBEAT = "X"


@dataclass(frozen=True, slots=True)
class Message:
    """One frame of the broadcaster, as it arrived. Its form is not documented by the venue."""

    text: str
    received: datetime = field(default_factory=clock.now)


class BroadcastSession:
    """The rules of one broadcaster connection. ``silence_s`` without any frame ends it, and a new one is dialled."""

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self._last = 0.0

    def opened(self, now: float) -> Step[Message]:
        """Nothing is sent: the venue documents no subscription."""
        self._last = now
        return Step()

    def received(self, frame: str | bytes, now: float) -> Step[Message]:
        """Drop heart-beats, deliver the rest."""
        self._last = now
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        return Step() if text.strip() == HEARTBEAT else Step(events=(Message(text),))

    def deadline(self) -> float:
        """When silence has lasted too long."""
        return self._last + self._silence_s

    def due(self, now: float) -> Step[Message]:
        """Give the connection up."""
        return Step(drop=f"nothing came for {self._silence_s:g} s, not even a heart-beat")
