"""The root command: version, help, errors, codes, and what it costs to ask for help."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gridwire
from gridwire.cli import app as root
from gridwire.cli import main
from gridwire.cli.exits import ExitCode, code_of
from gridwire.errors import (
    AuthUnavailable,
    BusinessError,
    ConfigurationError,
    CredentialsRefused,
    GridwireError,
    InvalidInput,
    NotSent,
    ReadOnly,
    SecurityError,
)
from tests.cli.conftest import Cli


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"gridwire {gridwire.__version__}\n"


def test_help_lists_every_exit_code(cli: Cli) -> None:
    ran = cli("--help")
    assert ran.code == 0
    assert all(f"{code.value:>5}  {code.text}" in ran.out for code in ExitCode)
    assert "─" not in ran.out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput(""), ExitCode.BAD_INPUT),
        (ReadOnly(""), ExitCode.SETUP),
        (ConfigurationError(""), ExitCode.SETUP),
        (CredentialsRefused(""), ExitCode.SETUP),
        (SecurityError(""), ExitCode.SETUP),
        (AuthUnavailable(""), ExitCode.VENUE),
        (NotSent("", reason="dns"), ExitCode.VENUE),
        (BusinessError(""), ExitCode.VENUE),
    ],
)
def test_errors_have_codes(error: GridwireError, code: ExitCode) -> None:
    assert code_of(error) == code


def test_bad_usage_is_a_sentence_and_code_2(cli: Cli) -> None:
    ran = cli("stp", "bid", "cancel")
    assert ran.code == ExitCode.BAD_INPUT
    assert "Missing argument 'BID_ID'" in ran.err
    assert ran.out == ""


def test_help_imports_no_venue_and_no_heavy_library() -> None:
    code = (
        "import sys; from gridwire.cli import main; main(['--help']); "
        "print([m for m in ('gridwire.epias_stp', 'gridwire.edsn_pie', 'gridwire.sandbox', 'pydantic', 'httpx', 'lxml') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_without_the_extra_one_sentence_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from gridwire.cli import main; sys.exit(main(['--help']))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout) == (ExitCode.SETUP, "")
    assert ran.stderr.count("\n") == 1
    assert "pip install 'gridwire[cli]'" in ran.stderr


def test_a_defect_of_ours_is_a_paragraph_and_a_traceback_only_on_request(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("boom with ST-1-abcdef-cas in it")

    monkeypatch.setattr("typer.main.get_command", lambda _: type("Broken", (), {"main": fail})())
    ran = cli("stp", "bid", "cancel", "1")
    assert ran.code == ExitCode.UNKNOWN
    assert ran.err.startswith(
        "Error: gridwire failed in a way that it should not: RuntimeError: boom with ST-*** in it."
    )
    assert "look at depth and matches" in ran.err
    assert "Traceback" not in ran.err
    assert cli("stp", "contracts").code == ExitCode.FAILED
    assert "Traceback" in cli("stp", "--debug").err
    assert "ST-1" not in cli("stp", "--debug").err


def test_an_interrupt_before_a_command_started_is_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(root, "run", interrupt)
    assert main([]) == ExitCode.INTERRUPTED


def test_bench_is_forwarded(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def measure(arguments: list[str]) -> int:
        seen.append(arguments)
        return 1

    monkeypatch.setattr("gridwire.bench.__main__.main", measure)
    assert cli("bench", "imports", "--json").code == ExitCode.FAILED
    assert seen == [["imports", "--json"]]
