"""The journal between processes that race, die and fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from gridwire.intents import runs
from gridwire.intents.journal import Journal, read
from tests.intents.runs import left_by_a_dead_run, racing, state_in, states

CLAIM = """
import sys
from pathlib import Path
from gridwire.intents.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(" ".join(str(n) for n in range(300) if journal.claim(f"ref-{n}", f"{sys.argv[2]}-{n}")), flush=True)
sys.stdin.readline()  # a reservation of a dead process would be free
"""

RUNS = """
import os, sys
from pathlib import Path
from gridwire.intents.journal import Journal
print("ready", flush=True)
sys.stdin.readline()
for n in range(25):
    journal = Journal.open(Path(sys.argv[1]))
    journal.record("sending", f"{sys.argv[2]}-{n}")
    journal._abandon()
print("done", flush=True)
os._exit(0)
"""


class TestProcesses:
    def test_of_two_live_processes_one_gets_a_reference(self, tmp_path: Path) -> None:
        won = [set(map(int, said.split())) for said in racing(CLAIM, tmp_path, 2)]
        assert won[0] | won[1] == set(range(300))
        assert won[0] & won[1] == set()

    def test_runs_that_begin_die_and_are_recovered_at_the_same_time_lose_no_row(self, tmp_path: Path) -> None:
        racing(RUNS, tmp_path, 3)
        journal = Journal.open(tmp_path)
        assert states(journal) == {f"{process}-{n}": "unknown" for process in range(3) for n in range(25)}
        assert read(tmp_path).damaged == 0
        journal.close()

    def test_a_reader_never_misses_a_row_that_is_being_moved(self, tmp_path: Path) -> None:
        Journal.open(tmp_path).close()
        there: list[str] = []
        missed: list[str] = []
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                expected = list(there)
                found = read(tmp_path).rows
                missed.extend(key for key in expected if key not in found)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for n in range(40):
            left_by_a_dead_run(tmp_path, ("sending", str(n)))  # which also moves the run before
            there.append(str(n))
        done.set()
        watcher.join()
        assert missed == []

    def test_a_forked_worker_does_not_keep_its_dead_parents_run_alive(self, tmp_path: Path) -> None:
        script = f"""
import os, sys, time
from pathlib import Path
from gridwire.intents.journal import Journal
from gridwire.intents.records import JournalError
journal = Journal.open(Path({str(tmp_path)!r}))
journal.record("sending", "K")
if os.fork() == 0:
    try:
        journal.record("sending", "of the child")
    except JournalError:
        print(os.getpid(), flush=True)
    sys.stdin.readline()
    os._exit(0)
time.sleep(30)
"""
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        child = int(process.stdout.readline())
        live = Journal.open(tmp_path)
        assert live.recovered == []
        process.kill()
        process.wait()
        os.kill(child, 0)  # it is there still
        assert [row.key for row in live.recover()] == ["K"]
        live.close()
        process.communicate("end\n")

    def test_forking_without_an_open_journal_is_nothing(self, tmp_path: Path) -> None:
        journal = Journal.open(tmp_path)
        journal.close()
        runs._forked()
        assert state_in(tmp_path) == {}
