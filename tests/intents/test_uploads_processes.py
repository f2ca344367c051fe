"""The upload journal between programs that race and die, and one that is killed at line after line of it.

``GRIDWIRE_KILL_POINTS=all`` tries every line instead of each third.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gridwire.intents.uploads import Uploads, read
from tests.intents.runs import racing
from tests.support.upload_nursery import Nursery

RACE = """
import sys
from pathlib import Path
from gridwire.intents.upload_records import AlreadySent
from gridwire.intents.uploads import Uploads
from tests.intents.test_upload_records import document
uploads = Uploads.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
won = []
for n in range(25):
    row = uploads.prepare(document(exact_sha256=f"{n:064x}", canonical_sha256=f"{n:064x}", period=f"{n}"))
    try:
        uploads.start(row.ref, note=sys.argv[2])
        won.append(n)
    except AlreadySent:
        pass
print(" ".join(map(str, won)), flush=True)
sys.stdin.readline()  # what a dead process was sending would be unknown
"""

FORCED = """
import sys
from pathlib import Path
from gridwire.intents.upload_records import AlreadySent
from gridwire.intents.uploads import Uploads
from tests.intents.test_upload_records import document
uploads = Uploads.open(Path(sys.argv[1]))
row = uploads.prepare(document())
print("ready", flush=True)
sys.stdin.readline()
try:
    uploads.start(row.ref, force=True, i_accept_duplicate=True)
    print("sends", flush=True)
except AlreadySent:
    print("waits", flush=True)
sys.stdin.readline()
"""

BEGIN = """
import os, sys
from pathlib import Path
from gridwire.intents.uploads import Uploads
from tests.intents.test_upload_records import document
print("ready", flush=True)
sys.stdin.readline()
for n in range(15):
    uploads = Uploads.open(Path(sys.argv[1]))
    name = f"{sys.argv[2]}-{n}"
    digest = f"{int(sys.argv[2]) * 1000 + n:064x}"
    uploads.start(uploads.prepare(document(exact_sha256=digest, canonical_sha256=digest, period=name)).ref)
    uploads._abandon()
print("done", flush=True)
os._exit(0)
"""

FORK = """
import os, sys, time
from pathlib import Path
from gridwire.intents.records import JournalError
from gridwire.intents.uploads import Uploads
from tests.intents.test_upload_records import OTHER, document
uploads = Uploads.open(Path(sys.argv[1]))
uploads.start(uploads.prepare(document()).ref)
other = uploads.prepare(document(**OTHER))
if os.fork() == 0:
    try:
        uploads.start(other.ref)
    except JournalError:
        print(os.getpid(), flush=True)
    sys.stdin.readline()
    os._exit(0)
time.sleep(30)
"""


class TestProcesses:
    def test_of_racing_processes_exactly_one_sends_each_document(self, tmp_path: Path) -> None:
        path = tmp_path / "uploads.sqlite"
        won = [list(map(int, said.split())) for said in racing(RACE, path, 4)]
        assert sorted(n for each in won for n in each) == list(range(25))
        rows = read(path)
        assert sum(row.state == "unknown" or row.state == "sending" for row in rows) == 25
        assert sum(row.state == "prepared" for row in rows) == 75

    def test_of_racing_persons_who_force_exactly_one_sends(self, tmp_path: Path) -> None:
        said = racing(FORCED, tmp_path / "uploads.sqlite", 3)
        assert sorted(said) == ["sends\n", "waits\n", "waits\n"]

    def test_runs_that_begin_and_die_at_the_same_time_lose_no_row(self, tmp_path: Path) -> None:
        path = tmp_path / "uploads.sqlite"
        racing(BEGIN, path, 3)
        last = Uploads.open(path)
        assert sorted(row.document.period for row in last.rows()) == sorted(
            f"{p}-{n}" for p in range(3) for n in range(15)
        )
        assert {row.state for row in last.rows()} == {"unknown"}
        last.close()

    def test_a_forked_worker_does_not_keep_its_dead_parents_run_alive(self, tmp_path: Path) -> None:
        path = tmp_path / "uploads.sqlite"
        process = subprocess.Popen(
            [sys.executable, "-c", FORK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        live = Uploads.open(path)
        assert live.recovered == []
        process.kill()
        process.wait()
        assert [row.document.period for row in live.recover()] == ["2026-Q3"]
        live.close()
        process.communicate("end\n")


def test_killed_at_line_after_line_it_loses_nothing_and_sends_nothing_twice() -> None:
    with Nursery() as nursery:
        points = nursery.points()
        if os.environ.get("GRIDWIRE_KILL_POINTS") != "all":
            points = points[::3]
        verdicts = [nursery.kill_at(point) for point in points]
    assert len(points) >= 150
    assert [verdict for verdict in verdicts if verdict] == []
