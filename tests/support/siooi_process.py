"""A sandbox of АС СиОИ in a process of its own, and a warm process that forks clerks who die at a given line.

``python -m tests.support.siooi_process sandbox`` and ``… nursery`` answer one line of JSON per line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from gridwire.intents.uploads import read
from gridwire.outcome import Accepted, Outcome, Rejected
from gridwire.sandbox.siooi import forms
from gridwire.siooi import Siooi, load_profile, rules
from gridwire.siooi.duplicates import obstacle_in
from tests.support.sandbox_process import ROOT
from tests.support.tracer import Point, Tracer

TRACED = (
    "siooi/client.py", "siooi/documents.py", "siooi/sending.py", "siooi/polling.py", "siooi/ledger.py", "siooi/notes.py",
    "siooi/duplicates.py", "siooi/wire.py", "siooi/rules.py", "intents/uploads.py", "intents/upload_table.py", "transport/http.py", "auth/login_session.py",
)  # fmt: skip
LIFE_S = 30


class Process:
    """One of the two processes, as a context manager."""

    def __init__(self, role: str) -> None:
        self._role = role

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.siooi_process", self._role],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def ask(self, **what: Any) -> Any:
        """One question and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


# ---------------------------------------------------------------------------------------------------------------------
# The sandbox


async def sandbox() -> None:
    from gridwire.sandbox import Sandbox

    loop = asyncio.get_running_loop()
    async with Sandbox("siooi") as box:
        venue = box.venue("siooi")
        venue.knobs.queue_s = venue.knobs.run_s = 0.01
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            await asyncio.sleep(0.01)  # what a killed client left in a socket is executed by now
            if json.loads(line)["do"] == "where":
                _say(venue.describe()["env"])
            else:
                _say([asdict(call) for call in venue.log.calls("send")])


# ---------------------------------------------------------------------------------------------------------------------
# The nursery


def kind(outcome: Outcome) -> list[str]:
    """An outcome as JSON can carry it; ``held_back`` is that of an earlier upload, and nothing was sent."""
    if obstacle_in(outcome) is not None:
        return ["held_back", type(outcome).__name__]
    if isinstance(outcome, Accepted):
        return ["accepted", (outcome.order.id if outcome.order is not None else None) or ""]
    return ["rejected", outcome.code] if isinstance(outcome, Rejected) else ["unknown", outcome.cause]


def client(where: dict[str, str], journal: str) -> Siooi:
    profile = load_profile(where["GRIDWIRE_SIOOI_PROFILE"])
    return Siooi(
        profile,
        where["GRIDWIRE_SIOOI_LOGIN"],
        where["GRIDWIRE_SIOOI_PASSWORD"],
        journal=journal,
        schemas=where["GRIDWIRE_SIOOI_SCHEMAS"],
    )


async def work(where: dict[str, str], journal: str, period: str, target: Point | None) -> Any:
    """Prepare, submit and follow one document, and tell which lines were passed."""
    tracer = Tracer(target, TRACED)
    threading.settrace(tracer._called)
    async with client(where, journal) as clerk:
        tracer.begin("prepare")
        document = await clerk.prepare(
            forms.document(period=period), form_code="F101", object_key="TPP-1", period=period
        )
        tracer.begin("submit")
        outcome = await clerk.submit(document, confirm=True)
        tracer.begin("wait")
        assert isinstance(outcome, Accepted)
        result = await clerk.wait(outcome.intent.key)
        tracer.end()
    return {"outcome": kind(outcome), "result": type(result).__name__, "passed": list(tracer.passed)}


async def start_again(where: dict[str, str], journal: str, period: str, target: None) -> Any:
    """What a program does that starts after a crash: follow what is pending, then send the same document again."""
    async with client(where, journal) as clerk:
        await clerk.pending()
        unknown = [one.intent.key for one in clerk.unknown()]
        results = [[one.job.ref, type(one).__name__] for one in await clerk.resume()]
        before = [[row.ref, row.state, row.job_id, row.document.exact_sha256] for row in read(Path(journal))]
        document = await clerk.prepare(
            forms.document(period=period), form_code="F101", object_key="TPP-1", period=period
        )
        again = kind(await clerk.submit(document, confirm=True))
        after = [[row.ref, row.state, row.job_id, row.document.exact_sha256] for row in read(Path(journal))]
    return {"unknown": unknown, "results": results, "before": before, "again": again, "after": after}


ROLES: dict[str, Callable[..., Any]] = {"work": work, "start_again": start_again}


def _child(asked: dict[str, Any], pipe: int) -> None:
    signal.alarm(LIFE_S)
    target = asked["target"]
    said = asyncio.run(
        ROLES[asked["role"]](
            asked["where"], asked["journal"], asked["period"], None if target is None else tuple(target)
        )
    )
    with os.fdopen(pipe, "w") as out:
        json.dump(said, out)


async def _warm(where: dict[str, str]) -> None:
    """What each child would otherwise do anew: imports and the TLS context. Its loop and threads are gone after it."""
    async with client(where, os.devnull + "-never-opened"):
        pass


def nursery() -> None:
    rules.FIRST_POLL_S = 0.02  # real time: a job takes hundredths of a second here
    warm = False
    for line in sys.stdin:
        asked = json.loads(line)
        if not warm:
            asyncio.run(_warm(asked["where"]))
            warm = True
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(out)
                _child(asked, into)
            finally:
                os._exit(0)
        os.close(into)
        with os.fdopen(out) as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        _say(json.loads(said) if said else None)


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1] == "sandbox":
        asyncio.run(sandbox())
    else:
        nursery()
