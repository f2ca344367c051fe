"""A sandbox in a process of its own, with its log and its market to be asked for, one line of JSON at a time.

``python -m tests.support.sandbox_process`` prints where it is, then answers each line on its standard input.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr

from gridwire import clock
from gridwire.epias_stp.profile import Account, Profile

ROOT = Path(__file__).resolve().parents[2]
EPOCH = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
CONTRACT = "GG20261201"


def account(where: dict[str, Any], user: str) -> Account:
    """What a client takes to be ``user``."""
    return Account(Profile(environment="sandbox", **where["profile"]), user, SecretStr(where["passwords"][user]), None)


class SandboxProcess:
    """The process, as a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.sandbox_process"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.where: dict[str, Any] = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def ask(self, **command: Any) -> Any:
        """One command and its answer: ``do`` is ``calls``, ``bids``, ``events`` or ``fault``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


async def _serve() -> None:
    from gridwire.sandbox import Sandbox

    loop = asyncio.get_running_loop()
    async with Sandbox("epias_stp") as box:
        venue = box.venue("epias_stp")
        venue.cas.knobs.login_limit = None
        profile = asdict(venue.profile)
        wanted = ("cas_url", "stp_url", "service", "engine_path", "broadcaster_path")
        _say({"profile": {name: profile[name] for name in wanted}, "passwords": venue.cas.passwords})
        while command := await loop.run_in_executor(None, sys.stdin.readline):
            asked = json.loads(command)
            await asyncio.sleep(0.01)  # what a killed client left in a socket is executed by now
            match asked.pop("do"):
                case "calls":
                    _say([asdict(call) for call in list(venue.log)[asked["after"] :]])
                case "bids":
                    _say({bid.id: [bid.user.name, bid.status, bid.price] for bid in venue.market.bids.values()})
                case _:
                    venue.faults.add(**asked)
                    _say(True)


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    started = time.monotonic()
    with clock.use(lambda: EPOCH + timedelta(seconds=time.monotonic() - started)):
        asyncio.run(_serve())
