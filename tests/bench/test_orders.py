"""``gridwire bench orders``: what it prints and writes; the figures themselves are for a quiet machine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gridwire.bench import orders
from gridwire.bench.__main__ import main
from gridwire.bench.contenders import LOOPS

ROW = {"name", "tls", "loop", "p50_us", "p99_us", "p999_us", "cpu_us"}
RATIOS = {"desk_to_floor_p50", "desk_to_floor_p99", "naive_to_desk_p50", "cached_to_desk_p50", "cpu_desk_to_cached"}


@pytest.fixture
def affinity() -> Any:
    return os.sched_getaffinity(0)


def test_json_alone_is_printed_and_a_picture_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], affinity: set[int]
) -> None:
    picture = tmp_path / "orders.png"
    assert main(["orders", "--json", "--orders", "60", "--rounds", "2", "--plot", str(picture)]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)  # that one object and nothing else
    assert "round 2 of 2" in said.err
    assert {frozenset(row) for row in told["rows"]} == {frozenset(ROW)}
    names = [(row["name"], row["tls"], row["loop"]) for row in told["rows"]]
    alone = [("floor", "none"), ("httpx_cached_ticket", "asyncio"), ("httpx_naive", "asyncio")]
    wanted = [
        (name, tls, loop) for tls in (True, False) for name, loop in [*alone, *(("desk", loop) for loop in LOOPS)]
    ]
    assert sorted(names) == sorted(wanted)
    assert all(0 < row["p50_us"] <= row["p99_us"] <= row["p999_us"] for row in told["rows"])
    assert set(told["ratios"]) == RATIOS
    assert all(value > 0 for value in told["ratios"].values())
    assert told["orders"] == 60
    assert sum(told["stages_us"].values()) > 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert os.sched_getaffinity(0) == affinity


def test_a_slow_machine_ends_early_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "WITHIN_S", 0.0)
    said: list[str] = []
    report = orders.measure(orders=90, rounds=3, tell=said.append)
    assert said == ["round 1 of 3", "This machine is slow: measured 1 of 3 rounds, 30 orders each."]
    assert report.orders == 30


def test_rounds_shrink_to_what_fits() -> None:
    assert orders.fitting(10.0, 0.1) == 70
    assert orders.fitting(-1.0, 0.1) == 0


def test_the_responder_goes_to_a_processor_it_may_use(monkeypatch: pytest.MonkeyPatch, affinity: set[int]) -> None:
    started: list[list[str]] = []
    popen = subprocess.Popen

    def noted(command: list[str], **options: Any) -> Any:
        started.append(command)
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", noted)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    with orders._pinned() as cores:
        assert cores == sorted(affinity)
        with orders._responder(tls=False, core=cores[-1]) as target:
            assert target.port
    assert started[0][-2:] == ["--core", str(max(affinity))]
