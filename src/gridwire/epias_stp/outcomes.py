"""What a judged attempt means: an `Outcome` for a write, an error for a read, and whether to try again.

Three tables and the functions that look things up in them. `WRITES` is where the promise of `gridwire.outcome` is kept: of
the failures after the first byte only the venue's own refusals and HTTP 429 are `Refused`, everything else is `Doubtful`.
`RETRIES` is the whole retry policy: a pair that is missing from it is never tried again. For writes it holds nothing after
the first byte but what a caller switched on by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gridwire.epias_stp import compared, sentences
from gridwire.epias_stp.errors import (
    StpBusinessError,
    StpError,
    StpProtocolError,
    StpRateLimited,
    StpSecurityError,
    StpSystemError,
)
from gridwire.epias_stp.judgement import RATE_LIMIT_PAUSE_S, Attempt, Failure, bid_id, failure_of
from gridwire.epias_stp.operations import Operation, RetryClass
from gridwire.errors import (
    AuthError,
    AuthThrottled,
    AuthUnavailable,
    LoginBudgetExceeded,
    NoAnswer,
    NotSent,
    TransportError,
)
from gridwire.outcome import Accepted, Cause, Intent, OrderRef, Origin, Outcome, Rejected, Unknown
from gridwire.transport.retry import Again

VENUE = "epias_stp"

STALE_AFTER_S = 10.0
"""A ticket refused at a greater age may simply have expired: some EPİAŞ services let them live 15 s. Refused younger, it is
more likely that the user lacks the right."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly not at the venue. ``repeatable`` None depends on the attempt."""

    origin: Origin
    repeatable: bool | None


@dataclass(frozen=True, slots=True)
class Doubtful:
    """May be at the venue."""

    cause: Cause


WRITES: Mapping[Failure, Refused | Doubtful] = {
    Failure.NO_TICKET: Refused("security", None),
    Failure.NOT_SENT: Refused("wire", True),
    Failure.TIMED_OUT: Doubtful("timeout"),
    Failure.DISCONNECTED: Doubtful("disconnected"),
    Failure.CANCELLED: Doubtful("cancelled"),
    Failure.REDIRECT: Doubtful("redirect"),
    Failure.ACCESS_DENIED: Doubtful("http_status"),
    Failure.SERVER_FAULT: Doubtful("http_status"),
    Failure.HTTP_STATUS: Doubtful("http_status"),
    Failure.HTML: Doubtful("unreadable"),
    Failure.UNREADABLE: Doubtful("unreadable"),
    Failure.FOREIGN_ANSWER: Doubtful("foreign_answer"),
    Failure.RATE_LIMITED: Refused("venue", True),
    Failure.CONTRADICTORY: Doubtful("contradictory"),
    Failure.BUSINESS_ERROR: Refused("venue", False),
    Failure.SECURITY_ERROR: Refused("security", None),
    Failure.SYSTEM_ERROR: Doubtful("system_error"),
    Failure.NO_ID: Doubtful("no_id"),
}

READS: Mapping[Failure, type[StpError]] = {
    Failure.REDIRECT: StpSecurityError,
    Failure.ACCESS_DENIED: StpSecurityError,
    Failure.SERVER_FAULT: StpProtocolError,
    Failure.HTTP_STATUS: StpProtocolError,
    Failure.HTML: StpSecurityError,
    Failure.UNREADABLE: StpProtocolError,
    Failure.CONTRADICTORY: StpProtocolError,
    Failure.BUSINESS_ERROR: StpBusinessError,
    Failure.SECURITY_ERROR: StpSecurityError,
    Failure.SYSTEM_ERROR: StpSystemError,
}
"""Errors of reads with an answer. Without one the transport's or the ticket service's own error is raised."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """Permission for ``most`` further attempts, each with a new ticket and the same transactionId."""

    most: int
    pause: Literal["backoff", "none", "retry_after"] = "backoff"
    switch: Literal["resend_on_security_error", "retry_cancel"] | None = None
    """The caller's switch without which the rule does not hold."""
    stale_ticket_only: bool = False
    """Whether it holds only if the ticket was older than `STALE_AFTER_S`."""


_NOTHING_LEFT = RetryRule(3)
_LOST = RetryRule(2)
_RESEND = RetryRule(1, "none", "resend_on_security_error", stale_ticket_only=True)
_CANCEL_AGAIN = RetryRule(1, "backoff", "retry_cancel")
_LOST_FAILURES = (
    Failure.TIMED_OUT,
    Failure.DISCONNECTED,
    Failure.UNREADABLE,
    Failure.SERVER_FAULT,
    Failure.SYSTEM_ERROR,
)

RETRIES: Mapping[tuple[RetryClass, Failure], RetryRule] = {
    **{(kind, Failure.NOT_SENT): _NOTHING_LEFT for kind in RetryClass},
    **{(kind, failure): _LOST for kind in (RetryClass.READ, RetryClass.CALC) for failure in _LOST_FAILURES},
    **{
        (kind, failure): RetryRule(1, "none")
        for kind in (RetryClass.READ, RetryClass.CALC)
        for failure in (Failure.SECURITY_ERROR, Failure.ACCESS_DENIED)
    },
    **{(kind, Failure.RATE_LIMITED): RetryRule(2, "retry_after") for kind in (RetryClass.READ, RetryClass.CALC)},
    **{(kind, Failure.SECURITY_ERROR): _RESEND for kind in (RetryClass.CANCEL, RetryClass.WRITE)},
    **{(RetryClass.CANCEL, failure): _CANCEL_AGAIN for failure in _LOST_FAILURES},
}


def read_again(operation: Operation, error: BaseException) -> Again | None:
    """Whether a read may be tried again after ``error``, which `error_of` made; None for never.

    This is the ``rule`` that `gridwire.transport.retry.retrying` asks for.
    """
    if isinstance(error, StpError):
        rule = RETRIES.get((operation.retry_class, Failure(error.kind)))
    elif isinstance(error, (NotSent, NoAnswer)):
        rule = RETRIES.get((operation.retry_class, failure_of(error)))
    else:
        rule = None
    if rule is None or rule.switch is not None:
        return None
    return Again(rule.most, error.retry_after_s if isinstance(error, StpRateLimited) else _PAUSES[rule.pause])


def write_again(
    attempts: Sequence[Attempt], *, resend_on_security_error: bool = False, retry_cancel: bool = False
) -> Again | None:
    """Whether a write may be tried again after ``attempts``, all of its failed ones in order; None for never.

    Without the switches only a request of which nothing left is sent again. Failures under the same rule are counted
    together: with ``retry_cancel`` a cancellation goes out at most twice, whatever became of the first.
    """
    last = attempts[-1]
    rule = RETRIES.get((last.operation.retry_class, _failure(last)))
    if rule is None:
        return None
    allowed = {None: True, "resend_on_security_error": resend_on_security_error, "retry_cancel": retry_cancel}
    if not allowed[rule.switch]:
        return None
    if rule.stale_ticket_only and not _is_stale(last):
        return None
    used = sum(RETRIES.get((one.operation.retry_class, _failure(one))) is rule for one in attempts[:-1])
    return Again(rule.most, _PAUSES[rule.pause]) if used < rule.most else None


_PAUSES = {"backoff": None, "none": 0.0, "retry_after": RATE_LIMIT_PAUSE_S}


def error_of(attempt: Attempt) -> Exception:
    """The error that a read raises for a failed attempt."""
    if isinstance(attempt.error, (TransportError, AuthError)):
        return attempt.error
    failure = _failure(attempt)
    text = sentences.read(attempt)
    if failure is Failure.RATE_LIMITED:
        return StpRateLimited(text, attempt.facts, retry_after_s=attempt.retry_after_s or RATE_LIMIT_PAUSE_S)
    return READS[failure](text, attempt.facts, kind=failure.value)


def outcome_of(attempts: Attempt | Sequence[Attempt], intent: Intent) -> Outcome:
    """What became of a write that carried one intent; see `outcomes_of`."""
    return outcomes_of(attempts, (intent,))[0]


def outcomes_of(attempts: Attempt | Sequence[Attempt], intents: Sequence[Intent]) -> list[Outcome]:
    """What became of a write, from all its attempts in order: one outcome for each intent that it carried.

    ``raw`` of an `Accepted` or a `Rejected` is the answer's `Envelope`, where there was one; that of an `Unknown` holds one
    entry per attempt, an `Envelope` or a sentence about what came instead. The last attempt decides, unless an earlier one
    may have acted: then only success settles it, and is marked ``possibly_duplicate``. Success has to fit what was sent:
    see `gridwire.epias_stp.compared`.
    """
    tries = (attempts,) if isinstance(attempts, Attempt) else tuple(attempts)
    last = tries[-1]
    doubtful = next((one for one in tries[:-1] if isinstance(_meaning(one), Doubtful)), None)
    if last.failure is None and last.envelope is not None:
        found = compared.findings(last.envelope, [intent.restated for intent in intents])
        return [_answered(tries, doubtful, *pair) for pair in zip(intents, found, strict=True)]
    return [_failed(tries, doubtful, intent) for intent in intents]


def _answered(tries: Sequence[Attempt], doubtful: Attempt | None, intent: Intent, finding: compared.Finding) -> Outcome:
    last = tries[-1]
    if isinstance(finding, compared.Differs):
        return Unknown(intent, finding.cause, sentences.differs(last, finding.what), _received(tries))
    if isinstance(finding, compared.Refused) and doubtful is not None:
        return Unknown(intent, "possibly_duplicate", sentences.doubt_remains(doubtful, last), _received(tries))
    if isinstance(finding, compared.Refused):
        reason = sentences.refused_entry(last, finding.code, finding.words)
        return Rejected(finding.code, reason, "venue", intent, raw=last.envelope)
    return Accepted(
        intent=intent, order=_order(last, intent), raw=last.envelope, possibly_duplicate=doubtful is not None
    )


def _failed(tries: Sequence[Attempt], doubtful: Attempt | None, intent: Intent) -> Outcome:
    last = tries[-1]
    meaning = WRITES[_failure(last)]
    if doubtful is not None:
        return Unknown(intent, "possibly_duplicate", sentences.doubt_remains(doubtful, last), _received(tries))
    if isinstance(meaning, Doubtful):
        return Unknown(intent, meaning.cause, sentences.doubt(last), _received(tries))
    return Rejected(
        code=_code(last),
        reason=sentences.refusal(last, stale=_is_stale(last)),
        origin=meaning.origin,
        intent=intent,
        repeatable=_repeatable(last) if meaning.repeatable is None else meaning.repeatable,
        retry_after_s=last.retry_after_s,
        raw=last.envelope,
    )


def restated_order(outcome: Outcome, bid: OrderRef | None, restated: Mapping[str, Any]) -> Outcome:
    """``outcome`` of a change or cancellation of ``bid`` with the reference of that bid, not of the call about it."""
    if isinstance(outcome, Accepted) and outcome.order is not None and bid is not None:
        state = {name: value for name, value in restated.items() if name != "bid_id"}
        return replace(outcome, order=replace(outcome.order, intent=bid.intent, restated=state))
    return outcome


def _meaning(attempt: Attempt) -> Refused | Doubtful | None:
    return None if attempt.failure is None else WRITES[attempt.failure]


def _failure(attempt: Attempt) -> Failure:
    if attempt.failure is None:
        raise ValueError("a successful attempt has no error")
    return attempt.failure


def _order(attempt: Attempt, intent: Intent) -> OrderRef | None:
    if not attempt.operation.name.startswith("bid_"):
        return None
    sent = intent.restated.get("bid_id")
    return OrderRef(VENUE, bid_id(attempt.envelope) or (None if sent is None else str(sent)), intent, intent.restated)


def _received(attempts: Sequence[Attempt]) -> tuple[Any, ...]:
    return tuple(attempt.envelope if attempt.envelope is not None else attempt.detail for attempt in attempts)


def _is_stale(attempt: Attempt) -> bool:
    return attempt.ticket_age_s is not None and attempt.ticket_age_s > STALE_AFTER_S


def _repeatable(attempt: Attempt) -> bool:
    if attempt.failure is Failure.SECURITY_ERROR:
        return _is_stale(attempt)
    return isinstance(attempt.error, (AuthUnavailable, AuthThrottled, LoginBudgetExceeded))


def _code(attempt: Attempt) -> str:
    if attempt.failure is Failure.RATE_LIMITED:
        return "429"
    if isinstance(attempt.error, NotSent):
        return attempt.error.reason
    if attempt.envelope is not None and attempt.envelope.result_code is not None:
        return attempt.envelope.result_code
    return attempt.failure.value if attempt.failure is not None else ""
