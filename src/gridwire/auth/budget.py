"""How often CAS may be asked. Pure arithmetic; times are seconds on any one clock.

The venue blocks users who log in too often and gives no numbers, so these are ours (EPİAŞ STP specification 3.4, 3.6).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from gridwire.errors import InvalidInput

HOUR_S = 3600.0
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class LoginBudget:
    """At least ``min_gap_s`` seconds between two logins, and at most ``per_hour`` in any hour."""

    min_gap_s: float = 60.0
    per_hour: int = 10

    def __post_init__(self) -> None:
        if self.min_gap_s < 0 or self.per_hour < 1:
            raise InvalidInput("A login budget needs min_gap_s of at least 0 and per_hour of at least 1.")

    def wait_s(self, logins: Sequence[float], now: float, *, gap: bool = True) -> float:
        """Seconds until the next login is allowed after ``logins``; 0 if it is allowed now.

        ``gap=False`` looks at the hour alone: for a repetition within one login, or after corrected credentials.
        A time after ``now`` (a wall clock that was set back) counts as now.
        """
        recent = sorted(min(at, now) for at in logins if at > now - HOUR_S)
        waits = [0.0]
        if gap and recent:
            waits.append(recent[-1] + self.min_gap_s - now)
        if len(recent) >= self.per_hour:
            waits.append(recent[-self.per_hour] + HOUR_S - now)
        return max(waits)

    def left(self, logins: Sequence[float], now: float) -> int:
        """How many logins of the current hour are left."""
        return max(0, self.per_hour - sum(at > now - HOUR_S for at in logins))


class CallWindow:
    """At most ``most`` calls in any ``span_s`` seconds, counted exactly (no burst over the edge of a minute)."""

    def __init__(self, most: int, span_s: float) -> None:
        self._span_s = span_s
        self._calls: deque[float] = deque(maxlen=most)
        self._most = most

    def note(self, now: float) -> None:
        """A call is made. Calls beyond the limit are counted too; they only use up room."""
        self._calls.append(now)

    def room(self, now: float) -> int:
        """How many calls may be made now."""
        return self._most - sum(now < at + self._span_s for at in self._calls)

    def wait_s(self, now: float, calls: int) -> float:
        """Seconds until ``calls`` calls (at most ``most``) may be made; 0 if now."""
        over = len(self._calls) + calls - self._most
        return max(0.0, self._calls[over - 1] + self._span_s - now) if over > 0 else 0.0


def idle_plan(pool_size: int, usable_s: float, calls_per_minute: int) -> tuple[int, float]:
    """How many tickets can be kept fresh while nothing is traded, and at what age each is replaced.

    A ticket usable for 25 s is replaced at 21 s, so that a slow answer leaves no gap: two of them cost 5.7 calls a
    minute. Where the calls do not suffice for one ticket after the other (a short ``usable_s``), one ticket is fetched
    as often as the calls allow, and for the rest of the time there is none.
    """
    refresh_s = usable_s - min(4.0, usable_s / 5)
    affordable = int(calls_per_minute * refresh_s / MINUTE_S)
    if affordable == 0:
        return 1, MINUTE_S / calls_per_minute
    return min(pool_size, affordable), refresh_s
