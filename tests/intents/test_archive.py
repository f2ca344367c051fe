"""The rows of ended runs in one file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridwire.clock import moment
from gridwire.intents import archive as module
from gridwire.intents.archive import Archive, Contents
from gridwire.intents.records import ENDED, STATES, Entry, JournalError, Row


def row(key: str = "K", state: str = "accepted", **more: Any) -> Row:
    whole: dict[str, Any] = {
        "run": "A", "venue": "stp", "account": "test/ÇELİK", "operation": "bid_save", "created": moment(1_000_001),
        "changed": moment(2_000_002), "client_ref": "mine", "attempts": 2, "order_id": "77", "note": "ok",
        "fields": {"price": "1.50", "quantity": 3, "expire_time": None}, "stated": moment(1_500_000),
        "created_boot": ("0123abcd", 17), "changed_boot": None, "stated_boot": ("0123abcd", 18), "exclusive": True, **more,
    }  # fmt: skip
    return Row(key, state, **whole)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive.sqlite")


def test_a_file_that_is_not_there_is_empty_and_stays_away(archive: Archive, tmp_path: Path) -> None:
    assert archive.read() == Contents({}, [], ())
    assert archive.some(["K"]) == Contents({}, [], ())
    assert list(tmp_path.iterdir()) == []


def test_rows_come_back_as_they_were(archive: Archive) -> None:
    rows = {"K": row(), "L": row("L", "unknown", client_ref=None, order_id=None, fields={}, stated=None)}
    archive.store("A", rows.values(), [])
    assert archive.read().rows == rows
    assert archive.some(["L", "M"]).rows == {"L": rows["L"]}
    assert archive.some([]).rows == {}


def test_what_waits_is_replaced_and_comes_back_in_order(archive: Archive) -> None:
    first = [Entry("B", 5, {"s": "closed", "k": "K", "t": 5}), Entry("B", 3, {"s": "closed", "k": "ş", "t": 3})]
    archive.store("A", [], first)
    assert archive.read().waiting == [first[1], first[0]]
    archive.store("B", [], first[:1])
    assert archive.some([]).waiting == first[:1]
    assert set(archive.read().runs) == {"A", "B"}


@pytest.mark.parametrize("before", sorted(STATES))
@pytest.mark.parametrize("after", ["accepted", "unknown", "closed"])
def test_an_end_is_never_taken_back(archive: Archive, before: str, after: str) -> None:
    archive.store("A", [row(state=before)], [])
    archive.store("A", [row(state=after, order_id="78", note="later")], [])
    found = archive.read().rows["K"]
    if before in ENDED:
        assert found == row(state=before)
    else:
        assert (found.state, found.order_id, found.note) == (after, "78", "later")


def test_every_field_of_an_open_row_follows(archive: Archive) -> None:
    archive.store("A", [row()], [])
    other = Row("K", "closed", "B", "v", "a", "o", moment(5), moment(6), "r", 7, "8", "n", {"x": "y"})
    archive.store("B", [other], [])
    assert archive.read().rows == {"K": other}


def test_since_leaves_out_what_ended_before(archive: Archive) -> None:
    rows = [
        row("open", "accepted", changed=moment(1)),
        row("unknown", "unknown", changed=moment(1)),
        row("old", "done", changed=moment(99)),
        row("just", "done", changed=moment(100)),
    ]
    archive.store("A", rows, [])
    assert set(archive.read(moment(100)).rows) == {"open", "unknown", "just"}
    assert set(archive.read().rows) == {"open", "unknown", "old", "just"}


def test_a_run_is_moved_as_a_whole_or_not_at_all(archive: Archive) -> None:
    archive.store("A", [row()], [])
    unfit = replace(row("M"), fields={"x": object()})
    with pytest.raises(TypeError):
        archive.store("B", [row("L"), unfit], [])
    assert set(archive.read().rows) == {"K"}
    assert set(archive.read().runs) == {"A"}


def test_a_file_that_is_no_database_is_refused(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "archive.sqlite").write_bytes(b"no database " * 1000)
    for attempt in (archive.read, lambda: archive.some(["K"]), lambda: archive.store("A", [row()], [])):
        with pytest.raises(JournalError, match=r"What earlier programs sent cannot be told: restore"):
            attempt()


def test_a_file_that_another_program_keeps_to_itself_is_refused(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0.01)
    archive.store("A", [row()], [])
    with closing(sqlite3.connect(tmp_path / "archive.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked"):
            archive.store("B", [row("L")], [])
        assert set(archive.read().rows) == {"K"}  # reading does not wait for it


def test_a_file_that_cannot_be_looked_at_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"cannot be read.*what earlier programs sent cannot be told"):
        Archive(tmp_path / "file" / "archive.sqlite").read()


_OF_0_1 = """
CREATE TABLE intents (
  key TEXT PRIMARY KEY, state TEXT NOT NULL, run TEXT NOT NULL, venue TEXT NOT NULL, account TEXT NOT NULL,
  operation TEXT NOT NULL,
  created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL, client_ref TEXT, attempts INTEGER NOT NULL,
  order_id TEXT, note TEXT NOT NULL, fields TEXT NOT NULL, stated_us INTEGER
) WITHOUT ROWID;
CREATE TABLE waiting (run TEXT NOT NULL, at_us INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE runs (run TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO runs VALUES ('A');
INSERT INTO intents VALUES (
  'K', 'accepted', 'A', 'stp', 'test/ÇELİK', 'bid_save', 1000001, 2000002, 'mine', 2, '77', 'ok',
  '{"price": "1.50", "quantity": 3, "expire_time": null}', 1500000
);
"""
"""A file as it was before rows held times of the boot clock."""


def test_a_file_of_an_earlier_version_is_read_and_written(archive: Archive, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "archive.sqlite")) as connection:
        connection.executescript(_OF_0_1)
    before = row(created_boot=None, stated_boot=None, exclusive=False)
    assert archive.read(moment(5)).rows == archive.some(["K"]).rows == {"K": before}
    archive.store("B", [row("L")], [])
    archive.store("C", [row("M")], [])
    assert archive.read().rows == {"K": before, "L": row("L"), "M": row("M")}
    assert set(archive.read().runs) == {"A", "B", "C"}
