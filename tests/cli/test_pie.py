"""``gridwire pie`` against a simulator in another thread."""

from __future__ import annotations

import base64
import json
import signal
from pathlib import Path

import pytest

from gridwire.cli.exits import ExitCode
from gridwire.cli.pie.listen import line_of, plain_of
from gridwire.cli.pie.reads import rows
from gridwire.edsn_pie.decoder import decode
from gridwire.transport.amqp_message import AmqpMessage
from tests.cli.conftest import Cli, Running, finish, in_shell, spawn
from tests.support.keys import pem, rsa_key


def test_a_ticket_is_shown_field_by_field(cli: Cli, pie: Running) -> None:
    ran = cli("pie", "ticket", "PIE-000001")
    assert ran.code == ExitCode.DONE
    assert ran.out.splitlines()[0].split() == ["Field", "Value"]
    assert "subject          Meetdata ontbreekt" in ran.out
    assert ran.err == ""
    told = json.loads(cli("pie", "ticket", "PIE-000001", "--json").out)
    assert (told["id"], told["ticket"]["subject"]) == ("PIE-000001", "Meetdata ontbreekt")


def test_comments_are_shown_one_after_the_other(cli: Cli, pie: Running) -> None:
    assert cli("pie", "comments", "PIE-000001").err == "Nobody has written a comment on PIE-000001.\n"
    for text in ("first\nline \x1b[31m", "second"):
        pie.venue.board.add_comment("PIE-000001", text)
    ran = cli("pie", "comments", "PIE-000001")
    assert ran.out.count("Field") == 2
    assert "first line ?[31m" in ran.out
    told = json.loads(cli("pie", "comments", "PIE-000001", "--json").out)
    assert [comment["text"] for comment in told["comments"]] == ["first\nline \x1b[31m", "second"]
    assert told["ticket_id"] == "PIE-000001"


def test_leaves_have_their_path() -> None:
    value = {"a": {"b": [1, {"c": None}]}, "d": True}
    assert list(rows(value)) == [("a.b[0]", "1"), ("a.b[1].c", "-"), ("d", "True")]


def test_what_is_not_there_and_what_may_not_be_asked(cli: Cli, pie: Running) -> None:
    ran = cli("pie", "ticket", "PIE-999999")
    assert (ran.code, ran.out) == (ExitCode.VENUE, "")
    assert ran.err.startswith("Error: There is no such ticket or comment for this service account (HTTP 404")
    ran = cli("pie", "ticket", "../x")
    assert ran.code == ExitCode.BAD_INPUT
    assert "Nothing was sent." in ran.err
    assert cli("pie", "ticket", "x", "--config", "nowhere.toml").code == ExitCode.SETUP


def test_doctor_finds_a_good_set_up_good(cli: Cli, pie: Running) -> None:
    ran = cli("pie", "doctor", "--json")
    assert ran.code == ExitCode.DONE
    told = json.loads(ran.out)
    assert told["ok"]
    found = {finding["name"]: (finding["state"], finding["text"]) for finding in told["findings"]}
    assert found["key"] == ("ok", "RSA, 2048 bits, signs by RS256")
    assert found["identity provider"] == ("ok", "reached (HTTP 404); clocks agree within 30 s")
    assert found["token"] == ("ok", "lives 900 s, scope 'roles'")
    assert found["claims"][1].endswith("further claims: number, organisation, padding, roles")
    assert "sub=pie-service-1" in found["claims"][1]
    assert "Voorbeeld" not in ran.out, "only the names of other claims are shown"
    assert found["api"][0] == "ok"
    assert found["queue"][0] == "ok"
    assert [call.operation for call in pie.venue.log] == ["token", ""], "no ticket was read"
    assert "identity provider" in cli("pie", "doctor").out


def test_doctor_says_what_is_wrong(cli: Cli, pie: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "other.pem"
    path.write_text(pem(rsa_key()))
    monkeypatch.delenv("GRIDWIRE_EDSN_PIE_PRIVATE_KEY")
    monkeypatch.setenv("GRIDWIRE_EDSN_PIE_PRIVATE_KEY_FILE", str(path))
    ran = cli("pie", "doctor")
    assert ran.code == ExitCode.FAILED
    assert "JWT is not valid" in ran.out
    path.write_text(pem(rsa_key(1024)))
    ran = cli("pie", "doctor")
    assert ran.code == ExitCode.FAILED
    assert "has 1024 bits" in ran.out


def test_listen_prints_each_notification_once(cli: Cli, pie: Running) -> None:
    ran = cli("pie", "listen", "--count", "2")
    assert ran.code == ExitCode.DONE
    assert [line.partition("  ")[2] for line in ran.out.splitlines()] == [
        "ticket PIE-000001 was created", "ticket PIE-000002 was created",
    ]  # fmt: skip
    assert "Listening; Ctrl-C ends it." in ran.err
    pie.venue.board.add_comment("PIE-000003", "hello")
    told = [json.loads(line) for line in cli("pie", "listen", "--count", "2", "--jsonl").out.splitlines()]
    assert [(one["kind"], one["ticket_id"], one["comment_id"]) for one in told] == [
        ("ticket_created", "PIE-000003", None), ("comment_created", "PIE-000003", "COM-000001"),
    ]  # fmt: skip
    assert {one["envelope"] for one in told} == {"structured"}
    assert all(one["time"].endswith("+00:00") for one in told)


def test_listen_ends_with_ctrl_c_and_loses_nothing(cli: Cli, pie: Running, tmp_path: Path) -> None:
    process = spawn("pie", "listen", "--jsonl", "--inbox", str(tmp_path / "inbox.sqlite"))
    assert process.stdout is not None
    seen = [json.loads(process.stdout.readline())["ticket_id"] for _ in range(3)]
    ended = finish(process, signal.SIGINT)
    assert ended.code == ExitCode.INTERRUPTED
    assert seen == ["PIE-000001", "PIE-000002", "PIE-000003"]
    assert (tmp_path / "inbox.sqlite").exists()
    assert cli("pie", "listen", "--inbox", str(tmp_path)).code == ExitCode.BAD_INPUT


_NO_ROOM = "Error: The result could not be written to stdout: No space left on device."


def test_what_cannot_be_printed_goes_back_and_is_no_failure(cli: Cli, pie: Running, tmp_path: Path) -> None:
    ended = in_shell(">/dev/full", "pie", "listen", "--count", "1")
    assert ended.code == ExitCode.FAILED
    assert "the handler raised" not in ended.err
    assert (
        f"{_NO_ROOM} The notification that was to be printed went back to the queue and will come again.\n" in ended.err
    )
    inbox = str(tmp_path / "inbox.sqlite")
    ended = in_shell(">/dev/full", "pie", "listen", "--count", "1", "--inbox", inbox)
    assert ended.code == ExitCode.FAILED
    assert f"{_NO_ROOM} The notification that was to be printed stays in the inbox for the next start.\n" in ended.err
    (line,) = cli("pie", "listen", "--count", "1", "--inbox", inbox).out.splitlines()
    assert line.endswith("ticket PIE-000001 was created")


def test_a_closed_stdout_takes_no_notification(cli: Cli, pie: Running) -> None:
    ended = in_shell(">&-", "pie", "listen", "--count", "1")
    assert (ended.code, ended.err) == (
        ExitCode.FAILED,
        "Error: The result could not be written to stdout: it is closed. Nothing was taken from the queue.\n",
    )
    assert [call.operation for call in pie.venue.log] == [], "it was refused before anything was asked"
    assert len(pie.venue.broker.queues["pie.voorbeeld-energie"].waiting) == 3
    ended = in_shell(">&-", "pie", "ticket", "PIE-000001", "--json")
    assert (ended.code, ended.err) == (
        ExitCode.FAILED,
        "Error: The result could not be written to stdout: it is closed.\n",
    )


def test_notes_never_come_among_the_data_where_stderr_is_closed(pie: Running) -> None:
    ended = in_shell("2>&-", "pie", "listen", "--count", "1", "--jsonl")
    assert ended.code == ExitCode.DONE
    assert [json.loads(line)["ticket_id"] for line in ended.out.splitlines()] == ["PIE-000001"]
    ended = in_shell("2>&-", "pie", "ticket", "PIE-999999")
    assert (ended.code, ended.out) == (ExitCode.VENUE, "")
    ended = in_shell("2>&-", "pie", "ticket", "PIE-999999", "--debug")
    assert (ended.code, ended.out) == (ExitCode.VENUE, "")


def test_what_ends_the_stream_is_said_once(cli: Cli, pie: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWIRE_EDSN_PIE_AMQP_ADDRESS", "pie.nowhere")
    ran = cli("pie", "listen", "--count", "1")
    assert ran.err.count("does not let us read the queue") == 1


def test_listen_without_a_broker_says_what_is_missing(cli: Cli, pie: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "TLS", "ADDRESS"):
        monkeypatch.delenv(f"GRIDWIRE_EDSN_PIE_AMQP_{name}")
    ran = cli("pie", "listen")
    assert (ran.code, ran.out) == (ExitCode.SETUP, "")
    assert "No broker is named" in ran.err


def test_what_read_only_refuses_is_a_matter_of_settings(
    cli: Cli, pie: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDWIRE_EDSN_PIE_READ_ONLY", "true")
    ran = cli("pie", "listen")
    assert (ran.code, ran.out) == (ExitCode.SETUP, "")
    assert "this client is read-only. Nothing was taken." in ran.err


def test_acceptance_is_called_test_here(cli: Cli, pie: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "What the venue calls acceptance is test here." in cli("pie", "doctor", "--environment", "acceptance").err
    monkeypatch.setenv("GRIDWIRE_EDSN_PIE_ENVIRONMENT", "acceptance")
    ran = cli("pie", "doctor")
    assert ran.code == ExitCode.SETUP
    assert "What the venue calls acceptance is test here." in ran.err


def test_what_was_not_understood_is_shown_whole() -> None:
    unknown = decode(AmqpMessage(b"\x1b[31m{odd\nends", message_id="m", properties={"n": 1, "b": b"\x00"}))
    assert line_of(unknown).splitlines() == [
        "-  something else: The body is not JSON.",
        "    ?[31m{odd",
        "    ends",
        """    properties: {"n": 1, "b": "b'\\\\x00'"}""",
    ]
    told = plain_of(unknown)
    assert (told["body"], told["properties"]) == ("\x1b[31m{odd\nends", {"n": 1, "b": "b'\\x00'"})
    assert "body_base64" not in told
    assert plain_of(decode(AmqpMessage(17)))["body"] == "17"
    comment = decode(AmqpMessage(b'{"commentId": "C"}'))
    assert line_of(comment) == "-  comment C was created"
    assert plain_of(comment)["ticket_id"] is None


def test_numbers_that_json_has_not_are_told_in_words() -> None:
    odd = {"a": float("nan"), "b": float("inf"), "c": float("-inf"), "d": 1.5}
    unknown = decode(AmqpMessage(b"?", message_id="m", properties=odd))
    told = json.loads(json.dumps(plain_of(unknown), allow_nan=False))
    assert told["properties"] == {"a": "nan", "b": "inf", "c": "-inf", "d": 1.5}
    assert line_of(unknown).endswith('properties: {"a": "nan", "b": "inf", "c": "-inf", "d": 1.5}')


def test_a_body_that_is_no_text_is_there_to_the_last_byte() -> None:
    body = bytes(range(256))
    unknown = decode(AmqpMessage(body))
    assert base64.b64decode(plain_of(unknown)["body_base64"]) == body
    first, *lines = line_of(unknown).splitlines()
    assert first.startswith("-  something else: ")
    assert base64.b64decode("".join(line[4:] for line in lines).removeprefix("base64: ")) == body
    assert max(map(len, lines)) == 164, "a long body is broken into lines"
    assert json.loads(json.dumps(plain_of(decode(AmqpMessage("\ud800")))))["body_base64"] == "7aCA"


def test_listen_prints_what_it_did_not_understand_before_it_takes_it(cli: Cli, pie: Running) -> None:
    queue = "pie.voorbeeld-energie"
    pie.do(lambda: pie.venue.broker.publish(queue, AmqpMessage(b"<ticket id='7'/>", message_id="x")))
    ran = cli("pie", "listen", "--count", "4")
    assert ran.out.splitlines()[3:] == ["-  something else: The body is not JSON.", "    <ticket id='7'/>"]
