"""What a queue delivered is in the file before the queue forgets it, and stays there until it was handled."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from gridwire import clock
from gridwire.intents.inbox import Inbox, InboxBusy, InboxOfAnother, default_inbox
from gridwire.intents.records import JournalError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "inbox.sqlite"


def test_what_is_stored_is_pending_until_it_is_done(path: Path) -> None:
    inbox = Inbox.open(path)
    assert inbox.store([("a", "one"), ("b", "two")], at=clock.now()) == {}
    assert [(kept.key, kept.message) for kept in inbox.pending()] == [("a", "one"), ("b", "two")]
    inbox.finish(["a"], at=clock.now())
    assert [kept.key for kept in inbox.pending()] == ["b"]
    done = inbox.find("a")
    assert done is not None
    assert (done.state, done.message) == ("done", "")
    inbox.close()


def test_a_second_delivery_says_what_became_of_the_first_and_changes_nothing(path: Path) -> None:
    inbox = Inbox.open(path)
    inbox.store([("a", "one"), ("b", "two"), ("c", "three")], at=clock.now())
    inbox.finish(["a"], at=clock.now())
    inbox.park("b", attempts=5, note="ValueError: no", at=clock.now())
    assert inbox.store([("a", "x"), ("b", "y"), ("c", "z"), ("d", "new")], at=clock.now()) == {
        "a": "done",
        "b": "parked",
        "c": "stored",
    }
    kept = inbox.find("c")
    assert kept is not None
    assert kept.message == "three"
    inbox.close()


def test_a_parked_message_waits_for_a_person(path: Path) -> None:
    inbox = Inbox.open(path)
    inbox.store([("a", "one")], at=clock.now())
    inbox.park("a", attempts=5, note="ValueError: no", at=clock.now())
    assert inbox.pending() == []
    (kept,) = inbox.parked()
    assert (kept.key, kept.message, kept.attempts, kept.note) == ("a", "one", 5, "ValueError: no")
    assert inbox.retry(["a", "unknown"], at=clock.now()) == ["a"]
    assert inbox.parked() == []
    assert [kept.attempts for kept in inbox.pending()] == [0]
    assert inbox.retry(["a"], at=clock.now()) == []
    inbox.close()


async def test_what_is_done_is_remembered_for_a_day_and_an_hour(path: Path) -> None:
    inbox = Inbox.open(path)
    inbox.store([("a", "one"), ("b", "two"), ("c", "three")], at=clock.now())
    inbox.finish(["a"], at=clock.now())
    await asyncio.sleep(24.9 * 3600)
    inbox.finish(["b"], at=clock.now())
    assert inbox.store([("a", "one")], at=clock.now()) == {"a": "done"}
    await asyncio.sleep(0.2 * 3600)
    inbox.finish(["c"], at=clock.now())
    assert inbox.find("a") is None
    assert inbox.find("b") is not None
    inbox.close()


def test_one_process_reads_it_and_others_may_look(path: Path) -> None:
    reader = Inbox.open(path, reader=True)
    with pytest.raises(InboxBusy, match="is in use, by another process"):
        Inbox.open(path, reader=True)
    reader.store([("a", "one")], at=clock.now())
    other = Inbox.open(path)
    assert [kept.key for kept in other.pending()] == ["a"]
    other.close()
    reader.close()
    Inbox.open(path, reader=True).close()


def test_it_survives_being_opened_again_and_is_for_its_owner_alone(path: Path) -> None:
    inbox = Inbox.open(path)
    inbox.store([("a", "one")], at=clock.now())
    assert inbox.last_streaming() is None
    inbox.note_streaming(clock.now())
    inbox.close()
    inbox = Inbox.open(path)
    assert [kept.key for kept in inbox.pending()] == ["a"]
    streaming = inbox.last_streaming()
    assert streaming is not None
    assert abs(clock.now() - streaming) < timedelta(minutes=1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    inbox.close()


def test_every_change_is_on_the_disk_before_it_is_reported(path: Path) -> None:
    inbox = Inbox.open(path)
    assert inbox._connection is not None
    assert inbox._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert inbox._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    inbox.close()


def test_a_file_that_is_no_inbox_is_told_in_one_sentence(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else altogether, and long enough to be looked at" * 20)
    with pytest.raises(JournalError, match="cannot be used"):
        Inbox.open(path)
    with pytest.raises(JournalError, match="cannot be opened"):
        Inbox.open(path / "below")


def test_a_closed_inbox_and_a_failed_change_are_told(path: Path) -> None:
    inbox = Inbox.open(path)
    inbox.store([("a", "one")], at=clock.now())
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE messages")
    with pytest.raises(JournalError, match="cannot be used"):
        inbox.store([("b", "two")], at=clock.now())
    inbox.close()
    with pytest.raises(JournalError, match="is closed"):
        inbox.pending()


def test_it_is_beside_the_journal_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = default_inbox("edsn_pie test sa-1 pie.queue")
    assert place.parent == tmp_path / "gridwire" / "inbox"
    assert place.name.startswith("edsn_pie-test-sa-1-pie.queue-")
    others = [
        "edsn_pie production sa-1 pie.queue",
        "edsn_pie test sa-1 pie/queue",
        "../../etc",
        "edsn_pie test sa/1 pie.queue",
    ]
    assert len({place, *map(default_inbox, others)}) == 5
    assert {default_inbox(other).parent for other in others} == {place.parent}


def test_an_inbox_is_refused_to_whom_it_does_not_belong(path: Path) -> None:
    for _ in range(2):
        Inbox.open(path, reader=True, owner="test sa-1 one").close()
    with pytest.raises(InboxOfAnother, match="belongs to test sa-1 one, and not to production sa-1 one: give each"):
        Inbox.open(path, reader=True, owner="production sa-1 one")
    Inbox.open(path, reader=True, owner="test sa-1 one").close()  # the refused one holds no lock


def test_an_entry_whose_times_are_no_numbers_is_named(path: Path) -> None:
    inbox = Inbox.open(path)
    inbox.store([("a", "one")], at=clock.now())
    with sqlite3.connect(path) as other:
        other.execute("UPDATE messages SET arrived_us = 'never'")
    with pytest.raises(JournalError, match=f"entry 'a' of the inbox {path} is damaged"):
        inbox.pending()
    inbox.close()


@pytest.mark.parametrize("made_anew", [False, True])
def test_one_that_is_deleted_under_its_reader_takes_no_message(path: Path, made_anew: bool) -> None:
    """What is stored in a file without a name is lost with the process, though the broker was told to forget it."""
    inbox = Inbox.open(path, reader=True)
    inbox.store([("a", "one")], at=clock.now())
    shutil.rmtree(path.parent)
    if made_anew:
        Inbox.open(path).close()
    with pytest.raises(JournalError, match=r"deleted, moved or made anew\. No message was accepted"):
        inbox.store([("b", "two")], at=clock.now())
    for question in (inbox.pending, inbox.parked, inbox.last_streaming):
        with pytest.raises(JournalError, match="not the one that was opened"):
            question()
    inbox.close()
