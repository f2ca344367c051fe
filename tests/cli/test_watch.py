"""``gridwire stp watch``: as JSON, as lines, on a terminal; its end is Ctrl-C."""

from __future__ import annotations

import json
import signal

from gridwire.cli.exits import ExitCode
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
