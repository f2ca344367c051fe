"""The measurements of ``gridwire.bench imports``; the times themselves are judged by ``make bench``, on a quiet machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gridwire.bench import imports
from gridwire.bench.imports import Figure, Report


def test_base_install_counts_ours_and_no_extra() -> None:
    names = imports.base_install()
    assert names[0] == "gridwire"
    assert {"httpx", "lxml", "pydantic", "websockets"} <= set(names)
    assert not {"aiohttp", "typer", "rich", "keyring"} & set(names)
    assert len(names) == len(set(names)) <= imports.BASE_BUDGET


def test_a_broken_budget_is_named_and_breaks_the_report() -> None:
    kept = Figure("import gridwire", 39.0, 40.0, "ms")
    broken = Figure("base install", 24, 23, "distributions")
    report = Report((kept, broken), ("gridwire", "httpx"), ("httptools",))
    assert not report.kept
    assert "base install" in report.as_text()
    assert "BROKEN" in report.as_text()
    assert "built on this machine: httptools" in report.as_text()
    assert [figure["kept"] for figure in report.as_dict()["figures"]] == [True, False]


def test_times_are_of_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_STEPS", (("import json", "import json", "pass", 1000.0),))
    report = imports.measure(runs=1)
    assert report.figures[0].name == "import json"
    assert report.kept


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gridwire.bench", "imports", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, b"")
