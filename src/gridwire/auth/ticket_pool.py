"""Service tickets that are ready before they are needed: which to hand out, which to drop, when to ask for more. No I/O.

Where a ticket is in its life:

=========  ======================================  =================================================================
state      entered by                              left by
=========  ======================================  =================================================================
asked for  a caller's or the pool's own need       the answer of CAS; its age counts from before the request
pooled     the answer, while armed                 being handed out, or the age ``ttl - margin``
handed out a caller                                nothing: it is never returned, shared or handed out again
dropped    the age ``ttl - margin``                nothing
=========  ======================================  =================================================================

How often CAS is asked for the pool:

* Idle, tickets are replaced before they get too old. All calls for that, logins included, stay within
  ``calls_per_minute`` in any minute; two tickets replaced at the age of 21 s need 5.7.
* A ticket that was handed out is replaced at once, outside that limit, up to ``replacements_per_s``.
"""

from __future__ import annotations

import asyncio
import math
from bisect import insort
from dataclasses import dataclass, field

from gridwire.auth.budget import MINUTE_S, CallWindow, idle_plan
from gridwire.errors import InvalidInput

LARGEST_POOL = 4


@dataclass(frozen=True, slots=True)
class Ticket:
    """A service ticket, good for one call. ``value`` is the header's value."""

    value: str = field(repr=False)
    issued_at: float
    """Loop time just before the request for it was sent, the earliest moment its life can have begun."""
    wire: bytes = field(init=False, repr=False)
    """``value`` as it goes into a header, made here so that an order need not."""

    def __post_init__(self) -> None:
        """Encode it ahead of need."""
        object.__setattr__(self, "wire", self.value.encode("ascii"))

    @property
    def age_s(self) -> float:
        """Seconds since it may have been issued."""
        return asyncio.get_running_loop().time() - self.issued_at


@dataclass(frozen=True, slots=True)
class Need:
    """What the pool needs now: ``count`` tickets, or none for ``wait_s`` seconds."""

    count: int
    for_orders: bool
    """They replace tickets that orders have spent, and are fetched outside the idle limit."""
    wait_s: float


class TicketPool:
    """See the module. Every ``now`` is loop time. Raises `InvalidInput` for limits that cannot work."""

    def __init__(
        self, *, ttl_s: float, margin_s: float, size: int, calls_per_minute: int, replacements_per_s: int
    ) -> None:
        if not 0 < margin_s < math.inf:
            raise InvalidInput(f"margin_s={margin_s:g} is no number of seconds above 0.")
        if not 2 * margin_s <= ttl_s < math.inf:
            raise InvalidInput(
                f"st_ttl_s={ttl_s:g} is not for how many seconds a ticket lives: it is a number of at least {2 * margin_s:g}. "
                "Nothing was sent."
            )
        if not 1 <= size <= LARGEST_POOL or calls_per_minute < 2 or replacements_per_s < 1:
            raise InvalidInput(
                f"pool_size is 1 to {LARGEST_POOL}, cas_calls_per_minute at least 2 (a login and a ticket), "
                "replacements_per_s at least 1."
            )
        self.ttl_s: float = ttl_s
        """The life a ticket is believed to have."""
        self.wasted: int = 0
        """Tickets dropped unused."""
        self.idle_calls: CallWindow = CallWindow(calls_per_minute, MINUTE_S)
        """The calls made without an order. Logins are noted here by who makes them."""
        self._margin_s = margin_s
        self._size = size
        self._calls_per_minute = calls_per_minute
        self._replacements = CallWindow(replacements_per_s, 1.0)
        self._tickets: list[Ticket] = []  # oldest first
        self._owed = 0  # handed out and not yet replaced
        self._idle_not_before = 0.0

    def __len__(self) -> int:
        return len(self._tickets)

    @property
    def usable_s(self) -> float:
        """The age up to which a ticket is handed out."""
        return self.ttl_s - self._margin_s

    def add(self, ticket: Ticket) -> None:
        """Put a new ticket in. Where that makes more than four, the oldest goes."""
        insort(self._tickets, ticket, key=lambda pooled: pooled.issued_at)
        self._drop(len(self._tickets) - LARGEST_POOL)

    def pop(self, now: float, *, replace: bool) -> Ticket | None:
        """Hand out the freshest ticket, which is the last one the venue would call too old; None if there is none.

        ``replace`` remembers that another one is owed.
        """
        if not self._tickets:
            return None
        if now - self._tickets[-1].issued_at > self.usable_s:
            self.clear()
            return None
        if replace:
            self._owed += 1
        return self._tickets.pop()

    def allow_replacements(self, per_s: int) -> None:
        """Replace up to ``per_s`` spent tickets in a second from now on."""
        if per_s < 1:
            raise InvalidInput("replacements_per_s must be at least 1.")
        self._replacements = CallWindow(per_s, 1.0)

    def clear(self) -> None:
        """Drop every ticket."""
        self._drop(len(self._tickets))

    def rest(self) -> None:
        """Nothing is owed any more."""
        self._owed = 0

    def has_fresh(self, now: float) -> bool:
        """Whether there is a ticket to hand out."""
        return bool(self._younger(self.usable_s, now))

    def need(self, now: float, *, session: bool) -> Need:
        """What to do now. ``session``: no login is needed first, as far as is known."""
        self._drop(sum(now - ticket.issued_at > self.usable_s for ticket in self._tickets))
        target, refresh_s = idle_plan(self._size, self.usable_s, self._calls_per_minute)
        fresh = self._younger(refresh_s, now)
        self._owed = max(0, min(self._owed, self._size - len(fresh)))
        if self._owed:
            return Need(min(self._owed, self._replacements.room(now)), True, self._replacements.wait_s(now, 1))
        missing = target - len(fresh)
        if missing <= 0:
            return Need(0, False, fresh[0].issued_at + refresh_s - now)
        if now < self._idle_not_before:
            return Need(0, False, self._idle_not_before - now)
        login = 0 if session else 1
        count = min(missing, self.idle_calls.room(now) - login)
        return Need(max(0, count), False, self.idle_calls.wait_s(now, 1 + login))

    def begin(self, need: Need, now: float) -> None:
        """The tickets of ``need`` are asked for now."""
        for _ in range(need.count):
            (self._replacements if need.for_orders else self.idle_calls).note(now)
        if not need.for_orders:
            # Spread over the minute, so that a pool the calls hardly suffice for is not empty for half of it.
            self._idle_not_before = now + need.count * MINUTE_S / self._calls_per_minute

    def filled(self, need: Need, ticket: Ticket) -> None:
        """A ticket of ``need`` has come."""
        self.add(ticket)
        if need.for_orders:
            self._owed = max(0, self._owed - 1)

    def retry_idle(self) -> None:
        """What was asked for last did not count (the session had ended): do not spread the next request."""
        self._idle_not_before = 0.0

    def lower_ttl(self, rejected_age_s: float) -> bool:
        """The venue refused a ticket of this age; whether that lowered the life we believe in.

        It is halved, down to twice the margin. A ticket younger than that floor was refused for another reason (a
        missing right, most likely), and one at or above the present life tells nothing new.
        """
        floor_s = 2 * self._margin_s
        if not floor_s <= rejected_age_s < self.ttl_s:
            return False
        self.ttl_s = max(floor_s, self.ttl_s / 2)
        return True

    def _younger(self, limit_s: float, now: float) -> list[Ticket]:
        return [ticket for ticket in self._tickets if now - ticket.issued_at < limit_s]

    def _drop(self, count: int) -> None:
        if count > 0:
            del self._tickets[:count]
            self.wasted += count
