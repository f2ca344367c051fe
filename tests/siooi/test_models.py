from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from gridwire.intents.upload_records import Document, Upload
from gridwire.siooi.letters import deletion_request
from gridwire.siooi.models import FileError, JobRef, Prepared, intent_of, job_of

WHEN = datetime(2026, 12, 1, 21, 30, tzinfo=UTC)
DOCUMENT = Document("siooi/x", "robot@energo.example", "F101", "ТЭЦ-1", "2026-Q3", "a" * 64, "b" * 64, 42)
ROW = Upload("20261201-abcd", DOCUMENT, "queued", "run", WHEN, WHEN, started=WHEN, job_id="7", attempts=2)


def test_a_job_is_what_its_row_says() -> None:
    job = job_of(ROW)
    assert isinstance(job, JobRef)
    assert (job.ref, job.job_id, job.form_code, job.object_key, job.period) == (
        "20261201-abcd", "7", "F101", "ТЭЦ-1", "2026-Q3",
    )  # fmt: skip
    assert job.intent == intent_of(ROW)
    assert (job.intent.attempts, job.intent.created) == (2, WHEN)
    assert job_of(replace(ROW, job_id=None, started=None, attempts=0)).job_id == ""


def test_an_error_is_one_line() -> None:
    assert str(FileError("плохо", "E1", "/a", "3")) == "line 3 /a [E1]: плохо"
    assert str(FileError("плохо")) == "плохо"
    assert str(FileError(line="3")) == "line 3"
    assert str(FileError()) == ""


def test_a_summary_says_what_will_be_signed() -> None:
    prepared = Prepared(DOCUMENT, b"<r/>", validated=True)
    assert "schema    valid" in prepared.summary()
    assert "<r/>" not in repr(prepared)
    doubtful = Prepared(DOCUMENT, b"", validated=False, warning="loaded already")
    assert "NOT CHECKED" in doubtful.summary()
    assert doubtful.summary().endswith("held back loaded already")


def test_a_letter_names_what_support_needs_in_moscow_time() -> None:
    letter = deletion_request(ROW)
    for word in ("skts@ti-ees.ru", "F101", "ТЭЦ-1", "2026-Q3", "02.12.2026 00:30:00", "a" * 64, "20261201-abcd"):
        assert word in letter
    assert "Последний ответ системы (МСК): нет" in letter
    assert "не получен" in deletion_request(replace(ROW, job_id=None))
