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
the virtual host is not there                                the end, `EdsnLinkError`
the queue is refused, whichever way                          the end, `EdsnLinkError`
the queue is given with every message settled beforehand     the end, `EdsnLinkError`
what answers is no broker, before anything has worked        the end, `EdsnConfigError`
nothing is reached before anything has worked                a new connection after a pause; after ``patience_s`` the
                                                             end, `EdsnConfigError`
unauthorized, after messages could flow                      the token is taken for expired: a new one, at once;
                                                             if that happens again soon, with a pause
anything else                                                a new connection after a pause
===========================================================  =================================================

A broker that has worked before may refuse for a while: its other node starts, its identity provider's keys are new. So after
the first link that stood, every end of the table but that of a redirect is put off, and so is a refusal of the identity provider: the broker is tried again with growing
pauses, and only after ``patience_s`` of refusals it is the end. Time in which other trouble kept it from answering does not
count, and makes nothing good: only a link that stands does.

Pauses are drawn between 0 and a bound that doubles from 1 s, to 60 s at most, and begins anew after a minute of streaming.
While an outage is young the bound stays low, at a quarter of its age and at least 2 s: a broker that was only restarted is
used again within seconds. An outage is over when a message has come, when a token was changed in time, or after a minute of
streaming: a broker that takes the link and ends it again and again without a message is left alone for longer and longer.
Where every connection costs a new token the bound does not stay low, and is counted by itself: the identity provider is
spared.
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
PATIENCE_S = 300.0
SERVED_SPENT = 2
"""A link that brought messages is made anew within 4 s, also where each one costs a token."""


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
    STOP_VIRTUAL_HOST = "give up: the broker has no such virtual host"
    STOP_QUEUE = "give up: the queue is refused"
    STOP_SETTLED = "give up: every message would come settled"
    STOP_PLACE = "give up: no broker was ever reached"
    STOP_ACCOUNT = "give up: the identity provider refuses the service account"


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
    Row(
        Action.STOP_VIRTUAL_HOST,
        stages=("open",),
        causes=("condition",),
        conditions=("amqp:not-found", "amqp:not-allowed", "amqp:invalid-field"),
    ),
    Row(Action.STOP_QUEUE, causes=("null_source",)),
    Row(Action.STOP_SETTLED, causes=("settled",)),
    Row(
        Action.STOP_QUEUE,
        stages=("attach",),
        causes=("condition",),
        conditions=(
            "amqp:not-found",
            UNAUTHORIZED,
            "amqp:not-allowed",
            "amqp:not-implemented",
            "amqp:invalid-field",
            "amqp:precondition-failed",
        ),
    ),
    Row(Action.RENEW, stages=("stream",), causes=("condition",), conditions=(UNAUTHORIZED,)),
    Row(Action.PAUSE),
)


def action_on(failure: AmqpFailure) -> Action:
    """What the table asks for."""
    return next(row.action for row in TABLE if row.fits(failure))


def strange(failure: AmqpFailure) -> bool:
    """Whether what was reached is no broker that speaks as we do."""
    return (failure.stage, failure.cause) == ("sasl", "garbage")


def unreached(failure: AmqpFailure) -> bool:
    """Whether the failure leaves open that there is a broker at this place."""
    return failure.stage in ("connect", "tls") or (failure.stage == "sasl" and failure.cause in ("eof", "timeout"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do now. ``pause_s`` and ``new_token`` mean something only where ``stop`` is None.

    ``left_s`` is how long the broker will yet be tried, None where there is no end to it; ``tried_s`` how long it was.
    """

    stop: Action | None = None
    pause_s: float = 0.0
    new_token: bool = False
    left_s: float | None = None
    tried_s: float = 0.0


class Reconnect:
    """Applies the table with its memory. ``now`` is the loop's time in seconds."""

    def __init__(
        self, draw: Callable[[float, float], float] = random.uniform, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._patience_s = patience_s
        self._draw = draw
        self._attempt = 0
        self._tokens_spent = 0
        self._login_repeated = False
        self._renewed = False
        self._reached = False
        self._stood = False
        self._vain_since: float | None = None
        """Since when none was reached, where none ever was."""
        self._refused_s = 0.0
        """How long a broker has refused that worked before, since its last link stood."""
        self._refusing_since: float | None = None
        self._streaming_since: float | None = None
        self._away_since: float | None = None

    def logged_in(self) -> None:
        """The broker took the token."""
        self._login_repeated = False
        if not self._reached:
            self._reached, self._vain_since = True, None

    def streaming(self, now: float) -> None:
        """Messages can flow."""
        self.logged_in()
        self._stood = True
        self._refused_s, self._refusing_since = 0.0, None
        self._streaming_since = now

    def rolled_over(self) -> None:
        """The link was let go for another token, as planned: whatever was before it is over."""
        self._streaming_since = None
        self._healthy()

    def _healthy(self) -> None:
        self._away_since = None
        self._attempt = self._tokens_spent = 0
        self._renewed = False

    def judge(self, failure: AmqpFailure, now: float, *, served: bool = False) -> Verdict:
        """What follows on ``failure``. ``served`` says whether a message came by the link that ended."""
        self._count_refusals(now)
        if failure.stage in ("attach", "stream"):  # not before: a broker may open the connection and close it at once
            self.logged_in()
        since, self._streaming_since = self._streaming_since, None
        if since is not None and now - since >= HEALTHY_S:
            self._healthy()
        elif served:
            self._away_since = None
            self._tokens_spent = min(self._tokens_spent, SERVED_SPENT)
        action = action_on(failure)
        if action is Action.NEW_LOGIN and not self._login_repeated:
            self._login_repeated = True
            return Verdict(new_token=True)
        if action is Action.RENEW:
            if self._renewed:
                return Verdict(pause_s=self._spare_pause_s(now), new_token=True)
            self._renewed = True
            return Verdict(new_token=True)
        if action is not Action.PAUSE:
            return self._refused(action, now)
        if self._reached:
            return Verdict(pause_s=self.pause_s(now))
        return self._unreached(failure, now)

    def no_token(self, now: float) -> Verdict:
        """What follows where the identity provider refuses to give a token."""
        self._count_refusals(now)
        return self._refused(Action.STOP_ACCOUNT, now)

    def _refused(self, action: Action, now: float) -> Verdict:
        if not self._stood or action is Action.STOP_REDIRECT:
            return Verdict(stop=action)
        left_s = self._patience_s - self._refused_s
        if left_s <= 0:
            return Verdict(stop=action, tried_s=self._refused_s)
        self._refusing_since = now
        pause_s = min(self._spare_pause_s(now), left_s)  # once more when the patience is over
        return Verdict(pause_s=pause_s, new_token=action is Action.NEW_LOGIN, left_s=left_s)

    def _unreached(self, failure: AmqpFailure, now: float) -> Verdict:
        if strange(failure):
            return Verdict(stop=Action.STOP_PLACE)
        if not unreached(failure):
            self._reached, self._vain_since = True, None
            return Verdict(pause_s=self.pause_s(now))
        if self._vain_since is None:
            self._vain_since = now
        left_s = self._vain_since + self._patience_s - now
        if left_s <= 0:
            return Verdict(stop=Action.STOP_PLACE, tried_s=self._patience_s - left_s)
        return Verdict(pause_s=min(self.pause_s(now), left_s), left_s=left_s)

    def _count_refusals(self, now: float) -> None:
        if self._refusing_since is not None:
            self._refused_s += now - self._refusing_since
            self._refusing_since = None

    def pause_s(self, now: float, least_s: float = 0.0) -> float:
        """The next pause, at least ``least_s``, and short while the outage is young."""
        self._count_refusals(now)
        if self._away_since is None:
            self._away_since = now
        patience = max(YOUNG_PAUSE_S, (now - self._away_since) * SHARE_OF_OUTAGE)
        bound = min(FIRST_PAUSE_S * 2**self._attempt, patience, LONGEST_PAUSE_S)
        self._attempt = min(self._attempt + 1, 16)
        return max(self._draw(0.0, bound), least_s)

    def _spare_pause_s(self, now: float) -> float:
        """The next pause where every connection costs a token, or meets the same refusal."""
        if self._away_since is None:
            self._away_since = now
        bound = min(FIRST_PAUSE_S * 2**self._tokens_spent, LONGEST_PAUSE_S)
        self._tokens_spent = min(self._tokens_spent + 1, 16)
        return self._draw(0.0, bound)
