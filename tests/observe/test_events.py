"""observe/events.py: every event reaches the listener and the log; a broken listener breaks nothing."""

from __future__ import annotations

import logging

import pytest

from gridwire.observe.events import Event, Events


def test_event_reaches_listener_and_log(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Event] = []
    with caplog.at_level(logging.INFO):
        Events(seen.append).emit("ticket.dropped", "a ticket grew too old", age_s=25.0)
    assert [(event.name, event.fields) for event in seen] == [("ticket.dropped", {"age_s": 25.0})]
    assert "ticket.dropped: a ticket grew too old" in caplog.text
    assert seen[0].at.tzinfo is not None


def test_listener_that_raises_is_reported_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError

    Events(broken).emit("x", "y")
    Events().emit("x", "y")
    assert "listener for events failed on x" in caplog.text
