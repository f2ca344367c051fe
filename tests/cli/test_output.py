"""Tables that fit, values as JSON, and text that cannot steer a terminal."""

from __future__ import annotations

import io
import socket
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from gridwire.cli import main
from gridwire.cli.exits import ExitCode
from gridwire.cli.output import Column, ReaderGone, clean, count, fitting, local, out, plain, price, table, tell
from gridwire.epias_stp import Direction
from gridwire.epias_stp.models import AmountPrice

COLUMNS = (Column("Name"), Column("Price", right=True), Column("State", spare=1), Column("Closes", spare=2))
ROWS = [("GG20261201", "12000.50", "ACTIVE", "2026-12-02 14:00"), ("GG20261202", "9.00", "", "")]


def drawn(width: int) -> list[str]:
    screen = Console(file=io.StringIO(), width=width)
    with screen.capture() as captured:
        screen.print(table(COLUMNS, ROWS, width))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert drawn(100)[:3] == [
        "Name           Price  State   Closes",
        "GG20261201  12000.50  ACTIVE  2026-12-02 14:00",
        "GG20261202      9.00",
    ]


def test_what_has_no_room_is_left_out_by_column_and_never_cut() -> None:
    assert fitting(COLUMNS, ROWS, 46) == [0, 1, 2, 3]
    assert fitting(COLUMNS, ROWS, 45) == [0, 1, 2]
    assert fitting(COLUMNS, ROWS, 27) == [0, 1]
    assert drawn(19) == [
        "Name: GG20261201",
        "Price: 12000.50",
        "State: ACTIVE",
        "Closes: 2026-12-02",  # only words wrap
        "14:00",
        "",
        "Name: GG20261202",
        "Price: 9.00",
        "",
    ]


def test_programs_get_exact_numbers_and_instants_with_an_offset() -> None:
    value = {
        "price": Decimal("12000.50"),
        "tiny": Decimal("1E-7"),
        "at": datetime(2026, 12, 1, 6, tzinfo=UTC),
        "side": Direction.BUY,
        "level": AmountPrice(price=Decimal("1.00"), amount=3, owner=True),
        "many": (1, None, True),
    }
    assert plain(value) == {
        "price": "12000.50",
        "tiny": "0.0000001",
        "at": "2026-12-01T09:00:00+03:00",
        "side": "BUY",
        "level": {"price": "1.00", "amount": 3, "owner": True},
        "many": [1, None, True],
    }


def test_what_else_the_venue_sent_stays_out() -> None:
    assert "surprise" not in plain(AmountPrice.model_validate({"price": 1, "surprise": 2}))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (Decimal("12000.5"), "12000.50"), (Decimal(7), "7.00"), (Decimal("0.125"), "0.125")],
)
def test_prices_have_two_decimals_or_all_they_came_with(value: Decimal | None, shown: str) -> None:
    assert price(value) == shown


def test_missing_values_are_a_dash() -> None:
    assert (count(None), local(None)) == ("-", "-")


def test_a_venue_cannot_steer_the_terminal_nor_make_us_print_a_ticket() -> None:
    assert clean("red\x1b[31m\nalert\x07 ST-1-abcdef-cas") == "red?[31m?alert? ST-***"


def test_an_error_of_several_lines_keeps_them_and_none_of_them_can_begin_like_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell(
        "Three are wrong. Nothing was sent.\n  a: is missing\nError: forged\r\n\x1b[2J\u2028end",
        label="Error",
        style="red",
    )
    assert capsys.readouterr().err.split("\n") == [
        "Error: Three are wrong. Nothing was sent.", "  a: is missing", "  Error: forged", "  ?[2J", "  end", ""
    ]  # fmt: skip
    tell("", label="Note")
    assert capsys.readouterr().err == "Note: \n"


def test_the_complaints_about_a_profile_stand_on_lines_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.toml"
    file.write_text('name = "x"\nbase_url = "http://example.org"\n')
    assert main(["siooi", "profile", "check", str(file)]) == ExitCode.SETUP
    first, *others = capsys.readouterr().err.splitlines()
    assert first.endswith("Nothing was sent.")
    assert [line.partition(":")[0] for line in others[:4]] == ["  login", "  session", "  send", "  status"]


def test_a_socket_that_was_closed_unread_has_no_reader_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write after that ends with ECONNRESET, where a pipe gives EPIPE."""
    ours, its = socket.socketpair()
    with open(its.detach(), "w", encoding="utf-8") as stdout, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stdout)
        out("unread")
        ours.close()
        with pytest.raises(ReaderGone):
            out("more")
