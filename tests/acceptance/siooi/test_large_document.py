"""A document of 20 MiB, from its file to the venue: progress, memory, and an event loop that stays free.

In real time, the client in a process of its own, because peak memory and lag are a whole process's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.siooi.office import PROFILES
from tests.support.sandbox_process import ROOT
from tests.support.siooi_process import Process

MOST_LAG_S = 0.05
MIB = 2**20

SCRIPT = """
import asyncio, json, sys, time
from pathlib import Path
from gridwire.outcome import Accepted
from gridwire.siooi import Siooi, load_profile

profile, login, password, schemas, folder, period = sys.argv[1:]
path = Path(folder) / "large.xml"

async def main():
    worst, where, at = 0.0, "", "start"
    async def tick():
        nonlocal worst, where
        while True:
            before, used = time.perf_counter(), time.process_time()
            await asyncio.sleep(0.001)
            # While other programs had the processor, nobody of us held the loop up.
            lag = min(time.perf_counter() - before - 0.001, time.process_time() - used)
            if lag > worst:
                worst, where = lag, at
    checked, sent = [], []
    async with Siooi(load_profile(profile), login, password, schemas=schemas, journal=Path(folder) / "uploads.sqlite") as client:
        await client.pending()
        await client._sessions.get()
        ticking = asyncio.create_task(tick())
        began, at = time.perf_counter(), "prepare"
        document = await client.prepare(path, form_code="F101", object_key="TPP-1", period=period,
                                        on_progress=lambda *of: checked.append(of))
        prepared, at = time.perf_counter(), "submit"
        outcome = await client.submit(document, confirm=True, on_progress=lambda *of: sent.append(of))
        ended = time.perf_counter()
        ticking.cancel()
    assert isinstance(outcome, Accepted), outcome
    status = Path("/proc/self/status").read_text()
    return {"lag_s": worst, "where": where, "checked": len(checked), "sent": len(sent), "last": sent[-1],
            "size": document.document.size_bytes, "sha256": document.document.exact_sha256,
            "prepare_s": prepared - began, "submit_s": ended - prepared,
            "peak": int(status.partition("VmHWM:")[2].split()[0]) * 1024}

print(json.dumps(asyncio.run(main())))
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Process]:
    with Process("sandbox") as process:
        yield process


def write(folder: Path, period: str) -> None:
    """Rows of short elements, the shape that costs a parser most."""
    head = f'<document form="F101"><object>TPP-1</object><period>{period}</period>\n'.encode()
    row = b'<row code="1"><equipment>T</equipment><wear>1</wear></row>\n'
    (folder / "large.xml").write_bytes(head + row * ((20 * MIB - 200) // len(row)) + b"</document>")


def measured(box: Process, folder: Path, wire: str, period: str) -> dict[str, Any]:
    where = box.ask(do="where")
    folder.mkdir()
    write(folder, period)
    profile = where["GRIDWIRE_SIOOI_PROFILE"]
    if wire == "text":
        origin = json.loads(Path(profile).read_text())["base_url"].removesuffix("/json")
        text = (PROFILES / "third_wire.toml").read_text(encoding="utf-8").replace("http://127.0.0.1:8080", origin)
        profile = str(folder / "third.toml")
        Path(profile).write_text(text, encoding="utf-8")
    names = ("LOGIN", "PASSWORD", "SCHEMAS")
    told = [where[f"GRIDWIRE_SIOOI_{name}"] for name in names]
    command = [sys.executable, "-c", SCRIPT, profile, *told, str(folder), period]
    found: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return found


@pytest.mark.parametrize("wire", ["json", "text"])
def test_twenty_mib_arrive_whole_with_little_memory_and_a_free_loop(box: Process, tmp_path: Path, wire: str) -> None:
    year = {"json": 30, "text": 40}[wire]
    for attempt in range(4):  # a busy machine makes any loop wait; what the code does shows in the best run
        found = measured(box, tmp_path / str(attempt), wire, f"20{year + attempt}-Q3")
        if found["lag_s"] < MOST_LAG_S:
            break
    assert 19.9 * MIB < found["size"] <= 20 * MIB
    assert found["last"][0] == found["last"][1] >= found["size"]
    assert min(found["checked"], found["sent"]) >= 320
    assert box.ask(do="sends")[-1]["sha256"] == found["sha256"]
    assert found["peak"] <= 12 * found["size"], found
    assert found["lag_s"] < MOST_LAG_S, found
