"""A session that a login gives: one login however many need it, renewed by age, and never a second try with bad credentials.

The rules:

1. The login is a flow (no I/O): a venue gives the request and a reading of the answer, this module decides what follows.
2. A session is used for ``ttl_s - margin_s`` seconds from before its login was sent; then callers wait for a new one. Where the
   login itself says how long its session lives, that counts instead of ``ttl_s``, and at least half of it is used.
3. Refused credentials are refused for good: no further login is tried until the client is made anew, because repeated
   failures lock accounts; with a `RefusalFile` the next program does not try them either, for an hour, and programs that
   log in at the same moment do so one after the other. An answer that nobody can read counts like a refusal, for it may be
   one.
4. No answer, 429 and 5xx say nothing about the credentials: the next caller tries again, after 429 when its pause is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

from gridwire.auth.refusal_file import RefusalFile
from gridwire.auth.tokens import Lease, TokenCache
from gridwire.errors import (
    AuthError,
    AuthProtocolError,
    AuthThrottled,
    AuthUnavailable,
    CredentialsRefused,
    NotSent,
    TransportError,
)
from gridwire.transport.exchange import Flow, Request, Response, Send, run_flow

S = TypeVar("S")

PAUSE_S = 60.0
"""Pause after HTTP 429 without a readable ``Retry-After``."""
LONGEST_PAUSE_S = 86_400.0

Kind: TypeAlias = Literal["refused", "locked", "unavailable", "unreadable"]


@dataclass(frozen=True, slots=True)
class NoSession:
    """A login's answer without a session: what kind, and a clause about it that quotes no secret."""

    kind: Kind
    what: str


def login(request: Request, read: Callable[[Response], S | NoSession], *, where: str) -> Flow[S]:
    """Log in once and return the session.

    ``where`` names the venue in errors. Raises `CredentialsRefused`, `AuthThrottled`, `AuthUnavailable` (nobody was
    reached, no whole answer, or the venue fails inside) or `AuthProtocolError`.
    """
    try:
        response = yield request
    except NotSent as error:
        raise AuthUnavailable(f"{where} could not be reached for a login ({error.reason}). No document left.") from None
    except TransportError as error:
        raise AuthUnavailable(f"{where} gave no whole answer to a login ({error.reason}). No document left.") from None
    if response.status == 429:
        pause_s = _pause_s(response)
        raise AuthThrottled(
            f"{where} asks for a pause of {pause_s:.0f} s before the next login. No document left.",
            retry_after_s=pause_s,
        )
    try:
        found = read(response)
    except Exception as error:  # noqa: BLE001 - whatever the reading stumbles over, the answer may be a refusal
        found = NoSession("unreadable", f"HTTP {response.status}, and reading it failed with {type(error).__name__}")
    if not isinstance(found, NoSession):
        return found
    raise _failure(found, where)


def _pause_s(response: Response) -> float:
    value = response.headers.get("retry-after", "").strip()
    return min(max(float(value[:9]), 1.0), LONGEST_PAUSE_S) if value.isascii() and value.isdigit() else PAUSE_S


def _failure(found: NoSession, where: str) -> AuthError:
    if found.kind == "unavailable":
        return AuthUnavailable(f"{where} cannot log anybody in now ({found.what}). No document left. Try again later.")
    if found.kind == "unreadable":
        return AuthProtocolError(
            f"{where} answered a login with something that is neither a session nor a refusal the profile knows "
            f"({found.what}). No document left. It may be a refusal, and repeated ones lock accounts, so this client does not "
            "log in again. Compare the profile's login section with the letter from support."
        )
    cause = "the account is locked" if found.kind == "locked" else "login or password are wrong"
    return CredentialsRefused(
        f"{where} refused the login: {cause} ({found.what}). No document left. gridwire does not log in again with them, "
        "because repeated failures lock accounts. Correct them, then open a new client."
    )


@dataclass(slots=True)
class LoginSession(Generic[S]):
    """The session of one account. ``flow`` makes the login's conversation anew each time; ``send`` carries it."""

    flow: Callable[[], Flow[S]]
    send: Send
    ttl_s: float
    margin_s: float
    refusals: RefusalFile | None = None
    """Where a refused password is remembered after this program; None: nowhere."""
    life_s: Callable[[S], float | None] = lambda _: None
    """How long a session lives, in seconds, as its login said; None where it did not."""
    logins: int = 0
    """How many logins were tried."""
    _latched: AuthError | None = field(default=None, repr=False)
    _paused: tuple[float, AuthThrottled] | None = field(default=None, repr=False)
    """Until when, by the loop's clock, the venue wants no login."""
    _cache: TokenCache[S] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the cache that all callers share."""
        self._cache = TokenCache(self._fetch)

    async def get(self) -> S:
        """A session with at least the margin left to live. Raises `AuthError`; after a refusal without asking again."""
        if self._latched is not None:
            raise self._latched.with_traceback(None)
        return await self._cache.get()

    def peek(self) -> S | None:
        """The session if there is one now."""
        return self._cache.peek()

    def invalidate(self, session: S) -> None:
        """The venue no longer knows ``session``; the next caller logs in, unless somebody has already."""
        self._cache.invalidate(session)

    async def aclose(self) -> None:
        """Stop a login in the air. Afterwards no session is to be had."""
        await self._cache.aclose()

    async def _fetch(self) -> Lease[S]:
        if self._latched is not None:
            raise self._latched.with_traceback(None)
        now = asyncio.get_running_loop().time()
        if self._paused is not None and (left_s := self._paused[0] - now) > 0:
            raise AuthThrottled(str(self._paused[1]), retry_after_s=left_s)
        if self.refusals is None:
            return await self._log_in(None)
        async with self.refusals.exclusive():
            if (held_s := await self.refusals.held()) > 0:
                self._latched = CredentialsRefused(
                    "This password was refused to an earlier program, or the answer to it could not be read, so it is not tried "
                    f"again for {held_s / 60:.0f} minutes: repeated failures lock accounts. No document left. Correct the "
                    "password, and it is tried at once; where the profile was at fault, correct it and remove "
                    f"{self.refusals.path}."
                )
                raise self._latched
            return await self._log_in(self.refusals)

    async def _log_in(self, refusals: RefusalFile | None) -> Lease[S]:
        self.logins += 1
        try:
            session = await run_flow(self.flow(), self.send)
        except AuthThrottled as error:
            self._paused = asyncio.get_running_loop().time() + error.retry_after_s, error
            raise
        except (CredentialsRefused, AuthProtocolError) as error:
            self._latched = error
            if refusals is not None:
                await refusals.note()
            raise
        life_s = self.life_s(session)
        usable_s = self.ttl_s - self.margin_s if life_s is None else max(life_s - self.margin_s, life_s / 2)
        return Lease(session, usable_s=usable_s)
