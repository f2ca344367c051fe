"""``gridwire demo``: its account, its story, and its faces."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from gridwire.cli import demo
from gridwire.cli.demo.epias_stp import explanation
from gridwire.cli.demo.faces import Lines, Screen, frame
from gridwire.cli.demo.story import Lost, View
from gridwire.cli.demo.tally import Tally
from gridwire.cli.demo.traders import Bid
from gridwire.cli.exits import ExitCode
from gridwire.epias_stp.models import AmountPrice, ContractSummary, Match
from gridwire.outcome import Accepted, Intent, Outcome, Rejected, Unknown
from tests.cli.conftest import Cli, Terminal, finish, spawn

COUNTS = {"sent", "accepted", "rejected", "unknown", "resolved", "executed_at_venue"}


def intent(key: str) -> Intent:
    return Intent("epias_stp", "bid_save", key, datetime(2026, 12, 1, tzinfo=UTC))


TOLD: list[Outcome] = [
    Accepted(intent("a")),
    Rejected("BID-0001", "no", "venue", intent("r")),
    Unknown(intent("u"), "disconnected", "gone"),
]


def test_an_unknown_that_was_executed_makes_the_account_whole() -> None:
    tally = Tally.of(TOLD, {"u": True}, ["a", "u"])
    assert tally.ok
    assert tally.as_dict() == {
        "sent": 3, "accepted": 1, "rejected": 1, "unknown": 1, "resolved": 1, "executed_at_venue": 2,
    }  # fmt: skip


def test_an_unknown_that_was_not_executed_makes_it_whole_too() -> None:
    assert Tally.of(TOLD, {"u": False}, ["a"]).ok


@pytest.mark.parametrize(
    ("settled", "executed", "complaint"),
    [
        ({}, ["a"], "u is still unknown"),
        ({"u": True}, ["a", "u", "u"], "u was executed 2 times"),
        ({"u": True}, ["a"], "u was believed executed and was not"),
        ({"u": False}, ["a", "u"], "u was executed and nobody knows"),
    ],
)
def test_every_contradiction_is_named(settled: dict[str, bool], executed: list[str], complaint: str) -> None:
    tally = Tally.of(TOLD, settled, executed)
    assert not tally.ok
    assert complaint in tally.complaints


def test_json_is_one_object_with_consistent_counts(cli: Cli) -> None:
    ran = cli("demo", "--json", "--seconds", "0.2", "--venue", "epias")
    assert (ran.code, ran.err, ran.out.count("\n")) == (ExitCode.DONE, "", 1)
    told = json.loads(ran.out)
    assert told["ok"] is True
    counts = told["venues"]["epias_stp"]
    assert set(counts) == COUNTS
    assert counts["sent"] == counts["accepted"] + counts["rejected"] + counts["unknown"]
    assert (counts["unknown"], counts["resolved"]) == (1, 1)
    assert counts["rejected"] >= 1
    assert counts["executed_at_venue"] == counts["accepted"] + 1


@pytest.mark.parametrize("seed", ["2", "3"])
def test_the_same_seed_makes_the_same_bids(cli: Cli, seed: str) -> None:
    ran = cli("demo", "--json", "--seconds", "0.1", "--seed", seed)
    assert json.loads(ran.out)["ok"] is True
    assert cli("demo", "--json", "--seconds", "0.1", "--seed", seed).out == ran.out


def test_in_a_pipe_it_tells_line_by_line_and_ends_with_the_verdict(cli: Cli) -> None:
    ran = cli("demo", "--venue", "epias", "--seconds", "0.2")
    assert ran.code == ExitCode.DONE
    assert "no answer came. Unknown" in ran.out
    assert "marked TRADER1's: it was executed" in ran.out
    assert "`owner`" in ran.out
    assert "`my_own_matching`" in ran.out
    assert ran.out.splitlines()[-1].startswith("Verdict for epias_stp: consistent. ")
    assert "\x1b" not in ran.out
    assert "TGT-" not in ran.out


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 34)])
def test_on_a_terminal_it_draws_and_ends_with_the_verdict(columns: int, lines: int) -> None:
    terminal = Terminal("demo", "--seconds", "0.5", columns=columns, lines=lines)
    assert terminal.end() == ExitCode.DONE
    assert "Verdict for epias_stp: consistent." in terminal.screen
    assert "EPİAŞ STP, simulated at 127.0.0.1:" in terminal.screen


def test_ctrl_c_ends_it_without_a_traceback() -> None:
    process = spawn("demo", "--seconds", "60")
    assert process.stdout is not None
    process.stdout.readline()
    ended = finish(process, signal.SIGINT)
    assert ended.code == ExitCode.INTERRUPTED
    assert ended.err == "The demo was stopped before its end; nothing is left of it.\n"


def test_an_account_that_does_not_add_up_fails(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(seconds: float, seed: int, silent: bool) -> Tally:
        return Tally.of(TOLD, {}, ["a"])

    monkeypatch.setattr(demo, "_plays", lambda asked: ({"epias_stp": play}, {"siooi": "It is not installed."}))
    ran = cli("demo")
    assert ran.code == ExitCode.FAILED
    assert ran.out == "Verdict for epias_stp: NOT consistent. u is still unknown.\n"
    assert ran.err == "siooi was left out: It is not installed.\n"


def test_an_unknown_venue_is_one_sentence(cli: Cli) -> None:
    ran = cli("demo", "--venue", "atlantis")
    assert (ran.code, ran.out) == (ExitCode.BAD_INPUT, "")
    assert "it has epias, epias_stp" in ran.err


@pytest.mark.parametrize("arguments", [(), ("--venue", "epias")])
def test_without_the_sandbox_extra_it_says_what_to_install(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("gridwire.sandbox", "gridwire.cli.demo.epias_stp"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    ran = cli("demo", *arguments)
    assert ran.code == ExitCode.SETUP
    assert "pip install 'gridwire[sandbox]'" in ran.err


STATES = ("resting", "partly matched", "matched", "cancelled", "rejected", "UNKNOWN")


@pytest.mark.parametrize(("width", "height"), [(80, 23), (120, 29), (200, 60), (60, 23)])
def test_a_frame_fits_the_terminal_and_keeps_the_unknown_bid_in_sight(width: int, height: int) -> None:
    at = datetime(2026, 12, 1, 6, tzinfo=UTC)
    level = AmountPrice(price=Decimal("12000.50"), amount=155)
    view = View(
        tuple(ContractSummary(name=f"GG2026120{day}", best_buy=level) for day in range(4)),
        tuple(Bid("TRADER1", "GG20261201", "BUY", Decimal(n), 1, state=STATES[-1 - n % 6]) for n in range(60)),
        tuple(Match(match_id=f"{n}", contract="GG20261201", matching_time=at) for n in range(40)),
        Counter(sent=3, accepted=1, unknown=1),
    )
    screen = Console(file=io.StringIO(), width=width, height=height + 1)
    spoken = [Text("something happened") for _ in range(4)]
    with screen.capture() as captured:
        screen.print(frame(view, spoken, Text("head"), width=width, height=height))
    lines = captured.get().splitlines()
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    assert "UNKNOWN" in captured.get()


async def test_a_screen_keeps_the_lost_answer_in_sight_while_others_scroll(capsys: pytest.CaptureFixture[str]) -> None:
    face = Screen("EPİAŞ STP", 20.0)
    with face:
        face.looked(View())
        face.said("no answer came", TOLD[2])
        for number in range(10):
            face.said(f"bid {number}", TOLD[0])
        face.said("a refused one", TOLD[1])
        face.said("settled", None)
    screen = Console(file=io.StringIO(), width=80, height=24)
    with screen.capture() as captured:
        screen.print(face.frame())
    assert "no answer came" in captured.get()
    assert "settled" in captured.get()
    assert "bid 0" not in captured.get()
    assert "0 of 20 s" in captured.get()
    assert "EPİAŞ STP" in capsys.readouterr().out


async def test_lines_carry_the_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    face = Lines()
    await asyncio.sleep(61.5)
    face.said("bought", TOLD[0])
    assert capsys.readouterr().out == " 61.5 s  bought\n"


@pytest.mark.parametrize(
    ("executed", "words"),
    [(True, "it had been executed"), (False, "it had not been executed"), (None, "it is still unknown")],
)
def test_the_explanation_claims_no_more_than_was_seen(executed: bool | None, words: str) -> None:
    bid = Bid("TRADER1", "GG20261201", "BUY", Decimal("12000.50"), 77)
    unknown = TOLD[2]
    assert isinstance(unknown, Unknown)
    lost = Lost(bid, unknown, frozenset(), executed=executed)
    text = " ".join(explanation(lost))
    assert words in text
    assert "transactionId u" in text
    assert "TRADER2 sold into it" not in text
