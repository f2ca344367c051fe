"""``gridwire stp contract``, ``conf``, ``gate``, ``status``, ``grp``, ``match``, ``payment``: the calls of the operator."""

from __future__ import annotations

import json
import signal
from datetime import date
from typing import Any

import pytest

from gridwire.cli.exits import ExitCode
from tests.cli.conftest import Cli, Ran, Running, Terminal, finish, spawn, until

ALREADY = "The journal has this call already, so nothing was sent. What became of it then:"
UUID = "8c6fd1b0-7b1e-4f53-a3a0-5f5f0f4f7a10"


@pytest.fixture
def operator(box: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The command line as the market's operator."""
    monkeypatch.setenv("GRIDWIRE_EPIAS_STP_USERNAME", "OPERATOR1")
    monkeypatch.setenv("GRIDWIRE_EPIAS_STP_PASSWORD", box.venue.cas.passwords["OPERATOR1"])
    return box


def told(ran: Ran) -> dict[str, Any]:
    assert ran.code == ExitCode.DONE, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def gate_of(box: Running) -> Any:
    return box.venue.market.contracts[box.contract].gate


def matched(box: Running, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> str:
    """A match of the participant with itself."""
    with monkeypatch.context() as m:
        m.setenv("GRIDWIRE_EPIAS_STP_USERNAME", "TRADER1")
        m.setenv("GRIDWIRE_EPIAS_STP_PASSWORD", box.venue.cas.passwords["TRADER1"])
        for side in ("buy", "sell"):
            told(cli("stp", "bid", "save", box.contract, "--side", side, "--price", "100", "--quantity", "5", "--json"))
    return str(next(reversed(box.venue.market.matches)))


# reads


def test_the_book_bid_by_bid(box: Running, cli: Cli) -> None:
    assert "Nobody buys or sells" in cli("stp", "depth-summary", box.contract).err
    cli("stp", "bid", "save", box.contract, "--side", "buy", "--price", "12000.50", "--quantity", "155")
    head, row = cli("stp", "depth-summary", box.contract).out.splitlines()
    assert head.split()[:4] == ["Side", "Price", "Quantity", "Left"]
    assert row.split()[:5] == ["BUY", "12000.50", "155", "155", "ACTIVE"]
    found = told(cli("stp", "depth-summary", box.contract, "--json", "--transaction-id", UUID))
    assert (found["contract"], found["transaction_id"], found["bids"][0]["price"]) == (box.contract, UUID, "12000.50")


@pytest.mark.parametrize("arguments", [("contract", "get"), ("conf", "get"), ("depth",), ("matches",)])
def test_reads_of_one_contract_tell_their_transaction_id(
    operator: Running, cli: Cli, arguments: tuple[str, ...]
) -> None:
    found = told(cli("stp", *arguments, operator.contract, "--json"))
    assert found["transaction_id"] == operator.venue.log[-1].transaction_id
    refused = cli("stp", *arguments, operator.contract, "--transaction-id", "mine")
    assert (refused.code, "is not a UUID" in refused.err) == (ExitCode.BAD_INPUT, True)


def test_master_data_and_configuration_are_shown_field_by_field(operator: Running, cli: Cli) -> None:
    shown = dict(line.split(maxsplit=1) for line in cli("stp", "contract", "get", operator.contract).out.splitlines())
    assert (shown["contract_name"], shown["contract_type"], shown["contract_status"]) == (
        operator.contract, "STANDART", "ACTIVE",
    )  # fmt: skip
    assert shown["gas_days"] == f"{operator.contract[2:6]}-{operator.contract[6:8]}-{operator.contract[8:10]}"
    shown = dict(line.split(maxsplit=1) for line in cli("stp", "conf", "get", operator.contract).out.splitlines())
    assert shown["market_ceiling_price"] == "30000.00"
    assert shown["gates"].startswith(f"{gate_of(operator).id} BID_GATE OPEN ")
    configuration = told(cli("stp", "conf", "get", operator.contract, "--json"))["configuration"]
    assert (configuration["market_ceiling_price"], configuration["lqa"]) == ("30000.00", "5")


def test_states_and_limits(operator: Running, cli: Cli) -> None:
    assert [line.split()[0] for line in cli("stp", "status").out.splitlines()] == [
        "State",
        "WAITING",
        "ACTIVE",
        "CLOSED",
    ]
    assert [one["name"] for one in told(cli("stp", "status", "--json"))["statuses"]] == ["WAITING", "ACTIVE", "CLOSED"]
    found = told(cli("stp", "grp", "STANDART", "2026-12-01", "--json"))
    assert (found["type"], found["day"]) == ("STANDART", "2026-12-01")
    assert set(found["prices"]) == {"base_price", "ceiling_price"}
    assert cli("stp", "grp", "STANDART", "2026-12-01").out.splitlines()[0].startswith("base_price ")
    assert cli("stp", "grp", "STANDART", "1.12.2026").code == ExitCode.BAD_INPUT


# writes


def test_a_contract_is_made_for_several_days(operator: Running, cli: Cli) -> None:
    days = ("--day", "2031-12-22", "--day", "2031-12-23")
    arguments = ("stp", "contract", "save", "WEEKLY", "--side", "sell", "--quantity", "10", *days)
    found = told(cli(*arguments, "--point", "101", "--json", "--client-ref", "week 52", "--transaction-id", UUID))
    assert (found["outcome"], found["transaction_id"], found["client_ref"]) == ("accepted", UUID, "week 52")
    assert found["answer"]["contract_name"] == "HI20311222"
    assert found["fields"]["gas_days"] == ["2031-12-22", "2031-12-23"]
    made = operator.venue.market.contracts["HI20311222"]
    assert (made.direction, made.quantity, made.point_ids, made.gas_days) == (
        "SELL", 10, (101,), (date(2031, 12, 22), date(2031, 12, 23)),
    )  # fmt: skip
    again = cli(*arguments, "--client-ref", "week 52")
    assert (again.code, "client_ref='week 52' is in the journal already" in again.err) == (ExitCode.REJECTED, True)
    again = cli(*arguments, "--point", "101", "--client-ref", "week 52")
    assert (again.code, again.err.strip()) == (ExitCode.DONE, ALREADY), again.err
    assert again.out.startswith("Accepted: contract_save of 20")
    repeated = cli(*arguments, "--point", "101", "--transaction-id", UUID)
    assert (repeated.code, repeated.err.strip()) == (ExitCode.DONE, ALREADY), repeated.err
    refused = cli(*arguments)
    assert (refused.code, refused.out) == (ExitCode.REJECTED, "")
    plain = cli("stp", "contract", "save", "STANDART", "--side", "buy", "--quantity", "1", "--day", "2031-12-24")
    assert plain.out.startswith("Accepted: contract GG20311224 made [transactionId ")


def test_every_setting_of_a_configuration_can_be_stored(operator: Running, cli: Cli) -> None:
    contract, gate = operator.contract, gate_of(operator)
    begin, end = "2026-12-01T08:00+03:00", "2099-12-03T14:00+03:00"
    times = ("--dap-scope", begin, "--dap-final", end, "--grp-scope", begin, "--grp-final", end)
    given = {
        "lqa": "6", "lpa": "7", "objection_time": "45", "market_max_quantity": "500", "market_min_quantity": "2",
        "market_ceiling_price": "25000.50", "market_base_price": "1.00", "transmission_max_quantity": "700",
        "transmission_min_quantity": "3", "ceiling_coefficient": "1.2", "base_coefficient": "0.8",
        "retrospective_average": "9", "transmission_ceiling_price_formula": "GRF*1,05",
        "transmission_ceiling_price": "26000.00", "transmission_base_price_formula": "GRF*0,95",
        "transmission_base_price": "900.00", "nbp_open_time": "9",
    }  # fmt: skip
    sets = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    sets += ["--set", "modify_user=OPERATOR1"]
    gates = ("--gate", f"{gate.id},BID_GATE,CLOSED,{begin},{end}")
    ran = cli("stp", "conf", "save", contract, *times, *sets, *gates)
    assert ran.out.startswith(f"Accepted: configuration of {contract} stored [transactionId "), ran.err
    stored = told(cli("stp", "conf", "get", contract, "--json"))["configuration"]
    assert {name: str(stored[name]) for name in given} == given
    assert (gate.status, stored["dap_scope_date"]) == ("CLOSED", "2026-12-01T08:00:00+03:00")
    for wrong, sentence in (
        ("market_ceiling_prise=1", "which is no setting; these are: base_coefficient"),
        ("lqa", "is not of the form NAME=VALUE"),
        ("lqa=1.5", "is not a whole number"),
        ("market_base_price=99999", "market_base_price=99999.00 is above market_ceiling_price=25000.00"),
    ):
        more = ("--set", "market_ceiling_price=25000") if wrong.startswith("market_base") else ()
        refused = cli("stp", "conf", "save", contract, *times, "--set", wrong, *more)
        assert (refused.code, sentence in refused.err, "Nothing was sent." in refused.err) == (2, True, True), (
            refused.err
        )
    assert len(operator.venue.log.calls("contract_conf_save")) == 1


def test_a_gate_is_moved_closed_and_opened(operator: Running, cli: Cli) -> None:
    gate = gate_of(operator)
    moved = cli("stp", "gate", "update", str(gate.id), "--end", "2099-12-03T14:00+03:00")
    assert moved.out.startswith(f"Accepted: gate {gate.id} moved [transactionId ")
    assert gate.end.isoformat() == "2099-12-03T11:00:00+00:00"
    closed = told(cli("stp", "gate", "status", str(gate.id), "CLOSED", "--json"))
    assert (gate.status, closed["answer"]["gate_status"]["name"]) == ("CLOSED", "CLOSED")
    assert cli("stp", "gate", "status", str(gate.id), "OPEN").out.startswith(f"Accepted: gate {gate.id} is OPEN")
    nothing = cli("stp", "gate", "update", str(gate.id))
    assert (nothing.code, "--start, --end, or both" in nothing.err) == (ExitCode.BAD_INPUT, True)
    unknown_gate = cli("stp", "gate", "status", "999", "OPEN")
    assert unknown_gate.code == ExitCode.REJECTED


def test_matches_are_changed_each_with_an_outcome(operator: Running, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = matched(operator, cli, monkeypatch), matched(operator, cli, monkeypatch)
    reason = ("--status", "CANCELLED", "--description", "yanlış giriş")
    ran = cli("stp", "match", "change", first, second, *reason)
    assert [line.partition(" [")[0] for line in ran.out.splitlines()] == [
        f"Accepted: match {first} is CANCELLED", f"Accepted: match {second} is CANCELLED",
    ]  # fmt: skip
    assert {operator.venue.market.matches[one].status for one in (first, second)} == {"CANCELLED"}
    assert len(operator.venue.log.calls("match_change_status")) == 1
    refused = cli("stp", "match", "change", first, "77", *reason)
    assert (refused.code, refused.err.count("Rejected: Match ")) == (ExitCode.REJECTED, 2)


def test_payments_have_an_outcome_each_and_the_worst_gives_the_code(operator: Running, cli: Cli) -> None:
    eic = operator.venue.market.users["TRADER1"].organisation.eic
    owner = operator.venue.market.users["TRADER1"].organisation.id
    operator.venue.market.balances[owner] = 100_000_00
    at = ("--time", "2026-12-01T09:00+03:00")
    ran = cli(
        "stp", "payment", "order", f"17,{eic},60000.25", f"18,{eic},60000.25", *at, "--json", "--client-ref", "dec"
    )
    assert ran.code == ExitCode.PARTLY
    one, two = json.loads(ran.out)["outcomes"]
    assert (one["outcome"], one["fields"]["payment_order_id"], one["fields"]["amount"]) == ("accepted", 17, "60000.25")
    assert one["fields"]["request_time"] == "2026-12-01T09:00:00+03:00"
    assert (two["outcome"], two["code"], two["origin"]) == ("rejected", "REJECTED", "venue")
    assert one["transaction_id"] == two["transaction_id"] == operator.venue.log[-1].transaction_id
    assert one["client_ref"] == "dec"
    assert ran.err.startswith("Rejected: Payment 18: ")
    again = cli("stp", "payment", "order", f"17,{eic},60000.25", f"18,{eic},60000.25", "--json", "--client-ref", "dec")
    assert (again.code, "so nothing was sent" in again.err) == (ExitCode.PARTLY, True)
    told = json.loads(again.out)["outcomes"]
    assert [(each["outcome"], each["fields"]["payment_order_id"], each["already"]) for each in told] == [
        ("accepted", 17, True),
        ("rejected", 18, True),
    ]
    for other in ((f"19,{eic},1",), (f"17,{eic},60000.26", f"18,{eic},60000.25")):
        refused = cli("stp", "payment", "order", *other, "--client-ref", "dec")
        assert (refused.code, "is in the journal already" in refused.err) == (ExitCode.REJECTED, True)
    assert len(operator.venue.log.calls("payment_order")) == 1
    plain = cli("stp", "payment", "order", f"20,{eic},1.50")
    assert plain.out.startswith("Accepted: payment 20 ordered [transactionId ")


def test_a_payment_whose_answer_is_lost_is_unknown_and_in_the_journal_with_all_its_fields(
    operator: Running, cli: Cli
) -> None:
    operator.venue.faults.add("drop_after_execute", operation="payment_order")
    ran = cli("stp", "payment", "order", "17,40X000000000123A,250000.75", "18,40X000000000123A,1", "--json")
    assert ran.code == ExitCode.UNKNOWN
    assert [one["cause"] for one in json.loads(ran.out)["outcomes"]] == ["disconnected", "disconnected"]
    assert ran.err.count("Unknown: Payment ") == 2
    assert "gridwire stp depth" not in ran.err
    rows = json.loads(cli("journal", "list", "--json").out)["rows"]
    assert [(row["state"], row["fields"]["amount"]) for row in rows] == [("unknown", "250000.75"), ("unknown", "1.00")]


def test_an_interrupt_while_payments_are_under_way_leaves_each_unknown(operator: Running) -> None:
    operator.venue.faults.add("silence_after_execute", operation="payment_order")
    process = spawn("stp", "payment", "order", "17,40X1,250000.75", "18,40X1,1", "--json")
    until(lambda: operator.venue.log.executed("payment_order"), process)
    ran = finish(process, signal.SIGINT)
    assert ran.code == ExitCode.UNKNOWN
    assert [one["outcome"] for one in json.loads(ran.out)["outcomes"]] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("payment", "order", "17,40X1"), "is not of the form NUMBER,EIC,AMOUNT"),
        (("payment", "order", "17,40X1,250000,75"), "is not of the form NUMBER,EIC,AMOUNT"),
        (("payment", "order", "x,40X1,1"), "is not a whole number"),
        (("payment", "order", "17,40X1,0"), "more than zero"),
        (("payment", "order", "17,40X1,1.005"), "PAYMENT '17,40X1,1.005' is NUMBER,EIC,AMOUNT, and AMOUNT='1.005' has too many decimals"),
        (("payment", "order", "17,40X1,-1"), "AMOUNT='-1' is negative"),
        (("payment", "order", "17,40X1,1", "17,40X1,2"), "17"),
        (("payment", "order", "17,40X1,1", "--time", "09:00"), "is not a moment"),
        (("match", "change", "1", "--status", "", "--description", "x"), "status is empty"),
        (("gate", "status", "eleven", "OPEN"), "is not a whole number"),
        (("gate", "update", "11", "--start", "2026-12-01"), "is not a moment"),
        (("contract", "save", "WEEKLY", "--side", "buy", "--quantity", "1", "--day", "1.12.2026"), "is not a day"),
        (("contract", "save", "WEEKLY", "--side", "buy", "--quantity", "1", "--day", "2026-12-01", "--point", "x"), "--point"),
        (("conf", "save", "GG", "--dap-scope", "x", "--dap-final", "x", "--grp-scope", "x", "--grp-final", "x"), "moment"),
    ],
)  # fmt: skip
def test_bad_input_is_a_sentence_and_nothing_is_sent(
    operator: Running, cli: Cli, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = cli("stp", *arguments)
    assert (ran.code, sentence in ran.err, "Nothing was sent." in ran.err) == (ExitCode.BAD_INPUT, True, True), ran.err
    assert len(operator.venue.log) == 0


WRITES = {
    "contract": ("contract", "save", "WEEKLY", "--side", "buy", "--quantity", "1", "--day", "2031-12-24"),
    "conf": (
        "conf", "save", "GG20261201", "--dap-scope", "2026-12-01T08:00+03:00", "--dap-final", "2026-12-01T08:00+03:00",
        "--grp-scope", "2026-12-01T08:00+03:00", "--grp-final", "2026-12-01T08:00+03:00",
    ),
    "gate update": ("gate", "update", "11", "--start", "2026-12-01T08:00+03:00"),
    "gate status": ("gate", "status", "11", "CLOSED"),
    "match": ("match", "change", "1", "--status", "CANCELLED", "--description", "x"),
    "payment": ("payment", "order", "17,40X1,1"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRITES)
def test_at_production_every_write_asks_once(
    operator: Running, cli: Cli, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("GRIDWIRE_EPIAS_STP_ENVIRONMENT", "production")
    ran = cli("stp", *WRITES[what])
    assert ran.code == ExitCode.BAD_INPUT
    assert "at production needs --yes, because nobody can be asked here. Nothing was sent." in ran.err
    assert "--yes" not in cli("stp", *WRITES[what], "--yes").err
    assert len(operator.venue.log) == 0


def test_at_production_a_person_is_asked_and_may_say_no(operator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWIRE_EPIAS_STP_ENVIRONMENT", "production")
    terminal = Terminal("stp", "payment", "order", "17,40X1,250000.75")
    terminal.until("with real money? [y/N]")
    terminal.type("n\n")
    assert terminal.end() == ExitCode.INTERRUPTED
    assert "Pay 250000.75 TL to 40X1 (number 17) at production, as OPERATOR1" in " ".join(terminal.screen.split())
    assert len(operator.venue.log) == 0
