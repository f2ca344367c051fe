"""Refused passwords that are remembered after the program: one try, not one try per program start.

A command that cron starts every ten minutes with a wrong password would lock the account. So a refusal is written down, as
a salted digest that can be compared with and not read back, in a file that only this user can read. It holds for an hour:
an account that was unlocked must work again without a new password. The file is a help, not a condition: where it cannot
be used, logins go on without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr, TypeAdapter

from gridwire import clock
from gridwire.auth.login_store import REFUSAL_HELD_S, Refusal
from gridwire.errors import AuthUnavailable
from gridwire.intents.locks import try_lock

MOST_BYTES = 64 * 1024
MOST_ACCOUNTS = 50
LOCK_WAIT_S = 60.0
"""Twice as long as one login may take."""
LOOK_AGAIN_S = 0.02

_READER: TypeAdapter[dict[str, Refusal]] = TypeAdapter(dict[str, Refusal])


async def _take(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + LOCK_WAIT_S
    with contextlib.suppress(OSError):  # a file system without locks
        while not try_lock(descriptor):
            if loop.time() >= end:
                raise AuthUnavailable(
                    f"Another program has been logging in for {LOCK_WAIT_S:.0f} s. No document left. Try again later."
                )
            await asyncio.sleep(LOOK_AGAIN_S)


class RefusalFile:
    """What the file at ``path`` knows of one account's password. Each call reads it anew, in a thread."""

    def __init__(self, path: Path, account: str, password: SecretStr) -> None:
        self.path = path
        self._account = account
        self._password = password

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """To no other program or client while the context is open: one looks, logs in and notes, then the next one looks.

        Raises `AuthUnavailable` where another one takes too long. Where there are no locks, logins go on without.
        """
        descriptor = await asyncio.to_thread(self._lock_file)
        try:
            if descriptor is not None:
                await _take(descriptor)
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _lock_file(self) -> int | None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return None

    async def held(self) -> float:
        """For how many seconds more this very password is not tried again; 0 if it may be."""
        return await asyncio.to_thread(self._held, clock.now().timestamp())

    async def note(self) -> None:
        """The password was refused just now."""
        await asyncio.to_thread(self._note, clock.now().timestamp())

    def _held(self, now: float) -> float:
        refusal = self._read().get(self._account)
        if refusal is None or refusal.at > now:  # a clock that was set back must not lock anybody out
            return 0.0
        left = refusal.at + REFUSAL_HELD_S - now
        return left if left > 0 and refusal.concerns(self._password) else 0.0

    def _note(self, now: float) -> None:
        known = {name: one for name, one in self._read().items() if now - REFUSAL_HELD_S < one.at <= now}
        known.pop(self._account, None)
        kept = dict([*known.items()][-(MOST_ACCOUNTS - 1) :])
        self._write({**kept, self._account: Refusal.of(self._password, now)})

    def _read(self) -> dict[str, Refusal]:
        try:
            with self.path.open("rb") as file:
                return _READER.validate_json(file.read(MOST_BYTES))
        except (OSError, ValueError):
            return {}

    def _write(self, refusals: dict[str, Refusal]) -> None:
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(_READER.dump_json(refusals))
            fresh.replace(self.path)
