"""A caller's own references: given once in a whole journal, and not lost to a crash."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gridwire.intents.journal import Journal
from gridwire.intents.records import JournalError
from gridwire.intents.runs import alone
from tests.intents.runs import killed, sending


class TestReferences:
    def test_a_reference_is_given_once_in_the_whole_directory(self, tmp_path: Path) -> None:
        one, two = Journal.open(tmp_path), Journal.open(tmp_path)
        assert one.claim("mine", "K")
        assert not one.claim("mine", "L")
        assert not two.claim("mine", "M")
        assert two.claim("another", "M")
        one.close()
        two.close()

    def test_a_reference_given_back_can_be_given_again(self, tmp_path: Path) -> None:
        one, two = Journal.open(tmp_path), Journal.open(tmp_path)
        one.release("mine")
        assert one.claim("mine", "K")
        one.release("mine")
        assert two.claim("mine", "L")
        assert not one.claim("mine", "M")
        one.close()
        two.close()

    @pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "ç\x00", "x" * 5000])
    def test_any_text_can_be_a_reference(self, tmp_path: Path, name: str) -> None:
        journal = Journal.open(tmp_path)
        assert journal.claim(name, "K")
        assert not journal.claim(name, "L")
        journal.close()
        files = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert {path.parent.parent for path in files if path.parent.parent != tmp_path.parent} <= {
            tmp_path, tmp_path / "refs",
        }  # fmt: skip

    def test_one_whose_run_died_before_it_wrote_anything_down_is_taken_over_once(self, tmp_path: Path) -> None:
        dead = Journal.open(tmp_path)
        assert dead.claim("mine", "K")
        killed(dead)
        one, two = Journal.open(tmp_path), Journal.open(tmp_path)
        assert one.claim("mine", "L")
        assert not two.claim("mine", "M")
        one.close()
        two.close()

    def test_it_is_taken_over_also_while_the_dead_runs_log_is_still_there(self, tmp_path: Path) -> None:
        live, dead = Journal.open(tmp_path), Journal.open(tmp_path)
        sending(dead, "other")
        assert dead.claim("mine", "K")
        assert not live.claim("mine", "L")
        killed(dead)
        assert live.claim("mine", "L")
        assert not live.claim("mine", "M")
        live.close()

    @pytest.mark.parametrize("moved", [True, False])
    def test_one_whose_row_was_written_stays_taken_whatever_became_of_it(self, tmp_path: Path, moved: bool) -> None:
        live, dead = Journal.open(tmp_path), Journal.open(tmp_path)
        dead.claim("mine", "K")
        sending(dead, "K", r="mine")
        killed(dead)
        if moved:
            live.recover()
        assert not live.claim("mine", "L")
        live.record("resolved_absent", "K")
        assert not live.claim("mine", "L")
        live.close()

    @pytest.mark.parametrize("moved", [True, False])
    def test_one_whose_row_may_be_in_a_damaged_line_stays_taken(self, tmp_path: Path, moved: bool) -> None:
        live, dead = Journal.open(tmp_path), Journal.open(tmp_path)
        dead.claim("mine", "K")
        with (tmp_path / "runs" / f"{dead.run}.log").open("ab") as file:
            file.write(b"this may have been its row\n")
        killed(dead)
        if moved:
            live.recover()
        assert not live.claim("mine", "L")
        live.close()

    def test_a_reservation_that_says_nothing_stays_taken(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        assert journal.claim("mine", "K")
        (reference,) = (path for path in (tmp_path / "refs").rglob("*") if path.is_file())
        reference.write_text("")
        assert not journal.claim("mine", "L")
        journal.close()

    def test_while_another_process_moves_rows_a_taken_one_stays_taken(self, tmp_path: Path) -> None:
        dead = Journal.open(tmp_path)
        assert dead.claim("mine", "K")
        killed(dead)
        journal = Journal.open(tmp_path)
        with alone(tmp_path / "lock"):
            assert not journal.claim("mine", "L")
        assert journal.claim("mine", "L")
        journal.close()

    def test_one_given_back_at_the_moment_it_is_looked_at_is_refused_and_free(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        assert not journal._claim_again(journal._reference("mine"), tmp_path / "nothing")
        assert journal.claim("mine", "K")
        journal.close()

    def test_a_disk_that_takes_no_reservation_refuses(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        shutil.rmtree(tmp_path / "refs")
        with pytest.raises(JournalError, match="cannot be written"):
            journal.claim("mine", "K")
        journal.close()

    def test_nothing_is_left_beside_the_reservation(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        journal.claim("mine", "K")
        journal.claim("mine", "L")
        journal.release("mine")
        assert [path for path in (tmp_path / "refs").rglob("*") if path.is_file()] == []
        journal.close()
