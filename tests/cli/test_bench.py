"""``gridwire bench``: one JSON object alone on standard output, progress beside it."""

from __future__ import annotations

import json

from gridwire.cli.exits import ExitCode
from tests.cli.conftest import Cli


def test_orders_print_one_json_object_and_nothing_else(cli: Cli) -> None:
    ran = cli("bench", "orders", "--json", "--orders", "60", "--rounds", "1")
    assert ran.code == ExitCode.DONE
    assert set(json.loads(ran.out)) == {"rows", "ratios", "stages_us", "orders"}
    assert ran.err.strip() == "round 1 of 1"
