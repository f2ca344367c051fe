"""``gridwire pie listen`` in a pipe, where what nobody has read is lost; and a look that takes nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gridwire.cli.exits import ExitCode
from gridwire.sandbox.edsn_pie.queues import MessageQueue
from tests.cli.conftest import Cli, Running, finish, in_shell, spawn, until

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/fd"), reason="the system does not tell what a pipe holds"
)


def many(pie: Running, count: int = 30) -> None:
    for number in range(count):
        pie.venue.board.open_ticket(f"Subject {number}", organisation="Voorbeeld Energie")


def queue(pie: Running) -> MessageQueue:
    return pie.venue.broker.queues["pie.voorbeeld-energie"]  # type: ignore[no-any-return]


def tickets(out: str) -> list[str]:
    return [json.loads(line)["ticket_id"] for line in out.splitlines()]


def names(first: int, last: int) -> list[str]:
    return [f"PIE-{number:06}" for number in range(first, last + 1)]


def test_what_head_has_not_read_stays_in_the_queue(cli: Cli, pie: Running) -> None:
    many(pie)
    ended = in_shell("| (sleep 1; head -2)", "pie", "listen", "--json")  # time enough to fill the pipe
    assert tickets(ended.out) == names(1, 2)
    assert "--peek looks without taking, --count N takes N, --inbox FILE stores what is taken." in ended.err
    assert tickets(cli("pie", "listen", "--json", "--count", "2").out) == names(3, 4)
    ended = in_shell("| head -1", "pie", "listen", "--json", "--count", "9")
    assert (tickets(ended.out), "Note" in ended.err) == (names(5, 5), False)
    assert tickets(cli("pie", "listen", "--json", "--count", "2").out) == names(6, 7)


def test_what_head_has_not_read_stays_in_the_inbox(cli: Cli, pie: Running, tmp_path: Path) -> None:
    many(pie)
    inbox = str(tmp_path / "inbox.sqlite")
    ended = in_shell("| (sleep 1; head -2)", "pie", "listen", "--json", "--inbox", inbox)
    assert (tickets(ended.out), "Note" in ended.err) == (names(1, 2), False)
    assert tickets(cli("pie", "listen", "--json", "--count", "3", "--inbox", inbox).out) == names(3, 5)


def test_a_reader_that_stops_to_read_is_waited_for_and_ends_with_ctrl_c(cli: Cli, pie: Running) -> None:
    many(pie)
    process = spawn("pie", "listen", "--json")
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    first = ""
    while not first.endswith("\n"):
        first += os.read(descriptor, 65536).decode()
    until(lambda: queue(pie).accepted >= 1, process)
    time.sleep(0.3)
    assert queue(pie).accepted == 1, "the second is in the pipe, and nobody has read it"
    ended = finish(process, signal.SIGINT)
    assert ended.code == ExitCode.INTERRUPTED
    assert tickets(first) == names(1, 1)
    assert tickets(cli("pie", "listen", "--json", "--count", "1").out) == names(2, 2)


def listen_into(sock: socket.socket, *arguments: str) -> subprocess.Popen[str]:
    """``listen`` with ``sock`` as its stdout, as Node's child_process starts programs."""
    line = [sys.executable, "-m", "gridwire.cli", "pie", "listen", "--json", *arguments]
    return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=sock.fileno(), stderr=subprocess.PIPE, text=True)


def lines_of(sock: socket.socket, count: int) -> str:
    """So many lines, read byte by byte: nothing behind them."""
    read = b""
    while read.count(b"\n") < count:
        read += sock.recv(1)
    return read.decode()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a socket holds")
def test_what_the_reader_of_a_socket_has_not_read_stays_in_the_queue(cli: Cli, pie: Running) -> None:
    many(pie)
    ours, its = socket.socketpair()
    with ours:
        with its:
            process = listen_into(its)
        assert tickets(lines_of(ours, 2)) == names(1, 2)
        until(lambda: queue(pie).accepted >= 2, process)
        time.sleep(0.3)
        assert queue(pie).accepted == 2, "the third is in the socket, and nobody has read it"
    assert "--peek looks without taking, --count N takes N, --inbox FILE stores what is taken." in finish(process).err
    assert tickets(cli("pie", "listen", "--json", "--count", "2").out) == names(3, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a socket holds")
def test_what_was_read_before_a_socket_was_closed_is_taken(cli: Cli, pie: Running) -> None:
    ours, its = socket.socketpair()
    with ours:
        with its:
            process = listen_into(its)
        assert tickets(lines_of(ours, 3)) == names(1, 3)
    until(lambda: queue(pie).accepted == 3, process)
    many(pie, 1)
    assert finish(process).code != ExitCode.FAILED
    assert tickets(cli("pie", "listen", "--json", "--count", "1").out) == names(4, 4)


def test_a_socket_that_does_not_tell_what_was_read_is_given_nothing_unasked(cli: Cli, pie: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as its:
            refused, counted = listen_into(its), listen_into(its, "--count", "1")
        ended = finish(refused)
        assert ended.code == ExitCode.BAD_INPUT
        assert "the system does not tell what has been read" in ended.err
        assert "Nothing was taken. --inbox FILE stores what is taken" in ended.err
        assert finish(counted).code == ExitCode.DONE
        with server.accept()[0] as ours:
            assert tickets(lines_of(ours, 1)) == names(1, 1)
    assert queue(pie).accepted == 1


def test_a_look_takes_nothing(cli: Cli, pie: Running) -> None:
    many(pie)
    ran = cli("pie", "listen", "--peek", "--json")
    assert ran.code == ExitCode.DONE
    assert tickets(ran.out) == names(1, 20)
    assert ran.err == (
        "20 shown and none taken: they are in the queue for its next reader. There may be more: --count N shows up to N.\n"
    )
    ran = cli("pie", "listen", "--peek", "--count", "100")
    assert len(ran.out.splitlines()) == 33
    assert ran.err == "33 shown and none taken: they are in the queue for its next reader.\n"
    assert (queue(pie).accepted, len(queue(pie).waiting), queue(pie).modified) == (0, 33, 0)
    assert tickets(cli("pie", "listen", "--json", "--count", "33").out) == names(1, 33)
    assert cli("pie", "listen", "--peek").err.startswith("0 shown")


def test_a_look_is_allowed_where_nothing_may_be_taken(
    cli: Cli, pie: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRIDWIRE_EDSN_PIE_READ_ONLY", "true")
    monkeypatch.setenv("GRIDWIRE_EDSN_PIE_INBOX", str(tmp_path / "inbox.sqlite"))
    assert len(cli("pie", "listen", "--peek").out.splitlines()) == 3
    assert not (tmp_path / "inbox.sqlite").exists()
    ran = cli("pie", "listen", "--peek", "--inbox", "x.sqlite")
    assert (ran.code, ran.out) == (ExitCode.BAD_INPUT, "")
    assert "--peek takes nothing" in ran.err


def test_one_comment_is_shown(cli: Cli, pie: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    pie.venue.board.add_comment("PIE-000001", "Wij kijken ernaar.")
    ran = cli("pie", "comment", "COM-000001", "--ticket", "PIE-000001")
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    assert "Wij kijken ernaar." in ran.out
    told = json.loads(cli("pie", "comment", "COM-000001", "--ticket", "PIE-000001", "--json").out)
    assert (told["id"], told["ticket_id"], told["comment"]["text"]) == (
        "COM-000001",
        "PIE-000001",
        "Wij kijken ernaar.",
    )
    ran = cli("pie", "comment", "COM-000001")
    assert (ran.code, ran.out) == (ExitCode.BAD_INPUT, "")
    assert "give --ticket ID" in ran.err
    assert cli("pie", "comment", "COM-000009", "--ticket", "PIE-000001").code == ExitCode.VENUE
    monkeypatch.setenv("GRIDWIRE_EDSN_PIE_COMMENT_PATH", "/comments/{comment_id}")
    assert cli("pie", "comment", "COM-000001").code == ExitCode.VENUE, "asked without a ticket where the path has none"
    assert list(pie.venue.log)[-1].path.endswith("/comments/COM-000001")
