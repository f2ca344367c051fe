"""Programs that know nothing of each other, on one journal: in real time, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridwire.intents.uploads import read
from gridwire.sandbox.siooi import forms
from tests.support.sandbox_process import ROOT
from tests.support.siooi_process import Process

DEADLINE_S = 60


@pytest.fixture(scope="module")
def box() -> Iterator[Process]:
    with Process("sandbox") as process:
        yield process


def start(box: Process, journal: Path, *paths: Path) -> subprocess.Popen[str]:
    """``gridwire siooi submit`` in a process of its own."""
    words = ["siooi", "submit", *map(str, paths), "--yes", "--json", "--journal", str(journal)]
    return subprocess.Popen(
        [sys.executable, "-m", "gridwire.cli", *words],
        cwd=ROOT, env={**os.environ, **box.ask(do="where")}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> list[dict[str, str]]:
    out, errors = process.communicate(timeout=DEADLINE_S)
    assert out, errors
    documents: list[dict[str, str]] = json.loads(out)["documents"]
    return documents


def test_G09_of_processes_that_send_the_same_file_at_once_one_does(box: Process, tmp_path: Path) -> None:
    path = tmp_path / "F101__TPP-1__2031-Q1.xml"
    path.write_bytes(forms.document(period="2031-Q1"))
    reformatted = tmp_path / "F101__HPP-7__2031-Q2.xml"
    reformatted.write_bytes(path.read_bytes().replace(b"\n  ", b"\n\t"))
    before = len(box.ask(do="sends"))
    journal = tmp_path / "uploads.sqlite"
    running = [start(box, journal, one) for one in (path, reformatted, path, path)]
    outcomes = [one for process in running for one in ended(process)]
    (first,) = [one for one in outcomes if one["outcome"] == "accepted" and one["already"] is None]
    for other in outcomes:
        if other["file"] != first["file"]:  # under another name it is not there
            assert (other["outcome"], other["code"]) == ("rejected", "duplicate")
        elif other is not first:  # it hears of the first: how it ended, or that it has not ended yet
            assert other["ref"] == first["ref"]
            assert (other["outcome"], other["already"]) in (("accepted", "queued"), ("unknown", "sending"))
    assert len(box.ask(do="sends")) == before + 1
    assert [row.state for row in read(journal) if row.state != "not_sent"] == ["queued"]


def test_processes_with_documents_of_their_own_do_not_hold_each_other_up(box: Process, tmp_path: Path) -> None:
    journal = tmp_path / "uploads.sqlite"
    paths = [tmp_path / f"F101__TPP-1__2032-Q{number}.xml" for number in (1, 2, 3)]
    for path in paths:
        path.write_bytes(forms.document(period=path.stem.rpartition("__")[2]))
    running = [start(box, journal, path) for path in paths]
    assert [one["outcome"] for process in running for one in ended(process)] == ["accepted"] * 3
    assert [row.state for row in read(journal)] == ["queued"] * 3
