"""The measurement of notifications runs, and says what it found in both forms."""

from __future__ import annotations

import json

import pytest

from gridwire.bench.__main__ import main
from gridwire.bench.amqp import AmqpReport, measure


def test_both_contenders_take_every_message() -> None:
    told: list[str] = []
    report = measure(messages=500, rounds=1, tell=told.append)
    assert told == ["round 1 of 1"]
    assert report.gridwire > 0
    assert report.container > 0


def test_the_ratio_decides() -> None:
    assert AmqpReport(1500, 1000, 1, 1).kept
    assert not AmqpReport(1499, 1000, 1, 1).kept
    assert "ratio                      1.50" in AmqpReport(1500, 1000, 1, 1).as_text()


def test_it_prints_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["amqp", "--json", "--messages", "500", "--rounds", "1"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["kept"] is (code == 0)
    assert set(printed) == {
        "gridwire_messages_per_cpu_s", "container_messages_per_cpu_s", "ratio", "target", "kept", "messages", "rounds",
    }  # fmt: skip
