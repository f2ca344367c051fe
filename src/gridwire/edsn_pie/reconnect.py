"""What follows when the link to the broker ends. The rules as a table, without I/O.

The states of a link: token → connect → sasl → open → attach → streaming → draining → closed. A token is asked for on every
connect. Whatever ends the link is met by the first row that fits:

===========================================================  =================================================
what ended it                                                what follows
===========================================================  =================================================
the certificate does not prove who the broker is             the end, `EdsnTlsError`
the login is refused for its credentials (outcome 1), or     the token is thrown away and one more login tried
the connection right after it as unauthorized, or the link   at once; the second time the end, `EdsnAuthError`
that hands the token over
the broker cannot log anybody in, for good (outcome 3)       the end, `EdsnLinkError`
none of our mechanisms is offered, or no link is given that  the end, `EdsnConfigError`
takes the token (``$cbs``)
the broker sends us elsewhere                                the end, `EdsnLinkError` with the address it named
the queue is refused, whichever way                          the end, `EdsnLinkError`
the queue is given with every message settled beforehand     the end, `EdsnLinkError`
unauthorized, after messages could flow                      the token is taken for expired: a new one, at once;
                                                             if that happens again soon, with a pause
anything else                                                a new connection after a pause
===========================================================  =================================================

Pauses are drawn between 0 and a bound that doubles from 1 s, to 60 s at most, and begins anew after a minute of streaming.
While an outage is young the bound stays low, at a quarter of its age and at least 2 s: a broker that was only restarted is
used again within seconds. An outage is over when a message has come, or after a minute of streaming: a broker that takes the
link and ends it again and again without a message is left alone for longer and longer. Where every connection costs a new
token the bound does not stay low: the identity provider is spared.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from gridwire.transport.amqp_failure import AmqpFailure, Cause, Stage

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
YOUNG_PAUSE_S = 2.0
SHARE_OF_OUTAGE = 0.25
HEALTHY_S = 60.0


class Action(Enum):
    """What a row of the table asks for."""

    PAUSE = "connect again after a pause"
    NEW_LOGIN = "throw the token away and log in once more at once, then give up"
    RENEW = "throw the token away and connect at once, once; then with a pause"
    STOP_TLS = "give up: the certificate"
    STOP_BROKER = "give up: the broker cannot log anybody in"
    STOP_MECHANISM = "give up: no common way to log in"
    STOP_CLAIM = "give up: the broker takes no token by a claim"
    STOP_REDIRECT = "give up: the broker is elsewhere"
    STOP_QUEUE = "give up: the queue is refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; an empty field fits everything."""

    action: Action
    stages: tuple[Stage, ...] = ()
    causes: tuple[Cause, ...] = ()
    conditions: tuple[str, ...] = ()
    outcomes: tuple[int, ...] = ()

    def fits(self, failure: AmqpFailure) -> bool:
        """Whether this row speaks of ``failure``."""
        condition = failure.condition.name if failure.condition is not None else None
        return (
            (not self.stages or failure.stage in self.stages)
            and (not self.causes or failure.cause in self.causes)
            and (not self.conditions or condition in self.conditions)
            and (not self.outcomes or failure.outcome in self.outcomes)
        )


UNAUTHORIZED = "amqp:unauthorized-access"
TABLE: tuple[Row, ...] = (
    Row(Action.STOP_TLS, causes=("certificate",)),
    Row(Action.NEW_LOGIN, causes=("outcome",), outcomes=(1,)),
    Row(Action.NEW_LOGIN, stages=("sasl", "open"), causes=("condition",), conditions=(UNAUTHORIZED,)),
    Row(Action.STOP_BROKER, causes=("outcome",), outcomes=(3,)),
    Row(Action.STOP_MECHANISM, causes=("mechanism",)),
    Row(Action.STOP_REDIRECT, causes=("condition",), conditions=("amqp:connection:redirect", "amqp:link:redirect")),
    Row(Action.STOP_CLAIM, stages=("sasl",), causes=("null_source",)),
    Row(
        Action.STOP_CLAIM,
        stages=("sasl",),
        causes=("condition",),
        conditions=("amqp:not-found", "amqp:not-allowed", "amqp:not-implemented", "amqp:invalid-field"),
    ),
    Row(Action.STOP_QUEUE, causes=("null_source",)),
    Row(Action.STOP_QUEUE, causes=("settled",)),
    Row(
        Action.STOP_QUEUE,
        stages=("attach",),
        causes=("condition",),
        conditions=("amqp:not-found", UNAUTHORIZED, "amqp:not-allowed", "amqp:invalid-field"),
    ),
    Row(Action.RENEW, stages=("stream",), causes=("condition",), conditions=(UNAUTHORIZED,)),
    Row(Action.PAUSE),
)


def action_on(failure: AmqpFailure) -> Action:
    """What the table asks for."""
    return next(row.action for row in TABLE if row.fits(failure))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do now. ``pause_s`` and ``new_token`` mean something only where ``stop`` is None."""

    stop: Action | None = None
    pause_s: float = 0.0
    new_token: bool = False


class Reconnect:
    """Applies the table with its memory. ``now`` is the loop's time in seconds."""

    def __init__(self, draw: Callable[[float, float], float] = random.uniform) -> None:
        self._draw = draw
        self._attempt = 0
        self._login_repeated = False
        self._renewed = False
        self._streaming_since: float | None = None
        self._away_since: float | None = None

    def logged_in(self) -> None:
        """The broker took the token."""
        self._login_repeated = False

    def streaming(self, now: float) -> None:
        """Messages can flow."""
        self._streaming_since = now

    def judge(self, failure: AmqpFailure, now: float, *, served: bool = False) -> Verdict:
        """What follows on ``failure``. ``served`` says whether a message came by the link that ended."""
        since, self._streaming_since = self._streaming_since, None
        healthy = since is not None and now - since >= HEALTHY_S
        if healthy:
            self._attempt = 0
            self._renewed = False
        if healthy or served:
            self._away_since = None
        action = action_on(failure)
        if action is Action.NEW_LOGIN:
            if self._login_repeated:
                return Verdict(stop=action)
            self._login_repeated = True
            return Verdict(new_token=True)
        if action is Action.RENEW:
            if self._renewed:
                return Verdict(pause_s=self.pause_s(now, hasty=False), new_token=True)
            self._renewed = True
            return Verdict(new_token=True)
        return Verdict(pause_s=self.pause_s(now)) if action is Action.PAUSE else Verdict(stop=action)

    def pause_s(self, now: float, least_s: float = 0.0, *, hasty: bool = True) -> float:
        """The next pause, at least ``least_s``. ``hasty`` keeps it short while the outage is young."""
        if self._away_since is None:
            self._away_since = now
        patience = max(YOUNG_PAUSE_S, (now - self._away_since) * SHARE_OF_OUTAGE) if hasty else LONGEST_PAUSE_S
        bound = min(FIRST_PAUSE_S * 2**self._attempt, patience, LONGEST_PAUSE_S)
        self._attempt = min(self._attempt + 1, 16)
        return max(self._draw(0.0, bound), least_s)
