"""``gridwire pie parked`` shows what was parked, and has it handled again."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from gridwire import clock
from gridwire.cli.pie.parked import app
from gridwire.edsn_pie.settings import inbox_owner
from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.intents.inbox import Inbox, default_inbox
from gridwire.transport.amqp_message import dump
from tests.support.amqp_world import message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "inbox.sqlite"
    inbox = Inbox.open(place)
    inbox.store([(f"event-{number}", dump(message(number))) for number in (1, 2, 13)], at=clock.now())
    for number in (1, 2, 13):
        inbox.park(f"event-{number}", attempts=5, note="ValueError: cannot\tbe booked", at=clock.now())
    inbox.close()
    return place


def run(*words: str) -> None:
    typer.main.get_command(app).main(list(words), standalone_mode=False)


def test_the_list_shows_what_why_and_under_which_key(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("list", "--inbox", str(path))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1].split()[3:7] == ["ticket", "T-1", "5", "event-1"]
    assert lines[1].endswith("ValueError: cannot?be booked")


def test_the_list_names_the_zone_of_its_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "inbox.sqlite"
    inbox = Inbox.open(place)
    for number, month in ((1, 1), (2, 7)):
        at = datetime(2026, month, 1, 12, tzinfo=UTC)
        inbox.store([(f"event-{number}", dump(message(number)))], at=at)
        inbox.park(f"event-{number}", attempts=5, note="", at=at)
    inbox.close()
    run("list", "--inbox", str(place))
    _, winter, summer = capsys.readouterr().out.splitlines()
    assert winter.startswith("2026-01-01 13:00:00 CET ")
    assert summer.startswith("2026-07-01 14:00:00 CEST ")


def test_the_list_as_json_holds_no_body(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("list", "--json", "--inbox", str(path))
    printed = json.loads(capsys.readouterr().out)["parked"]
    assert [one["key"] for one in printed] == ["event-1", "event-2", "event-13"]
    assert set(printed[0]) == {"key", "what", "arrived", "parked", "failures", "why"}


def test_retry_takes_keys_and_their_beginnings(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("retry", "event-2", "event-13", "--inbox", str(path))
    assert capsys.readouterr().out.split() == ["event-2", "event-13"]
    inbox = Inbox.open(path)
    assert [kept.key for kept in inbox.parked()] == ["event-1"]
    assert {kept.key for kept in inbox.pending()} == {"event-2", "event-13"}
    inbox.close()
    run("retry", "--all", "--inbox", str(path))
    assert capsys.readouterr().out.split() == ["event-1"]
    run("retry", "--all", "--inbox", str(path))
    assert "Nothing is parked in " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("event-",), "3 parked notifications have keys that begin with event-"),
        (("other",), "No parked notification has the key other"),
        ((), "Name the keys"),
        (("event-1", "--all"), "Name the keys"),
    ],
)
def test_what_cannot_be_meant_changes_nothing(path: Path, words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        run("retry", *words, "--inbox", str(path))
    inbox = Inbox.open(path)
    assert len(inbox.parked()) == 3
    inbox.close()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name, value in (("ENVIRONMENT", "sandbox"), ("CLIENT_ID", "sa-1"), ("AMQP_ADDRESS", "pie.queue")):
        monkeypatch.setenv(f"GRIDWIRE_EDSN_PIE_{name}", value)
    return tmp_path / "state"


def test_an_inbox_that_was_never_made_holds_nothing(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = default_inbox(inbox_owner("sandbox", "sa-1", "pie.queue"))
    run("list")
    run("retry", "--all")
    printed = capsys.readouterr().err
    assert printed.count("Nothing is parked in ") == printed.count(f"{place.name}.") == 2
    assert not state.exists()
    with pytest.raises(InvalidInput, match="is not a file"):
        run("list", "--inbox", str(state / "other.sqlite"))


def test_the_inbox_that_is_set_is_the_one_that_is_looked_at(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRIDWIRE_EDSN_PIE_INBOX", str(path))
    run("retry", "event-2")
    monkeypatch.delenv("GRIDWIRE_EDSN_PIE_INBOX")
    config = tmp_path / "gridwire.toml"
    config.write_text(f"[edsn_pie]\ninbox = '{path}'\n")
    run("retry", "--config", str(config), "event-13")
    assert capsys.readouterr().out.split() == ["event-2", "event-13"]


def test_the_usual_inbox_is_that_of_the_account_and_queue(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for client in ("sa-1", "sa-2"):
        inbox = Inbox.open(default_inbox(inbox_owner("sandbox", client, "pie.queue")))
        inbox.store([(client, dump(message(1)))], at=clock.now())
        inbox.park(client, attempts=5, note="no", at=clock.now())
        inbox.close()
    run("retry", "--all")
    assert capsys.readouterr().out.split() == ["sa-1"]


@pytest.mark.parametrize("missing", ["ENVIRONMENT", "CLIENT_ID", "AMQP_ADDRESS"])
def test_which_inbox_is_meant_is_never_guessed(state: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.delenv(f"GRIDWIRE_EDSN_PIE_{missing}")
    with pytest.raises(ConfigurationError, match=f"GRIDWIRE_EDSN_PIE_{missing}"):
        run("list")


def test_a_damaged_entry_is_listed_with_the_others(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(path) as other:
        other.execute("UPDATE messages SET message = '{broken' WHERE key = 'event-1'")
    run("list", "--inbox", str(path), "--json")
    assert [one["what"] for one in json.loads(capsys.readouterr().out)["parked"]] == [
        "damaged",
        "ticket T-2",
        "ticket T-13",
    ]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """More than an inbox hands out at once, some of them stored in the same moment."""
    place = tmp_path / "many.sqlite"
    inbox = Inbox.open(place)
    inbox.store([(f"k{number:05}", dump(message(number))) for number in range(2500)], at=clock.now())
    inbox.store([("k99999", dump(message(0)))], at=clock.now() - timedelta(hours=1))
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE messages SET state = 'parked', arrived_us = arrived_us / 7 * 7")
    connection.close()
    inbox.close()
    return place


def test_the_list_shows_all_however_many(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("list", "--json", "--inbox", str(many))
    keys = [one["key"] for one in json.loads(capsys.readouterr().out)["parked"]]
    assert keys == ["k99999", *(f"k{number:05}" for number in range(2500))]
    run("list", "--inbox", str(many))
    assert len(capsys.readouterr().out.splitlines()) == 2502


def test_retry_finds_a_key_among_any_number_and_all_means_all(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("retry", "k02400", "--inbox", str(many))
    assert capsys.readouterr().out.split() == ["k02400"]
    with pytest.raises(InvalidInput, match="10 parked notifications have keys that begin with k0249"):
        run("retry", "k0249", "--inbox", str(many))
    with pytest.raises(InvalidInput, match="No parked notification has the key k02400"):
        run("retry", "k02400", "--inbox", str(many))
    run("retry", "k9", "--inbox", str(many))
    assert capsys.readouterr().out.split() == ["k99999"]
    run("retry", "--all", "--inbox", str(many))
    printed = capsys.readouterr()
    assert len(printed.out.split()) == 2499
    assert "2499 will be handled again." in printed.err
    inbox = Inbox.open(many)
    assert inbox.parked() == []
    inbox.close()
