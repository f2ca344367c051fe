"""What must be known before a login: the session there is, the logins there were, the password that was refused.

`LoginRecord` holds it, a `LoginStore` keeps it: in memory for one client (here), or in a file for all programs of one
operating system user (`gridwire.auth.ticket_file`). Times are on the store's own clock, which `LoginStore.now` reads.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from pydantic import Field, SecretStr

Seconds = Annotated[float, Field(allow_inf_nan=False)]
TgtText = Annotated[str, Field(pattern=r"^TGT-[A-Za-z0-9._-]+$", max_length=4096)]
HexText = Annotated[str, Field(pattern=r"^[0-9a-f]{32,128}$")]

REFUSAL_HELD_S = 3600.0
"""A refused password is remembered this long: an account that was unlocked must work again without a new password."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A password CAS refused, as a salted digest that can be compared with and not read back."""

    salt: HexText
    digest: HexText = field(repr=False)
    at: Seconds
    """When the refused login was sent."""

    @classmethod
    def of(cls, password: SecretStr, at: float) -> Refusal:
        """Takes about 50 ms of CPU: call it off the loop."""
        salt = os.urandom(16)
        return cls(salt.hex(), _digest(password, salt), at)

    def concerns(self, password: SecretStr) -> bool:
        """Whether ``password`` is the refused one. Takes about 50 ms of CPU: call it off the loop."""
        return hmac.compare_digest(self.digest, _digest(password, bytes.fromhex(self.salt)))


def _digest(password: SecretStr, salt: bytes) -> str:
    secret = password.get_secret_value().encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=2**14, r=8, p=1).hex()


@dataclass(slots=True)
class LoginRecord:
    """The state of one (CAS, user). Whoever holds it through `LoginStore.exclusive` may change it."""

    tgt: TgtText | None = field(default=None, repr=False)
    tgt_used: Seconds = 0.0
    """When the TGT was last used: CAS lets it idle for 45 minutes from then."""
    logins: Annotated[list[Seconds], Field(max_length=1000)] = field(default_factory=list)
    """When logins were sent, oldest first; one that failed before its first byte is not among them."""
    paused_until: Seconds = 0.0
    refused: Refusal | None = None


class LoginStore(Protocol):
    """Keeps one `LoginRecord`."""

    def now(self) -> float:
        """Seconds on the clock of this record."""
        ...

    def exclusive(self) -> AbstractAsyncContextManager[LoginRecord]:
        """The record, to nobody else while the context is open. Changes count once they are saved."""
        ...

    async def save(self, record: LoginRecord) -> None:
        """Keep ``record``, at least as long as this store lives. Called inside `exclusive`."""
        ...

    async def charge(self, record: LoginRecord) -> None:
        """Keep ``record`` before the login that it counts is sent. Raises `CasLoginBudgetExceeded` where it cannot be kept."""
        ...

    async def touch(self, tgt: str, used: float) -> None:
        """``tgt`` was used at ``used``. Best effort; called outside `exclusive`, and does not wait for it."""
        ...


class MemoryStore:
    """A record that ends with the process, on the running loop's clock."""

    def __init__(self) -> None:
        self._record = LoginRecord()
        self._lock = asyncio.Lock()

    def now(self) -> float:
        """The running loop's time."""
        return asyncio.get_running_loop().time()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[LoginRecord]:
        """See `LoginStore.exclusive`."""
        async with self._lock:
            yield self._record

    async def save(self, record: LoginRecord) -> None:
        """Nothing to do: the record itself was changed."""

    async def charge(self, record: LoginRecord) -> None:
        """Nothing to do either."""

    async def touch(self, tgt: str, used: float) -> None:
        """See `LoginStore.touch`."""
        if self._record.tgt == tgt:
            self._record.tgt_used = max(self._record.tgt_used, used)
