"""The journal of one directory, written by runs that live, end and are killed."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from gridwire import clock
from gridwire.intents.archive import Archive
from gridwire.intents.journal import CRASHED, Journal, default_directory, line, read
from gridwire.intents.records import JournalError, Row, entries
from tests.intents.runs import (
    descriptors,
    files_no_longer_than,
    killed,
    left_by_a_dead_run,
    logs,
    path_of,
    sending,
    state_in,
    states,
)


def soon(journal: Journal, state: str, key: str) -> None:
    journal.soon(lambda: [line(state, key)], unexpected)


def unexpected(error: JournalError) -> None:
    raise error


class TestWriting:
    def test_a_row_is_on_disk_when_it_was_written(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "K", f={"price": "1.50"}, r=None)
        (path,) = logs(tmp_path)
        found, damaged = entries(path.read_bytes(), journal.run)
        assert damaged == 0
        assert [one.record["f"] for one in found] == [{"price": "1.50"}]
        assert "r" not in found[0].record
        journal.close()

    def test_only_this_user_may_read_it(self, tmp_path: Path) -> None:
        directory = tmp_path / "deep" / "journal"
        journal = Journal.open(directory)
        journal.claim("mine", "K")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        files = [path for path in directory.rglob("*") if path.is_file()]
        assert {path.name for path in files} >= {"lock", logs(directory)[0].name}
        assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files} == {0}
        journal.close()

    def test_several_records_are_one_write(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        journal = Journal.open(tmp_path)
        writes: list[bytes] = []
        real = os.write

        def write(descriptor: int, data: bytes) -> int:
            writes.append(bytes(data))
            return real(descriptor, data)

        monkeypatch.setattr(os, "write", write)
        journal.append(line("sending", "K"), line("sending", "L"))
        assert [data.count(b"\n") for data in writes] == [2]
        assert states(journal) == {"K": "sending", "L": "sending"}
        journal.close()

    async def test_what_was_put_off_is_written_within_two_milliseconds(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "K")
        sending(journal, "L")
        soon(journal, "accepted", "K")
        await asyncio.sleep(0.001)
        soon(journal, "rejected", "L")
        assert states(journal) == {"K": "sending", "L": "sending"}
        await asyncio.sleep(0.001)
        assert states(journal) == {"K": "accepted", "L": "rejected"}
        soon(journal, "closed", "K")
        await asyncio.sleep(0.002)
        assert states(journal) == {"K": "closed", "L": "rejected"}
        journal.close()

    async def test_what_was_put_off_comes_before_what_is_written_after_it(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "K")
        soon(journal, "accepted", "K")
        journal.record("closed", "K")
        assert states(journal) == {"K": "closed"}
        journal.close()

    async def test_what_was_put_off_is_written_once_by_flush_or_close(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "K")
        soon(journal, "accepted", "K")
        journal.flush()
        assert states(journal) == {"K": "accepted"}
        soon(journal, "closed", "K")
        journal.close()
        await asyncio.sleep(1.0)
        assert state_in(tmp_path) == {"K": "closed"}
        assert read(tmp_path).damaged == 0

    async def test_what_was_put_off_is_one_write_and_whoever_put_it_off_is_told_if_it_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "K")
        sending(journal, "L")
        told: list[tuple[str, str]] = []
        for key in ("K", "L"):
            journal.soon(lambda key=key: [line("done", key)], lambda error, key=key: told.append((key, str(error))))  # type: ignore[misc]
        writes: list[bytes] = []

        def full(descriptor: int, data: bytes) -> int:
            writes.append(data)
            raise OSError(errno.ENOSPC, "no space left")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            journal.flush()
        assert [data.count(b"\n") for data in writes] == [2]
        assert [key for key, _ in told] == ["K", "L"]
        assert "no space left" in told[0][1]
        assert state_in(tmp_path) == {"K": "sending", "L": "sending"}
        assert states(journal) == {"K": "done", "L": "done"}  # who could not write it knows it
        journal.close()

    def test_after_close_nothing_can_be_written_and_closing_again_is_nothing(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        journal.close()
        journal.close()
        with pytest.raises(JournalError, match="Nothing was sent"):
            sending(journal, "K")
        assert state_in(tmp_path) == {}

    def test_memory_does_not_grow_with_what_is_written(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        for n in range(50):
            sending(journal, str(n))
        held = [value for value in vars(journal).values() if isinstance(value, list | dict | set)]
        assert sum(map(len, held)) == 0
        journal.close()


class TestTrouble:
    def test_a_full_disk_refuses_the_row_and_spoils_no_other(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "before")
        size = logs(tmp_path)[0].stat().st_size
        with files_no_longer_than(size + 20):
            for expected in ("full", "cannot be written"):
                with pytest.raises(JournalError, match=expected) as raised:
                    sending(journal, "lost")
                assert "Nothing was sent" in str(raised.value)
        sending(journal, "after")
        journal.record("done", "before")
        assert states(journal) == {"before": "done", "after": "sending"}
        assert read(tmp_path).damaged == 0  # the half line was told of
        killed(journal)
        again = Journal.open(tmp_path)
        assert [row.key for row in again.recovered] == ["after"]
        assert again.damaged == []
        assert list((tmp_path / "runs").iterdir()) == logs(tmp_path)
        again.close()

    @pytest.mark.parametrize("room", [None, 0, 1, 30, 60, 90, 200])
    def test_an_outcome_that_could_not_be_written_is_written_before_what_comes_next(
        self, tmp_path: Path, room: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal, told = Journal.open(tmp_path), list[str]()
        sending(journal, "K")
        sending(journal, "L")
        size, write = logs(tmp_path)[0].stat().st_size, os.write

        def full(descriptor: int, data: bytes) -> int:
            """A disk with so much room left, or with an error."""
            left = -1 if room is None else size + room - logs(tmp_path)[0].stat().st_size
            if left <= 0:
                raise OSError(errno.ENOSPC, "no space left")
            return write(descriptor, data[:left])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            for key in ("K", "L"):
                journal._later.append((lambda key=key: [line("done", key)], lambda error: told.append(str(error))))  # type: ignore[misc]
                journal.flush()
            assert bool(told) == (room != 200)
            assert not any("sent" in text for text in told)  # an outcome is no sending
        sending(journal, "M")
        assert states(journal) == {"K": "done", "L": "done", "M": "sending"}
        assert read(tmp_path).damaged == 0
        journal.close()

    def test_an_outcome_that_could_not_be_written_is_written_at_the_end(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "K")
        with files_no_longer_than(logs(tmp_path)[0].stat().st_size):
            journal._later.append((lambda: [line("done", "K")], lambda error: None))
            journal.flush()
        journal.close()
        assert state_in(tmp_path) == {"K": "done"}

    def test_what_a_person_finds_out_is_no_sending_either(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "K")
        with files_no_longer_than(logs(tmp_path)[0].stat().st_size), pytest.raises(JournalError) as raised:
            journal.record("unknown", "K")
        assert "sent" not in str(raised.value)
        journal.close()

    def test_a_torn_last_line_is_nothing(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "K")
        with logs(tmp_path)[0].open("ab") as file:
            file.write(b'0123abcd {"s":"sen')
        killed(journal)
        again = Journal.open(tmp_path)
        assert states(again) == {"K": "unknown"}
        assert list((tmp_path / "runs").iterdir()) == logs(tmp_path)
        again.close()

    @pytest.mark.parametrize("where", ["a_file", "a_file/below"])
    def test_a_directory_that_cannot_be_is_refused(self, tmp_path: Path, where: str) -> None:
        (tmp_path / "a_file").touch()
        with pytest.raises(JournalError, match="Nothing is sent without it"):
            Journal.open(tmp_path / where)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_directory_that_may_not_be_written_is_refused(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(JournalError, match="make the directory writable"):
            Journal.open(tmp_path)

    def test_a_file_system_without_locks_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def unsupported(descriptor: int, how: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", unsupported)
        with pytest.raises(JournalError, match="local disk"):
            Journal.open(tmp_path)
        assert logs(tmp_path) == []

    def test_a_spoilt_archive_is_refused_and_leaves_no_run(self, tmp_path: Path) -> None:
        left_by_a_dead_run(tmp_path, ("sending", "K"))
        (tmp_path / "archive.sqlite").write_bytes(b"this is no database, and long enough to be looked at" * 100)
        with pytest.raises(JournalError, match="archive"):
            Journal.open(tmp_path)
        (tmp_path / "archive.sqlite").unlink()
        journal = Journal.open(tmp_path)
        assert states(journal) == {"K": "unknown"}
        assert logs(tmp_path) == [tmp_path / "runs" / f"{journal.run}.log"]
        journal.close()

    def test_nothing_stays_open_after_it(self, tmp_path: Path) -> None:
        before = descriptors()
        for _ in range(3):
            journal = Journal.open(tmp_path)
            journal.claim("mine", "K")
            journal.recover()
            journal.close()
        assert descriptors() == before


class TestPower:
    def test_each_line_and_each_new_file_is_on_the_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[str] = []
        monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(path_of(fd)))
        monkeypatch.setattr(os, "fsync", lambda fd: synced.append(path_of(fd)))
        journal = Journal.open(tmp_path, durability="power")
        assert synced == [str(tmp_path / "runs")]
        synced.clear()
        sending(journal, "K")
        assert synced == [str(logs(tmp_path)[0])]
        synced.clear()
        assert journal.claim("mine", "K")
        (reference,) = (path for path in (tmp_path / "refs").rglob("*") if path.is_file())
        assert [Path(path).parent for path in synced] == [reference.parent, tmp_path / "refs"]
        assert synced[0].startswith(str(reference))
        journal.close()

    def test_without_it_nothing_waits_for_the_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def wait(descriptor: int) -> None:
            raise AssertionError("waited for the disk")

        monkeypatch.setattr(os, "fdatasync", wait)
        monkeypatch.setattr(os, "fsync", wait)
        journal = Journal.open(tmp_path)
        sending(journal, "K")
        assert journal.claim("mine", "K")
        journal.close()

    def test_a_line_that_does_not_reach_the_disk_refuses_the_row(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = Journal.open(tmp_path, durability="power")

        def broken(descriptor: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "fdatasync", broken)
        with pytest.raises(JournalError, match="Input/output"):
            sending(journal, "K")
        killed(journal)

    def test_a_system_without_fdatasync_uses_fsync(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "fdatasync")
        journal = Journal.open(tmp_path, durability="power")
        sending(journal, "K")
        assert states(journal) == {"K": "sending"}
        journal.close()


class TestReading:
    def test_what_a_dead_run_left_in_sending_is_shown_as_unknown_and_nothing_is_changed(self, tmp_path: Path) -> None:
        dead, live = Journal.open(tmp_path), Journal.open(tmp_path)
        sending(dead, "K")
        sending(live, "L")
        assert state_in(tmp_path) == {"K": "sending", "L": "sending"}
        killed(dead)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert state_in(tmp_path) == {"K": "unknown", "L": "sending"}
        assert read(tmp_path).rows["K"].note == CRASHED
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        live.close()

    def test_a_log_that_has_gone_meanwhile_is_none(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        sending(journal, "K")
        (tmp_path / "runs" / "gone.log").symlink_to(tmp_path / "moved into the archive")
        assert state_in(tmp_path) == {"K": "sending"}
        assert not journal.has("L")
        journal.close()

    def test_where_the_lock_cannot_be_had_nobody_is_declared_dead(self, tmp_path: Path) -> None:
        dead = Journal.open(tmp_path)
        sending(dead, "K")
        killed(dead)
        (tmp_path / "lock").unlink()
        (tmp_path / "lock").mkdir()
        assert state_in(tmp_path) == {"K": "sending"}

    def test_a_key_is_found_in_live_and_dead_runs_and_in_the_archive(self, tmp_path: Path) -> None:
        first, second = Journal.open(tmp_path), Journal.open(tmp_path)
        sending(first, "K")
        assert [second.has(key) for key in ("K", "L")] == [True, False]
        killed(first)
        assert second.has("K")
        second.recover()
        assert logs(tmp_path) == [second._log(second.run)]
        assert [second.has(key) for key in ("K", "L")] == [True, False]
        second.close()


class TestDeadRuns:
    def test_what_a_dead_run_left_in_sending_is_unknown_and_told(self, tmp_path: Path) -> None:
        left_by_a_dead_run(tmp_path, ("sending", "K"), ("sending", "L"), ("accepted", "L"))
        journal = Journal.open(tmp_path)
        assert states(journal) == {"K": "unknown", "L": "accepted"}
        (row,) = journal.recovered
        assert (row.key, row.note) == ("K", CRASHED)
        assert logs(tmp_path) == [tmp_path / "runs" / f"{journal.run}.log"]
        journal.close()

    def test_a_closed_run_is_as_dead_as_a_killed_one(self, tmp_path: Path) -> None:
        first = Journal.open(tmp_path)
        sending(first, "K")
        first.close()
        second = Journal.open(tmp_path)
        assert states(second) == {"K": "unknown"}
        second.close()

    def test_a_live_runs_rows_are_not_touched(self, tmp_path: Path) -> None:
        live = Journal.open(tmp_path)
        sending(live, "K")
        for _ in range(3):
            other = Journal.open(tmp_path)
            assert other.recovered == []
            assert other.recover() == []
            assert states(other) == {"K": "sending"}
            other.close()
        live.record("accepted", "K", i="77")
        assert live.rows()[0].order_id == "77"
        live.close()

    def test_a_run_that_dies_later_is_found_by_recover(self, tmp_path: Path) -> None:
        journal, other = Journal.open(tmp_path), Journal.open(tmp_path)
        sending(other, "K")
        killed(other)
        assert states(journal) == {"K": "sending"}
        assert [row.key for row in journal.recover()] == ["K"]
        assert states(journal) == {"K": "unknown"}
        assert journal.recover() == []
        journal.close()

    def test_rows_left_unknown_are_told_at_every_start_until_they_are_settled(self, tmp_path: Path) -> None:
        # Another program, for another account perhaps, may have been the one that found the run dead.
        left_by_a_dead_run(tmp_path, ("sending", "K"), ("sending", "L"), ("unknown", "L"))
        for _ in range(2):
            journal = Journal.open(tmp_path)
            assert {row.key for row in journal.recovered} == {"K", "L"}
            journal.close()
        journal = Journal.open(tmp_path)
        journal.record("resolved_absent", "K")
        other = Journal.open(tmp_path)
        assert [row.key for row in other.recovered] == ["L"]
        other.close()
        journal.close()

    def test_an_unknown_of_a_live_run_is_its_own_affair(self, tmp_path: Path) -> None:
        live = Journal.open(tmp_path)
        sending(live, "K")
        live.record("unknown", "K", n="timeout")
        other = Journal.open(tmp_path)
        assert other.recovered == []
        assert states(other) == {"K": "unknown"}
        other.close()
        live.close()

    def test_another_run_can_settle_what_a_dead_one_left(self, tmp_path: Path) -> None:
        left_by_a_dead_run(tmp_path, ("sending", "K"))
        journal = Journal.open(tmp_path)
        journal.record("resolved_live", "K", n="seen in the depth")
        assert states(journal) == {"K": "resolved_live"}
        killed(journal)
        last = Journal.open(tmp_path)
        assert [(row.state, row.note) for row in last.rows()] == [("resolved_live", "seen in the depth")]
        assert last.recovered == []
        last.close()

    def test_a_run_that_spoke_of_a_live_runs_row_is_taken_over_all_the_same(self, tmp_path: Path) -> None:
        live = Journal.open(tmp_path)
        sending(live, "K")
        live.record("accepted", "K", i="77")
        left_by_a_dead_run(tmp_path, ("sending", "cancel"), ("closed", "K"), ("done", "cancel"), ("sending", "M"))
        journal = Journal.open(tmp_path)
        assert [row.key for row in journal.recovered] == ["M"]
        assert states(journal) == {"K": "closed", "cancel": "done", "M": "unknown"}
        killed(live)
        journal.recover()
        assert states(journal) == {"K": "closed", "cancel": "done", "M": "unknown"}
        assert Archive(tmp_path / "archive.sqlite").read().waiting == []
        journal.close()

    def test_a_run_that_spoke_of_a_row_that_is_nowhere_is_taken_over_all_the_same(self, tmp_path: Path) -> None:
        left_by_a_dead_run(tmp_path, ("sending", "cancel"), ("closed", "of another journal"), ("done", "cancel"))
        journal = Journal.open(tmp_path)
        assert states(journal) == {"cancel": "done"}
        assert len(logs(tmp_path)) == 1
        journal.close()

    def test_a_word_that_came_before_the_answer_waits_for_it(self, tmp_path: Path) -> None:
        live = Journal.open(tmp_path)
        sending(live, "K")
        left_by_a_dead_run(tmp_path, ("sending", "cancel"), ("closed", "K"), ("done", "cancel"))
        journal = Journal.open(tmp_path)
        assert states(journal)["K"] == "sending"
        live.record("accepted", "K")
        assert states(journal)["K"] == "closed"
        live.close()
        journal.close()

    def test_a_run_moved_twice_changes_nothing(self, tmp_path: Path) -> None:
        run = left_by_a_dead_run(
            tmp_path, ("sending", "K"), ("sending", "L"), ("sending", "L"), ("accepted", "L"), ("sending", "M")
        )
        copy = tmp_path / "copy"
        shutil.copy(logs(tmp_path)[0], copy)
        journal = Journal.open(tmp_path)
        journal.record("resolved_absent", "K")
        before = {row.key: row for row in journal.rows()}
        shutil.copy(copy, tmp_path / "runs" / f"{run}.log")  # as if the mover had died before it removed the log
        assert {row.key: row for row in journal.rows()} == before
        assert read(tmp_path).damaged == 0
        assert journal.recover() == []
        assert {row.key: row for row in journal.rows()} == before
        assert before["L"].attempts == 2
        assert not (tmp_path / "runs" / f"{run}.log").exists()
        journal.close()

    def test_a_clock_set_back_loses_nothing(self, tmp_path: Path) -> None:
        now = clock.now()
        with clock.use(lambda: now):
            left_by_a_dead_run(tmp_path, ("sending", "K"), ("accepted", "K"))
            Journal.open(tmp_path).close()
        with clock.use(lambda: now - timedelta(hours=1)):
            left_by_a_dead_run(tmp_path, ("sending", "cancel"), ("closed", "K"), ("done", "cancel"))
            journal = Journal.open(tmp_path)
        assert states(journal) == {"K": "closed", "cancel": "done"}
        journal.close()

    def test_old_rows_that_ended_are_left_out_when_only_recent_ones_are_asked_for(self, tmp_path: Path) -> None:
        left_by_a_dead_run(tmp_path, ("sending", "ended"), ("done", "ended"), ("sending", "open"), ("accepted", "open"))
        Journal.open(tmp_path).close()
        later = clock.now() + timedelta(seconds=1)
        with clock.use(lambda: later):
            journal = Journal.open(tmp_path)
            sending(journal, "new")
            journal.record("done", "new")
            assert [row.key for row in journal.rows(later)] == ["open", "new"]
            assert [row.key for row in journal.rows(later - timedelta(days=1))] == ["ended", "open", "new"]
            assert [row.key for row in journal.rows()] == ["ended", "open", "new"]
            journal.close()


def test_the_usual_place_is_below_the_users_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "gridwire" / "journal"


def test_an_empty_place_reads_as_nothing(tmp_path: Path) -> None:
    reading = read(tmp_path / "nowhere")
    assert (reading.rows, reading.waiting, reading.damaged) == ({}, [], 0)
    assert not (tmp_path / "nowhere").exists()


def test_rows_are_sorted_by_their_beginning(tmp_path: Path) -> None:
    base = clock.now()
    moments = iter([base + timedelta(seconds=n) for n in (0, 5, 6, 1, 2)])
    late, early = Journal.open(tmp_path), Journal.open(tmp_path)
    with clock.use(lambda: next(moments)):
        sending(early, "first")
        sending(late, "third")
        early.record("done", "first")
        sending(early, "second")
    rows: list[Row] = late.rows()
    assert [row.key for row in rows] == ["first", "third", "second"]
    assert [row.created for row in rows] == sorted(row.created for row in rows)
    late.close()
    early.close()
