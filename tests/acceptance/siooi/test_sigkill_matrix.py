"""A clerk's program is killed at one line after another, from `prepare` to a settled job.

After each death a new one opens the same journal, follows what is pending, and sends the same document again. The venue
must hold it at most once, and whatever reached the venue must be in the journal. ``GRIDWIRE_KILL_POINTS=all`` tries every
line instead of a spread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.siooi_process import Process
from tests.support.tracer import Point

TRIED = {"prepare": 8, "submit": 28, "wait": 14}
MAY_BE_AT_THE_VENUE = {"unknown", "queued", "processing", "succeeded"}


@pytest.fixture(scope="module")
def box() -> Iterator[Process]:
    with Process("sandbox") as process:
        yield process


@pytest.fixture(scope="module")
def nursery() -> Iterator[Process]:
    with Process("nursery") as process:
        yield process


def points(passed: list[list[Any]]) -> list[Point]:
    """The lines at which to kill, evenly spread over each of the three deeds."""
    by_deed: dict[str, list[Point]] = {deed: [] for deed in TRIED}
    for deed, file, line in passed:
        by_deed[deed].append((deed, file, line))
    if os.environ.get("GRIDWIRE_KILL_POINTS") == "all":
        return [point for each in by_deed.values() for point in each]
    return [by_deed[deed][n * len(by_deed[deed]) // most] for deed, most in TRIED.items() for n in range(most)]


def judge(told: dict[str, Any], uploads: list[dict[str, Any]], where: Point) -> None:
    """Hold what the new program found against what happened at the venue."""
    executed = [call for call in uploads if call["executed"]]
    assert len(uploads) <= 1, f"sent twice, killed at {where}"
    before = {row[0]: row for row in told["before"]}
    assert "sending" not in {row[1] for row in told["before"]}
    reached = bool(executed) and told["again"][0] != "accepted"
    if reached:
        assert {row[1] for row in told["before"]} & MAY_BE_AT_THE_VENUE, f"a job was lost, killed at {where}"
        lost = {row[1] for row in told["before"]} == {"unknown"}
        assert told["again"] == ["held_back", "Unknown" if lost else "AcceptedBefore"], where
    if told["again"][0] == "accepted":
        assert executed[0]["job_id"] == told["again"][1]
        assert not {row[1] for row in told["before"]} & MAY_BE_AT_THE_VENUE
    for ref, result in told["results"]:
        assert (before[ref][1], result) == ("succeeded", "Succeeded")
        assert before[ref][2] == executed[0]["job_id"]
    assert set(told["unknown"]) == {row[0] for row in told["before"] if row[1] == "unknown"}


def test_G08_a_program_killed_anywhere_sends_nothing_twice_and_loses_no_job(
    box: Process, nursery: Process, tmp_path: Path
) -> None:
    where = box.ask(do="where")
    common: dict[str, Any] = {"where": where, "target": None}
    life = nursery.ask(role="work", journal=str(tmp_path / "undisturbed.sqlite"), period="2099-Q4", **common)
    assert (life["outcome"][0], life["result"]) == ("accepted", "Succeeded")
    chosen = points(life["passed"])
    assert len(chosen) >= 30
    deaths, seen = 0, {"unknown": 0, "resumed": 0, "again": 0}
    for number, point in enumerate(chosen):
        period = f"20{number // 12 % 100:02}-{number % 12 + 1:02}"
        journal = str(tmp_path / f"{number}.sqlite")
        after = len(box.ask(do="sends"))
        died = nursery.ask(role="work", journal=journal, period=period, where=where, target=point)
        deaths += died is None
        told = nursery.ask(role="start_again", journal=journal, period=period, **common)
        assert told is not None, f"the next program failed, after a death at {point}"
        judge(told, box.ask(do="sends")[after:], point)
        seen["unknown"] += bool(told["unknown"])
        seen["resumed"] += bool(told["results"])
        seen["again"] += told["again"][0] == "accepted"
    # A line that belongs to a thread's timing may not be passed again; nearly all are.
    assert deaths >= max(30, len(chosen) * 9 // 10)
    assert min(seen.values()) > 0, seen
