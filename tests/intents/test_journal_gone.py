"""A journal whose folder is deleted, moved or made anew while it is open: nothing is written to it and nothing is read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gridwire import clock
from gridwire.intents.journal import Journal, line, read
from gridwire.intents.records import JournalError
from tests.intents.runs import killed, left_by_a_dead_run, logs, sending, state_in, states

Ruin = Callable[[Path], None]


def delete(folder: Path) -> None:
    shutil.rmtree(folder)


def move(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def make_anew(folder: Path) -> None:
    """As another program would, that starts after the folder was deleted."""
    shutil.rmtree(folder)
    Journal.open(folder).close()


def delete_the_log(folder: Path) -> None:
    logs(folder)[0].unlink()


def delete_after_a_backup_of_links(folder: Path) -> None:
    """The log keeps a name, but not the one under which the next run looks for it."""
    os.link(logs(folder)[0], folder.with_name("snapshot"))
    shutil.rmtree(folder)


RUINS = [delete, move, make_anew, delete_the_log, delete_after_a_backup_of_links]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.mark.parametrize("ruin", RUINS)
def test_nothing_is_written_that_the_next_run_would_not_find(folder: Path, ruin: Ruin) -> None:
    journal = Journal.open(folder)
    sending(journal, "K")
    ruin(folder)
    with pytest.raises(JournalError, match=r"deleted, moved or made anew.*Nothing was sent\.$"):
        journal.append(line("sending", "L"))
    with pytest.raises(JournalError, match="deleted, moved or made anew"):
        journal.claim("mine", "L")
    journal.close()


@pytest.mark.parametrize("ruin", RUINS)
def test_reading_raises_and_does_not_answer_that_there_is_nothing(folder: Path, ruin: Ruin) -> None:
    journal = Journal.open(folder)
    sending(journal, "K")
    ruin(folder)
    for question in (journal.check, journal.rows, lambda: journal.rows(clock.now()), lambda: journal.has("K")):
        with pytest.raises(JournalError, match="what was sent before cannot be told"):
            question()
    journal.close()


def test_a_folder_that_is_put_back_is_the_journal_again(folder: Path) -> None:
    journal = Journal.open(folder)
    sending(journal, "K")
    move(folder)
    with pytest.raises(JournalError):
        journal.rows()
    folder.with_name("elsewhere").rename(folder)
    sending(journal, "L")
    assert states(journal) == {"K": "sending", "L": "sending"}
    journal.close()


def test_an_outcome_is_written_to_a_log_that_was_moved_for_there_its_row_is(folder: Path) -> None:
    journal = Journal.open(folder)
    sending(journal, "K")
    move(folder)
    journal.record("done", "K")
    journal.close()
    assert state_in(folder.with_name("elsewhere")) == {"K": "done"}


def test_an_outcome_for_a_log_that_was_deleted_is_told_and_kept(folder: Path) -> None:
    journal, told = Journal.open(folder), list[str]()
    sending(journal, "K")
    delete(folder)
    journal._later.append((lambda: [line("done", "K")], lambda error: told.append(str(error))))
    journal.flush()
    assert ["was deleted" in text for text in told] == [True]
    assert journal.unwritten == 1
    with pytest.raises(JournalError, match="was deleted"):
        journal.record("closed", "K")
    journal.close()


def test_an_archive_that_was_there_and_is_gone_is_no_empty_one(folder: Path) -> None:
    left_by_a_dead_run(folder, ("sending", "K"))
    journal = Journal.open(folder)
    assert states(journal) == {"K": "unknown"}
    for file in folder.glob("archive.sqlite*"):
        file.unlink()
    with pytest.raises(JournalError, match=r"archive .* is gone"):
        journal.rows()
    journal.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a while")
def test_a_journal_that_may_not_be_read_is_no_empty_one(folder: Path) -> None:
    killed(Journal.open(folder))
    os.seteuid(65534)
    try:
        with pytest.raises(JournalError, match=r"cannot be read .*readable for this user"):
            read(folder)
    finally:
        os.seteuid(0)


def test_where_no_journal_was_begun_there_are_no_rows(folder: Path) -> None:
    assert read(folder).rows == {}
    assert not folder.exists()


def test_a_journal_that_cannot_be_locked_recovers_nothing_and_says_so(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").mkdir()
    with pytest.raises(JournalError, match="cannot be locked"):
        journal.recover()
    journal.close()


def test_a_run_that_has_ended_has_no_place_to_be_checked(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal")
    journal.close()
    shutil.rmtree(tmp_path / "journal")
    journal.check()
    assert not (tmp_path / "journal").exists()


def empty_the_log(folder: Path) -> None:
    """As a tool that rotates logs does, which copies a file and then empties it."""
    os.truncate(logs(folder)[0], 0)


def cut_the_log(folder: Path) -> None:
    os.truncate(logs(folder)[0], logs(folder)[0].stat().st_size - 1)


@pytest.mark.parametrize("cut", [empty_the_log, cut_the_log])
@pytest.mark.parametrize("rows", [0, 2])
def test_a_log_that_was_cut_answers_nothing_and_takes_no_order(folder: Path, cut: Ruin, rows: int) -> None:
    journal = Journal.open(folder)
    for number in range(rows):
        sending(journal, f"K{number}")
    cut(folder)
    for question in (journal.check, journal.rows, journal.recover, lambda: journal.has("K0")):
        with pytest.raises(JournalError, match=r"was cut by somebody else.*What was sent before cannot be told"):
            question()
    with pytest.raises(JournalError, match=r"was cut .*Nothing was sent\.$"):
        journal.append(line("sending", "L"))
    with pytest.raises(JournalError, match="was cut"):
        journal.claim("mine", "L")
    assert "was cut" in str(journal.append_or_keep(line("sending", "a cancellation")))
    journal.close()


@pytest.mark.parametrize("when", ["open", "before the start"])
def test_an_archive_that_was_emptied_is_no_empty_one(folder: Path, when: str) -> None:
    left_by_a_dead_run(folder, ("sending", "K"))
    Journal.open(folder).close()
    journal = Journal.open(folder) if when == "open" else None
    for file in folder.glob("archive.sqlite?*"):
        file.unlink()
    os.truncate(folder / "archive.sqlite", 0)
    journal = journal or Journal.open(folder, must_write=False)
    for question in (journal.rows, lambda: journal.rows(clock.now()), lambda: journal.has("L"), lambda: read(folder)):
        with pytest.raises(JournalError, match=r"archive .* was emptied.*cannot be told: restore it"):
            question()
    if when != "open":
        with pytest.raises(JournalError, match="was emptied"):
            journal.append(line("sending", "L"))
    journal.close()
    with pytest.raises(JournalError, match="was emptied"):
        Journal.open(folder)
    assert (folder / "archive.sqlite").stat().st_size == 0
