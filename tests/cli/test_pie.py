"""``gridwire pie`` against a simulator in another thread."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gridwire.cli.exits import ExitCode
from gridwire.cli.pie.reads import rows
from tests.cli.conftest import Cli, Running
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
