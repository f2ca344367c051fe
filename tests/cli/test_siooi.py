"""``gridwire siooi`` against a simulator in another thread, in both languages and on poor terminals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import get_args

import pytest

from gridwire.cli.exits import ExitCode
from gridwire.cli.siooi import reasons
from gridwire.cli.siooi.words import _STATES, _WORDS, Words, language_of_locale
from gridwire.errors import AuthUnavailable
from gridwire.intents.upload_records import STATES, Reason
from gridwire.intents.uploads import default_path, read
from gridwire.observe.redact import mask
from gridwire.outcome import Cause, Rejected
from gridwire.sandbox.siooi import forms
from gridwire.siooi import Siooi
from gridwire.siooi.enums import JobState, ResultCode
from tests.cli.conftest import DEADLINE_S, Office, Ran, Terminal, finish, spawn, until

NAME = "F101__TPP-1__2026-Q3.xml"


@pytest.fixture
def box(siooi_box: Office) -> Office:
    return siooi_box


@pytest.fixture
def cli(siooi_cli: object) -> object:
    return siooi_cli


def ref_of(box: Office, cli: object) -> str:
    rows = json.loads(cli("journal", "--json").out)["uploads"]  # type: ignore[operator]
    return str(rows[-1]["ref"])


def test_prepare_shows_what_would_be_signed_and_sends_nothing(
    box: Office, cli: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRIDWIRE_SIOOI_PASSWORD")
    ran = cli("prepare", str(box.documents / NAME))  # type: ignore[operator]
    assert ran.code == ExitCode.DONE
    assert ran.out.splitlines()[0].split() == ["File", "Form", "Object", "Period", "Bytes", "Schema", "SHA-256"]
    assert ran.out.splitlines()[1].split()[:4] == [NAME, "F101", "TPP-1", "2026-Q3"]
    told = json.loads(cli("prepare", str(box.documents), "--json").out)  # type: ignore[operator]
    assert len(told["documents"]) == 4
    assert all(one["validated"] and one["blocked"] is None for one in told["documents"])
    assert len(box.venue.log) == 0


def test_a_folder_is_sent_after_one_list_and_followed(box: Office, cli: object) -> None:
    ran = cli("submit", str(box.documents), "--yes", "--wait", "--lang", "ru")  # type: ignore[operator]
    assert ran.code == ExitCode.DONE
    assert ran.out.count("в очереди") == 4
    assert ran.out.count("документ загружен (Подписан)") == 4
    assert len(box.venue.log.uploads()) == 4
    again = cli("submit", str(box.documents), "--yes", "--json")  # type: ignore[operator]
    assert again.code == ExitCode.DONE
    assert {(one["outcome"], one["already"]) for one in json.loads(again.out)["documents"]} == {
        ("accepted", "succeeded")
    }
    assert len(box.venue.log.uploads()) == 4
    listed = cli("journal", "--lang", "ru")  # type: ignore[operator]
    assert listed.out.count("загружено") == 4
    assert "Отправлено" in listed.out.splitlines()[0]


def test_without_yes_and_without_a_terminal_nothing_is_sent(box: Office, cli: object) -> None:
    ran = cli("submit", str(box.documents))  # type: ignore[operator]
    assert (ran.code, ran.out) == (ExitCode.BAD_INPUT, "")
    assert "needs --yes" in ran.err
    assert len(box.venue.log) == 0


def test_one_wrong_file_keeps_the_whole_folder_here(box: Office, cli: object, tmp_path: Path) -> None:
    folder = tmp_path / "документы"
    folder.mkdir()
    for name in ("TPP-1", "TPP-2"):
        content = forms.document(object_key=name, values=("1",) if name == "TPP-1" else ("много",))
        (folder / f"F101__{name}__2026-Q3.xml").write_bytes(content)
    ran = cli("submit", str(folder), "--yes")  # type: ignore[operator]
    assert ran.code == ExitCode.BAD_INPUT
    assert "line 5, /document/row[1]/wear[1]" in ran.err
    assert ran.err.endswith("Nothing was sent.\n")
    assert len(box.venue.log) == 0
    (folder / "без имени.xml").write_bytes(b"<a/>")
    assert "does not say what it is about" in cli("submit", str(folder), "--yes").err  # type: ignore[operator]
    assert cli("submit", str(tmp_path / "nowhere"), "--yes").code == ExitCode.BAD_INPUT  # type: ignore[operator]
    assert cli("submit", str(tmp_path), "--yes").code == ExitCode.BAD_INPUT  # type: ignore[operator]


def test_the_life_of_a_lost_document(box: Office, cli: object) -> None:
    box.venue.faults.add("drop_before_execute", operation="send")
    ran = cli("submit", str(box.documents / NAME), "--yes")  # type: ignore[operator]
    assert ran.code == ExitCode.UNKNOWN
    ref = ref_of(box, cli)
    assert f"gridwire siooi resolve {ref}" in ran.err.replace("\n", " ")
    again = cli("submit", str(box.documents / NAME), "--yes")  # type: ignore[operator]
    assert (again.code, again.err) == (ran.code, ran.err)
    for wrong in (
        ("resolve", ref),
        ("resolve", ref, "--as", "absent"),
        ("resolve", ref, "--as", "gone", "--note", "x"),
        ("resolve", ref, "--as", "absent", "--note", "x", "--deleted-by-support", "7"),
        ("resolve", "20000101", "--as", "absent", "--note", "x"),
        ("submit", str(box.documents / NAME), "--yes", "--force"),
    ):
        assert cli(*wrong).code == ExitCode.BAD_INPUT  # type: ignore[operator]
    settled = cli("resolve", ref[:12], "--as", "absent", "--note", "нет в кабинете", "--by", "Иванова", "--lang", "ru")  # type: ignore[operator]
    assert (settled.code, settled.err) == (ExitCode.DONE, f"Отправка {ref} закрыта: закрыто: нет в системе.\n")
    done = cli("submit", str(box.documents / NAME), "--yes", "--wait", "--json")  # type: ignore[operator]
    told = json.loads(done.out)
    assert told["results"][0]["result"] == "succeeded"
    ref = told["results"][0]["ref"]
    letter = cli("letter", ref)  # type: ignore[operator]
    assert letter.out.startswith("Кому: skts@ti-ees.ru\n")
    assert told["results"][0]["job_id"] in letter.out
    withdrawn = cli("resolve", ref, "--deleted-by-support", "обращение 4711", "--json")  # type: ignore[operator]
    assert json.loads(withdrawn.out)["state"] == "withdrawn"
    assert cli("submit", str(box.documents / NAME), "--yes").code == ExitCode.DONE  # type: ignore[operator]
    assert json.loads(cli("journal", "--json", "--state", "withdrawn").out)["uploads"][0]["ref"] == ref  # type: ignore[operator]
    assert cli("journal", "--state", "nowhere").code == ExitCode.BAD_INPUT  # type: ignore[operator]


def test_jobs_are_followed_by_the_next_command(box: Office, cli: object) -> None:
    assert cli("wait").err == "No job is under way.\n"  # type: ignore[operator]
    box.venue.knobs.queue_s = 3.0  # so that it is not over before it is waited for
    assert cli("submit", str(box.documents / NAME), "--yes").code == ExitCode.DONE  # type: ignore[operator]
    ref = ref_of(box, cli)
    assert cli("status", ref).out.startswith("job 1001: ")  # type: ignore[operator]
    assert json.loads(cli("status", ref, "--json").out)["ref"] == ref  # type: ignore[operator]
    ran = cli("wait", "--lang", "ru")  # type: ignore[operator]
    assert ran.code == ExitCode.DONE
    assert "Подписан" in ran.out
    assert json.loads(cli("wait", ref, "--json").out)["results"][0]["document_status"] == "Подписан"  # type: ignore[operator]
    assert cli("wait", "20000101-x").code == ExitCode.BAD_INPUT  # type: ignore[operator]
    box.venue.knobs.kept_s = 0.0  # the venue forgets it; the journal does not
    assert cli("wait", ref).code == ExitCode.DONE  # type: ignore[operator]
    assert json.loads(cli("status", ref, "--json").out)["state"] == "SUCCEEDED"  # type: ignore[operator]


def test_what_the_venue_finds_and_forgets(box: Office, cli: object, tmp_path: Path) -> None:
    bad = tmp_path / "F101__TPP-2__2026-Q3.xml"
    bad.write_bytes(forms.document(object_key="TPP-2", values=("много",)))
    os.environ.pop("GRIDWIRE_SIOOI_SCHEMAS")
    ran = cli("submit", str(bad), "--yes", "--wait", "--allow-unvalidated")  # type: ignore[operator]
    assert ran.code == ExitCode.REJECTED
    assert "5 /document/row[1]/wear[1] [SCHEMAV" in ran.err
    box.venue.knobs.kept_s = 0.0
    gone = cli("submit", str(box.documents / NAME), "--yes", "--wait", "--allow-unvalidated", "--lang", "ru")  # type: ignore[operator]
    assert gone.code == ExitCode.UNKNOWN
    assert "не более двух часов" in gone.err
    box.venue.knobs.run_s = 60
    other = box.documents / "F102__TPP-1__2026-Q3.xml"
    assert cli("submit", str(other), "--yes", "--allow-unvalidated").code == ExitCode.DONE  # type: ignore[operator]
    late = cli("wait", "--deadline", "1")  # type: ignore[operator]
    assert late.code == ExitCode.VENUE
    assert "has not ended yet" in late.err


def test_profiles_are_written_and_checked(cli: object, tmp_path: Path) -> None:
    file = tmp_path / "профиль.toml"
    assert cli("profile", "new", str(file)).code == ExitCode.DONE  # type: ignore[operator]
    assert cli("profile", "new", str(file)).code == ExitCode.BAD_INPUT  # type: ignore[operator]
    checked = cli("profile", "check", str(file), "--lang", "ru")  # type: ignore[operator]
    assert (checked.code, checked.out) == (ExitCode.SETUP, "")
    assert "остались значения из шаблона: base_url, source_note" in checked.err
    assert json.loads(cli("profile", "check", str(file), "--json").out)["untouched"] == ["base_url", "source_note"]  # type: ignore[operator]
    filled = file.read_text(encoding="utf-8").replace("письмо поддержки № … от …; проверил …", "письмо 7")
    file.write_text(filled.replace("https://host.example/api", "https://siooi.example/api"), encoding="utf-8")
    checked = cli("profile", "check", str(file), "--lang", "ru")  # type: ignore[operator]
    assert checked.code == ExitCode.DONE
    assert checked.out == (
        "my-installation: профиль полон. Он обращается к siooi.example, но не подтверждён: доступна только эта машина.\n"
    )
    assert json.loads(cli("profile", "check", "--json").out)["local"] is True  # type: ignore[operator]
    assert "ВОПРОСЫ" in cli("profile", "new").out  # type: ignore[operator]
    file.write_text(file.read_text().replace('job_id = { json = "/jobId" }', ""))
    wrong = cli("profile", "check", str(file))  # type: ignore[operator]
    assert wrong.code == ExitCode.SETUP
    assert "send.job_id: is missing" in wrong.err
    file.write_text(file.read_text().replace("/login", "login").replace('method = "GET"', 'method = "FETCH"'))
    said = cli("profile", "check", str(file)).err.splitlines()  # type: ignore[operator]
    assert said[0].startswith("Error: ")
    assert said[0].endswith(" cannot be used as a profile. Nothing was sent.")
    assert [line.split(":")[0] for line in said[1:]] == ["  login.path", "  send.job_id", "  status.method"]


def test_a_person_at_a_terminal_is_asked_once(box: Office) -> None:
    terminal = Terminal("siooi", "submit", str(box.documents), "--lang", "ru", columns=110)
    terminal.until("Отправить документов: 4")
    assert len(box.venue.log) == 0
    terminal.type("n\n")
    assert terminal.end() == ExitCode.INTERRUPTED
    assert len(box.venue.log) == 0
    terminal = Terminal("siooi", "submit", str(box.documents / NAME), "--wait", columns=110)
    terminal.until("Send 1 document(s) as clerk@energo.example?")
    terminal.type("y\n")
    assert terminal.end() == ExitCode.DONE
    assert "the document is loaded (Подписан)" in terminal.screen.replace("\r\n", " ").replace("  ", " ")
    assert len(box.venue.log.uploads()) == 1


@pytest.mark.parametrize(
    "poor",
    [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
)
def test_a_terminal_without_cyrillic_is_no_reason_to_fail(box: Office, poor: dict[str, str]) -> None:
    command = [
        sys.executable,
        "-m",
        "gridwire.cli",
        "siooi",
        "submit",
        str(box.documents),
        "--yes",
        "--wait",
        "--lang",
        "ru",
    ]
    ran = subprocess.run(command, env={**os.environ, **poor}, capture_output=True, text=True, timeout=DEADLINE_S)
    assert ran.returncode == 0, ran.stderr
    assert ran.out if hasattr(ran, "out") else ran.stdout.isascii()
    assert "dokument zagruzhen (Podpisan)" in ran.stdout
    assert len(box.venue.log.uploads()) == 4


def test_ctrl_c_during_an_upload_leaves_an_honest_journal(box: Office, cli: object) -> None:
    box.venue.faults.add("silence_after_execute", operation="send")
    process = spawn("siooi", "submit", str(box.documents / NAME), "--yes")
    until(box.venue.log.uploads, process)
    ran = finish(process, signal.SIGINT)
    assert ran.code == ExitCode.UNKNOWN
    assert "is not sent again" in ran.err
    rows = json.loads(cli("journal", "--json").out)["uploads"]  # type: ignore[operator]
    assert [row["state"] for row in rows] == ["unknown"]


def test_the_language_is_that_of_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    assert language_of_locale() == "ru"
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert language_of_locale() == "en"


def test_both_languages_say_everything() -> None:
    assert set(_STATES) == set(STATES) | {state.value for state in JobState}
    for english, russian in _WORDS.values():
        assert english
        assert russian
    assert Words("ru").state("expired") == "СРОК ИСТЁК"


def test_reasons_are_said_in_russian(box: Office, cli: object) -> None:
    path = str(box.documents / NAME)
    box.venue.faults.add("result", operation="send", result_code="203")
    refused = cli("submit", path, "--yes", "--lang", "ru")  # type: ignore[operator]
    assert refused.code == ExitCode.REJECTED
    assert "у учётной записи нет доступа к этому объекту" in refused.err
    box.venue.faults.add("html", operation="send", executed=True)
    lost = cli("submit", path, "--yes", "--lang", "ru")  # type: ignore[operator]
    assert lost.code == ExitCode.UNKNOWN
    assert "(ответ нельзя прочитать)" in lost.err
    again = cli("submit", path, "--yes", "--lang", "ru")  # type: ignore[operator]
    assert (again.code, again.err) == (lost.code, lost.err)
    forced = cli("submit", path, "--yes", "--force", "--i-accept-duplicate", "--json")  # type: ignore[operator]
    assert json.loads(forced.out)["documents"][0]["outcome"] == "accepted"
    (told,) = json.loads(cli("submit", path, "--yes", "--json").out)["documents"]  # type: ignore[operator]
    assert (told["outcome"], told["already"] in ("queued", "processing", "succeeded")) == ("accepted", True)
    corrected = box.documents / "corrected.xml"
    corrected.write_bytes(forms.document(values=("99",)))
    about = ("--form", "F101", "--object", "TPP-1", "--period", "2026-Q3")
    other = cli("submit", str(corrected), *about, "--yes", "--lang", "ru")  # type: ignore[operator]
    assert other.code == ExitCode.REJECTED
    assert "Уже есть документ за тот же период по тем же форме и объекту: " in other.err


def test_every_reason_has_a_russian_sentence() -> None:
    of_orders = {"system_error", "foreign_answer", "possibly_duplicate", "order_ended"}
    assert set(get_args(Cause)) - set(reasons._CAUSES) <= of_orders
    known = {code.value for code in ResultCode} - {"OK", "UNMAPPED", "JOB_NOT_FOUND"}
    assert known <= set(reasons._CODES)
    assert set(reasons._LIKENESS) == set(get_args(Reason))
    odd = Rejected("odd", "why", "guard")
    assert reasons.refusal(odd, Words("ru")) == reasons.refusal(odd, Words("en")) == "why"


def test_a_wrong_password_is_tried_once_by_any_number_of_commands(
    box: Office, cli: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDWIRE_SIOOI_PASSWORD", "Gizli&Söz")
    for _ in range(3):
        ran = cli("submit", str(box.documents / NAME), "--yes", "--lang", "ru")  # type: ignore[operator]
        assert ran.code == ExitCode.REJECTED
        assert "логин или пароль не приняты" in ran.err
    assert len(box.venue.log.calls("login")) == 1


def test_what_a_command_line_may_lack(
    box: Office, cli: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("prepare", str(box.documents), "--config", "none.toml").code == ExitCode.SETUP  # type: ignore[operator]
    assert cli("letter", "2000").code == ExitCode.BAD_INPUT  # type: ignore[operator]
    assert cli("status", "20000101-x").code == ExitCode.BAD_INPUT  # type: ignore[operator]
    assert cli("profile", "new", str(tmp_path / "none" / "p.toml")).code == ExitCode.SETUP  # type: ignore[operator]
    assert cli("journal", "--lang", "ru").err == f"В журнале {mask(str(default_path()))} нет таких отправок.\n"  # type: ignore[operator]
    lone = tmp_path / "отчёт.xml"
    lone.write_bytes(forms.document())
    named = ("--form", "F101", "--object", "TPP-1", "--period", "2026-Q3")
    assert cli("prepare", str(lone), *named).code == ExitCode.DONE  # type: ignore[operator]
    monkeypatch.delenv("GRIDWIRE_SIOOI_PROFILE")
    ran = cli("prepare", str(lone), *named)  # type: ignore[operator]
    assert ran.code == ExitCode.SETUP
    assert "gridwire siooi profile new" in ran.err
    assert cli("profile", "check").code == ExitCode.BAD_INPUT  # type: ignore[operator]


def test_an_upload_of_many_megabytes_tells_how_far_it_is(box: Office, cli: object, tmp_path: Path) -> None:
    large = tmp_path / "F101__TPP-1__2026-Q3.xml"
    large.write_bytes(forms.document(values=("1",) * 30_000))
    ran = cli("submit", str(large), "--yes")  # type: ignore[operator]
    assert ran.code == ExitCode.DONE
    assert f"sending {large.name}: 10 %" in ran.err
    assert f"sending {large.name}: 100 %" in ran.err


def test_ctrl_c_before_anything_left_does_not_blame_an_earlier_upload(box: Office, cli: object) -> None:
    box.venue.faults.add("drop_before_execute", operation="send")
    assert cli("submit", str(box.documents / NAME), "--yes").code == ExitCode.UNKNOWN  # type: ignore[operator]
    box.venue.registry.end_sessions()
    box.venue.faults.add("silence_before_execute", operation="login")
    process = spawn("siooi", "submit", str(box.documents / "F102__TPP-1__2026-Q3.xml"), "--yes")
    logins = len(box.venue.log.calls("login"))
    until(lambda: len(box.venue.log.calls("login")) > logins, process)
    ran = finish(process, signal.SIGINT)
    assert (ran.code, ran.out) == (ExitCode.INTERRUPTED, "")
    assert "may be in the venue" not in ran.err


def rest_of(ran: Ran) -> list[str]:
    """The files that a command lists as not sent."""
    return [line.partition(" ")[0] for line in ran.err.splitlines() if line.endswith(" was not sent.")]


def test_ctrl_c_between_two_uploads_lists_what_left_and_what_did_not(box: Office, cli: object) -> None:
    process = spawn("siooi", "submit", str(box.documents), "--yes")
    until(box.venue.log.uploads, process)
    until(lambda: [row for row in read(default_path()) if row.state == "queued"], process)
    ran = finish(process, signal.SIGINT)
    files = sorted(path.name for path in box.documents.iterdir())
    sent = len(box.venue.log.uploads())
    assert (ran.code, sent < 4) == (ExitCode.INTERRUPTED, True)
    assert "Interrupted." in ran.err
    assert ran.out.count("is in the queue") == sent
    assert rest_of(ran) == files[sent:]


def test_ctrl_c_while_the_second_answer_is_outstanding_tells_of_every_document(box: Office, cli: object) -> None:
    box.venue.faults.add("result", operation="send", result_code="203", executed=False)
    box.venue.faults.add("silence_after_execute", operation="send")
    process = spawn("siooi", "submit", str(box.documents), "--yes", "--json")
    until(box.venue.log.uploads, process)
    ran = finish(process, signal.SIGINT)
    assert ran.code == ExitCode.UNKNOWN
    told = json.loads(ran.out)["documents"]
    assert [one["outcome"] for one in told] == ["rejected", "unknown", "not_sent", "not_sent"]
    assert len(rest_of(ran)) == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [(RuntimeError("a surprise"), ExitCode.FAILED), (AuthUnavailable("no login now"), ExitCode.VENUE)],
)
def test_a_failure_half_way_is_said_with_what_it_leaves_undone(
    box: Office, cli: object, monkeypatch: pytest.MonkeyPatch, error: Exception, code: ExitCode
) -> None:
    submit, calls = Siooi.submit, list[object]()

    async def failing(*arguments: object, **more: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise error
        return await submit(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Siooi, "submit", failing)
    ran = cli("submit", str(box.documents), "--yes")  # type: ignore[operator]
    assert ran.code == code
    assert str(error) in ran.err
    assert ran.out.count("is in the queue") == len(box.venue.log.uploads()) == 2
    assert len(rest_of(ran)) == 2


@pytest.mark.parametrize("how", ["interrupt", "end"])
def test_ctrl_c_and_ctrl_d_at_the_question_are_a_no(box: Office, how: str) -> None:
    terminal = Terminal("siooi", "submit", str(box.documents), "--lang", "ru", columns=110)
    terminal.until("Отправить документов: 4")
    terminal.until("]: ")
    again = threading.Timer(1.0, terminal.process.send_signal, [signal.SIGINT])
    if how == "end":
        terminal.type("\x04")
    else:  # Python does not see a signal that comes just before it begins to read; a person presses Ctrl-C again
        again.start()
        terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == ExitCode.INTERRUPTED
    again.cancel()
    assert "Ничего не отправлено." in terminal.screen
    assert "Aborted" not in terminal.screen
    assert len(box.venue.log) == 0


def test_a_new_journal_is_named_and_an_empty_object_is_refused(box: Office, cli: object, tmp_path: Path) -> None:
    path, journal = str(box.documents / NAME), str(tmp_path / "typo.sqlite")
    first = cli("prepare", path, "--journal", journal)  # type: ignore[operator]
    assert "typo.sqlite is a new journal" in first.err
    assert "is a new journal" not in cli("prepare", path, "--journal", journal).err  # type: ignore[operator]
    assert "is a new journal" in cli("journal", "--journal", f"{journal}2").err  # type: ignore[operator]
    ran = cli("prepare", path, "--object", "")  # type: ignore[operator]
    assert ran.code == ExitCode.BAD_INPUT
    assert "does not say what it is about" in ran.err
