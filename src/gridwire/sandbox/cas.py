"""EPİAŞ's ticket service as pure state: who may log in, which tickets live, and what was done with them.

The rules are those of the CAS REST protocol as an STP client meets it: a ticket granting ticket (TGT) lives 45 minutes
from its last use, where "use" means a service ticket (ST) issued from it; an ST lives 30 s, is good once, for one
service, and dies with its TGT. Ages are seconds of the running loop's clock, given by the caller as ``now``.

Tickets and passwords never appear in ``repr`` or in the log; the log numbers tickets instead.
"""

from __future__ import annotations

import string
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Literal, TypeAlias, TypeVar

_KEPT = 100_000  # events, and tickets of each sort: bounds a sandbox left running for days
_ALPHABET = string.ascii_letters + string.digits

T = TypeVar("T")

EventKind: TypeAlias = Literal[
    "login",
    "login_refused",
    "banned",
    "service_ticket",
    "service_ticket_refused",
    "validated",
    "validation_refused",
    "logout",
]
Why: TypeAlias = Literal["", "missing", "unknown", "expired", "used", "foreign_service", "dead_parent"]
"""Why a ticket was refused; empty if it was not."""


@dataclass(slots=True)
class CasKnobs:
    """What an operator of the real service could have configured otherwise. All may be changed while it runs."""

    tgt_idle_s: float = 2700.0
    """A TGT dies this long after its last ST."""
    tgt_max_s: float | None = None
    """A TGT dies this long after login even if used; None for never."""
    st_ttl_s: float = 30.0
    st_uses: int = 1
    login_window_s: float = 3600.0
    login_limit: int | None = 60
    """Successful or not, the attempts one user has in ``login_window_s``; one more bans the user. None: no limit."""
    ban_s: float = 600.0
    """How long a banned user is refused (HTTP 423)."""
    tgt_status: Literal[200, 201] = 201
    """201 with ``Location`` is what clients see; 200 is what the venue's document promises."""
    body: Literal["asked", "text", "json", "xml", "html", "location"] = "asked"
    """Form of ticket answers: as asked with ``?format=``, or always this one; ``location`` leaves the body empty."""
    errors: Literal["4.x", "5+"] = "5+"
    """Wrong credentials: 400 with text (4.x), or 401 with JSON ``authentication_exceptions`` (5 and later)."""


@dataclass(frozen=True, slots=True)
class CasEvent:
    """One thing that happened. ``tgt`` and ``st`` are running numbers, not the tickets."""

    at: float
    kind: EventKind
    user: str | None
    tgt: int | None = None
    st: int | None = None
    service: str | None = None
    why: Why = ""


@dataclass(slots=True)
class _Tgt:
    number: int
    user: str
    created: float
    used: float
    dead: bool = False


@dataclass(slots=True)
class _St:
    number: int
    parent: _Tgt
    service: str
    created: float
    uses: int = 0


@dataclass(frozen=True, slots=True)
class Validation:
    """What a service learns about a ticket. ``user`` and ``age_s`` are None for a ticket never issued here."""

    ok: bool
    why: Why
    user: str | None = None
    number: int | None = None
    age_s: float | None = None


@dataclass(slots=True)
class Cas:
    """The state of one ticket service. ``services`` are the names it issues STs for; ``passwords`` is by user name."""

    seed: int
    passwords: dict[str, str] = field(repr=False)
    services: set[str]
    knobs: CasKnobs = field(default_factory=CasKnobs)
    log: deque[CasEvent] = field(default_factory=lambda: deque(maxlen=_KEPT), repr=False)
    """What happened, oldest first; the last 100,000 events."""
    _tgts: dict[str, _Tgt] = field(default_factory=dict, repr=False)
    _sts: dict[str, _St] = field(default_factory=dict, repr=False)
    _attempts: dict[str, list[float]] = field(default_factory=dict, repr=False)
    _banned_until: dict[str, float] = field(default_factory=dict, repr=False)
    _numbers: dict[str, count[int]] = field(init=False, repr=False)
    _random: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Tickets repeat for the same seed: they guard nothing but a venue in memory."""
        self._numbers = {"TGT": count(1), "ST": count(1)}
        self._random = Random(f"{self.seed}:tickets")  # noqa: S311

    def login(self, user: str, password: str, now: float) -> str | None:
        """A new TGT, or None if the credentials are wrong. Raises `PermissionError` for a banned user."""
        if self._banned(user, now):
            self._record(now, "banned", user)
            raise PermissionError
        if self.passwords.get(user) != password:
            self._record(now, "login_refused", user)
            return None
        tgt = _Tgt(next(self._numbers["TGT"]), user, now, now)
        ticket = f"TGT-{tgt.number}-{self._text(50)}-cas01.sandbox"
        _keep(self._tgts, ticket, tgt)
        self._record(now, "login", user, tgt=tgt.number)
        return ticket

    def ban(self, user: str, until: float) -> None:
        """Refuse every login of ``user`` until ``until``."""
        self._banned_until[user] = until

    def service_ticket(self, tgt_ticket: str, service: str, now: float) -> str | None:
        """A new ST, which restarts the TGT's idle time; None if the TGT is unknown or no longer alive.

        Raises `ValueError` if the service is not registered.
        """
        tgt = self._tgts.get(tgt_ticket)
        if tgt is None or not self._alive(tgt, now):
            self._record(now, "service_ticket_refused", tgt.user if tgt else None, tgt=tgt.number if tgt else None)
            return None
        if service not in self.services:
            raise ValueError("service is not registered")
        tgt.used = now
        st = _St(next(self._numbers["ST"]), tgt, service, now)
        ticket = f"ST-{st.number}-{self._text(20)}-cas01.sandbox"
        _keep(self._sts, ticket, st)
        self._record(now, "service_ticket", tgt.user, tgt=tgt.number, st=st.number, service=service)
        return ticket

    def tgt_alive(self, tgt_ticket: str, now: float) -> bool:
        """Whether the TGT still grants; asking does not prolong it."""
        tgt = self._tgts.get(tgt_ticket)
        return tgt is not None and self._alive(tgt, now)

    def logout(self, tgt_ticket: str, now: float) -> None:
        """Destroy the TGT; every ST issued from it is dead from now on. An unknown TGT changes nothing."""
        tgt = self._tgts.get(tgt_ticket)
        if tgt is not None:
            tgt.dead = True
            self._record(now, "logout", tgt.user, tgt=tgt.number)

    def owner(self, ticket: str | None) -> str | None:
        """The user behind a TGT or ST, dead or alive, without using it up."""
        if ticket is None:
            return None
        if ticket in self._tgts:
            return self._tgts[ticket].user
        return self._sts[ticket].parent.user if ticket in self._sts else None

    def validate(self, ticket: str | None, service: str, now: float) -> Validation:
        """Check an ST for ``service`` and use it up. This is the call a service makes when a request arrives."""
        st = self._sts.get(ticket) if ticket else None
        if st is None:
            result = Validation(False, "unknown" if ticket else "missing")
        else:
            why = self._complaint(st, service, now)
            st.uses += 1
            result = Validation(not why, why, st.parent.user, st.number, now - st.created)
        kind: EventKind = "validated" if result.ok else "validation_refused"
        tgt = st.parent.number if st else None
        self._record(now, kind, result.user, tgt=tgt, st=result.number, service=service, why=result.why)
        return result

    def count(self, kind: EventKind, user: str | None = None) -> int:
        """How many events of ``kind`` the log holds, of one user or of all."""
        return sum(event.kind == kind and (user is None or event.user == user) for event in self.log)

    def _complaint(self, st: _St, service: str, now: float) -> Why:
        if st.uses >= self.knobs.st_uses:
            return "used"
        if now - st.created > self.knobs.st_ttl_s:
            return "expired"
        if st.service != service:
            return "foreign_service"
        return "" if self._alive(st.parent, now) else "dead_parent"

    def _alive(self, tgt: _Tgt, now: float) -> bool:
        too_old = self.knobs.tgt_max_s is not None and now - tgt.created > self.knobs.tgt_max_s
        return not (tgt.dead or too_old or now - tgt.used > self.knobs.tgt_idle_s)

    def _banned(self, user: str, now: float) -> bool:
        if now < self._banned_until.get(user, now):
            return True
        recent = [at for at in self._attempts.get(user, []) if now - at < self.knobs.login_window_s]
        recent.append(now)
        self._attempts[user] = recent
        if self.knobs.login_limit is not None and len(recent) > self.knobs.login_limit:
            self._banned_until[user] = now + self.knobs.ban_s
            return True
        return False

    def _record(
        self,
        now: float,
        kind: EventKind,
        user: str | None,
        *,
        tgt: int | None = None,
        st: int | None = None,
        service: str | None = None,
        why: Why = "",
    ) -> None:
        self.log.append(CasEvent(now, kind, user, tgt, st, service, why))

    def _text(self, length: int) -> str:
        return "".join(self._random.choices(_ALPHABET, k=length))


def _keep(tickets: dict[str, T], ticket: str, value: T) -> None:
    """Remember a ticket, and forget the oldest one when there are too many."""
    tickets[ticket] = value
    if len(tickets) > _KEPT:
        del tickets[next(iter(tickets))]
