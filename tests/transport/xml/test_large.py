"""A document of 20 MiB in short elements: what its check costs in memory, and what it costs the event loop.

In real time and in a process of its own, because peak memory and lag are a whole process's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.sandbox_process import ROOT

MOST_LAG_S = 0.05

SCRIPT = """
import asyncio, json, sys, time
from pathlib import Path
from gridwire.transport import xml

ROW = b"<r><a>1</a><b>2.5</b></r>\\n"
BAD = b"<r><a>x</a></r>"
rows = (20 * 1024 * 1024 - 100) // len(ROW)
data = b"<doc>" + ROW * rows + (BAD if sys.argv[2] == "bad" else b"") + b"</doc>"

async def main():
    worst, told = 0.0, []
    async def tick():
        nonlocal worst
        while True:
            before, used = time.perf_counter(), time.process_time()
            await asyncio.sleep(0.001)
            # While other programs had the processor, nobody of us held the loop up.
            worst = max(worst, min(time.perf_counter() - before - 0.001, time.process_time() - used))
    schema = await asyncio.to_thread(xml.Schemas(Path(sys.argv[1])).get, "F1")
    ticking = asyncio.create_task(tick())
    began = time.perf_counter()
    try:
        found = await asyncio.to_thread(xml.inspect, data, schema=schema, progress=lambda done, _: told.append(done))
        place = [found.size_bytes]
    except xml.DocumentRefused as refused:
        place = [[fault.line, fault.path] for fault in refused.faults]
    seconds = time.perf_counter() - began
    ticking.cancel()
    return {"place": place, "lag_s": worst, "told": len(told), "rows": rows, "size": len(data), "seconds": seconds,
            "peak": peak()}

def peak():
    # Unlike ru_maxrss it says nothing of the large process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

print(json.dumps(asyncio.run(main())))
"""


def measured(folder: Path, kind: str) -> dict[str, Any]:
    command = [sys.executable, "-c", SCRIPT, str(folder), kind]
    found: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return found


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_twenty_mib_take_little_memory_and_leave_the_loop_free(schemas_folder: Path, kind: str) -> None:
    found = measured(schemas_folder, kind)
    for _ in range(3):  # a busy machine makes any loop wait; what the code does shows in the best of them
        if found["lag_s"] >= MOST_LAG_S:
            found = measured(schemas_folder, kind)
    assert 19.9 * 2**20 < found["size"] <= 20 * 2**20
    assert found["place"] == (
        [found["size"]] if kind == "good" else [[found["rows"] + 1, f"/doc/r[{found['rows'] + 1}]/a[1]"]]
    )
    assert found["told"] == 320
    assert found["peak"] <= 12 * found["size"]  # the whole process, with what it imports
    assert found["lag_s"] < MOST_LAG_S
