"""``gridwire stp``: reads, the life of a bid, and an exit code for each outcome."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gridwire import clock
from gridwire.cli.exits import ExitCode
from tests.cli.conftest import Cli, Running, Terminal, assert_no_secret, finish, run, spawn, until

BUY = ("--side", "buy", "--price", "12000.50", "--quantity", "155")


def test_contracts_as_a_plain_table(box: Running, cli: Cli) -> None:
    lines = cli("stp", "contracts").out.splitlines()
    assert lines[0].split() == [
        "Contract",
        "Buyers",
        "Buy",
        "at",
        "Sell",
        "at",
        "Sellers",
        "Last",
        "Average",
        "State",
        "Opens",
        "Closes",
    ]
    market = box.venue.market
    assert [line.split()[0] for line in lines[1:]] == [one.name for one in market.listed("STANDART", clock.now())]
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize(("option", "prefix"), [("--weekly", "HI"), ("--regional", "BG")])
def test_other_lists(box: Running, cli: Cli, option: str, prefix: str) -> None:
    assert cli("stp", "contracts", option).out.splitlines()[1].startswith(prefix)
    (only,) = json.loads(cli("stp", "contracts", option, "--json").out)["contracts"]
    assert only["name"].startswith(prefix)


def test_the_command_line_prints_days_as_dates(box: Running, cli: Cli) -> None:
    listed = json.loads(cli("stp", "contracts", "--json").out)["contracts"]
    for contract in listed:
        day = f"{contract['name'][2:6]}-{contract['name'][6:8]}-{contract['name'][8:]}"
        assert contract["delivery_days"] == [day]
        assert contract["gas_days"][0]["gas_day_date"] == day
        assert contract["gas_days"][0]["advance_payment_date"] < day
        assert contract["gas_days"][0]["gas_delivery_start_date"] == f"{day}T08:00:00+03:00"
    regional = json.loads(cli("stp", "contracts", "--regional", "--json").out)["contracts"]
    assert all(len(day) == len("2026-12-01") for contract in regional for day in contract["delivery_days"])


def test_two_lists_at_once_are_refused(box: Running, cli: Cli) -> None:
    assert cli("stp", "contracts", "--weekly", "--regional").code == ExitCode.BAD_INPUT
    assert len(box.venue.log) == 0


def test_thirty_commands_make_one_login(box: Running, cli: Cli) -> None:
    together = [spawn("stp", "contracts") for _ in range(3)]
    assert [finish(process).code for process in together] == [0, 0, 0]
    assert [cli("stp", "contracts").code for _ in range(27)] == [0] * 27
    assert box.venue.cas.count("login") == 1
    assert len(box.venue.log.executed("activecontracts_standart")) == 30


def test_without_the_ticket_file_each_command_logs_in(box: Running, cli: Cli, tmp_path: Path) -> None:
    for _ in range(2):
        assert cli("stp", "contracts", "--no-ticket-file").code == ExitCode.DONE
    assert box.venue.cas.count("login") == 2
    assert not (tmp_path / "state").exists()


def test_a_setting_says_where_the_ticket_file_is(box: Running, cli: Cli, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir(mode=0o700)
    (tmp_path / "other.toml").write_text(f'[epias_stp]\nticket_file = "{place}/tickets.json"\n')
    assert cli("stp", "contracts", "--config", "other.toml").code == ExitCode.DONE
    assert (place / "tickets.json").exists()


def test_the_life_of_a_bid_in_processes_of_their_own(box: Running) -> None:
    saved = run("stp", "bid", "save", box.contract, *BUY, "--json")
    told = json.loads(saved.out)
    assert saved.code == ExitCode.DONE
    assert told["outcome"] == "accepted"
    assert told["bid"]["price"] == "12000.50"
    assert saved.err == ""
    changed = run("stp", "bid", "update", told["bid_id"], "--price", "12001", "--quantity", "100", "--status", "active")
    assert changed.out.startswith(f"Accepted: bid {told['bid_id']} changed [transactionId ")
    assert box.venue.market.bids[told["bid_id"]].remaining == 100
    cancelled = run("stp", "bid", "cancel", told["bid_id"])
    assert (cancelled.code, box.venue.market.bids[told["bid_id"]].status) == (ExitCode.DONE, "CANCEL")
    for ran in (saved, changed, cancelled):
        assert_no_secret(box, ran.out + ran.err)


def test_every_kind_of_bid_arrives_as_it_was_written(box: Running, cli: Cli) -> None:
    times = ("--type", "timed", "--expires", "2099-12-01T14:00+03:00", "--status", "PASSIVE")
    told = json.loads(cli("stp", "bid", "save", box.contract, *BUY, *times, "--format", "xml", "--json").out)
    bid = box.venue.market.bids[told["bid_id"]]
    assert (bid.type, bid.status, str(bid.expires)) == ("MATCH_WITH_TIME_LIMIT", "PASSIVE", "2099-12-01 11:00:00+00:00")
    regional = box.venue.market.active("REGIONAL")[0]
    at = ("--type", "MATCH_AND_DESTROY_REST", "--point", regional.locations[0])
    assert cli("stp", "bid", "save", regional.name, *BUY, *at).code == ExitCode.DONE


def test_a_bid_takes_every_field_of_the_api(box: Running, cli: Cli) -> None:
    named = (
        "--process",
        "desk 7",
        "--client-ref",
        "morning",
        "--transaction-id",
        "8C6FD1B0-7B1E-4F53-A3A0-5F5F0F4F7A10",
    )
    told = json.loads(cli("stp", "bid", "save", box.contract, *BUY, *named, "--json").out)
    key = "8c6fd1b0-7b1e-4f53-a3a0-5f5f0f4f7a10"
    assert (told["outcome"], told["transaction_id"], told["client_ref"]) == ("accepted", key, "morning")
    assert told["bid"]["bid_process_name"] == "desk 7"
    assert box.venue.log[-1].transaction_id == key
    again = cli("stp", "bid", "save", box.contract, *BUY, "--client-ref", "morning")
    assert (again.code, "client_ref='morning' is in the journal already" in again.err) == (ExitCode.REJECTED, True)
    priceless = cli("stp", "bid", "save", box.contract, "--side", "buy", "--no-price", "--quantity", "1", "--json")
    assert "price" not in json.loads(priceless.out)["bid"]
    odd = ("--status", "processing", "--any-status", "--client-ref", "change")
    changed = cli("stp", "bid", "update", told["bid_id"], "--no-price", "--quantity", "7", *odd, "--json")
    sent = json.loads(changed.out)
    assert (changed.code, sent["code"], sent["client_ref"]) == (ExitCode.REJECTED, "BID-0006", "change")
    assert (sent["bid"]["bid_status"], sent["bid"]["price"]) == ("PROCESSING", None)
    kept = cli("stp", "bid", "update", told["bid_id"], "--no-price", "--quantity", "7", "--status", "active")
    assert (kept.code, box.venue.market.bids[told["bid_id"]].remaining) == (ExitCode.DONE, 7)
    cancelled = json.loads(cli("stp", "bid", "cancel", told["bid_id"], "--client-ref", "end", "--json").out)
    assert (cancelled["client_ref"], cancelled["bid_id"]) == ("end", told["bid_id"])


def test_the_same_bid_with_the_same_reference_answers_for_the_first(box: Running, cli: Cli) -> None:
    save = ("stp", "bid", "save", box.contract, *BUY, "--client-ref", "m")
    first = json.loads(cli(*save, "--json").out)
    again = cli(*save, "--json")
    told = json.loads(again.out)
    assert (again.code, told) == (ExitCode.DONE, {**first, "already": True})
    assert again.err.strip() == "The journal has this call already, so nothing was sent. What became of it then:"
    cli("stp", "bid", "update", first["bid_id"], "--price", "11999", "--quantity", "7", "--status", "active")
    plain = cli(*save)
    assert plain.code == ExitCode.DONE
    assert plain.out.startswith("Accepted: bid_save of 20")
    assert f", bid {first['bid_id']} [transactionId {first['transaction_id']}]" in plain.out
    end = ("stp", "bid", "cancel", first["bid_id"], "--client-ref", "end")
    assert [cli(*end).code, cli(*end).code] == [ExitCode.DONE, ExitCode.DONE]
    for other in (("stp", "bid", "cancel", first["bid_id"], "--client-ref", "m"), (*end[:3], "77", *end[4:])):
        refused = cli(*other)
        assert (refused.code, "is in the journal already" in refused.err) == (ExitCode.REJECTED, True)
    assert [len(box.venue.log.calls(f"bid_{name}")) for name in ("save", "update", "cancel")] == [1, 1, 1]


def test_the_same_bid_again_is_as_unknown_or_refused_as_the_first(box: Running, cli: Cli) -> None:
    box.venue.faults.add("drop_after_execute", operation="bid_save")
    save = ("stp", "bid", "save", box.contract, *BUY, "--json", "--client-ref")
    assert [cli(*save, "lost").code, cli(*save, "lost").code] == [ExitCode.UNKNOWN, ExitCode.UNKNOWN]
    again = json.loads(cli(*save, "lost").out)
    assert (again["outcome"], again["cause"], again["already"]) == ("unknown", "disconnected", True)
    box.venue.faults.add("result", result_type="BUSINESSERROR", result_code="BID-0001", operation="bid_save")
    assert [cli(*save, "no").code, cli(*save, "no").code] == [ExitCode.REJECTED, ExitCode.REJECTED]
    again = json.loads(cli(*save, "no").out)
    assert (again["outcome"], again["code"], again["origin"]) == ("rejected", "BID-0001", "venue")
    assert len(box.venue.log.calls("bid_save")) == 2


def test_depth_and_matches_mark_what_is_ours(box: Running, cli: Cli) -> None:
    cli("stp", "bid", "save", box.contract, *BUY)
    cli("stp", "bid", "save", box.contract, "--side", "sell", "--price", "12000", "--quantity", "100")
    (level,) = cli("stp", "depth", box.contract).out.splitlines()[1:]
    assert level.split() == ["yours", "55", "12000.50"]
    (match,) = cli("stp", "matches", box.contract).out.splitlines()[1:]
    assert match.split()[2:6] == [box.contract, "100", "12000.50", "yours"]
    depth = json.loads(cli("stp", "depth", box.contract, "--json").out)
    assert depth.pop("transaction_id") == box.venue.log[-1].transaction_id
    assert depth == {
        "contract": box.contract, "buys": [{"price": "12000.50", "amount": 55, "owner": True}], "sells": [],
    }  # fmt: skip
    (told,) = json.loads(cli("stp", "matches", box.contract, "--json").out)["matches"]
    assert (told["price"], told["my_own_matching"], told["matching_time"][-6:]) == ("12000.50", True, "+03:00")


def test_empty_answers_are_a_sentence_beside_stdout(box: Running, cli: Cli) -> None:
    assert cli("stp", "depth", box.contract).err == f"Nobody buys or sells {box.contract}.\n"
    assert cli("stp", "matches", box.contract).err == f"No match yet of {box.contract}.\n"
    box.venue.market.contracts.clear()
    assert "No contract of this kind" in cli("stp", "contracts").err


def test_a_rejected_bid_has_its_code_and_its_reason(box: Running, cli: Cli) -> None:
    arguments = ("stp", "bid", "save", box.contract, "--side", "buy", "--price", "31000", "--quantity", "1")
    ran = cli(*arguments, "--language", "en-us", "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["outcome"], told["origin"], told["code"]) == (3, "rejected", "venue", "BID-0001")
    assert ran.err.startswith('Rejected: STP refused it under its rules: "The bid price is outside its limits".')
    assert told["transaction_id"] in ran.err
    again = cli(*arguments)
    assert (again.code, again.out) == (ExitCode.REJECTED, "")


def test_a_bid_refused_for_its_rate_says_when_it_may_be_entered_again(box: Running, cli: Cli) -> None:
    box.venue.faults.add("status", operation="bid_save", status=429, retry_after="20")
    ran = cli("stp", "bid", "save", box.contract, *BUY, "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["code"], told["repeatable"], told["retry_after_s"]) == (ExitCode.REJECTED, "429", True, 20.0)
    assert "Wait 20 s before the next call" in ran.err
    (row,) = json.loads(cli("journal", "list", "--json").out)["rows"]
    assert (row["state"], row["note"]) == ("rejected", "venue 429: repeatable after 20 s")


def test_an_unknown_outcome_says_what_it_means_and_what_to_do(box: Running, cli: Cli) -> None:
    box.venue.faults.add("drop_after_execute", operation="bid_save")
    ran = cli("stp", "bid", "save", box.contract, *BUY, "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["outcome"], told["cause"]) == (ExitCode.UNKNOWN, "unknown", "disconnected")
    assert ran.err.startswith("Unknown: ")
    assert "may be resting, matched, or not there at all" in ran.err
    assert f"gridwire stp depth {box.contract}" in ran.err
    assert told["transaction_id"] in ran.err
    assert len(box.venue.log.executed("bid_save")) == 1


def test_a_cancellation_that_got_lost_names_no_contract(box: Running, cli: Cli) -> None:
    bid_id = json.loads(cli("stp", "bid", "save", box.contract, *BUY, "--json").out)["bid_id"]
    box.venue.faults.add("drop_before_execute", operation="bid_cancel")
    ran = cli("stp", "bid", "cancel", bid_id)
    assert (ran.code, ran.out) == (ExitCode.UNKNOWN, "")
    assert "may still be resting" in ran.err


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_answer_is_outstanding_is_unknown(box: Running, stop: signal.Signals) -> None:
    box.venue.faults.add("silence_after_execute", operation="bid_save")
    process = spawn("stp", "bid", "save", box.contract, *BUY)
    until(lambda: box.venue.log.executed("bid_save"), process)
    ran = finish(process, stop)
    assert ran.code == ExitCode.UNKNOWN
    assert "Unknown: " in ran.err


def test_an_interrupt_before_anything_was_sent_says_so(box: Running) -> None:
    fault = box.venue.cas_faults.add("silence_before_execute", operation="login")
    process = spawn("stp", "bid", "save", box.contract, *BUY)
    until(lambda: fault.left == 0, process)
    ran = finish(process, signal.SIGINT)
    assert (ran.code, ran.err) == (ExitCode.INTERRUPTED, "Interrupted before anything was sent.\n")
    assert len(box.venue.log) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--side", "up", "--price", "1", "--quantity", "1"), "'up' is none of buy, sell"),
        (("--side", "buy", "--price", "12,5", "--quantity", "1"), "is not a plain number"),
        (("--side", "buy", "--price", "-5", "--quantity", "1"), "is negative"),
        (("--side", "buy", "--price", "1", "--quantity", "0"), "--quantity '0' is not a whole number above 0"),
        (("--side", "buy", "--price", "1", "--quantity", "1.000"), "--quantity '1.000' is not a whole number"),
        (("--side", "buy", "--price", "12.000", "--quantity", "1"), "--price='12.000' has too many decimals"),
        ((*BUY, "--expires", "2026-12-01T14:00+03:00"), "--expires belongs to --type timed"),
        ((*BUY, "--type", "market"), "--type market is not a type of bid that STP documents"),
        ((*BUY, "--type", "timed", "--expires", "2026-12-01T14:00"), "is not a moment"),
        ((*BUY, "--type", "timed", "--expires", "soon"), "is not a moment"),
        ((*BUY, "--type", "timed"), "--type timed needs --expires"),
        ((*BUY, "--status", "cancelled"), "'cancelled' is none of active, passive"),
        ((*BUY, "--status", "sleeping", "--any-status"), "SLEEPING"),
        (("--side", "buy", "--quantity", "1"), "--price is missing"),
        ((*BUY, "--no-price"), "--price and --no-price contradict each other"),
        ((*BUY, "--transaction-id", "mine"), "transaction_id='mine' is not a UUID"),
        ((*BUY, "--client-ref", ""), "client_ref is empty"),
    ],
)
def test_bad_input_is_a_sentence_and_nothing_is_sent(
    box: Running, cli: Cli, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = cli("stp", "bid", "save", box.contract, *arguments)
    assert (ran.code, ran.out) == (ExitCode.BAD_INPUT, "")
    assert sentence in ran.err
    assert "Nothing was sent." in ran.err
    assert len(box.venue.log) == 0


@pytest.mark.parametrize("quantity", ["1.0", "1_000", "155.0", " 7 ", "007", "1,000", "-1", "+1", "", "١", "1e3"])
def test_a_quantity_is_digits_alone(box: Running, cli: Cli, quantity: str) -> None:
    for command in (("save", box.contract, "--side", "buy"), ("update", "1", "--status", "active")):
        ran = cli("stp", "bid", *command, "--price", "1.00", "--quantity", quantity)
        assert (ran.code, ran.out) == (ExitCode.BAD_INPUT, "")
        assert f"--quantity {quantity!r} is not a whole number above 0" in ran.err
    assert len(box.venue.log) == 0


def test_an_interrupted_bid_is_not_reported_as_one_of_an_earlier_run(box: Running) -> None:
    box.venue.faults.add("drop_after_execute", operation="bid_save")
    earlier = run("stp", "bid", "save", box.contract, *BUY, "--json")
    assert earlier.code == ExitCode.UNKNOWN
    fault = box.venue.cas_faults.add("silence_before_execute", operation="service_ticket")
    process = spawn("stp", "bid", "save", box.contract, *BUY, "--json")
    until(lambda: fault.left == 0, process)
    ran = finish(process, signal.SIGINT)
    assert (ran.code, ran.out) == (ExitCode.INTERRUPTED, "")
    assert "Interrupted before anything was sent." in ran.err
    assert len(box.venue.log.calls("bid_save")) == 1


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.03, 0.06])
def test_a_signal_after_the_outcome_changes_no_exit_code(box: Running, stop: signal.Signals, after_s: float) -> None:
    process = spawn("stp", "bid", "save", box.contract, *BUY, "--json")
    assert process.stdout is not None
    assert '"accepted"' in process.stdout.readline()
    time.sleep(after_s)
    assert finish(process, stop).code == ExitCode.DONE


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_start_up_is_an_interrupt_before_anything_was_sent(box: Running, stop: signal.Signals) -> None:
    """On a stand-in for a slow start: the handler stands before anything heavy is imported."""
    script = (
        "import sys, os, signal\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        f"            os.kill(os.getpid(), {int(stop)})\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from gridwire.cli import main\n"
        "sys.argv = ['gridwire', 'stp', 'contracts']\n"
        "sys.exit(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (ExitCode.INTERRUPTED, "")
    assert len(box.venue.log) == 0


def test_a_bid_whose_report_finds_no_room_still_tells_its_id(box: Running) -> None:
    for as_json in ((), ("--json",)):
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(
                [sys.executable, "-m", "gridwire.cli", "stp", "bid", "save", box.contract, *BUY, *as_json],
                stdout=full, stderr=subprocess.PIPE, text=True, timeout=20, check=False,
            )  # fmt: skip
        assert ended.returncode == ExitCode.DONE
        newest = list(box.venue.market.bids)[-1]
        assert f"Accepted: bid {newest} entered" in ended.stderr
        assert "could not be written to stdout: No space left on device" in ended.stderr
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "gridwire.cli", "stp", "contracts"],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=20, check=False,
        )  # fmt: skip
    assert ended.returncode == ExitCode.FAILED
    assert ended.stderr.startswith("Error: The result could not be written to stdout")


def test_a_refused_password_is_a_matter_of_setup(box: Running, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWIRE_EPIAS_STP_PASSWORD", "not-it-at-all")
    ran = cli("stp", "contracts", "--no-ticket-file")
    assert (ran.code, ran.out) == (ExitCode.SETUP, "")
    assert "not-it-at-all" not in ran.err
    assert "not-it-at-all" not in cli("stp", "contracts", "--no-ticket-file", "--debug").err


def test_without_an_environment_nothing_happens(cli: Cli) -> None:
    ran = cli("stp", "contracts")
    assert ran.code == ExitCode.SETUP
    assert "GRIDWIRE_EPIAS_STP_ENVIRONMENT" in ran.err


def test_a_config_file_that_is_not_there_is_said(box: Running, cli: Cli) -> None:
    assert "nowhere.toml, which is not a file" in cli("stp", "contracts", "--config", "nowhere.toml").err


def test_what_the_venue_says_no_to_is_its_own_code(box: Running, cli: Cli) -> None:
    ran = cli("stp", "depth", "GG19990101")
    assert (ran.code, ran.out) == (ExitCode.VENUE, "")
    assert "transactionId" in ran.err


def test_a_ticket_file_that_cannot_be_used_is_a_note(box: Running, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    ran = cli("stp", "contracts")
    assert ran.code == ExitCode.DONE
    assert ran.err.startswith("Note: The ticket file ")
    assert ran.err.count("Note:") == 1


def test_a_reader_that_has_seen_enough_changes_no_outcome(box: Running) -> None:
    process = spawn("stp", "bid", "save", box.contract, *BUY)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    assert finish(process).code == ExitCode.DONE
    listing = spawn("stp", "contracts")
    assert listing.stdout is not None
    listing.stdout.close()
    listing.stdout = None
    ran = finish(listing)
    assert (ran.code, ran.err) == (ExitCode.DONE, "")


@pytest.fixture
def production(box: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The sandbox, taken for the real venue."""
    monkeypatch.setenv("GRIDWIRE_EPIAS_STP_ENVIRONMENT", "production")
    return box


def test_at_production_a_bid_without_a_person_needs_yes(production: Running, cli: Cli) -> None:
    ran = cli("stp", "bid", "cancel", "1")
    assert ran.code == ExitCode.BAD_INPUT
    assert ran.err == (
        "Error: Cancel bid 1 at production needs --yes, because nobody can be asked here. Nothing was sent.\n"
    )
    assert "--yes" not in cli("stp", "bid", "cancel", "1", "--yes").err


def test_at_production_a_person_is_asked_and_may_say_no(production: Running) -> None:
    terminal = Terminal("stp", "bid", "save", production.contract, *BUY)
    terminal.until("with real money? [y/N]")
    terminal.type("n\n")
    assert terminal.end() == ExitCode.INTERRUPTED
    assert f"Buy 155 x 1000 Sm3 of {production.contract} at 12000.50 TL/1000 Sm3 at production, as TRADER1" in " ".join(
        terminal.screen.split()
    )
    assert len(production.venue.log) == 0


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_at_production_a_signal_at_the_question_is_a_no(production: Running, stop: signal.Signals) -> None:
    terminal = Terminal("stp", "bid", "save", production.contract, *BUY)
    terminal.until("with real money? [y/N]")
    # Python does not see a signal that comes just before it begins to read; a person presses Ctrl-C again.
    until_seen = threading.Timer(1.0, terminal.process.send_signal, [stop])
    until_seen.start()
    terminal.process.send_signal(stop)
    assert terminal.end() == ExitCode.INTERRUPTED
    until_seen.cancel()
    assert "Nothing was sent." in terminal.screen
    assert len(production.venue.log) == 0
