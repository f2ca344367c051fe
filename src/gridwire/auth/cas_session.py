"""One user's session at one CAS: when to log in, when not to, and what to remember of it.

======================  ====================================================  ==========================================
state                   entered by                                            what a caller gets
======================  ====================================================  ==========================================
none                    start, 404 at a ticket request, idle deadline, logout one login, shared by all who wait
held                    a login, or the record of another process             the TGT, without asking CAS
latched                 CAS refused the credentials                           the same sentence, CAS is not asked
paused                  CAS answered 423 or 429                               `CasThrottledError` until it is over
over budget             too many logins                                       `CasLoginBudgetExceeded` until it is over
======================  ====================================================  ==========================================

``latched`` ends with `CasSession.update_credentials`, the last two with time. Every login is written to the record
before it is sent, so that a program that dies in the middle has still spent it.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from pydantic import SecretStr

from gridwire.auth import cas
from gridwire.auth.budget import HOUR_S, CallWindow, LoginBudget
from gridwire.auth.errors import CasCredentialsError, CasLoginBudgetExceeded, CasThrottledError, CasUnavailable
from gridwire.auth.login_store import REFUSAL_HELD_S, LoginRecord, LoginStore, Refusal
from gridwire.auth.tokens import Lease, LoopBound, TokenCache
from gridwire.errors import AuthError
from gridwire.observe.events import Events
from gridwire.transport.exchange import Flow, Send, run_flow

T = TypeVar("T")

RETRIES = 3
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
TOUCH_EVERY_S = 60.0
"""How stale the record's last use of the TGT may get; small against 45 minutes."""


async def retry_unavailable(
    attempt: Callable[[], Awaitable[T]], may: Callable[[CasUnavailable], bool], rng: random.Random
) -> T:
    """Await ``attempt()``, at most three times more while it raises a `CasUnavailable` that ``may`` allows to repeat.

    Pauses grow to 8 s with full jitter, so that programs that failed together do not come back together.
    """
    retries = 0
    while True:
        try:
            return await attempt()
        except CasUnavailable as error:
            if retries == RETRIES or not may(error):
                raise
        await asyncio.sleep(rng.uniform(0, min(FIRST_PAUSE_S * 2**retries, LONGEST_PAUSE_S)))
        retries += 1


@dataclass(frozen=True, slots=True, eq=False)
class _Credentials:
    username: str
    password: SecretStr
    store: LoginStore
    insist: bool
    """Given after a refusal: try them even if the record says that they were refused."""


class CasSession(LoopBound):
    """See the module. ``calls`` counts the logins among the calls CAS sees; ``life_s`` is how long a used TGT lasts."""

    def __init__(
        self,
        send: Send,
        *,
        cas_url: str,
        username: str,
        password: SecretStr,
        life_s: float,
        budget: LoginBudget,
        store_for: Callable[[str], LoginStore],
        calls: CallWindow,
        events: Events,
        rng: random.Random,
    ) -> None:
        self._send = send
        self._cas_url = cas_url
        self._life_s = life_s
        self._budget = budget
        self._store_for = store_for
        self._calls = calls
        self._events = events
        self._rng = rng
        self._who = _Credentials(username, password, store_for(username), insist=False)
        self._tgts: TokenCache[str] = TokenCache(self._obtain)
        self._dead: deque[str] = deque(maxlen=16)
        self._latched: CasCredentialsError | None = None
        self._paused_until = 0.0
        self._urgent = 0  # callers who wait for a ticket
        self._repeats_left = 0  # of the login that failed last: a caller who comes later may go on with it
        self._touched = 0.0
        self._touching: asyncio.Task[None] | None = None
        self._seen_logins: list[float] = []
        self.logins: int = 0
        """Logins sent by this object."""

    @property
    def latched(self) -> bool:
        """Whether CAS refused the credentials."""
        return self._latched is not None

    @property
    def has_tgt(self) -> bool:
        """Whether a ticket can be asked for without a login, as far as is known."""
        return self._tgts.peek() is not None

    @contextmanager
    def urgency(self) -> Iterator[None]:
        """While open, somebody waits for a ticket, and a login that fails is repeated at once."""
        self._urgent += 1
        try:
            yield
        finally:
            self._urgent -= 1

    async def tgt(self) -> str:
        """The TGT, after a login if there is none."""
        self.refuse_if_latched()
        return await self._tgts.get()

    async def ask(self, flow: Flow[T]) -> T:
        """Run one conversation with CAS, unless CAS has asked for a pause that is not over."""
        loop = self._bound()
        self._refuse_if_paused(loop.time())
        try:
            return await run_flow(flow, self._send)
        except CasThrottledError as error:
            self._paused_until = loop.time() + error.retry_after_s
            self._events.emit("cas.throttled", str(error), retry_after_s=error.retry_after_s)
            raise

    def used(self, tgt: str, began: float) -> None:
        """A ticket request sent at loop time ``began`` succeeded: CAS lets the TGT live on from then."""
        loop = self._bound()
        self._tgts.touch(tgt, until=began + self._life_s)
        if began - self._touched >= TOUCH_EVERY_S and self._touching is None:
            self._touched = began
            store = self._who.store
            self._touching = loop.create_task(store.touch(tgt, store.now() - (loop.time() - began)))
            self._touching.add_done_callback(self._touch_done)

    def dead(self, tgt: str) -> bool:
        """CAS does not know ``tgt`` any more. Returns whether it was the session in use."""
        self._dead.append(tgt)
        current = self._tgts.invalidate(tgt)
        if current:
            self._events.emit(
                "cas.session_ended", "CAS no longer knows the session; the next ticket needs a new login."
            )
        return current

    def refuse_if_latched(self) -> None:
        """Raise the sentence of the refusal again, if there was one."""
        if self._latched is not None:
            raise CasCredentialsError(str(self._latched), kind=self._latched.kind)

    def paused_s(self) -> float:
        """Seconds left of the pause CAS has asked for."""
        return 0.0 if self._loop is None else max(0.0, self._paused_until - self._loop.time())

    def update_credentials(self, username: str, password: SecretStr) -> None:
        """Use these from now on; ends the latch. A login under way with the old ones is thrown away."""
        same_user = username == self._who.username
        store = self._who.store if same_user else self._store_for(username)
        self._who = _Credentials(username, password, store, insist=self.latched)
        self._latched = None
        self._seen_logins = self._seen_logins if same_user else []
        self._tgts.reset()

    async def log_out(self) -> None:
        """End the session at CAS. Whoever shares it through a ticket file has to log in anew."""
        held = self._tgts.peek()
        self._tgts.reset()
        who = self._who
        async with who.store.exclusive() as record:
            tgt = held or record.tgt
            if tgt is None:
                return
            if record.tgt == tgt:
                record.tgt = None
                await who.store.save(record)
        await run_flow(cas.logout(self._cas_url, tgt), self._send)
        self._events.emit("cas.logout", "Logged out at CAS; every ticket of this session is void.")

    async def aclose(self) -> None:
        """Stop what is under way. The session at CAS lives on until it has been idle for 45 minutes."""
        self._closed = True
        await self._tgts.aclose()
        if self._touching is not None:
            await asyncio.wait([self._touching])

    def budget_left(self) -> int:
        """Logins left in this hour, as of the last login this object knows of."""
        return (
            self._budget.left(self._seen_logins, self._who.store.now()) if self._seen_logins else self._budget.per_hour
        )

    # -----------------------------------------------------------------------------------------------------------------

    async def _obtain(self) -> Lease[str]:
        """The TGT of the record if it may still live, else of a new login. Called by the cache, one at a time."""
        loop = self._bound()
        self.refuse_if_latched()
        self._refuse_if_paused(loop.time())
        who = self._who
        async with who.store.exclusive() as record:
            now = who.store.now()
            self._seen_logins = list(record.logins)
            left_s = record.tgt_used + self._life_s - now
            if record.tgt is not None and record.tgt not in self._dead and left_s > 0:
                self._events.emit(
                    "cas.session_found", "A CAS session that is already open is used; no login was needed."
                )
                return Lease(record.tgt, usable_s=min(left_s, self._life_s))
            if record.paused_until > now:
                raise _paused(record.paused_until - now)
            corrected = await self._corrected(who, record, now)
            if self._urgent and self._repeats_left:
                self._repeats_left -= 1
                self._refuse_over_budget(record, now, gap=False)
            else:
                self._refuse_over_budget(record, now, gap=not corrected)
                self._repeats_left = RETRIES
            return await self._log_in(who, record)

    async def _corrected(self, who: _Credentials, record: LoginRecord, now: float) -> bool:
        """Whether the last login failed on a password that has been corrected since; raises if it has not been."""
        refused = record.refused
        if refused is None or now - refused.at > REFUSAL_HELD_S:
            return False
        if await asyncio.to_thread(refused.concerns, who.password):
            if who.insist:
                return False
            error = CasCredentialsError(
                "CAS refused this user name and password less than an hour ago, to this program or to another one that "
                "shares its ticket file. No order left this machine, and CAS was not asked again, because repeated "
                "failures lock accounts. Correct the password; if it is right and the account was "
                "unlocked meanwhile, delete the ticket file or wait until the hour is over.",
                kind="refused",
            )
            self._latch(who, error)
            raise error
        return bool(record.logins) and record.logins[-1] == refused.at

    def _refuse_over_budget(self, record: LoginRecord, now: float, *, gap: bool) -> None:
        wait_s = self._budget.wait_s(record.logins, now, gap=gap)
        if wait_s > 0:
            raise CasLoginBudgetExceeded(
                f"gridwire does not log in at CAS again for {wait_s:.0f} s: it allows one login in "
                f"{self._budget.min_gap_s:.0f} s and {self._budget.per_hour} in an hour, because the venue blocks users "
                "who log in too often. No order left this machine. Wait; if this comes back, look for a program that "
                "opens a client per call, or for a second one that ends the session.",
                retry_after_s=wait_s,
            )

    async def _log_in(self, who: _Credentials, record: LoginRecord) -> Lease[str]:
        store, before = who.store, record.logins

        def may_repeat(error: CasUnavailable) -> bool:
            if error.reason == "no_answer" or not self._urgent or not self._repeats_left:
                return False
            self._repeats_left -= 1
            return self._budget.wait_s(record.logins, store.now(), gap=False) == 0

        try:
            lease = await retry_unavailable(lambda: self._attempt(who, record), may_repeat, self._rng)
            self._repeats_left = 0
        except AuthError as error:
            if not isinstance(error, CasUnavailable) or error.reason == "no_answer":
                self._repeats_left = 0
            if isinstance(error, CasCredentialsError):
                record.refused = await asyncio.to_thread(Refusal.of, who.password, record.logins[-1])
                self._latch(who, error)
            elif isinstance(error, CasThrottledError):
                record.paused_until = store.now() + error.retry_after_s
            raise
        finally:
            self._seen_logins = list(record.logins)
            if record.logins is not before:  # else none was counted, so none was sent
                await store.save(record)
        self._events.emit("cas.login", "Logged in at CAS.", logins_left=self.budget_left())
        return lease

    async def _attempt(self, who: _Credentials, record: LoginRecord) -> Lease[str]:
        loop, store = self._bound(), who.store
        self._refuse_if_paused(loop.time())  # before the login is charged
        sent = store.now()
        before = record.logins
        record.logins = [*(at for at in before if at > sent - HOUR_S), sent]
        try:
            await store.charge(record)
        except CasLoginBudgetExceeded:
            record.logins = before  # it is not sent
            raise
        began = loop.time()
        self._calls.note(began)
        self.logins += 1
        try:
            tgt = await self.ask(cas.login(self._cas_url, who.username, who.password))
        except CasUnavailable as error:
            if error.reason == "not_sent":
                record.logins.pop()
                self.logins -= 1
            raise
        record.tgt, record.tgt_used, record.refused = tgt, sent, None
        self._touched = began
        return Lease(tgt, usable_s=self._life_s)

    def _latch(self, who: _Credentials, error: CasCredentialsError) -> None:
        if who is self._who:
            self._latched = error
        self._events.emit("cas.refused", str(error), kind=error.kind)

    def _refuse_if_paused(self, now: float) -> None:
        if self._paused_until > now:
            raise _paused(self._paused_until - now)

    def _touch_done(self, _: asyncio.Task[None]) -> None:
        self._touching = None


def _paused(left_s: float) -> CasThrottledError:
    return CasThrottledError(
        f"CAS has asked for a pause, and {left_s:.0f} s of it are left. No order left this machine, and CAS was not asked "
        "again. Wait; if it comes back, ask the venue whether the account is locked.",
        retry_after_s=left_s,
    )
