"""One upload journal file, written by runs that live, end and are killed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gridwire import clock
from gridwire.errors import InvalidInput
from gridwire.intents import uploads as module
from gridwire.intents.journal import CRASHED, default_directory
from gridwire.intents.records import JournalError
from gridwire.intents.upload_records import AlreadySent, Finding, State, StepRefused, Upload
from gridwire.intents.uploads import Told, Uploads, default_path, read
from tests.intents.runs import descriptors, files_no_longer_than
from tests.intents.test_upload_records import OTHER, document

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "uploads.sqlite"


@pytest.fixture
def uploads(path: Path) -> Iterator[Uploads]:
    opened = Uploads.open(path)
    yield opened
    opened.close()


def started(uploads: Uploads, **changed: Any) -> Upload:
    return uploads.start(uploads.prepare(document(**changed)).ref)


def queued(uploads: Uploads, job_id: str = "J1", **changed: Any) -> Upload:
    return uploads.record(started(uploads, **changed).ref, "queued", job_id=job_id)


def brought_to(uploads: Uploads, state: State, **changed: Any) -> Upload:
    """A new row in that state, by the shortest way."""
    if state == "prepared":
        return uploads.prepare(document(**changed))
    row = started(uploads, **changed)
    ways: dict[State, tuple[Told, ...]] = {
        "sending": (), "queued": ("queued",), "processing": ("queued", "processing"), "refused": ("refused",),
        "succeeded": ("queued", "succeeded"), "failed": ("queued", "failed"), "not_sent": ("not_sent",),
        "unknown": ("unknown",), "expired": ("queued", "expired"), "resolved_absent": ("unknown",),
        "resolved_present": ("unknown",), "withdrawn": ("queued", "succeeded"),
    }  # fmt: skip
    for step in ways[state]:
        row = uploads.record(row.ref, step, job_id=f"J-{row.ref}" if step == "queued" else None)
    findings: dict[State, Finding] = {"resolved_absent": "absent", "resolved_present": "present"}
    if state in findings:
        return uploads.resolve(row.ref, findings[state], by="Иванова", note="смотрела на портале")
    if state == "withdrawn":
        return uploads.deleted_by_support(row.ref, by="Иванова", note="письмо skts")
    return row


class TestWay:
    def test_a_document_goes_its_way_and_every_step_is_kept(self, uploads: Uploads) -> None:
        at = [NOON + timedelta(minutes=n) for n in range(5)]
        row = uploads.prepare(document(), at=at[0])
        assert (row.state, row.attempts, row.started, row.run) == ("prepared", 0, None, uploads.run)
        assert row.ref.startswith("20261201-")
        row = uploads.start(row.ref, at=at[1])
        assert (row.state, row.attempts, row.started, row.answered) == ("sending", 1, at[1], None)
        row = uploads.record(row.ref, "queued", job_id="J1", answer='{"job": "J1"}', at=at[2])
        assert (row.state, row.job_id, row.answered, row.answer) == ("queued", "J1", at[2], '{"job": "J1"}')
        uploads.record(row.ref, "processing", at=at[3])
        row = uploads.record(row.ref, "succeeded", answer="Подписан".encode(), note="Подписан", at=at[4])
        assert (row.state, row.answer, row.note, row.changed) == ("succeeded", "Подписан", "Подписан", at[4])
        assert uploads.get(row.ref) == row
        assert uploads.rows() == [row]
        steps = uploads.history(row.ref)
        assert [(step.before, step.state) for step in steps] == [
            (None, "prepared"), ("prepared", "sending"), ("sending", "queued"), ("queued", "processing"),
            ("processing", "succeeded"),
        ]  # fmt: skip
        assert [step.at for step in steps] == at
        assert {step.run for step in steps} == {uploads.run}

    def test_what_is_on_disk_is_what_was_said(self, uploads: Uploads, path: Path) -> None:
        row = queued(uploads)
        assert read(path) == [row]

    def test_time_is_now_unless_given_and_never_goes_back(self, uploads: Uploads) -> None:
        with clock.use(lambda: NOON):
            row = queued(uploads)
        assert (row.created, row.started, row.answered, row.changed) == (NOON, NOON, None, NOON)
        row = uploads.record(row.ref, "processing", at=NOON - timedelta(hours=1))
        assert row.changed == NOON

    def test_following_a_job_again_notes_the_time_and_makes_no_step(self, uploads: Uploads) -> None:
        row = queued(uploads)
        again = uploads.record(row.ref, "queued", job_id="J1", answer="still there", at=NOON + timedelta(days=999))
        assert (again.state, again.changed, again.answer) == ("queued", row.changed, "still there")
        assert again.answered == NOON + timedelta(days=999)
        assert len(uploads.history(row.ref)) == 3

    @pytest.mark.parametrize("state", ["queued", "processing", "succeeded", "failed", "expired"])
    def test_a_jobs_state_needs_a_job_id(self, uploads: Uploads, state: Told) -> None:
        row = brought_to(uploads, "unknown")
        with pytest.raises(InvalidInput, match="without a job id"):
            uploads.record(row.ref, state)
        assert uploads.record(row.ref, state, job_id="J9").job_id == "J9"

    def test_a_job_does_not_become_another_one(self, uploads: Uploads) -> None:
        row = queued(uploads)
        with pytest.raises(InvalidInput, match="is job J1, not J2"):
            uploads.record(row.ref, "processing", job_id="J2")
        assert uploads.get(row.ref) == row

    @pytest.mark.parametrize("state", ["prepared", "sending", "withdrawn", "resolved_absent", "nonsense"])
    def test_a_program_may_not_say_what_is_not_its_to_say(self, uploads: Uploads, state: Any) -> None:
        row = queued(uploads)
        with pytest.raises(InvalidInput, match="nothing that a program may say"):
            uploads.record(row.ref, state)

    def test_a_second_start_of_one_row_is_refused(self, uploads: Uploads) -> None:
        row = started(uploads)
        with pytest.raises(StepRefused, match="is sending and cannot become sending"):
            uploads.start(row.ref)

    @pytest.mark.parametrize(
        "state", sorted({"refused", "not_sent", "failed", "succeeded", "withdrawn", "resolved_absent"})
    )
    def test_what_is_settled_is_not_written_over(self, uploads: Uploads, state: State) -> None:
        row = brought_to(uploads, state)
        takes_back = state in ("failed", "resolved_absent")  # a job that lives outranks both
        for told in ("unknown", "refused", "not_sent", "expired" if takes_back else "processing"):
            if told != state:
                with pytest.raises(StepRefused):
                    uploads.record(row.ref, told, job_id=row.job_id or "J")
        assert uploads.get(row.ref) == row

    @pytest.mark.parametrize("state", ["failed", "resolved_absent"])
    @pytest.mark.parametrize("told", ["queued", "processing", "succeeded"])
    def test_a_job_that_lives_after_all_stands_in_the_way_again(
        self, uploads: Uploads, state: State, told: Any
    ) -> None:
        row = brought_to(uploads, state)
        assert uploads.check(row.document) is None
        uploads.record(row.ref, told, job_id=row.job_id or "J")
        found = uploads.check(row.document)
        assert found is not None
        assert found.upload.ref == row.ref
        assert [step.state for step in uploads.history(row.ref)][-2:] == [state, told]

    def test_a_job_that_is_known_again_is_no_longer_expired(self, uploads: Uploads) -> None:
        row = brought_to(uploads, "expired")
        assert uploads.record(row.ref, "succeeded").state == "succeeded"

    def test_answers_are_cut_and_show_no_secret(self, uploads: Uploads) -> None:
        row = started(uploads)
        row = uploads.record(
            row.ref, "unknown", answer="sid=Ключ&1 token=abc " + "x" * 9000, note="sid Ключ&1", secrets=["Ключ&1"]
        )
        assert row.answer.startswith("sid=*** token=***")
        assert len(row.answer) < 2100
        assert row.note == "sid ***"
        assert "Ключ" not in str(uploads.history(row.ref))


class TestDuplicates:
    @pytest.mark.parametrize(
        "state", ["sending", "queued", "processing", "succeeded", "unknown", "expired", "resolved_present"]
    )
    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({}, "same_bytes"),
            ({"account": "petrov", "exact_sha256": "c" * 64}, "same_content"),
            ({"exact_sha256": "c" * 64, "canonical_sha256": "d" * 64}, "same_object_and_period"),
        ],
    )
    def test_what_may_be_there_is_not_sent_again(
        self, uploads: Uploads, state: State, changed: dict[str, str], reason: str
    ) -> None:
        first = brought_to(uploads, state)
        found = uploads.check(document(**changed))
        assert found is not None
        assert (found.upload, found.reason) == (first, reason)
        second = uploads.prepare(document(**changed))
        with pytest.raises(AlreadySent) as caught:
            uploads.start(second.ref)
        assert caught.value.obstacle == found
        assert uploads.get(second.ref) == second

    @pytest.mark.parametrize("state", ["prepared", "failed", "refused", "not_sent", "resolved_absent", "withdrawn"])
    def test_what_is_not_there_may_be_sent_again(self, uploads: Uploads, state: State) -> None:
        brought_to(uploads, state)
        assert uploads.check(document()) is None
        assert started(uploads).attempts == 1 + (state != "prepared")

    def test_another_document_and_another_installation_are_free(self, uploads: Uploads) -> None:
        started(uploads)
        assert started(uploads, **OTHER).attempts == 1
        assert started(uploads, venue="siooi/other").attempts == 1

    def test_the_index_holds_what_the_check_promises(self, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
        started(uploads)
        second = uploads.prepare(document())
        monkeypatch.setattr(module, "_obstacles", lambda *_: [])
        with pytest.raises(JournalError, match="UNIQUE constraint failed"):
            uploads.start(second.ref)
        assert uploads.get(second.ref) == second


class TestForce:
    @pytest.mark.parametrize("said", [{"force": True}, {"i_accept_duplicate": True}])
    def test_one_of_the_two_words_is_refused(self, uploads: Uploads, said: dict[str, Any]) -> None:
        row = uploads.prepare(document())
        with pytest.raises(InvalidInput, match="only with both"):
            uploads.start(row.ref, **said)
        assert uploads.get(row.ref) == row

    def test_both_make_a_new_upload_that_says_what_it_was_sent_over(self, uploads: Uploads) -> None:
        first = brought_to(uploads, "unknown")
        second = uploads.prepare(document())
        second = uploads.start(second.ref, force=True, i_accept_duplicate=True, note="Петров: так решено")
        assert (second.state, second.forced_over, second.attempts) == ("sending", first.ref, 2)
        assert uploads.history(second.ref)[-1].note == "Петров: так решено"
        assert uploads.get(first.ref) == first

    def test_a_forced_one_stands_in_the_way_like_any_other(self, uploads: Uploads) -> None:
        first = brought_to(uploads, "unknown")
        second = uploads.start(uploads.prepare(document()).ref, force=True, i_accept_duplicate=True)
        uploads.record(second.ref, "queued", job_id="J2")
        uploads.resolve(first.ref, "absent", by="Иванова", note="нет на портале")
        found = uploads.check(document())
        assert found is not None
        assert found.upload.ref == second.ref

    def test_what_is_being_sent_at_this_moment_is_waited_for(self, uploads: Uploads) -> None:
        started(uploads)
        second = uploads.prepare(document())
        with pytest.raises(AlreadySent, match="Wait for it"):
            uploads.start(second.ref, force=True, i_accept_duplicate=True)

    def test_without_an_obstacle_it_is_no_forced_one(self, uploads: Uploads) -> None:
        row = uploads.start(uploads.prepare(document()).ref, force=True, i_accept_duplicate=True)
        assert row.forced_over is None


class TestPersons:
    @pytest.mark.parametrize("state", ["unknown", "expired"])
    @pytest.mark.parametrize("finding", ["absent", "present"])
    def test_a_person_settles_what_nobody_knows(self, uploads: Uploads, state: State, finding: Finding) -> None:
        row = uploads.resolve(brought_to(uploads, state).ref, finding, by=" Иванова ", note="на портале\n", at=None)
        assert (row.state, row.note) == (f"resolved_{finding}", "Иванова: на портале")
        assert (uploads.check(document()) is None) == (finding == "absent")

    @pytest.mark.parametrize("state", ["prepared", "sending", "queued", "succeeded", "failed", "resolved_absent"])
    def test_what_is_known_or_under_way_is_not_for_a_person_to_settle(self, uploads: Uploads, state: State) -> None:
        row = brought_to(uploads, state)
        with pytest.raises(StepRefused):
            uploads.resolve(row.ref, "absent", by="Иванова", note="нет")
        assert uploads.get(row.ref) == row

    def test_a_finding_has_two_values(self, uploads: Uploads) -> None:
        with pytest.raises(InvalidInput, match="absent or present"):
            uploads.resolve(brought_to(uploads, "unknown").ref, "maybe", by="x", note="y")  # type: ignore[arg-type]

    @pytest.mark.parametrize("said", [{"by": " ", "note": "x"}, {"by": "x", "note": ""}])
    def test_who_and_how_must_be_said(self, uploads: Uploads, said: dict[str, Any]) -> None:
        unknown, loaded = brought_to(uploads, "unknown"), brought_to(uploads, "succeeded", **OTHER)
        with pytest.raises(InvalidInput, match="is empty"):
            uploads.resolve(unknown.ref, "absent", **said)
        with pytest.raises(InvalidInput, match="is empty"):
            uploads.deleted_by_support(loaded.ref, **said)

    @pytest.mark.parametrize("state", ["succeeded", "resolved_present"])
    def test_after_support_deleted_it_the_corrected_document_may_be_sent(self, uploads: Uploads, state: State) -> None:
        loaded = brought_to(uploads, state)
        gone = uploads.deleted_by_support(
            loaded.ref, by="Иванова", note="письмо skts 14.12", at=NOON + timedelta(days=9999)
        )
        assert (gone.state, gone.note, gone.job_id) == ("withdrawn", "Иванова: письмо skts 14.12", loaded.job_id)
        assert gone.changed == NOON + timedelta(days=9999)
        assert uploads.history(gone.ref)[-1].note == gone.note
        corrected = started(uploads, exact_sha256="c" * 64, canonical_sha256="d" * 64)
        assert (corrected.supersedes, corrected.attempts) == (gone.ref, 2)
        with pytest.raises(StepRefused):
            uploads.deleted_by_support(gone.ref, by="x", note="y")

    def test_the_last_withdrawn_one_is_named(self, uploads: Uploads) -> None:
        brought_to(uploads, "withdrawn")
        second = brought_to(uploads, "withdrawn")
        assert started(uploads).supersedes == second.ref


class TestLooking:
    def test_a_reference_may_be_shortened_to_look_and_not_to_change(self, uploads: Uploads) -> None:
        row = started(uploads)
        other = brought_to(uploads, "failed", **OTHER)
        shortest = next(row.ref[:n] for n in range(1, 99) if not other.ref.startswith(row.ref[:n]))
        assert uploads.get(shortest) == row
        with pytest.raises(InvalidInput, match="2 uploads begin with 2"):
            uploads.get("2")
        for unknown in ("", "nope", "%", "_"):
            with pytest.raises(InvalidInput, match="has no upload"):
                uploads.get(unknown)
        with pytest.raises(InvalidInput, match="has no upload"):
            uploads.record(row.ref[:-1], "unknown")

    def test_a_job_is_found_by_its_id_within_its_installation(self, uploads: Uploads) -> None:
        row = queued(uploads, "J1")
        assert uploads.by_job("siooi/test", "J1") == row
        assert uploads.by_job("siooi/other", "J1") is None
        assert uploads.by_job("siooi/test", "J2") is None
        later = uploads.record(brought_to(uploads, "unknown", **OTHER).ref, "queued", job_id="J1")
        assert uploads.by_job("siooi/test", "J1") == later

    def test_what_is_to_be_followed(self, uploads: Uploads) -> None:
        waiting = [
            queued(uploads, "J1"),
            uploads.record(queued(uploads, "J2", **OTHER).ref, "processing"),
            uploads.record(
                started(uploads, exact_sha256="1" * 64, canonical_sha256="2" * 64, period="p").ref,
                "unknown",
                job_id="J3",
            ),
        ]
        brought_to(uploads, "unknown", exact_sha256="3" * 64, canonical_sha256="4" * 64, period="q")
        brought_to(uploads, "succeeded", exact_sha256="5" * 64, canonical_sha256="6" * 64, period="r")
        assert {row.ref for row in uploads.pending("siooi/test")} == {row.ref for row in waiting}
        assert uploads.pending("siooi/other") == []
        assert uploads.pending("siooi/test", "petrov") == []
        assert len(uploads.pending("siooi/test", "ivanov")) == 3

    def test_the_usual_place_is_beside_the_journal(self) -> None:
        assert default_path() == default_directory() / "uploads.sqlite"

    def test_reading_where_nothing_is_makes_nothing(self, tmp_path: Path) -> None:
        assert read(tmp_path / "none.sqlite") == []
        assert list(tmp_path.iterdir()) == []


class TestRuns:
    def test_what_a_dead_run_was_sending_is_unknown(self, path: Path) -> None:
        dead = Uploads.open(path)
        row = started(dead)
        settled = queued(dead, **OTHER)
        dead._abandon()
        live = Uploads.open(path)
        assert [(one.ref, one.state, one.note) for one in live.recovered] == [(row.ref, "unknown", CRASHED)]
        assert live.get(row.ref).started == row.started
        assert live.get(settled.ref) == settled
        assert live.history(row.ref)[-1].run == live.run
        live.close()

    def test_what_a_live_run_is_sending_is_its_own(self, uploads: Uploads, path: Path) -> None:
        row = started(uploads)
        other = Uploads.open(path)
        assert other.recovered == []
        assert other.recover() == []
        assert other.get(row.ref) == row
        assert uploads.recover() == []
        other.close()

    def test_a_closed_run_is_a_dead_one(self, path: Path) -> None:
        first = Uploads.open(path)
        row = started(first)
        first.close()
        first.close()
        first._abandon()  # as in a forked child
        second = Uploads.open(path)
        assert [one.ref for one in second.recovered] == [row.ref]
        second.close()

    def test_an_ended_run_sends_nothing_but_may_note_an_answer(self, path: Path) -> None:
        ended = Uploads.open(path)
        row, waiting = started(ended), ended.prepare(document(**OTHER))
        ended.close()
        with pytest.raises(JournalError, match=r"has ended.*Nothing was sent"):
            ended.prepare(document())
        with pytest.raises(JournalError, match=r"has ended.*Nothing was sent"):
            ended.start(waiting.ref)
        assert ended.record(row.ref, "queued", job_id="J1").state == "queued"

    def test_locks_of_dead_runs_are_cleared_away(self, path: Path) -> None:
        dead = Uploads.open(path)
        dead._abandon()
        live = Uploads.open(path)
        assert {lock.stem for lock in module._runs(path).glob("*.lock")} == {live.run}
        live.close()
        assert list(module._runs(path).glob("*.lock")) == []

    def test_nothing_stays_open_after_it(self, path: Path) -> None:
        before = descriptors()
        for _ in range(3):
            opened = Uploads.open(path)
            queued(opened, exact_sha256=os.urandom(32).hex(), canonical_sha256=os.urandom(32).hex(), period=opened.run)
            opened.recover()
            opened.close()
        assert descriptors() == before

    def test_others_on_the_machine_cannot_read_it(self, uploads: Uploads, path: Path) -> None:
        started(uploads)
        for file in (path, path.with_name("uploads.sqlite.runs"), path.parent):
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0


class TestTrouble:
    def test_a_disk_that_fills_up_refuses_the_sending_and_the_outcome(self, uploads: Uploads, path: Path) -> None:
        first, second = started(uploads), uploads.prepare(document(**OTHER))
        with files_no_longer_than(1):
            with pytest.raises(JournalError, match=r"^The upload journal .*Nothing is sent without it"):
                uploads.start(second.ref)
            with pytest.raises(JournalError, match="is not written down, and it stays in the way"):
                uploads.record(first.ref, "queued", job_id="J1")
            with pytest.raises(JournalError, match="Nothing was changed"):
                uploads.deleted_by_support(first.ref, by="x", note="y")
        assert [row.state for row in uploads.rows()] == ["sending", "prepared"]
        assert uploads.start(second.ref).state == "sending"

    def test_a_damaged_file_begins_no_run(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"no database " * 1000)
        before = descriptors()
        with pytest.raises(JournalError, match=r"is no journal or is damaged .*Nothing is sent without it"):
            Uploads.open(path)
        assert descriptors() == before
        assert list(module._runs(path).glob("*.lock")) == []

    def test_a_file_of_a_newer_program_is_left_alone(self, uploads: Uploads, path: Path) -> None:
        with uploads._transaction("BEGIN IMMEDIATE") as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (1,)
            connection.execute("PRAGMA user_version = 2")
        with pytest.raises(JournalError, match=r"newer gridwire\. Nothing is sent without it"):
            Uploads.open(path)

    def test_a_locked_file_sends_nothing(self, uploads: Uploads, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        row = uploads.prepare(document())
        monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0.01)
        with uploads._transaction("BEGIN IMMEDIATE"), pytest.raises(JournalError, match="locked by another program"):
            uploads.start(row.ref)
        assert uploads.start(row.ref).state == "sending"

    def test_a_file_taken_away_sends_nothing_and_is_not_made_anew(self, uploads: Uploads, path: Path) -> None:
        row = uploads.prepare(document())
        for file in path.parent.glob("uploads.sqlite*"):
            if file.is_file():
                file.unlink()
        with pytest.raises(JournalError, match=r"deleted, moved or made anew\. Nothing is sent"):
            uploads.start(row.ref)
        assert not path.exists()

    def test_a_place_that_cannot_be_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(JournalError, match="cannot be written or locked"):
            Uploads.open(tmp_path / "file" / "uploads.sqlite")

    def test_a_folder_that_is_gone_is_told_when_recovering(self, uploads: Uploads, path: Path) -> None:
        for lock in module._runs(path).iterdir():
            lock.unlink()
        module._runs(path).rmdir()
        with pytest.raises(JournalError, match="cannot be locked"):
            uploads.recover()


def test_a_file_that_cannot_be_looked_at_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(JournalError, match=r"cannot be read.*what was sent cannot be told"):
        read(tmp_path / "a")


@pytest.mark.parametrize("when", ["open", "before the start"])
def test_a_file_that_was_emptied_is_no_empty_one(path: Path, when: str) -> None:
    uploads = Uploads.open(path)
    row = started(uploads)
    other = uploads.prepare(document(object_key="other"))
    if when != "open":
        uploads.close()
    for file in path.parent.glob("uploads.sqlite-*"):
        file.unlink()
    os.truncate(path, 0)
    if when == "open":
        for work in (uploads.rows, lambda: uploads.start(other.ref), lambda: uploads.get(row.ref)):
            with pytest.raises(JournalError, match=r"was emptied, so what was sent cannot be told"):
                work()
        uploads.close()
    for opening in (
        lambda: Uploads.open(path),
        lambda: Uploads.open(path, must_write=False).rows(),
        lambda: read(path),
    ):
        with pytest.raises(JournalError, match=r"was emptied, so what was sent cannot be told.*restore it"):
            opening()
    assert path.stat().st_size == 0
