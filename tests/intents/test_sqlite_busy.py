"""Locks for which SQLite itself does not wait."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from gridwire.intents import sqlite as module
from gridwire.intents.records import JournalError
from gridwire.intents.sqlite import transaction

SETUP = "CREATE TABLE IF NOT EXISTS t (x INTEGER);"


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """Another program's transaction on the file; whatever opens it is refused at once, as while a last one closes."""
    path = tmp_path / "j.sqlite"
    with transaction(path, "BEGIN", what="The file", timeout_s=1, setup=SETUP):
        pass
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    connect = sqlite3.connect

    def impatient(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **{**options, "timeout": 0})
        return connection

    monkeypatch.setattr(sqlite3, "connect", impatient)
    return other


def test_a_lock_that_is_let_go_in_time_is_waited_for(
    tmp_path: Path, held: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            held.execute("COMMIT")

    monkeypatch.setattr(time, "sleep", sleep)
    with transaction(
        tmp_path / "j.sqlite", "BEGIN IMMEDIATE", what="The file", timeout_s=60, setup=SETUP
    ) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    assert pauses == [module.AGAIN_S] * 3
    assert held.execute("SELECT x FROM t").fetchall() == [(1,)]
    held.close()


def test_a_lock_that_is_kept_is_told_when_the_time_is_over(tmp_path: Path, held: sqlite3.Connection) -> None:
    with (
        pytest.raises(JournalError, match="locked by another program"),
        transaction(tmp_path / "j.sqlite", "BEGIN IMMEDIATE", what="The file", timeout_s=0, setup=SETUP),
    ):
        pytest.fail("nothing runs without the lock")
    held.close()
