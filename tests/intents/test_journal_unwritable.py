"""A journal on a full disk or a read-only one: it can be read, nothing but cancellations may leave, and none is lost."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gridwire.errors import JournalError
from gridwire.intents.journal import AGAIN_S, Journal, line, read
from tests.intents.runs import files_no_longer_than, killed, logs, sending, state_in, states


def held_by_the_archive_and_a_dead_run(directory: Path) -> None:
    first = Journal.open(directory)
    sending(first, "archived")
    first.record("accepted", "archived", i="7")
    killed(first)
    second = Journal.open(directory)
    sending(second, "crashed")
    killed(second)


KNOWN = {"archived": "accepted", "crashed": "unknown"}


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """The directory as one sees it who may write nothing there, as on a disk that was mounted so."""
    kept = {path: path.stat().st_mode for path in (directory, *directory.rglob("*"))}
    for path in kept:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in kept.items():
            path.chmod(mode)


class TestReading:
    def test_a_full_disk_hides_nothing(self, tmp_path: Path) -> None:
        held_by_the_archive_and_a_dead_run(tmp_path)
        with files_no_longer_than(0):
            journal = Journal.open(tmp_path, must_write=False)
            found = states(journal), [row.key for row in journal.recovered], state_in(tmp_path)
        assert found == (KNOWN, ["crashed"], KNOWN)
        assert journal.trouble is not None
        journal.close()

    def test_a_disk_that_is_read_only_hides_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
            directory = Path(folder) / "journal"
            held_by_the_archive_and_a_dead_run(directory)
            Path(folder).chmod(0o755)
            with read_only(directory):
                journal = Journal.open(directory, must_write=False)
                found = states(journal), [row.key for row in journal.recovered], state_in(directory)
                with pytest.raises(JournalError, match=r"cannot be written .*Nothing was sent"):
                    sending(journal, "L")
            assert found == (KNOWN, ["crashed"], KNOWN)
            assert "cannot be written" in str(journal.trouble)
            journal.close()

    def test_one_that_must_be_written_is_refused(self, tmp_path: Path) -> None:
        held_by_the_archive_and_a_dead_run(tmp_path)
        before = logs(tmp_path)
        with files_no_longer_than(0), pytest.raises(JournalError, match="Nothing is sent without it"):
            Journal.open(tmp_path)
        assert logs(tmp_path) == before

    def test_a_place_where_no_journal_can_be_is_read_by_nobody(self, tmp_path: Path) -> None:
        (tmp_path / "a_file").touch()
        journal = Journal.open(tmp_path / "a_file", must_write=False)
        for question in (journal.check, journal.rows):
            with pytest.raises(JournalError, match="cannot be written or locked"):
                question()
        journal.close()


class TestWriting:
    def test_a_run_that_could_not_begin_begins_with_the_first_row_there_is_room_for(self, tmp_path: Path) -> None:
        held_by_the_archive_and_a_dead_run(tmp_path)
        with files_no_longer_than(0):
            journal = Journal.open(tmp_path, must_write=False)
            for _ in range(2):
                with pytest.raises(JournalError, match=r"Nothing was sent\.$"):
                    sending(journal, "K")
                with pytest.raises(JournalError):
                    journal.claim("mine", "K")
        with pytest.raises(JournalError):  # not tried at every order
            sending(journal, "K")
        journal._begin_at = 0.0
        assert journal.claim("mine", "K")
        sending(journal, "K")
        assert journal.trouble is None
        assert states(journal) == {**KNOWN, "K": "sending"}
        killed(journal)
        assert state_in(tmp_path) == {**KNOWN, "K": "unknown"}

    def test_after_its_end_it_begins_no_run(self, tmp_path: Path) -> None:
        (tmp_path / "a_file").touch()
        journal = Journal.open(tmp_path / "a_file", must_write=False)
        journal.close()
        (tmp_path / "a_file").unlink()
        for write in (journal.append, journal.append_or_keep):
            with pytest.raises(JournalError, match=r"has ended.*Nothing was sent"):
                write(line("sending", "K"))
        assert not (tmp_path / "a_file").exists()


class TestCancellations:
    async def test_a_row_that_could_not_be_written_is_written_when_there_is_room(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "bid")
        journal.record("accepted", "bid")
        with files_no_longer_than(logs(tmp_path)[0].stat().st_size + 20):
            why = journal.append_or_keep(line("sending", "cancel"))
            journal.soon(lambda: [line("closed", "bid"), line("done", "cancel")], lambda error: None)
            await asyncio.sleep(3 * AGAIN_S)
            assert journal.unwritten == 3
            known = states(journal), state_in(tmp_path)
        assert known == ({"bid": "closed", "cancel": "done"}, {"bid": "accepted"})  # this program knows better
        assert "full" in str(why)
        assert "sent" not in str(why)
        sending(journal, "next")
        assert states(journal) == {"bid": "closed", "cancel": "done", "next": "sending"}
        assert (journal.unwritten, read(tmp_path).damaged) == (0, 0)
        journal.close()

    async def test_it_is_written_also_if_nobody_writes_anything_more(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        with files_no_longer_than(0):
            assert journal.append_or_keep(line("sending", "cancel")) is not None
        await asyncio.sleep(AGAIN_S)
        assert states(journal) == {"cancel": "sending"}
        journal.close()

    async def test_it_is_written_once_a_run_can_begin(self, tmp_path: Path) -> None:
        place = tmp_path / "journal"
        place.touch()
        journal = Journal.open(place, must_write=False)
        assert "cannot be written" in str(journal.append_or_keep(line("sending", "cancel")))
        place.unlink()
        (place / "runs").mkdir(parents=True)
        assert states(journal) == {"cancel": "sending"}
        journal._begin_at = 0.0
        await asyncio.sleep(AGAIN_S)
        assert state_in(place) == {"cancel": "sending"}
        journal.close()

    def test_it_is_written_at_the_end(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        with files_no_longer_than(0):
            journal.append_or_keep(line("sending", "cancel"))
        journal.close()
        assert journal.unwritten == 0
        assert state_in(tmp_path) == {"cancel": "unknown"}

    def test_one_that_can_be_written_is_and_nothing_is_kept(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        assert journal.append_or_keep(line("sending", "cancel")) is None
        assert (states(journal), journal.unwritten) == ({"cancel": "sending"}, 0)
        journal.close()
