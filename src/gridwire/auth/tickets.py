"""The tickets of one user for one service: handed out, kept ready, never stale and never used twice.

The rules of the pool are in `gridwire.auth.ticket_pool`, those of the session in `gridwire.auth.cas_session`; this
module runs them. Whoever finds the pool empty asks for a ticket of his own.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from gridwire.auth import cas
from gridwire.auth.budget import LoginBudget
from gridwire.auth.cas_session import CasSession, retry_unavailable
from gridwire.auth.credentials import check_credential
from gridwire.auth.errors import CasCredentialsError, CasProtocolError, CasTicketExpired, CasUnavailable
from gridwire.auth.login_store import LoginStore, MemoryStore
from gridwire.auth.ticket_file import TicketFile
from gridwire.auth.ticket_pool import Need, Ticket, TicketPool
from gridwire.auth.tokens import LoopBound
from gridwire.errors import AuthThrottled, InvalidInput, LoginBudgetExceeded
from gridwire.observe.events import Events, Listener
from gridwire.observe.redact import mask
from gridwire.transport.exchange import Send

PATIENCE_S = 10.0
"""A failed ticket request is not repeated later than this after the first one was sent."""

REPLACE_AFTER_S = 0.005
"""How long after a ticket was handed out its replacement is asked for."""

LOGOUT_WAIT_S = 30.0
"""Longest wait for ticket requests under way before the session is ended."""

LONGEST_REFILL_PAUSE_S = 60.0

ISSUED_KEPT = 100
"""Tickets that are remembered, to know one that CAS hands out a second time."""

RHYTHM_S = 1.0
"""Taken from the session's margin, so that a program that works every 40 minutes does not log in for a late timer."""


@dataclass(frozen=True, slots=True)
class TicketStats:
    """Counts since the manager was made, and its state now."""

    logins: int
    fetched: int
    """Service tickets CAS has issued."""
    wasted: int
    """Tickets dropped unused because of their age."""
    pooled: int
    ttl_s: float
    """The life a ticket is believed to have; lower than configured after rejections of young tickets."""
    armed: bool
    latched: bool
    """CAS refused the credentials, and nothing is asked before they change."""
    paused_s: float
    """What is left of a pause CAS asked for."""
    logins_left: int
    """Logins left in this hour, as of the last one this manager knows of."""


class TicketManager(LoopBound):
    """The tickets of one user for one service. Bound to the event loop of its first use.

    ``service`` is the name CAS knows the service by. A ticket is handed out up to an age of ``st_ttl_s - margin_s``; a
    session is used up to ``tgt_idle_s - tgt_margin_s`` after its last use. ``ticket_file`` keeps session and login
    budget beyond the process; without it they end with this object. Raises `InvalidInput` for what cannot work.
    """

    def __init__(
        self,
        send: Send,
        *,
        cas_url: str,
        username: str,
        password: SecretStr,
        service: str,
        st_ttl_s: float = 30.0,
        margin_s: float = 5.0,
        tgt_idle_s: float = 2700.0,
        tgt_margin_s: float = 300.0,
        login_budget: LoginBudget | None = None,
        cas_calls_per_minute: int = 6,
        replacements_per_s: int = 10,
        pool_size: int = 2,
        on_event: Listener | None = None,
        ticket_file: TicketFile | None = None,
        rng: random.Random | None = None,
    ) -> None:
        _check_address(cas_url)
        _check_credentials(username, password)
        _check_service(service)
        if not 0 <= tgt_margin_s < tgt_idle_s:
            raise InvalidInput("tgt_idle_s must be more than tgt_margin_s.")
        self._cas_url = cas_url
        self._service = service
        self._events = Events(on_event)
        self._rng = rng or random.Random()  # noqa: S311 - spreads repetitions, keeps no secret
        self._pool = TicketPool(
            ttl_s=st_ttl_s,
            margin_s=margin_s,
            size=pool_size,
            calls_per_minute=cas_calls_per_minute,
            replacements_per_s=replacements_per_s,
        )
        self._session = CasSession(
            send,
            cas_url=cas_url,
            username=username,
            password=password,
            life_s=tgt_idle_s - tgt_margin_s + min(RHYTHM_S, tgt_margin_s),
            budget=login_budget or LoginBudget(),
            store_for=lambda user: _store(ticket_file, cas_url, user, self._events),
            calls=self._pool.idle_calls,
            events=self._events,
            rng=self._rng,
        )
        self._fetched = self._running = 0  # tickets issued; requests under way
        self._issued: deque[bytes] = deque(maxlen=ISSUED_KEPT)
        self._epoch = 0  # a ticket asked for in an older epoch belongs to another user, or to a session that was ended
        self._armed = False
        self._refill: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._wake_later: asyncio.TimerHandle | None = None
        self._quiet = asyncio.Event()
        self._open = asyncio.Event()  # cleared during a logout
        self._open.set()
        self._warn_of_case(username)

    # -----------------------------------------------------------------------------------------------------------------
    # Handing out

    async def take(self, *, fresh: bool = False) -> Ticket:
        """A ticket for one call: a pooled one, else one asked for now (with a login where there is no session).

        ``fresh`` leaves the pool aside: after a refused ticket, because what killed that one may have killed them all.
        A session CAS has forgotten costs exactly one new login and one new request. Raises `CasCredentialsError`,
        `CasThrottledError`, `CasLoginBudgetExceeded`, `CasUnavailable` or `CasProtocolError`; no byte of the call has
        left then.
        """
        self._bound()
        self._session.refuse_if_latched()
        ticket = None if fresh else self.pop_ready()
        if ticket is not None:
            return ticket
        return await self._fetch(urgent=True)

    def pop_ready(self) -> Ticket | None:
        """A pooled ticket, the freshest one, without waiting; None if there is none."""
        if self._loop is None or self._session.latched:
            return None
        ticket = self._pool.pop(self._loop.time(), replace=self._armed)
        if ticket is not None and self._armed and self._wake_later is None:
            # Not at once: the request for the next ticket would compete with the order that this one is for.
            self._wake_later = self._loop.call_later(REPLACE_AFTER_S, self._wake_now)
        return ticket

    def _wake_now(self) -> None:
        self._wake_later = None
        self._wake.set()

    @property
    def usable_s(self) -> float:
        """The age up to which a ticket is handed out, and should arrive at the venue."""
        return self._pool.usable_s

    def report_rejected(self, ticket_age_s: float) -> None:
        """The venue refused a ticket of this age for what may have been its age.

        If it was younger than the life we believe in, that life is halved for the rest of this manager's time, down to
        twice the margin; rejections of tickets younger than that have another reason and leave it as it is.

        The other tickets of an armed pool are dropped: if the session is dead they are too, and CAS knows.
        """
        if self._armed:
            self._pool.clear()
            self._wake.set()
        if not self._pool.lower_ttl(ticket_age_s):
            return
        self._events.emit(
            "ticket.ttl_lowered",
            f"The venue refused a ticket of {ticket_age_s:.1f} s, so tickets are now believed to live "
            f"{self._pool.ttl_s:g} s and are dropped at {self._pool.usable_s:g} s.",
            level=logging.WARNING,
            ttl_s=self._pool.ttl_s,
        )
        self._wake.set()

    # -----------------------------------------------------------------------------------------------------------------
    # State

    async def arm(self, *, replacements_per_s: int | None = None) -> None:
        """Keep the pool filled from now on. Returns when the first ticket is there; raises what `take` would raise.

        ``replacements_per_s`` changes how many spent tickets may be replaced in a second: a desk's own order rate. After
        an error nothing is armed.
        """
        loop = self._bound()
        if replacements_per_s is not None:
            self._pool.allow_replacements(replacements_per_s)
        if self._armed:
            return
        self._session.refuse_if_latched()
        self._armed = True
        try:
            if not self._pool.has_fresh(loop.time()):
                self._pool.idle_calls.note(loop.time())
                epoch = self._epoch
                ticket = await self._fetch(urgent=True)
                if epoch == self._epoch:
                    self._pool.add(ticket)
        except BaseException:
            self._armed = False
            raise
        if self._armed:
            self._start_refill(loop)

    async def disarm(self) -> None:
        """Stop filling the pool. Tickets already in it can still be taken until they are too old."""
        self._armed = False
        self._pool.rest()
        refill, self._refill = self._refill, None
        if refill is not None:
            refill.cancel()
            await asyncio.wait([refill])

    def update_credentials(self, username: str, password: SecretStr) -> None:
        """Use these credentials from now on, and try them even if CAS has refused the last ones.

        Pooled tickets of the old ones are dropped; calls of `take` under way may still end with one. Corrected
        credentials need not wait 60 s after the refused login; the hourly budget holds for them too.
        """
        _check_credentials(username, password)
        self._session.update_credentials(username, password)
        self._pool.clear()
        self._epoch += 1
        self._warn_of_case(username)
        if self._armed and self._loop is not None:
            self._start_refill(self._loop)

    def stats(self) -> TicketStats:
        """Counts and state. Call it on the manager's loop."""
        return TicketStats(
            logins=self._session.logins,
            fetched=self._fetched,
            wasted=self._pool.wasted,
            pooled=len(self._pool),
            ttl_s=self._pool.ttl_s,
            armed=self._armed,
            latched=self._session.latched,
            paused_s=self._session.paused_s(),
            logins_left=self._session.budget_left(),
        )

    async def logout(self) -> None:
        """Disarm, wait for ticket requests under way (up to 30 s), and end the session at CAS.

        Every ticket of the session becomes void: finish the calls that hold one first. Whatever CAS answers is the end
        of it. Who asks for a ticket meanwhile waits; who asks later costs a new login. Programs that share the session
        through a ticket file have to log in anew too.
        """
        self._bound()
        self._open.clear()
        try:
            await self.disarm()
            self._pool.clear()
            self._epoch += 1
            if self._running:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOGOUT_WAIT_S):
                        await self._quiet.wait()
            await self._session.log_out()
        finally:
            self._open.set()

    async def aclose(self) -> None:
        """Stop what is under way and close. The session at CAS is left to the next program, or to end by itself."""
        self._closed = True
        await self.disarm()
        self._pool.clear()
        await self._session.aclose()

    # -----------------------------------------------------------------------------------------------------------------
    # Asking CAS

    async def _fetch(self, *, urgent: bool) -> Ticket:
        """A new ticket. ``urgent`` repeats what failed and mends a forgotten session; else the first failure is raised."""
        await self._open.wait()
        self._running += 1
        self._quiet.clear()
        try:
            if not urgent:
                return await self._request(await self._session.tgt(), urgent=False)
            with self._session.urgency(), suppress(CasTicketExpired):
                return await self._request(await self._session.tgt(), urgent=True)
            with self._session.urgency():
                return await self._request(await self._session.tgt(), urgent=True)
        except CasTicketExpired:
            if not urgent:
                raise
            raise CasProtocolError(
                "CAS opened a session and at once did not know it any more. No order left this machine. Try again later; "
                "if it comes back, look for another program that logs this user out, and tell the venue."
            ) from None
        finally:
            self._running -= 1
            if self._running == 0:
                self._quiet.set()

    async def _request(self, tgt: str, *, urgent: bool) -> Ticket:
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_S

        async def attempt() -> Ticket:
            issued_at = loop.time()
            value = await self._session.ask(cas.service_ticket(self._cas_url, tgt, self._service))
            if _mark(value) in self._issued:  # somebody's copy, or the answer to an earlier request: once more
                issued_at = loop.time()
                value = await self._session.ask(cas.service_ticket(self._cas_url, tgt, self._service))
            if _mark(value) in self._issued:
                raise CasProtocolError(
                    "CAS handed out a ticket that it had handed out before, twice in a row; a ticket holds for one call. No "
                    "order left this machine. Something between here and CAS may keep answers: look for a proxy that caches."
                )
            self._issued.append(_mark(value))
            self._session.used(tgt, issued_at)
            return Ticket(value, issued_at)

        try:
            ticket = await retry_unavailable(attempt, lambda _: urgent and loop.time() < end, self._rng)
        except CasTicketExpired:
            if self._session.dead(tgt):
                self._pool.clear()  # they died with their session
            raise
        self._fetched += 1
        if ticket.age_s > self._pool.usable_s:
            self._pool.wasted += 1
            raise CasUnavailable(
                f"CAS took {ticket.age_s:.0f} s to issue a ticket, which is then too old to be used. No order left this "
                "machine. Try again later.",
                reason="failed",
            )
        return ticket

    # -----------------------------------------------------------------------------------------------------------------
    # The pool

    def _start_refill(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._refill is not None:
            self._refill.cancel()
        self._refill = loop.create_task(self._keep_filled(loop))

    async def _keep_filled(self, loop: asyncio.AbstractEventLoop) -> None:
        failures = 0
        while True:
            self._wake.clear()
            need = self._pool.need(loop.time(), session=self._session.has_tgt)
            if need.count == 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(need.wait_s, 0.001)):
                        await self._wake.wait()
                continue
            try:
                await self._fill(need, loop.time())
                failures = 0
            except CasTicketExpired:
                self._pool.retry_idle()  # the need now has room for a login too
            except CasCredentialsError:
                return  # update_credentials() starts this task again
            except Exception as error:  # noqa: BLE001 - a pool that dies silently leaves the desk without tickets
                failures += 1
                pause_s = self._pause_after(error, failures)
                self._events.emit(
                    "ticket.pool_failed",
                    f"The ticket pool could not be filled and tries again in {pause_s:.0f} s. {mask(str(error))}",
                    level=logging.WARNING,
                    pause_s=pause_s,
                )
                await asyncio.sleep(pause_s)

    async def _fill(self, need: Need, now: float) -> None:
        self._pool.begin(need, now)
        fetches = (self._fetch(urgent=need.for_orders) for _ in range(need.count))
        results = await asyncio.gather(*fetches, return_exceptions=True)
        for ticket in results:
            if isinstance(ticket, Ticket):
                self._pool.filled(need, ticket)
        for error in results:
            if isinstance(error, BaseException):
                raise error

    def _pause_after(self, error: Exception, failures: int) -> float:
        if isinstance(error, AuthThrottled | LoginBudgetExceeded):
            return error.retry_after_s
        if isinstance(error, CasUnavailable):
            return self._rng.uniform(1.0, min(2.0**failures, LONGEST_REFILL_PAUSE_S))
        return LONGEST_REFILL_PAUSE_S

    def _warn_of_case(self, username: str) -> None:
        if any(letter.islower() for letter in username):
            self._events.emit(
                "cas.username_case",
                "The user name holds lower-case letters. The venue's user names are in capitals; it is sent as given, "
                "because changing case would break names with a dotted or dotless i.",
                level=logging.WARNING,
            )


def _store(file: TicketFile | None, cas_url: str, username: str, events: Events) -> LoginStore:
    return MemoryStore() if file is None else file.store(cas_url, username, events)


def _check_address(cas_url: str) -> None:
    try:
        parts = urlsplit(cas_url)
        usable = (
            parts.scheme in ("http", "https")
            and parts.hostname
            and not (parts.query or parts.fragment or "@" in parts.netloc)
        )
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(
            "cas_url must be an http(s) address without user, query or fragment, like https://host/cas/v1."
        )


def _check_credentials(username: str, password: SecretStr) -> None:
    if not username or not password.get_secret_value():
        raise InvalidInput("The user name or the password is empty. CAS was not asked.")
    check_credential("username", username)
    check_credential("password", password)


def _check_service(service: str) -> None:
    if not service:
        raise InvalidInput("service is empty; it is the address CAS knows the venue by.")
    check_credential("service", service)


def _mark(ticket: str) -> bytes:
    """Something to know a ticket by that is none: a report of an error may show what this object holds."""
    return hashlib.sha256(ticket.encode()).digest()
