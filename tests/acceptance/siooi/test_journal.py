"""Golden tests 9 to 11 where they are decided: in the journal that all programs of a machine share.

Documents are real ones, hashed as they are before they are sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridwire.errors import InvalidInput
from gridwire.intents.upload_records import AlreadySent, Document, Reason, Upload
from gridwire.intents.uploads import Uploads, read
from gridwire.transport import xml
from tests.intents.runs import racing

SENT = '<?xml version="1.0" encoding="UTF-8"?><форма код="F1"><строка n="1"><ток>10.5</ток></строка></форма>'

SUBMIT = """
import sys
from pathlib import Path
from gridwire.intents.upload_records import AlreadySent
from gridwire.intents.uploads import Uploads
from tests.acceptance.siooi.test_journal import SENT, document
uploads = Uploads.open(Path(sys.argv[1]))
row = uploads.prepare(document(SENT))
print("ready", flush=True)
sys.stdin.readline()
try:
    uploads.start(row.ref)
    print("sends", flush=True)
except AlreadySent as refused:
    print("refused", refused.obstacle.reason, flush=True)
sys.stdin.readline()
"""


def document(text: str | bytes, *, object_key: str = "ПС 110 Южная", period: str = "2026-Q3") -> Document:
    found = xml.inspect(text.encode() if isinstance(text, str) else text)
    return Document(
        venue="siooi/simulator",
        account="robot@example.org",
        form="F1",
        object_key=object_key,
        period=period,
        exact_sha256=found.exact_sha256,
        canonical_sha256=found.canonical_sha256,
        size_bytes=found.size_bytes,
    )


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    opened = Uploads.open(tmp_path / "uploads.sqlite")
    yield opened
    opened.close()


def sent(uploads: Uploads, text: str | bytes = SENT, **about: str) -> Upload:
    return uploads.start(uploads.prepare(document(text, **about)).ref)


def test_G09_of_two_processes_that_submit_one_file_at_once_one_sends(tmp_path: Path) -> None:
    path = tmp_path / "uploads.sqlite"
    said = racing(SUBMIT, path, 2)
    assert sorted(said) == ["refused same_bytes\n", "sends\n"]
    assert sorted(row.attempts for row in read(path)) == [0, 1]


@pytest.mark.parametrize(
    ("again", "reason"),
    [
        (SENT, "same_bytes"),
        (SENT.replace("><", ">\n  <").replace('"1"', "'1'"), "same_content"),
        (SENT.replace("UTF-8", "windows-1251").encode("cp1251"), "same_content"),
        (SENT.replace("10.5", "10.6"), "same_object_and_period"),
    ],
)
def test_G10_reformatted_or_about_the_same_object_and_period_is_blocked(
    uploads: Uploads, again: str | bytes, reason: Reason
) -> None:
    first = sent(uploads)
    uploads.record(first.ref, "queued", job_id="J1")
    with pytest.raises(AlreadySent) as refused:
        sent(uploads, again)
    assert (refused.value.obstacle.reason, refused.value.obstacle.upload.ref) == (reason, first.ref)
    uploads.record(first.ref, "failed")
    assert sent(uploads, again).state == "sending"


def test_G10_reformatted_under_another_object_is_blocked_and_another_document_is_not(uploads: Uploads) -> None:
    sent(uploads)
    with pytest.raises(AlreadySent, match="same content"):
        sent(uploads, SENT.replace("><", "> <"), object_key="ПС 220")
    assert sent(uploads, SENT.replace("10.5", "10.6"), object_key="ПС 220").state == "sending"
    assert sent(uploads, SENT.replace("10.5", "10.7"), period="2026-Q4").state == "sending"


def test_G11_resolved_as_absent_it_may_be_sent_and_as_present_not(uploads: Uploads) -> None:
    lost = sent(uploads)
    uploads.record(lost.ref, "unknown", note="disconnected")
    with pytest.raises(AlreadySent, match="its answer was lost"):
        sent(uploads)
    uploads.resolve(lost.ref, "absent", by="Иванова", note="на портале нет")
    lost = sent(uploads)
    uploads.record(lost.ref, "unknown", note="timeout")
    uploads.resolve(lost.ref, "present", by="Иванова", note="на портале есть")
    with pytest.raises(AlreadySent, match="was found at the venue"):
        sent(uploads)


def test_G11_force_needs_the_second_word(uploads: Uploads) -> None:
    lost = sent(uploads)
    uploads.record(lost.ref, "unknown")
    again = uploads.prepare(document(SENT))
    with pytest.raises(InvalidInput, match="only with both"):
        uploads.start(again.ref, force=True)
    forced = uploads.start(again.ref, force=True, i_accept_duplicate=True)
    assert (forced.state, forced.forced_over, forced.attempts) == ("sending", lost.ref, 2)
    assert [step.state for step in uploads.history(forced.ref)] == ["prepared", "sending"]


def test_withdrawn_by_support_the_corrected_document_may_be_sent(uploads: Uploads) -> None:
    corrected = SENT.replace("10.5", "10.6")
    loaded = sent(uploads)
    uploads.record(loaded.ref, "queued", job_id="J1")
    uploads.record(loaded.ref, "succeeded", answer="Подписан")
    with pytest.raises(AlreadySent, match="have the venue's support delete it"):
        sent(uploads, corrected)
    uploads.deleted_by_support(loaded.ref, by="Иванова", note="письмо поддержки 14.12")
    assert sent(uploads, corrected).supersedes == loaded.ref
    assert uploads.get(loaded.ref).note == "Иванова: письмо поддержки 14.12"
