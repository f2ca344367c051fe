"""Raises processes that write into an upload journal, and that kill themselves at a given line of it.

A warm process forks them, so that one costs milliseconds. The child tells each step that has returned; after its death the
journal is opened anew, and what it holds must agree with what was told.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from gridwire.intents.upload_records import BLOCKING, AlreadySent, Document
from gridwire.intents.uploads import Uploads
from tests.support.sandbox_process import ROOT
from tests.support.tracer import Point, Tracer

MEMORY = "/dev/shm"  # noqa: S108 - a folder of our own is made in it
TRACED = ("intents/uploads.py", "intents/upload_table.py", "intents/sqlite.py", "intents/runs.py")
FIRST = Document("siooi/test", "ivanov", "F1", "ПС 110", "2026-Q3", "a" * 64, "b" * 64, 10)
SECOND = replace(FIRST, exact_sha256="c" * 64, canonical_sha256="d" * 64, period="2026-Q4")
MAY_FOLLOW: dict[str, set[tuple[str, ...]]] = {
    "opened": {(), ("prepared",)},
    "prepared": {("prepared",), ("unknown",)},
    "sending": {("unknown",), ("queued",)},
    "queued": {("queued",), ("processing",)},
    "processing": {("processing",), ("succeeded",)},
    "succeeded": {("succeeded",), ("withdrawn",)},
    "withdrawn": {("withdrawn",), ("withdrawn", "prepared")},
    "prepared again": {("withdrawn", "prepared"), ("withdrawn", "unknown")},
    "sending again": {("withdrawn", "unknown")},
    "unknown again": {("withdrawn", "unknown"), ("withdrawn", "resolved_absent")},
    "resolved": {("withdrawn", "resolved_absent")},
    "closed": {("withdrawn", "resolved_absent")},
}
"""What the journal may hold after the last step that was told: that step, or the next one whole."""


def live(path: Path, target: Point | None, tell: Any) -> list[Point]:
    """One document loaded and withdrawn, its correction lost and looked for. Each step is told when it has returned."""
    tracer = Tracer(target, TRACED)
    tracer.begin("open")
    uploads = Uploads.open(path)
    tell("opened")
    tracer.begin("prepare")
    row = uploads.prepare(FIRST)
    tell("prepared")
    tracer.begin("start")
    uploads.start(row.ref)
    tell("sending")
    tracer.begin("queued")
    uploads.record(row.ref, "queued", job_id="J1", answer="ok")
    tell("queued")
    tracer.begin("follow")
    uploads.record(row.ref, "processing")
    tell("processing")
    uploads.record(row.ref, "succeeded")
    tell("succeeded")
    tracer.begin("withdraw")
    uploads.deleted_by_support(row.ref, by="Иванова", note="письмо")
    tell("withdrawn")
    tracer.begin("again")
    row = uploads.prepare(replace(SECOND, period=FIRST.period))
    tell("prepared again")
    uploads.start(row.ref)
    tell("sending again")
    uploads.record(row.ref, "unknown")
    tell("unknown again")
    tracer.begin("resolve")
    uploads.resolve(row.ref, "absent", by="Иванова", note="нет")
    tell("resolved")
    tracer.begin("close")
    uploads.close()
    tell("closed")
    tracer.end()
    return list(tracer.passed)


def judge(path: Path, told: list[str]) -> str:
    """A sentence about what the journal holds and should not, or none."""
    uploads = Uploads.open(path)
    try:
        rows = uploads.rows()
        states = tuple(row.state for row in rows)
        if states not in (MAY_FOLLOW[told[-1]] if told else {()}):
            return f"told {told}, held {states}"
        if told and told[-1] in ("sending", "sending again") and "unknown" not in states and "queued" not in states:
            return "what was sent is lost"
        with closing(sqlite3.connect(path)) as connection:
            if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                return "the file is damaged"
        for row in rows:
            if [step.state for step in uploads.history(row.ref)][-1] != row.state:
                return "a row and its history disagree"
            again = uploads.prepare(row.document)
            try:
                uploads.start(again.ref)
                sent = True
                uploads.record(again.ref, "not_sent")
            except AlreadySent:
                sent = False
            if sent != (not any(one.state in BLOCKING for one in rows)):
                return f"{states}, and sent again: {sent}"
        locks = [lock.stem for lock in path.with_name(f"{path.name}.runs").glob("*.lock")]
        return "" if locks == [uploads.run] else f"locks of dead runs stay: {locks}"
    finally:
        uploads.close()


def _child(path: Path, target: Point | None) -> tuple[list[str], list[Any]]:
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(out)
            passed = live(path, target, lambda step: os.write(into, f"{step}\n".encode()))
            os.write(into, f"passed {json.dumps(passed)}\n".encode())
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out, encoding="utf-8") as pipe:
        said = pipe.read().splitlines()
    os.waitpid(pid, 0)
    lines: list[Any] = []
    if said and said[-1].startswith("passed "):
        lines = json.loads(said.pop().removeprefix("passed "))
    return said, lines


def main() -> None:
    """Read paths and points, fork children, tell the verdicts."""
    for asked in sys.stdin:
        path, target = json.loads(asked)
        told, passed = _child(Path(path), None if target is None else tuple(target))
        verdict: Any = passed if target is None else judge(Path(path), told)
        if target is not None and told[-1:] == ["closed"] and target[0] != "close":
            verdict = f"{target} was not passed again"
        print(json.dumps(verdict), flush=True)  # noqa: T201


class Nursery:
    """The warm process, as a context manager."""

    def __init__(self) -> None:
        # What a death leaves behind is the same in memory, and a commit takes microseconds instead of a disk's time.
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else None)
        self._count = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.upload_nursery"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)
        self._folder.cleanup()

    def points(self) -> list[Point]:
        """Every line that an undisturbed life passes, with what it does there."""
        return [(doing, file, line) for doing, file, line in self._ask(None)]

    def kill_at(self, point: Point) -> str:
        """What is wrong after a death at ``point``; nothing, if all is as it should be."""
        verdict = str(self._ask(point))
        return f"killed at {point}: {verdict}" if verdict else ""

    def _ask(self, point: Point | None) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._count += 1
        path = Path(self._folder.name) / str(self._count) / "uploads.sqlite"
        self._process.stdin.write(json.dumps([str(path), point]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


if __name__ == "__main__":
    main()
