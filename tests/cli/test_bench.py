"""``gridwire bench``: one JSON object alone on standard output, progress beside it."""

from __future__ import annotations

import json

from gridwire.cli.exits import ExitCode
from tests.cli.conftest import Cli, in_shell


def test_orders_print_one_json_object_and_nothing_else(cli: Cli) -> None:
    ran = cli("bench", "orders", "--json", "--orders", "60", "--rounds", "1")
    assert ran.code == ExitCode.DONE
    assert set(json.loads(ran.out)) == {"rows", "ratios", "stages_us", "orders"}
    assert ran.err.strip() == "round 1 of 1"


def test_nothing_is_measured_for_a_closed_stdout() -> None:
    ended = in_shell(">&-", "bench", "imports")
    assert (ended.code, ended.err) == (
        ExitCode.FAILED,
        "Error: The result could not be written to stdout: it is closed.\n",
    )
