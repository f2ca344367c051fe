"""Raises processes that trade, and that kill themselves at a given line of the order path.

A warm process forks them, so that one costs milliseconds. It has no loop and no thread while it does. Nothing in the
product knows of this: see `tests.support.tracer`.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from gridwire.epias_stp import EpiasStp, models
from gridwire.intents.journal import read
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown
from gridwire.transport.lanes import LaneLimits
from tests.support.sandbox_process import CONTRACT, ROOT, account
from tests.support.tracer import Point, Tracer

TRACED = (
    "orders/desk.py", "orders/envelope.py", "intents/journal.py", "intents/records.py", "intents/guard.py",
    "transport/lane.py", "transport/lanes.py", "epias_stp/forms.py", "epias_stp/calls.py", "observe/timings.py",
)  # fmt: skip
SETTLED_S = 0.004
"""After this an outcome is written down."""
LIFE_S = 30


def kind(outcome: Outcome) -> list[str]:
    """An outcome as JSON can carry it."""
    match outcome:
        case Accepted(order=order):
            return ["accepted", (order.id if order is not None else None) or ""]
        case Rejected(code=code):
            return ["rejected", code]
        case Unknown(cause=cause):
            return ["unknown", cause]


async def trade(where: dict[str, Any], directory: str, ref: str, target: Point | None) -> Any:
    """Enter, change and cancel a bid over the desk without a pause, then enter one without it, and tell which lines were passed."""
    tracer = Tracer(target, TRACED)
    said: dict[str, Any] = {}
    async with EpiasStp(account(where, "TRADER1"), journal=directory) as stp:
        await stp.bids.known()
        async with stp.desk(contracts=[CONTRACT], lanes=LaneLimits(standing=1)) as desk:
            tracer.begin("buy")
            outcome = await desk.buy(CONTRACT, price="100.00", quantity=7, client_ref=ref)
            said["buy"] = kind(outcome)
            bid = outcome.accepted()
            assert bid is not None
            tracer.begin("modify")
            outcome = await desk.modify(bid, price="101.00", quantity=7)
            said["modify"] = kind(outcome)
            bid = outcome.accepted()
            assert bid is not None
            tracer.begin("cancel")
            said["cancel"] = kind(await desk.cancel(bid))
            await asyncio.sleep(SETTLED_S)
            tracer.begin("save")
            outcome = await stp.bids.save(CONTRACT, direction="SELL", price="900.00", quantity=3, client_ref=f"{ref}-2")
            said["save"] = kind(outcome)
            tracer.end()
    return {**said, "passed": list(tracer.passed)}


async def start_again(where: dict[str, Any], directory: str, ref: str, target: None) -> Any:
    """What a program sees that starts after a crash, and that runs its first orders again under the same references."""
    async with EpiasStp(account(where, "TRADER1"), journal=directory) as stp:
        known = [bid.id for bid in await stp.bids.known()]
        unknown = [outcome.intent.key for outcome in stp.unknown()]
        rows = [
            [row.key, row.state, row.operation, row.order_id, row.run, row.client_ref, row.account, dict(row.fields)]
            for row in read(Path(directory)).rows.values()
        ]
        again = [
            kind(await stp.bids.save(CONTRACT, direction=side, price=price, quantity=quantity, client_ref=name))
            for side, price, quantity, name in (("BUY", "100.00", 7, ref), ("SELL", "900.00", 3, f"{ref}-2"))
        ]
    return {"known": known, "unknown": unknown, "rows": rows, "again": again}


async def live_on(where: dict[str, Any], directory: str, ref: str, target: None) -> Any:
    """Another program on the same journal: a bid accepted, its change under way. It lives until it is killed."""
    lanes = LaneLimits(standing=1, answer_timeout_s=600.0)
    async with EpiasStp(account(where, "TRADER2"), journal=directory) as stp, stp.desk(lanes=lanes) as desk:
        bid = (await desk.buy(CONTRACT, price="50.00", quantity=1)).accepted()
        assert bid is not None
        waiting = asyncio.create_task(desk.modify(bid, price="51.00", quantity=1))
        await asyncio.sleep(0.05)
        _reply({"accepted": True, "waits": not waiting.done()})
        await waiting


ROLES: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
    "trade": trade,
    "start_again": start_again,
    "live_on": live_on,
}
_reply: Callable[[Any], None] = print


class Nursery:
    """The warm process, as a context manager."""

    def __init__(self, where: dict[str, Any]) -> None:
        self._where = where

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.kill_nursery"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._write(self._where)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def run(self, role: str, directory: Path, ref: str, target: Point | None = None) -> Any:
        """What a child said before it ended; None if it was killed."""
        self._write([role, str(directory), ref, target])
        return self._read()

    def kill_the_living(self) -> None:
        """End the child that lives on."""
        self._write(["kill", "", "", None])
        self._read()

    def _write(self, what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def _child(where: dict[str, Any], role: str, directory: str, ref: str, target: Any, pipe: int) -> None:
    global _reply
    signal.alarm(LIFE_S * (4 if role == "live_on" else 1))

    def reply(what: Any) -> None:
        os.write(pipe, json.dumps(what).encode() + b"\n")

    _reply = reply
    reply(asyncio.run(ROLES[role](where, directory, ref, None if target is None else tuple(target))))


def _first_line(pipe: int, pid: int, *, wait: bool) -> str:
    """What the child says; after that it is waited for, unless it lives on."""
    said = b""
    until = time.monotonic() + LIFE_S
    while not said.endswith(b"\n") and select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(pipe, 65536)
        if not piece:
            break
        said += piece
    if wait:
        os.waitpid(pid, 0)
    return said.decode() or "null\n"


async def _warm(where: dict[str, Any]) -> None:
    """What each child would otherwise do anew: imports, models, the TLS context. Its loop and threads are gone after it."""
    models.build()
    async with EpiasStp(account(where, "TRADER1")):
        pass


def main() -> None:
    """Read roles, fork children, tell what they said."""
    where = json.loads(sys.stdin.readline())
    asyncio.run(_warm(where))
    living: list[int] = []
    for asked in sys.stdin:
        role, directory, ref, target = json.loads(asked)
        if role == "kill":
            os.kill(living[-1], signal.SIGKILL)
            os.waitpid(living.pop(), 0)
            print("true", flush=True)  # noqa: T201
            continue
        with ExitStack() as stack:
            out, into = os.pipe()
            stack.callback(os.close, out)
            pid = os.fork()
            if pid == 0:
                try:
                    _child(where, role, directory, ref, target, into)
                finally:
                    os._exit(0)
            os.close(into)
            if role == "live_on":
                living.append(pid)
            print(_first_line(out, pid, wait=role != "live_on"), end="", flush=True)  # noqa: T201
    for pid in living:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
