"""``gridwire journal``: what was sent and what became of it, also after a crash, and what a person can say about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gridwire.cli.exits import ExitCode
from gridwire.intents.journal import Journal, line
from gridwire.observe.redact import mask
from tests.cli.conftest import Cli, Running
from tests.cli.test_stp import BUY

ACCOUNT = "sandbox/TRADER1"
BID = {"contract": "GG20261201", "direction": "BUY", "price": "100.00", "quantity": 10, "bid_status": "ACTIVE"}
NOTE = ("--note", "seen on the screen")


def sending(journal: Journal, key: str, operation: str = "bid_save", account: str = ACCOUNT, **fields: Any) -> None:
    journal.append(line("sending", key, v="epias_stp", a=account, o=operation, f={**BID, **fields}))


@pytest.fixture
def place(tmp_path: Path) -> str:
    (tmp_path / "j").mkdir()
    return str(tmp_path / "j")


def states(cli: Cli, place: str) -> dict[str, str]:
    rows = json.loads(cli("journal", "list", "--json", "--directory", place).out)["rows"]
    return {row["key"]: row["state"] for row in rows}


def left_unknown(place: str, *, operation: str, **fields: Any) -> None:
    """A bid ``B`` with the id 7, and an unknown call ``K`` about it, of a process that is gone."""
    journal = Journal.open(Path(place))
    sending(journal, "B")
    journal.record("accepted", "B", i="7")
    sending(journal, "K", operation, bid_id="7", **fields)
    journal.close()


def test_what_the_command_line_did_is_listed_and_shown(box: Running, cli: Cli) -> None:
    assert cli("stp", "bid", "save", box.contract, *BUY).code == ExitCode.DONE
    listed = cli("journal", "list").out.splitlines()
    assert listed[0].split() == ["sent", "account", "call", "state", "what", "bid", "client_ref", "key", "note"]
    assert "BUY 155" in listed[1]
    (row,) = json.loads(cli("journal", "list", "--json").out)["rows"]
    assert (row["state"], row["operation"], row["account"]) == ("accepted", "bid_save", ACCOUNT)
    shown = cli("journal", "show", row["key"][:8])
    assert shown.code == ExitCode.DONE
    assert row["key"] in shown.out
    assert "price 12000.50" in shown.out
    assert json.loads(cli("journal", "show", row["key"], "--json").out) == row


def test_a_row_shows_all_that_its_call_said(cli: Cli, place: str) -> None:
    journal = Journal.open(Path(place))
    key = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
    paid = {"payment_order_id": 31, "eic": "40X000000000195P", "amount": "250000.75"}
    gates = [{"gate_id": 11, "gate_status": "OPEN"}, {"gate_id": 12, "gate_status": "CLOSED"}]
    rows = {
        key: ("payment_order", paid),
        f"{key}/2": ("payment_order", {**paid, "payment_order_id": 32}),
        "G": ("contract_conf_save", {"contract": "GG20261201", "gates": gates}),
        "B": ("bid_save", {**BID, "point_name": "Malkoçlar", "bid_process_name": "P1"}),
    }
    for one, (operation, fields) in rows.items():
        journal.append(line("sending", one, v="epias_stp", a=ACCOUNT, o=operation, r="pay-7", f=fields))
    journal.close()
    listed = cli("journal", "list", "--directory", place).out
    for text in (
        "payment_order_id 31, eic 40X000000000195P, amount 250000.75",
        "payment_order_id 32",
        "GG20261201, gates (gate_id 11, gate_status OPEN) (gate_id 12, gate_status CLOSED)",
        "BUY 10 GG20261201 at 100.00, bid_status ACTIVE, point_name Malkoçlar, bid_process_name P1",
    ):
        assert text in listed
    assert listed.count("pay-7") == len(rows)
    shown = cli("journal", "show", f"{key}/2", "--directory", place).out
    assert f"transaction_id {key}\n" in shown
    assert "client_ref     pay-7\n" in shown
    assert "payment_order_id 32, eic 40X000000000195P, amount 250000.75" in shown
    for row in json.loads(cli("journal", "list", "--json", "--directory", place).out)["rows"]:
        assert row["transaction_id"] == row["key"].removesuffix("/2")
        assert (row["client_ref"], row["fields"]) == ("pay-7", rows[row["key"]][1])


def test_an_empty_journal_says_so(cli: Cli, place: str) -> None:
    ran = cli("journal", "list", "--directory", place)
    assert (ran.code, ran.out, ran.err.strip()) == (
        ExitCode.DONE,
        "",
        f"The journal in {mask(place)} holds no such row.",
    )
    assert json.loads(cli("journal", "list", "--json", "--directory", place).out) == {
        "directory": place,
        "rows": [],
        "damaged_lines": 0,
    }


def test_list_takes_a_state_and_counts_damaged_lines(cli: Cli, place: str) -> None:
    left_unknown(place, operation="bid_cancel")
    with next((Path(place) / "runs").glob("*.log")).open("ab") as log:
        log.write(b"00000000 {}\n")
    only = cli("journal", "list", "--state", "accepted", "--directory", place)
    assert [text.split()[-1] for text in only.out.splitlines()[1:]] == ["B"]
    assert "1 line(s) of the journal cannot be read" in only.err
    wrong = cli("journal", "list", "--state", "lost", "--directory", place)
    assert wrong.code == ExitCode.BAD_INPUT
    assert "is no state of the journal" in wrong.err


def test_what_a_dead_process_left_is_unknown_at_once_and_nothing_is_changed(cli: Cli, place: str) -> None:
    left_unknown(place, operation="bid_cancel")
    live = Journal.open(Path(place) / "other")
    before = sorted(path.name for path in (Path(place) / "runs").iterdir())
    assert states(cli, place) == {"B": "accepted", "K": "unknown"}
    assert sorted(path.name for path in (Path(place) / "runs").iterdir()) == before
    live.close()


def test_a_call_of_a_live_process_waits_and_cannot_be_settled(cli: Cli, place: str) -> None:
    live = Journal.open(Path(place))
    sending(live, "K")
    assert states(cli, place) == {"K": "sending"}
    ran = cli("journal", "resolve", "K", "--as", "done", *NOTE, "--directory", place)
    assert ran.code == ExitCode.BAD_INPUT
    assert "its process still waits for the answer" in ran.err
    live.close()


@pytest.mark.parametrize("finding", ["live", "done", "absent"])
def test_an_unknown_bid_is_settled_by_what_a_person_found(cli: Cli, place: str, finding: str) -> None:
    journal = Journal.open(Path(place))
    sending(journal, "K1")
    journal.close()
    ran = cli("journal", "resolve", "K", "--as", finding, *NOTE, "--directory", place)
    assert (ran.code, ran.err.strip()) == (ExitCode.DONE, f"K1 is settled as {finding}.")
    assert states(cli, place) == {"K1": f"resolved_{finding}"}
    shown = cli("journal", "show", "K1", "--directory", place).out
    assert "by a person: seen on the screen" in shown
    again = cli("journal", "resolve", "K1", "--as", "done", *NOTE, "--directory", place)
    assert again.code == ExitCode.BAD_INPUT


def test_a_cancellation_that_is_done_closes_its_bid(cli: Cli, place: str) -> None:
    left_unknown(place, operation="bid_cancel")
    assert cli("journal", "resolve", "K", "--as", "done", *NOTE, "--directory", place).code == ExitCode.DONE
    assert states(cli, place) == {"B": "closed", "K": "resolved_done"}


def test_a_change_that_is_done_restates_its_bid(cli: Cli, place: str) -> None:
    left_unknown(place, operation="bid_update", price="95.00", quantity=99)
    assert cli("journal", "resolve", "K", "--as", "done", *NOTE, "--directory", place).code == ExitCode.DONE
    assert states(cli, place) == {"B": "accepted", "K": "resolved_done"}
    bid = json.loads(cli("journal", "show", "B", "--json", "--directory", place).out)
    assert (bid["fields"]["price"], bid["fields"]["quantity"], bid["order_id"]) == ("95.00", 99, "7")


@pytest.mark.parametrize("operation", ["bid_cancel", "bid_update"])
def test_one_that_never_acted_leaves_its_bid(cli: Cli, place: str, operation: str) -> None:
    left_unknown(place, operation=operation, price="95.00")
    assert cli("journal", "resolve", "K", "--as", "absent", *NOTE, "--directory", place).code == ExitCode.DONE
    assert states(cli, place) == {"B": "accepted", "K": "resolved_absent"}
    assert json.loads(cli("journal", "show", "B", "--json", "--directory", place).out)["fields"]["price"] == "100.00"


def test_a_cancellation_of_a_bid_that_has_ended_or_is_not_known_is_settled_alone(cli: Cli, place: str) -> None:
    left_unknown(place, operation="bid_cancel")
    journal = Journal.open(Path(place))
    journal.record("closed", "B")
    sending(journal, "L", "bid_cancel", bid_id="8")
    journal.close()
    for key in ("K", "L"):
        assert cli("journal", "resolve", key, "--as", "done", *NOTE, "--directory", place).code == ExitCode.DONE
    assert states(cli, place) == {"B": "closed", "K": "resolved_done", "L": "resolved_done"}
    assert json.loads(cli("journal", "list", "--json", "--directory", place).out)["damaged_lines"] == 0


@pytest.mark.parametrize("operation", ["bid_cancel", "bid_update"])
def test_a_bid_that_rests_no_more_can_be_closed_by_hand(cli: Cli, place: str, operation: str) -> None:
    left_unknown(place, operation=operation)
    assert cli("journal", "resolve", "B", "--as", "closed", *NOTE, "--directory", place).code == ExitCode.DONE
    assert states(cli, place) == {"B": "closed", "K": "resolved_ended"}
    again = cli("journal", "resolve", "B", "--as", "closed", *NOTE, "--directory", place)
    assert "it is closed already" in again.err


@pytest.mark.parametrize(
    ("key", "finding", "why"),
    [
        ("B", "done", "it is accepted, so --as can be closed and not done"),
        ("K", "live", "a bid_cancel cannot rest; write done or absent"),
        ("K", "closed", "it is unknown, so --as can be done or absent and not closed"),
        ("K", "gone", "--as gone is no finding; write live, done, absent or closed"),
        ("X", "done", "No intent has the key, bid id or client_ref X"),
        ("", "done", "KEY is empty"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(cli: Cli, place: str, key: str, finding: str, why: str) -> None:
    left_unknown(place, operation="bid_cancel")
    ran = cli("journal", "resolve", key, "--as", finding, *NOTE, "--directory", place)
    assert ran.code == ExitCode.BAD_INPUT
    assert why in " ".join(ran.err.split())
    assert states(cli, place) == {"B": "accepted", "K": "unknown"}


def test_a_note_is_needed_and_an_empty_key_shows_nothing(cli: Cli, place: str) -> None:
    left_unknown(place, operation="bid_cancel")
    ran = cli("journal", "resolve", "K", "--as", "done", "--note", " ", "--directory", place)
    assert (ran.code, "--note is empty" in ran.err) == (ExitCode.BAD_INPUT, True)
    ran = cli("journal", "show", "", "--directory", place)
    assert (ran.code, "KEY is empty" in ran.err) == (ExitCode.BAD_INPUT, True)


def test_several_that_begin_alike_are_not_guessed_between(cli: Cli, place: str) -> None:
    journal = Journal.open(Path(place))
    sending(journal, "KA")
    sending(journal, "KB")
    journal.close()
    assert "2 intents are named by K" in cli("journal", "show", "K", "--directory", place).err


def test_a_folder_that_is_none_is_not_made(cli: Cli, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    for words in (("list",), ("show", "K"), ("resolve", "K", "--as", "done", *NOTE)):
        ran = cli("journal", *words, "--directory", nowhere)
        assert (ran.code, "is not a folder" in ran.err) == (ExitCode.BAD_INPUT, True)
    assert not Path(nowhere).exists()


def test_a_bid_of_another_environment_is_not_the_one_meant(cli: Cli, place: str) -> None:
    journal = Journal.open(Path(place))
    sending(journal, "B", account="test/TRADER1")
    journal.record("accepted", "B", i="7")
    sending(journal, "K", "bid_cancel", bid_id="7")
    journal.append(line("sending", "E", v="elsewhere", a="test/X", o="upload", f={}))
    journal.close()
    assert cli("journal", "resolve", "K", "--as", "done", *NOTE, "--directory", place).code == ExitCode.DONE
    assert cli("journal", "resolve", "E", "--as", "done", *NOTE, "--directory", place).code == ExitCode.DONE
    assert states(cli, place) == {"B": "accepted", "K": "resolved_done", "E": "resolved_done"}
