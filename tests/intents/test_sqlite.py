"""SQLite files: durable, closed again, and one sentence for each way in which they fail."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gridwire.intents.records import JournalError
from gridwire.intents.sqlite import transaction, trouble
from tests.intents.runs import descriptors

TABLE = "CREATE TABLE IF NOT EXISTS t (x)"


@contextmanager
def to(path: Path, *, setup: str = TABLE) -> Iterator[sqlite3.Connection]:
    with transaction(
        path, "BEGIN IMMEDIATE", what="The book", timeout_s=0.01, setup=setup, means="So what"
    ) as connection:
        yield connection


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write everywhere; nobody may not."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with to(tmp_path / "book.sqlite") as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    return tmp_path / "book.sqlite"


def insert(path: Path, values: list[Any], *, most_pages: int = 1000, then: Exception | None = None) -> None:
    with to(path) as connection:
        connection.execute(f"PRAGMA max_page_count = {most_pages}")
        for value in values:
            connection.execute("INSERT INTO t VALUES (?)", (value,))
        if then is not None:
            raise then


def content(path: Path) -> list[int]:
    with to(path) as connection:
        return [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]


def test_every_commit_is_on_the_disk(path: Path) -> None:
    with to(path) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_raises_changes_nothing(path: Path) -> None:
    with pytest.raises(KeyError):
        insert(path, [2], then=KeyError())
    assert content(path) == [1]


def test_nothing_stays_open(path: Path) -> None:
    before = descriptors()
    content(path)
    assert descriptors() == before


def test_without_setup_a_missing_file_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"The book .*gone\.sqlite cannot be opened .*So what: make its directory"):
        to(tmp_path / "gone.sqlite", setup="").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_locked_file_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="is locked by another program"):
            to(path).__enter__()
        other.execute("ROLLBACK")
    assert content(path) == [1]


def test_a_full_disk_is_refused_and_changes_nothing(path: Path) -> None:
    with pytest.raises(JournalError, match=r"the disk is full .*make room"):
        insert(path, ["x" * 1000] * 100, most_pages=3)
    assert content(path) == [1]


def test_a_read_only_file_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        path = Path(folder) / "book.sqlite"
        with to(path):
            pass
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        with as_nobody(), pytest.raises(JournalError, match=r"cannot be (written: it is read-only|opened)"):
            to(path).__enter__()
        Path(folder).chmod(0o700)


@pytest.mark.parametrize("damage", [b"no database " * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_refused(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    with pytest.raises(JournalError, match=r"damaged .*restore it from a copy"):
        to(path).__enter__()
    assert path.read_bytes() == damage


def test_a_folder_where_a_file_is_meant_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(JournalError, match=r"cannot be opened.*: it is a folder; name a file\.$"):
        to(tmp_path / "folder").__enter__()


def test_what_python_itself_refuses_has_a_sentence_too(tmp_path: Path) -> None:
    error = sqlite3.ProgrammingError("odd")
    assert trouble(error, tmp_path, what="It", means="So") == (
        f"It {tmp_path} cannot be used (odd). So: make room, or repair the file."
    )


def test_a_file_that_can_be_read_in_no_way_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(JournalError, match="cannot be opened"), reading(tmp_path / "folder"):
        pytest.fail("it was read")


def test_a_file_whose_last_commits_cannot_be_read_is_not_read_without_them(tmp_path: Path) -> None:
    """On a read-only disk SQLite cannot read what still waits in the log; an answer without it would hide calls."""
    kept = Path(tempfile.mkdtemp())
    with closing(sqlite3.connect(tmp_path / "f", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        for name in ("f", "f-wal"):
            (kept / name).write_bytes((tmp_path / name).read_bytes())
    for path, mode in ((kept / "f", 0o444), (kept / "f-wal", 0o444), (kept, 0o555)):
        path.chmod(mode)
    try:
        with as_nobody(), pytest.raises(JournalError), reading(kept / "f"):
            pytest.fail("it was read")
    finally:
        kept.chmod(0o755)
        shutil.rmtree(kept)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    with transaction(path, "BEGIN", what="The book", timeout_s=0.01, means="So what") as connection:
        yield connection
