"""``gridwire sandbox`` in a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gridwire.cli import sandbox
from gridwire.cli.exits import ExitCode
from tests.cli.conftest import Cli, finish, spawn


def ready(process: subprocess.Popen[str], last: str) -> list[str]:
    """What it prints up to the line that begins with ``last``."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith(last):
        line = process.stdout.readline()
        assert line, "it ended early"
        lines.append(line.rstrip("\n"))
    return lines


def test_json_is_one_line_that_a_client_can_use(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    process = spawn("sandbox", "epias", "--json")
    try:
        (line,) = ready(process, "{")
        told = json.loads(line)
        assert set(told) == {"venues"}
        assert set(told["venues"]) == {"epias_stp"}
        assert set(told["venues"]["epias_stp"]["urls"]) == {"cas", "stp"}
        for name, value in told["venues"]["epias_stp"]["env"].items():
            monkeypatch.setenv(name, value)
        assert "GG20" in cli("stp", "contracts").out
    finally:
        ended = finish(process, signal.SIGINT)
    assert (ended.code, ended.out) == (ExitCode.DONE, "")
    assert ended.err == "The sandbox has ended; what was in it is gone.\n"


def test_people_get_lines_to_export_also_with_tls(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    process = spawn("sandbox", "--tls", "--seed", "7")
    try:
        lines = ready(process, "Ctrl-C")
        exports = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))
        assert exports["GRIDWIRE_EPIAS_STP_STP_URL"].startswith("https://127.0.0.1:")
        for name, value in exports.items():
            monkeypatch.setenv(name, value)
        assert "GG20" in cli("stp", "contracts").out
    finally:
        ended = finish(process, signal.SIGTERM)
    assert ended.code == ExitCode.DONE


def test_partners_in_energie_shows_its_notifications_too() -> None:
    process = spawn("sandbox", "pie")
    try:
        lines = ready(process, "Ctrl-C")
        assert lines[lines.index("gridwire pie ticket PIE-000001") + 1] == "gridwire pie listen"
    finally:
        ended = finish(process, signal.SIGTERM)
    assert ended.err == "The sandbox has ended; what was in it is gone.\n"


def test_without_the_extra_the_missing_broker_is_one_line() -> None:
    code = "import sys; sys.modules['proton'] = None; from gridwire.cli import main; sys.exit(main(['sandbox', 'pie']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        lines = ready(process, "Ctrl-C")
        assert "gridwire pie ticket PIE-000001" in lines
        assert "gridwire pie listen" not in lines
    finally:
        ended = finish(process, signal.SIGTERM)
    assert ended.err.splitlines()[0] == (
        "Note: Partners in Energie runs without the broker of its notifications, which needs an extra: pip install "
        "'gridwire[edsn]'. Tickets and comments are there."
    )


def test_a_sandbox_has_a_journal_of_its_own_that_ends_with_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for turn in range(2):
        process = spawn("sandbox", "epias", "--json")
        try:
            (line,) = ready(process, "{")
            for name, value in json.loads(line)["venues"]["epias_stp"]["env"].items():
                monkeypatch.setenv(name, value)
            assert cli("stp", "bids").out == "", f"turn {turn}: bids of a sandbox that is gone"
            contract = json.loads(cli("stp", "contracts", "--json").out)["contracts"][-1]["name"]
            bid = ("stp", "bid", "save", contract, "--side", "buy", "--price", "1.00", "--quantity", "1")
            assert cli(*bid, "--no-ticket-file").code == ExitCode.DONE
            assert contract in cli("stp", "bids").out
            journal = Path(os.environ["GRIDWIRE_EPIAS_STP_JOURNAL"])
            assert journal.is_dir()
        finally:
            finish(process, signal.SIGINT)
        assert not journal.parent.exists()


def test_documents_of_a_sandbox_that_is_gone_stand_in_nobodys_way(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        process = spawn("sandbox", "siooi", "--json")
        try:
            (line,) = ready(process, "{")
            for name, value in json.loads(line)["venues"]["siooi"]["env"].items():
                monkeypatch.setenv(name, value)
            documents = Path(os.environ["GRIDWIRE_SIOOI_SCHEMAS"]).parent / "documents"
            told = json.loads(cli("siooi", "submit", str(documents), "--yes", "--json").out)["documents"]
            assert [one["outcome"] for one in told] == ["accepted"] * 4
            journal = Path(os.environ["GRIDWIRE_SIOOI_JOURNAL"])
            assert journal.is_file()
        finally:
            finish(process, signal.SIGINT)
        assert not journal.exists()


def test_an_output_that_knows_no_turkish_letters_gets_the_nearest_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    process = spawn("sandbox", "epias")
    try:
        assert ready(process, "Ctrl-C")[0] == "EPIAS STP runs on this machine:"
    finally:
        assert finish(process, signal.SIGINT).code == ExitCode.DONE


def free_port() -> int:
    """A port with a free one after it."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        try:
            two.bind(("127.0.0.1", port + 1))
        except OSError:
            return free_port()
        return port


def test_the_ports_are_the_one_asked_for_and_the_next(cli: Cli) -> None:
    port = free_port()
    process = spawn("sandbox", "epias", "--json", "--port", str(port))
    try:
        (line,) = ready(process, "{")
        assert json.loads(line)["venues"]["epias_stp"]["urls"] == {
            "stp": f"http://127.0.0.1:{port}",
            "cas": f"http://127.0.0.1:{port + 1}/cas/v1",
        }
        second = cli("sandbox", "epias", "--port", str(port))
        assert (second.code, second.out) == (ExitCode.SETUP, "")
        assert f"ports {port} to {port + 1}" in second.err
        assert "address already in use" in second.err
    finally:
        finish(process, signal.SIGINT)


def test_an_unknown_venue_is_one_sentence(cli: Cli) -> None:
    ran = cli("sandbox", "atlantis")
    assert ran.code == ExitCode.BAD_INPUT
    assert ran.err == (
        "Error: The sandbox has no venue 'atlantis'; it has edsn_pie, epias, epias_stp, pie, siooi. Nothing was started.\n"
    )


def test_a_port_that_cannot_be_is_refused(cli: Cli) -> None:
    assert cli("sandbox", "--port", "65535").code == ExitCode.BAD_INPUT


def test_what_is_printed_can_be_exported_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    venue = {"urls": {"cas": "http://127.0.0.1:2/cas/v1"}, "env": {"GRIDWIRE_EPIAS_STP_PASSWORD": "it's; $a"}}
    sandbox.introduce({"epias_stp": venue})
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("export "))
    assert shlex.split(line) == ["export", "GRIDWIRE_EPIAS_STP_PASSWORD=it's; $a"]


def test_without_a_port_the_reason_alone_is_told() -> None:
    assert sandbox.cannot_listen(None, 1, PermissionError(13, "x")) == (
        "The sandbox could not be started: permission denied. Nothing runs."
    )
