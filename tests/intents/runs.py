"""Runs of a journal for tests: ones that are killed, and what a directory says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gridwire.intents.journal import Journal, line, read


def killed(journal: Journal) -> None:
    """Leave everything as SIGKILL would: what was not written is lost, the lock is free."""
    journal._abandon()


def states(journal: Journal) -> dict[str, str]:
    return {row.key: row.state for row in journal.rows()}


def state_in(directory: Path) -> dict[str, str]:
    return {row.key: row.state for row in read(directory).rows.values()}


def logs(directory: Path) -> list[Path]:
    return sorted((directory / "runs").glob("*.log"))


def sending(journal: Journal, key: str, **more: Any) -> None:
    journal.flush()
    journal.append(line("sending", key, v="stp", a="test/X", o="bid_save", **more))


def left_by_a_dead_run(directory: Path, *records: tuple[str, str]) -> str:
    journal = Journal.open(directory)
    for state, key in records:
        journal.record(state, key)
    killed(journal)
    return journal.run
