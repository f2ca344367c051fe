"""A caller's own references: given once in a whole journal, and not lost to a crash."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gridwire.intents.journal import Journal
from gridwire.intents.records import JournalError
from gridwire.intents.references import reference_file
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
        assert not journal._claim_again(reference_file(tmp_path, "mine"), tmp_path / "nothing")
        assert journal.claim("mine", "K")
        journal.close()

    def test_a_disk_that_takes_no_reservation_refuses(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        shutil.rmtree(tmp_path / "refs")
        with pytest.raises(JournalError, match=r"was deleted.*Open the client anew"):
            journal.claim("mine", "K")
        (tmp_path / "refs").write_text("")
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


class TestLostFolders:
    @pytest.fixture
    def used(self, tmp_path: Path) -> Path:
        """A journal with references of a live run, an ended one, and one whose call did not leave."""
        for end, state, note in (
            ("sent", "accepted", ""),
            ("refused", "rejected", "venue 7"),
            ("kept", "rejected", "wire x"),
        ):
            journal = Journal.open(tmp_path)
            assert journal.claim(end, end)
            sending(journal, end, r=end)
            journal.record(state, end, n=note)
            sending(journal, f"{end}-without")
            journal.close()
        return tmp_path

    @pytest.mark.parametrize("moved", [True, False])
    @pytest.mark.parametrize("whole", [True, False])
    def test_what_the_rows_say_stays_taken(self, used: Path, moved: bool, whole: bool) -> None:
        if moved:
            Journal.open(used).close()
        lost = [used / "refs"] if whole else [reference_file(used, name).parent for name in ("sent", "refused", "kept")]
        for folder in lost:
            shutil.rmtree(folder)
        (used / "refs").mkdir(exist_ok=True)
        reference_file(used, "sent").parent.with_suffix(
            ".new"
        ).mkdir()  # as if a program had died while it did the same
        journal = Journal.open(used)
        claimed = {name: journal.claim(name, "L") for name in ("sent", "refused", "kept", "new")}
        journal.close()
        assert claimed == {"sent": False, "refused": False, "kept": True, "new": True}
        assert len(list((used / "refs").iterdir())) == 256

    def test_those_of_a_live_run_too(self, tmp_path: Path) -> None:
        live = Journal.open(tmp_path)
        assert live.claim("mine", "K")
        sending(live, "K", r="mine")
        shutil.rmtree(reference_file(tmp_path, "mine").parent)
        with pytest.raises(JournalError, match=r"was deleted.*Open the client anew"):
            live.claim("mine", "L")
        other = Journal.open(tmp_path)
        assert not other.claim("mine", "M")
        assert not live.claim("mine", "M")
        other.close()
        live.close()


class TestLostLogs:
    @pytest.mark.parametrize("moved", [True, False])
    @pytest.mark.parametrize("left", ["nothing", "the last record"])
    def test_one_whose_row_is_nowhere_is_not_taken_over(self, tmp_path: Path, left: str, moved: bool) -> None:
        live, dead = Journal.open(tmp_path), Journal.open(tmp_path)
        assert dead.claim("mine", "K")
        sending(dead, "K", r="mine")
        sending(dead, "L")
        killed(dead)
        log = tmp_path / "runs" / f"{dead.run}.log"
        log.write_bytes(b"" if left == "nothing" else log.read_bytes().splitlines(keepends=True)[-1])
        if moved:
            live.recover()
        assert not live.claim("mine", "M")
        live.close()
        again = Journal.open(tmp_path)
        (told,) = again.damaged
        assert (told.run, told.ended) == (dead.run, True)
        assert told.lines == [(1, b"(the beginning of the log is lost)")]
        assert not again.claim("mine", "M")
        again.close()
