"""What type checkers, and with them editors, see of the blocking face."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = """
from gridwire.sync import EpiasStp, Sandbox

with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
    reveal_type(stp)
    reveal_type(stp.contracts.standard())
    reveal_type(stp.bids.cancel("1"))
    for event in stp.broadcast():
        reveal_type(event)
    reveal_type(EpiasStp.from_env())
    stp.bids.save("GG20261201", price="1.00", quantity=1)
    stp.bids.save("GG20261201", direction="BUY", price="1.00", quantity="1")
"""
REVEALED = [
    "EpiasStp", "Listing[ContractSummary]", "Accepted | Rejected | Unknown", "Message | Connection", "EpiasStp",
]  # fmt: skip
CHECKERS = {
    "mypy": (["mypy", "--follow-imports=silent"], r'Revealed type is "(.*)"'),
    "pyright": (["pyright"], r' is "(.*)"'),
}


@pytest.mark.parametrize("name", CHECKERS)
def test_signatures_are_seen_as_in_the_async_client(name: str, tmp_path: Path) -> None:
    command, pattern = CHECKERS[name]
    file = tmp_path / "sample.py"
    file.write_text(SAMPLE)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYRIGHT_PYTHON_GLOBAL_NODE": "0",
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }
    found = subprocess.run([*command, str(file)], cwd=ROOT, env=environment, text=True, capture_output=True).stdout
    revealed = [re.sub(r"\w+\.", "", text) for text in re.findall(pattern, found)]
    assert revealed == REVEALED, found
    errors = [int(line) for line in re.findall(r"sample\.py:(\d+)(?::\d+)?(?: -)?:? error", found)]
    assert errors == [11, 12], found
