"""Many messages through forced disconnects, changed tokens and a killed consumer: each handled, none lost.

A tenth of it runs with the other tests. The whole of it: ``GRIDWIRE_SOAK_MESSAGES=50000 .venv/bin/pytest
tests/acceptance/edsn_pie/test_amqp_soak.py``.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.broker_process import RemoteWorld, broker_process
from tests.support.consumer_process import Notes, consumer_process, start

MESSAGES = int(os.environ.get("GRIDWIRE_SOAK_MESSAGES", "5000"))
DISCONNECTS = max(5, MESSAGES // 1000)
CREDIT = 50
WORKERS = 4
LONGEST_S = 60 + MESSAGES / 50
GROWTH_BYTES = 5 * 1024 * 1024


def wait_for_a_rollover(world: RemoteWorld) -> None:
    """The first new login follows on the disconnect; nothing but the end of its token can be the cause of the second."""
    logins, until = world.ask()["logins"], time.monotonic() + 30
    while world.ask()["logins"] < logins + 2:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("with_inbox", [False, True], ids=["accept after the handler", "inbox"])
def test_every_message_is_handled_through_disconnects_new_tokens_and_a_kill(tmp_path: Path, with_inbox: bool) -> None:
    notes = Notes(tmp_path / "notes")
    inbox = tmp_path / "inbox.sqlite" if with_inbox else None
    killed_before = 0
    with broker_process() as world:
        consumer = start(world, inbox, notes)
        try:
            step = MESSAGES // DISCONNECTS
            until = time.monotonic() + LONGEST_S
            for number in range(DISCONNECTS):
                state = world.ask(put=[number * step, (number + 1) * step])
                while world.ask()["depth"] > step // 2:
                    assert time.monotonic() < until, state
                    time.sleep(0.02)
                world.ask(drop=True)
                if number == DISCONNECTS // 4:
                    wait_for_a_rollover(world)
                if number == DISCONNECTS // 2:
                    consumer.send_signal(signal.SIGKILL)
                    consumer.wait(10)
                    killed_before = sum(notes.handled().values())
                    consumer = start(world, inbox, notes)
            total = step * DISCONNECTS
            while len(notes.handled()) < total:
                assert time.monotonic() < until, (world.ask(), len(notes.handled()))
                time.sleep(0.1)
            consumer.send_signal(signal.SIGINT)
            consumer.wait(20)
            state = world.ask()
        finally:
            consumer.kill()
            consumer.wait(10)
    handled = notes.handled()
    doubled = {number: times for number, times in handled.items() if times > 1}
    assert set(handled) == set(range(total))
    assert killed_before
    # Handled and noted, but its acceptance (or its "done" in the inbox) was not out when the process was killed.
    assert len(doubled) <= (WORKERS if with_inbox else CREDIT)
    assert all(times == 2 for times in doubled.values())
    assert state["unsettled"] == 0
    assert state["depth"] == 0
    assert state["logins"] > DISCONNECTS
    assert state["window"] <= CREDIT


def test_memory_stays_where_it_is_through_disconnects_and_new_tokens(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    step = MESSAGES // DISCONNECTS
    with broker_process() as world, consumer_process(world, None, notes):
        until = time.monotonic() + LONGEST_S
        for number in range(DISCONNECTS):
            world.ask(put=[number * step, (number + 1) * step])
            while world.ask()["depth"]:
                assert time.monotonic() < until
                time.sleep(0.02)
            if number == 0:
                notes.wait_for_weight(step)
            world.ask(drop=True)
        notes.wait_for_weight(step * DISCONNECTS)
    assert notes.growth(step) < GROWTH_BYTES
