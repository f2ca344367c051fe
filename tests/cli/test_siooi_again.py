"""``gridwire siooi submit`` of what was submitted before: a cron job that starts again acts as the first one should have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridwire.cli.exits import ExitCode
from gridwire.intents.uploads import default_path, read
from gridwire.observe.redact import mask
from gridwire.sandbox.siooi import forms
from tests.cli.conftest import Office, Ran, finish, spawn, until
from tests.intents.runs import files_no_longer_than

NAME = "F101__TPP-1__2026-Q3.xml"
Cli = Callable[..., Ran]
NOT_THERE = {"en": "certainly not in the venue's queue", "ru": "в очереди системы точно нет"}


def states() -> list[str]:
    """Of the journal's rows that say something, oldest first."""
    return [row.state for row in read(default_path()) if row.state != "not_sent"]


@pytest.mark.parametrize("lang", ["en", "ru"])
@pytest.mark.parametrize(
    ("state", "code"), [("queued", ExitCode.DONE), ("succeeded", ExitCode.DONE), ("unknown", ExitCode.UNKNOWN)]
)
def test_a_second_submit_says_what_became_of_the_first_with_its_exit_code(
    siooi_box: Office, siooi_cli: Cli, state: str, code: ExitCode, lang: str
) -> None:
    path = str(siooi_box.documents / NAME)
    if state == "queued":
        siooi_box.venue.knobs.queue_s = 600.0
    if state == "unknown":
        siooi_box.venue.faults.add("drop_after_execute", operation="send")
    first = siooi_cli("submit", path, "--yes", "--lang", lang, *(["--wait"] if state == "succeeded" else []))
    assert (first.code, states()) == (code, [state])
    for _ in range(2):
        again = siooi_cli("submit", path, "--yes", "--lang", lang)
        assert again.code == code
        assert NOT_THERE[lang] not in again.out + again.err
        (ref,) = {row.ref for row in read(default_path())}
        assert ref in again.out + again.err
        (told,) = json.loads(siooi_cli("submit", path, "--yes", "--json").out)["documents"]
        assert (told["outcome"], told["already"], told["ref"]) == (
            "unknown" if state == "unknown" else "accepted", state, ref,
        )  # fmt: skip
    assert len(siooi_box.venue.log.calls("send")) == 1


def test_a_folder_run_after_a_restart_sends_the_rest_and_ends_with_what_is_worst(
    siooi_box: Office, siooi_cli: Cli
) -> None:
    names = sorted(path.name for path in siooi_box.documents.iterdir())
    siooi_box.venue.faults.add("drop_after_execute", operation="send")
    assert siooi_cli("submit", str(siooi_box.documents / names[0]), "--yes").code == ExitCode.UNKNOWN
    assert siooi_cli("submit", str(siooi_box.documents / names[1]), "--yes", "--wait").code == ExitCode.DONE
    ran = siooi_cli("submit", str(siooi_box.documents), "--yes", "--wait", "--json")
    assert ran.code == ExitCode.UNKNOWN
    told = json.loads(ran.out)
    assert [(Path(one["file"]).name, one["outcome"], one["already"]) for one in told["documents"]] == [
        (names[0], "unknown", "unknown"), (names[1], "accepted", "succeeded"), (names[2], "accepted", None),
        (names[3], "accepted", None),
    ]  # fmt: skip
    assert [one["result"] for one in told["results"]] == ["succeeded"] * 3
    assert len(siooi_box.venue.log.uploads()) == 4
    (lost,) = [row for row in read(default_path()) if row.state == "unknown"]
    assert siooi_cli("resolve", lost.ref, "--as", "present", "--note", "в кабинете есть").code == ExitCode.DONE
    assert siooi_cli("submit", str(siooi_box.documents), "--yes", "--wait").code == ExitCode.DONE
    assert len(siooi_box.venue.log.uploads()) == 4


def test_a_document_that_waits_in_the_queue_is_followed_by_the_next_run(siooi_box: Office, siooi_cli: Cli) -> None:
    siooi_box.venue.knobs.queue_s = 3.0
    assert siooi_cli("submit", str(siooi_box.documents / NAME), "--yes").code == ExitCode.DONE
    ran = siooi_cli("submit", str(siooi_box.documents / NAME), "--yes", "--wait")
    assert ran.code == ExitCode.DONE
    assert "was sent before, and is not sent again: queued, job 1001, upload " in ran.out
    assert "the document is loaded (Подписан)" in ran.out
    assert states() == ["succeeded"]


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_on_a_full_disk_what_was_sent_is_told_and_of_the_rest_nothing_is_claimed(
    siooi_box: Office, siooi_cli: Cli, lang: str
) -> None:
    path, other = str(siooi_box.documents / NAME), str(siooi_box.documents / "F102__TPP-1__2026-Q3.xml")
    assert siooi_cli("submit", path, "--yes").code == ExitCode.DONE
    with files_no_longer_than(0):
        known = siooi_cli("submit", path, "--yes", "--lang", lang)
        unsent = siooi_cli("submit", other, "--yes", "--lang", lang)
        listed = siooi_cli("journal", "--json")
    assert known.code == ExitCode.DONE
    assert (unsent.code, NOT_THERE[lang] in unsent.err) == (ExitCode.SETUP, False)
    assert [row["state"] for row in json.loads(listed.out)["uploads"]] == ["queued"]
    assert len(siooi_box.venue.log.calls("send")) == 1


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_while_another_program_sends_it_nobody_says_that_it_is_not_there(
    siooi_box: Office, siooi_cli: Cli, lang: str
) -> None:
    path = str(siooi_box.documents / NAME)
    siooi_box.venue.faults.add("silence_after_execute", operation="send")
    other = spawn("siooi", "submit", path, "--yes")
    until(siooi_box.venue.log.uploads, other)
    for force in ([], ["--force", "--i-accept-duplicate"]):
        ran = siooi_cli("submit", path, "--yes", "--lang", lang, *force)
        assert (ran.code, NOT_THERE[lang] in ran.err) == (ExitCode.UNKNOWN, False)
        assert ("is being sent at this moment" if lang == "en" else "отправляется в эту минуту") in ran.err
    other.kill()
    finish(other)
    ran = siooi_cli("submit", path, "--yes", "--lang", lang)  # the next run finds that the other one is dead
    assert (ran.code, states()) == (ExitCode.UNKNOWN, ["unknown"])
    assert len(siooi_box.venue.log.calls("send")) == 1


def test_another_document_about_the_same_and_the_same_under_another_name_are_not_taken(
    siooi_box: Office, siooi_cli: Cli, tmp_path: Path
) -> None:
    assert siooi_cli("submit", str(siooi_box.documents / NAME), "--yes").code == ExitCode.DONE
    corrected, renamed = tmp_path / "a" / NAME, tmp_path / "b" / "F101__HPP-7__2026-Q3.xml"
    for path, content in (
        (corrected, forms.document(values=("99",))),
        (renamed, (siooi_box.documents / NAME).read_bytes()),
    ):
        path.parent.mkdir()
        path.write_bytes(content)
        ran = siooi_cli("submit", str(path), "--yes")
        assert ran.code == ExitCode.REJECTED
        assert f"{path.name} was not taken." in ran.err
        assert "form F101, object TPP-1, period 2026-Q3" in ran.err
    said = siooi_cli("prepare", str(renamed)).err
    assert said.startswith("Note: F101__HPP-7__2026-Q3.xml: It would not be sent: ")


def test_what_the_venue_holds_already_is_not_said_to_be_missing(siooi_box: Office, siooi_cli: Cli) -> None:
    path = str(siooi_box.documents / NAME)
    siooi_box.venue.faults.add("drop_after_execute", operation="send")
    assert siooi_cli("submit", path, "--yes").code == ExitCode.UNKNOWN
    siooi_box.venue.knobs.refuses_duplicates = True
    answers: dict[str, Any] = {}
    for lang in ("en", "ru"):
        ran = siooi_cli("submit", path, "--yes", "--force", "--i-accept-duplicate", "--lang", lang)
        assert ran.code == ExitCode.REJECTED
        answers[lang] = ran.err
        assert NOT_THERE[lang] not in ran.err
    assert "the venue holds such a document already" in answers["en"]
    assert "такой документ в системе уже есть" in answers["ru"]


@pytest.mark.parametrize(("lang", "word"), [("en", "The journal"), ("ru", "Журнал")])
def test_the_journal_is_named_that_was_read(
    siooi_box: Office, siooi_cli: Cli, tmp_path: Path, lang: str, word: str
) -> None:
    path, other = str(siooi_box.documents / NAME), tmp_path / "другой.sqlite"
    assert siooi_cli("submit", path, "--yes").code == ExitCode.DONE
    listed = siooi_cli("journal", "--lang", lang)
    assert listed.err == f"{word} {mask(str(default_path()))}.\n"
    assert json.loads(siooi_cli("journal", "--json").out)["journal"] == str(default_path())
    (row,) = read(default_path())
    assert siooi_cli("prepare", path, "--journal", str(other)).code == ExitCode.DONE
    empty = siooi_cli("journal", "--journal", str(other), "--lang", lang)
    assert mask(str(other)) in empty.err
    assert json.loads(siooi_cli("journal", "--journal", str(other), "--json").out) == {
        "journal": str(other),
        "uploads": [],
    }
    assert (
        f"0 uploads in {mask(str(other))} begin with {row.ref}"
        in siooi_cli("letter", row.ref, "--journal", str(other)).err
    )
