"""``gridwire stp watch``: as JSON, as lines, on a terminal; its end is Ctrl-C."""

from __future__ import annotations

import io
import json
import signal
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from gridwire.cli.exits import ExitCode
from gridwire.cli.stp.watch import MESSAGES, Face, Lines, Screen
from gridwire.epias_stp import Message
from gridwire.epias_stp.models import AmountPrice, ContractDepth, Match
from gridwire.transport.websocket import Connection
from tests.cli.conftest import Cli, Running, Terminal, assert_no_secret, finish, spawn


def test_json_is_one_object_per_poll_and_message(box: Running) -> None:
    process = spawn("stp", "watch", box.contract, "--broadcast", "--json")
    assert process.stdout is not None
    first = [json.loads(process.stdout.readline()) for _ in range(2)]
    poll = next(line for line in first if "buys" in line)
    assert (poll["contract"], poll["matches"], poll["at"][-6:]) == (box.contract, [], "+03:00")
    assert any(line.get("connection") == "connected" for line in first)
    box.do(lambda: box.venue.broadcast.publish("anything at all"))
    lines = iter(process.stdout.readline, "")
    assert next(told for line in lines if "message" in (told := json.loads(line)))["message"] == "anything at all"
    ended = finish(process, signal.SIGINT)
    assert (ended.code, ended.err) == (ExitCode.DONE, "")


def test_in_a_pipe_a_change_is_a_line(box: Running) -> None:
    process = spawn("stp", "watch", box.contract, "--interval", "1")
    assert process.stdout is not None
    assert process.stdout.readline().split()[1:] == [
        box.contract, "buyers", "none", "sellers", "none", "matches", "0",
    ]  # fmt: skip
    ended = finish(process, signal.SIGTERM)
    assert (ended.code, ended.out) == (ExitCode.DONE, "")


def test_on_a_terminal_a_table_is_redrawn_until_ctrl_c(box: Running, cli: Cli) -> None:
    cli("stp", "bid", "save", box.contract, "--side", "buy", "--price", "12000.50", "--quantity", "155")
    terminal = Terminal("stp", "watch", box.contract, "--broadcast", "--interval", "1")
    terminal.until("12000.50")
    terminal.until("broadcast connected")
    box.venue.faults.add("status", operation="activecontracts_depth", status=418, times=None)
    terminal.until("What is shown is older; the next try is in 1 s.")
    box.venue.faults.clear()
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == ExitCode.DONE
    assert_no_secret(box, terminal.screen)


def test_a_watch_of_nothing_is_refused(box: Running, cli: Cli) -> None:
    ran = cli("stp", "watch")
    assert (ran.code, len(box.venue.log)) == (ExitCode.BAD_INPUT, 0)


def test_a_first_answer_that_is_a_no_ends_it(box: Running, cli: Cli) -> None:
    ran = cli("stp", "watch", "GG19990101", "--json")
    assert (ran.code, ran.out) == (ExitCode.VENUE, "")


AT = datetime(2026, 12, 1, 6, 0, 5, tzinfo=UTC)
BOOK = ContractDepth(buys=[AmountPrice(price=Decimal("12000.50"), amount=155, owner=True)] * 30)
FOUND = [Match(match_id=f"{number}", price=Decimal(1), matching_time=AT) for number in range(30)] + [
    Match(match_id="x")
]
LOST = Connection("lost", "the venue closed it", 2.0)


def shown(face: Face, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with face:
        face.polled(AT, BOOK, FOUND)
        face.polled(AT, BOOK, FOUND)
        face.heard(AT, LOST)
        face.heard(AT, Message("red \x1b[31m"))
        face.failed("It failed.", 5.0)
    told = capsys.readouterr()
    return [*told.out.splitlines(), *told.err.splitlines()]


def test_lines_tell_changes_and_mask_what_could_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(Lines("GG20261201"), capsys) == [
        "09:00:05  GG20261201  buyers 155 at 12000.50  sellers none  matches 31",
        "09:00:05  broadcast lost the venue closed it",
        "09:00:05  red ?[31m",
        "Note: It failed. The next try is in 5 s.",
    ]


def test_programs_get_every_poll(capsys: pytest.CaptureFixture[str]) -> None:
    *lines, note = shown(Face("GG20261201"), capsys)
    told = [json.loads(line) for line in lines]
    assert [sorted(one)[0] for one in told] == ["at"] * 4
    assert told[2] == {"at": "2026-12-01T09:00:05+03:00", "connection": "lost", "reason": "the venue closed it"}
    assert told[3]["message"] == "red \x1b[31m"
    assert note.startswith("Note: ")


@pytest.mark.parametrize("contract", ["GG20261201", None])
def test_a_screen_never_outgrows_its_terminal(contract: str | None) -> None:
    screen = Console(file=io.StringIO(), width=80, height=24)
    face = Screen(contract, screen)
    if contract is not None:
        face.polled(AT, BOOK, FOUND)
        face.failed("It failed. " * 20, 5.0)
    for _ in range(MESSAGES + 1):
        face.heard(AT, Message("x" * 200))
    with screen.capture() as captured:
        screen.print(face.frame())
    lines = captured.get().splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)
    assert ("12000.50" in captured.get()) == (contract is not None)
