"""A trading process is killed at one line after another of the order path, alone and beside a live one.

After each death a new client opens the same journal. Nothing may be lost (what the venue executed has a row), nothing sent
twice, what the dead run left under way is unknown, what a live one has under way stays so, and an order run again under
the same ``client_ref`` is entered once. ``GRIDWIRE_KILL_POINTS=all`` tries every line instead of a spread.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kill_nursery import Nursery
from tests.support.sandbox_process import SandboxProcess
from tests.support.tracer import Point

TRIED = {"buy": 26, "modify": 16, "cancel": 12, "save": 12}
WRITES = ("bid_save", "bid_update", "bid_cancel")
ME, NEIGHBOUR = "sandbox/TRADER1", "sandbox/TRADER2"


@pytest.fixture(scope="module")
def box() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture(scope="module")
def nursery(box: SandboxProcess) -> Iterator[Nursery]:
    with Nursery(box.where) as process:
        yield process


def points(nursery: Nursery, directory: Path) -> list[Point]:
    """The lines at which to kill: of those an undisturbed life passes, so many of each of its deeds, evenly spread."""
    life = nursery.run("trade", directory, "undisturbed")
    assert [life[deed][0] for deed in TRIED] == ["accepted"] * 4, life
    passed: dict[str, list[Point]] = {deed: [] for deed in TRIED}
    for deed, file, line in life["passed"]:
        passed[deed].append((deed, file, line))
    if os.environ.get("GRIDWIRE_KILL_POINTS") == "all":
        return [point for each in passed.values() for point in each]
    return [passed[deed][n * len(passed[deed]) // most] for deed, most in TRIED.items() for n in range(most)]


class Row:
    """A row as the journal told it."""

    def __init__(self, told: list[Any]) -> None:
        self.key, self.state, self.operation, self.order_id, _, self.client_ref, self.account, self.fields = told


def judge(box: SandboxProcess, told: dict[str, Any], ref: str, after: int, life: Any) -> None:
    """Hold what a new client was told against what happened at the venue."""
    calls = [call for call in box.ask(do="calls", after=after) if call["user"] == "TRADER1"]
    writes = [call for call in calls if call["operation"] in WRITES]
    executed = {call["transaction_id"]: call for call in writes if call["executed"]}
    bids = box.ask(do="bids")
    rows = {row.key: row for row in map(Row, told["rows"]) if row.account == ME}
    entered = [row for row in rows.values() if row.client_ref in (ref, f"{ref}-2")]
    ids = {row.order_id for row in entered if row.order_id}
    about = [row for row in rows.values() if row.operation != "bid_save" and row.fields["bid_id"] in ids]

    twice = [key for key, times in Counter(call["transaction_id"] for call in writes).items() if times > 1]
    assert not twice, "sent twice"
    again = {answer[1] for answer in told["again"] if answer[0] == "accepted"}
    first = {key: call for key, call in executed.items() if not again & set(call["bid_ids"])}
    assert set(first) <= set(rows), "lost"
    assert "sending" not in {row.state for row in rows.values()}
    assert {row.key for row in rows.values() if row.state == "unknown"} == set(told["unknown"])
    assert {row.order_id for row in rows.values() if row.operation == "bid_save" and row.state == "accepted"} == set(
        told["known"]
    )

    for row in entered:
        if row.state in ("accepted", "closed"):
            assert first[row.key]["bid_ids"] == [row.order_id]
            user, state, kurus = bids[row.order_id]
            assert user == "TRADER1"
            if not any(one.state == "unknown" for one in about):
                assert state == {"accepted": "ACTIVE", "closed": "CANCEL"}[row.state]
                assert f"{kurus / 100:.2f}" == row.fields["price"]
        else:
            assert row.state == "unknown"  # nothing of this was ever rejected
    for row in about:
        assert row.state == "unknown" or (row.state == "done" and row.key in first)

    for name, answer in zip((ref, f"{ref}-2"), told["again"], strict=True):
        had_row = any(row.client_ref == name for row in entered)
        assert answer == ["rejected", "client_ref"] if had_row else answer[0] == "accepted"
    if life is not None:
        assert {row.state for row in [*entered, *about]} <= {"closed", "accepted", "done"}


def try_all(box: SandboxProcess, nursery: Nursery, todo: list[Point], directory: Path, *, shared: bool) -> int:
    """Kill at every point; returns how often the child was there to be killed. Names every point that shows a fault."""
    killed, faults = 0, []
    neighbours: set[str] = set()
    for number, point in enumerate(todo):
        where, ref = directory / ("shared" if shared else str(number)), f"ref-{directory.name}-{number}"
        after = len(box.ask(do="calls", after=0))
        life = nursery.run("trade", where, ref, point)
        killed += life is None
        told = nursery.run("start_again", where, ref)
        try:
            judge(box, told, ref, after, life)
        except AssertionError as fault:
            faults.append(f"killed at {point}: {fault}")
        if shared:
            neighbours.add(str(sorted((row[0], row[1]) for row in told["rows"] if row[6] == NEIGHBOUR)))
    assert not faults, "\n".join(faults)
    assert len(neighbours) == shared, neighbours
    return killed


def test_killed_alone(box: SandboxProcess, nursery: Nursery, tmp_path: Path) -> None:
    todo = points(nursery, tmp_path / "undisturbed")
    assert try_all(box, nursery, todo, tmp_path, shared=False) >= 50


def test_killed_beside_a_live_process(box: SandboxProcess, nursery: Nursery, tmp_path: Path) -> None:
    todo = points(nursery, tmp_path / "undisturbed")
    shared = tmp_path / "shared"
    box.ask(do="fault", kind="silence_after_execute", operation="bid_update", user="TRADER2")
    lives = nursery.run("live_on", shared, "neighbour")
    assert lives == {"accepted": True, "waits": True}
    try:
        assert try_all(box, nursery, todo, tmp_path, shared=True) >= 50
        told = nursery.run("start_again", shared, "last")
        assert sorted(row[1] for row in told["rows"] if row[6] == NEIGHBOUR) == ["accepted", "sending"]
    finally:
        nursery.kill_the_living()
    told = nursery.run("start_again", shared, "last")
    assert sorted(row[1] for row in told["rows"] if row[6] == NEIGHBOUR) == ["accepted", "unknown"]
