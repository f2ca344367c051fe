"""examples/: every file runs as a reader would run it, ends cleanly, and prints nothing secret."""

from __future__ import annotations

import asyncio
import json
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PATIENCE_S = 30.0
RUNS: dict[str, list[list[str]]] = {
    "blocking_first_minute.py": [[]],
    "siooi_quarter.py": [[], ["--lose-an-answer"]],
    "ticket_folder.py": [["tickets", "--seconds", "2"]],
    "two_sided_bot.py": [["--seconds", "1"], ["--seconds", "1", "--lose-an-answer"]],
}
"""How each file is run; a new file needs a line here."""

SECRET = re.compile(r"(?:TGT|ST)-(?!\*{3})\w|password", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def start(name: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1", **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, errors = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert not SECRET.search(out + errors)
    return process.returncode, out, errors


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == RUNS.keys()


@pytest.mark.parametrize(("name", "arguments"), [(name, run) for name, runs in RUNS.items() for run in runs])
def test_an_example_runs_and_ends_well(name: str, arguments: list[str]) -> None:
    code, out, errors = ended(start(name, *arguments))
    assert code == 0, errors
    assert out
    if "--lose-an-answer" not in arguments:
        assert errors == ""


def test_the_first_minute_shows_a_bid_at_the_venue() -> None:
    _, out, _ = ended(start("blocking_first_minute.py"))
    assert "at the venue under the number 1000001" in out
    assert "cancelled: True" in out


def test_the_bot_quotes_both_sides_counts_its_matches_and_withdraws() -> None:
    _, out, _ = ended(start("two_sided_bot.py", "--seconds", "1.5"))
    lines = out.splitlines()
    assert lines[1:3] == ["BUY  10 at 11990.00: accepted", "SELL 10 at 12010.00: accepted"]
    assert any(": matched, position " in line for line in lines)
    assert re.fullmatch(r"position [+-]\d+ x 1000 Sm3, 0 outcomes unknown", lines[-1])


def test_the_bot_stops_a_side_whose_bid_is_unclear_and_says_what_it_found() -> None:
    _, out, errors = ended(start("two_sided_bot.py", "--seconds", "1", "--lose-an-answer"))
    lines = out.splitlines()
    assert lines[1].startswith("BUY  10 at 11990.00: UNKNOWN (disconnected); it rests, under a number we do not know.")
    assert not any(line.startswith("BUY") and line.endswith("accepted") for line in lines)
    assert any(line.startswith("SELL") and line.endswith("accepted") for line in lines)
    assert lines[-1].endswith("1 outcomes unknown")
    assert "may be resting" in errors


def test_the_bridge_writes_a_file_for_each_ticket_and_comment(tmp_path: Path) -> None:
    _, out, _ = ended(start("ticket_folder.py", "tickets", "--seconds", "2"))
    written = {path.relative_to(tmp_path / "tickets").as_posix() for path in (tmp_path / "tickets").rglob("*.json")}
    assert written == {
        "ticket-PIE-000001/ticket.json", "ticket-PIE-000001/comment-COM-000001.json",
        "ticket-PIE-000002/ticket.json", "ticket-PIE-000003/ticket.json",
    }  # fmt: skip
    assert (
        json.loads((tmp_path / "tickets/ticket-PIE-000001/ticket.json").read_text())["subject"] == "Meetdata ontbreekt"
    )
    assert len(out.splitlines()) == 4


@pytest.mark.parametrize("name", ["..", ".", "../../x", "/etc/x", "ticket"])
async def test_no_id_leads_the_bridge_out_of_its_folder_or_over_another_file(tmp_path: Path, name: str) -> None:
    from gridwire.edsn_pie import Comment, CommentCreated, Ticket, TicketCreated

    class Venue:
        async def fetch(self, told: TicketCreated | CommentCreated) -> Ticket | Comment:
            return Ticket(name, {}) if isinstance(told, TicketCreated) else Comment(name, name, {})

    bridge = runpy.run_path(str(EXAMPLES / "ticket_folder.py"))["Folder"](tmp_path / "tickets", Venue())
    await bridge.take(TicketCreated(envelope="plain", key="a", ticket_id=name))
    await bridge.take(CommentCreated(envelope="plain", key="b", ticket_id=name, comment_id=name))
    written = await asyncio.to_thread(lambda: [path.relative_to(tmp_path) for path in tmp_path.rglob("*.json")])
    assert [path.parts[:-2] for path in written] == [("tickets",), ("tickets",)]


def test_ctrl_c_ends_the_bridge_and_another_start_writes_what_came_meanwhile(tmp_path: Path) -> None:
    from gridwire.sync import Sandbox

    with Sandbox("edsn_pie") as box:
        described = box.describe()["venues"]["edsn_pie"]["env"]
        board = box.venue("edsn_pie").board
        process = start("ticket_folder.py", "tickets", "--env", **described)
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        code, _, errors = ended(process)
        assert (code, errors) == (0, "")
        comment = board.add_comment("PIE-000002", "Later")
        _, out, _ = ended(start("ticket_folder.py", "tickets", "--env", "--seconds", "2", **described))
    assert out.splitlines() == [f"wrote ticket-PIE-000002/comment-{comment}.json"]
    assert (tmp_path / "tickets" / "ticket-PIE-000002" / f"comment-{comment}.json").exists()


def test_what_is_not_set_up_ends_the_bridge_with_a_sentence_and_the_code_of_the_command_line() -> None:
    from gridwire.sync import Sandbox

    code, out, errors = ended(start("ticket_folder.py", "tickets", "--env", GRIDWIRE_EDSN_PIE_ENVIRONMENT=""))
    assert (code, out, errors.count("\n")) == (5, "", 1)
    assert errors.startswith(
        "Error: No environment is chosen, and there is no default. Set GRIDWIRE_EDSN_PIE_ENVIRONMENT"
    )
    with Sandbox("edsn_pie") as box:
        described = box.describe()["venues"]["edsn_pie"]["env"] | {"GRIDWIRE_EDSN_PIE_READ_ONLY": "true"}
        code, out, errors = ended(start("ticket_folder.py", "tickets", "--env", **described))
    assert (code, out, errors.count("\n")) == (5, "", 1)
    assert "this client is read-only" in errors


def test_ctrl_c_makes_the_bot_withdraw_its_bids() -> None:
    process = start("two_sided_bot.py", "--seconds", "600")
    assert process.stdout is not None
    seen = ""
    while "SELL 10 at 12010.00: accepted" not in seen:
        seen += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    code, out, _ = ended(process)
    assert code == 0
    assert "cancelled" in out
    assert "position" in out.splitlines()[-1]


def test_the_bot_trades_on_the_account_in_the_environment() -> None:
    from gridwire.sync import Sandbox

    with Sandbox("epias_stp") as box:
        described = box.describe()["venues"]["epias_stp"]["env"]
        _, out, _ = ended(start("two_sided_bot.py", "--env", "--seconds", "0.5", "--price", "5000.00", **described))
        venue = box.venue("epias_stp")
    assert "around 5000.00 at sandbox" in out
    assert len(venue.log.executed("bid_save")) == len(venue.log.executed("bid_cancel")) == 2
