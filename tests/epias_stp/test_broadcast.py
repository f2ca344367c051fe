"""epias_stp/broadcast.py: the rules of one broadcaster connection, without a wire."""

from __future__ import annotations

import pytest

from gridwire.epias_stp.broadcast import BroadcastSession, Message
from tests.conftest import EPOCH


def test_nothing_is_sent_and_silence_counts_from_the_opening() -> None:
    session = BroadcastSession(30)
    step = session.opened(100.0)
    assert (step.events, step.send, step.drop) == ((), (), None)
    assert session.deadline() == 130


@pytest.mark.parametrize("frame", ["X", " X\n", b"X"])
def test_heartbeat_is_dropped_and_puts_the_deadline_off(frame: str | bytes) -> None:
    session = BroadcastSession(30)
    session.opened(100.0)
    step = session.received(frame, 120.0)
    assert (step.events, step.drop) == ((), None)
    assert session.deadline() == 150


@pytest.mark.parametrize(
    ("frame", "text"),
    [('{"a": 1}', '{"a": 1}'), ("XX", "XX"), ("x", "x"), ("", ""), ("ğ".encode(), "ğ"), (b"\xff", "\ufffd")],
)
def test_other_frames_are_messages_as_they_came(frame: str | bytes, text: str) -> None:
    session = BroadcastSession(30)
    session.opened(0.0)
    (message,) = session.received(frame, 5.0).events
    assert isinstance(message, Message)
    assert message.text == text
    assert session.deadline() == 35


def test_too_long_a_silence_gives_the_connection_up_with_a_reason() -> None:
    session = BroadcastSession(7.5)
    assert session.due(999.0).drop == "nothing came for 7.5 s, not even a heart-beat"


async def test_message_knows_when_it_came() -> None:
    assert Message("a").received == EPOCH
