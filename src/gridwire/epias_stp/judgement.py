"""What one HTTP request of STP came to. Pure functions; the only place where a failure gets its name.

Rules, in the order in which they are asked:

1. A redirect is never followed and its body never believed: something in front of STP answered.
2. Otherwise STP's envelope is looked for, whatever the status. The document promises 200 alone, but EPİAŞ's sister
   services with the same envelope answer errors with 4xx and 5xx.
3. To a write, an envelope that names another transaction is no answer. (To a read it is only a warning.)
4. HTTP 429 is what it says, unless the envelope claims success.
5. An envelope that contradicts itself is no answer: success with a code other than "0" or with a status other than 2xx,
   an error with code "0", no result type or an unknown one, or the document's own placeholder that names all four.
6. What is left is what the result type says; a saved bid without an identifier is not success.
7. Without an envelope the status decides, and then the form of the body; another operation's answer refuses nothing.

What a failure means for the caller is in `gridwire.epias_stp.outcomes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from gridwire.epias_stp.enums import ResultType
from gridwire.epias_stp.errors import Facts, StpProtocolError
from gridwire.epias_stp.operations import Operation
from gridwire.epias_stp.wire import Envelope, decode
from gridwire.errors import AuthError, NoAnswer, NotSent
from gridwire.observe.redact import mask
from gridwire.transport.classify import is_redirect, retry_after_s
from gridwire.transport.exchange import Response

RATE_LIMIT_PAUSE_S = 60.0
"""How long HTTP 429 asks to wait where it does not say."""


class Failure(Enum):
    """Everything but success. The first two come before the first byte of the request, all others after it."""

    NO_TICKET = "no_ticket"
    """The ticket service gave no ticket."""
    NOT_SENT = "not_sent"
    """No byte of the request left."""
    TIMED_OUT = "timed_out"
    DISCONNECTED = "disconnected"
    CANCELLED = "cancelled"
    """The caller's task was cancelled while the request was under way."""
    REDIRECT = "redirect"
    """HTTP 3xx."""
    ACCESS_DENIED = "access_denied"
    """HTTP 401 or 403 without STP's envelope."""
    SERVER_FAULT = "server_fault"
    """HTTP 5xx without STP's envelope."""
    HTTP_STATUS = "http_status"
    """Another status that is not 2xx, without STP's envelope; 404 usually means a wrong base path."""
    HTML = "html"
    """A web page with a status of 2xx."""
    UNREADABLE = "unreadable"
    """A body that is no envelope: empty, cut off, hostile, of another service."""
    FOREIGN_ANSWER = "foreign_answer"
    RATE_LIMITED = "rate_limited"
    """HTTP 429."""
    CONTRADICTORY = "contradictory"
    BUSINESS_ERROR = "business_error"
    SECURITY_ERROR = "security_error"
    SYSTEM_ERROR = "system_error"
    NO_ID = "no_id"
    """Success of bid/save without the bid's identifier."""


_ID = re.compile(r"[!-~]{1,64}", re.ASCII)

BEFORE_FIRST_BYTE = frozenset({Failure.NO_TICKET, Failure.NOT_SENT})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP request and what it came to. ``failure`` None is success."""

    operation: Operation
    transaction_id: str
    failure: Failure | None
    detail: str = ""
    """What came instead of an answer, for sentences; no ticket in it."""
    envelope: Envelope | None = field(default=None, repr=False)
    error: Exception | None = field(default=None, repr=False)
    """The transport's or the ticket service's error behind the failure."""
    http_status: int | None = None
    ticket_age_s: float | None = None
    """Age of the service ticket when the request left."""
    retry_after_s: float | None = None
    date: str = ""
    """The answer's ``Date`` header: the present time by the venue's clock, to the second."""
    warning: str | None = None
    """Something odd that did not change the result."""

    @property
    def facts(self) -> Facts:
        """What errors about this attempt quote."""
        if self.envelope is not None:
            return self.envelope.facts
        return Facts(self.operation.name, self.transaction_id, self.http_status)


def bid_id(envelope: Envelope | None) -> str | None:
    """The bid's identifier in an answer, read without building models; None if there is none, or a ticket in its place."""
    body = envelope.body if envelope is not None else None
    bid = body.get("bidResponse") if isinstance(body, dict) else None
    number = bid.get("id") if isinstance(bid, dict) else None
    if isinstance(number, bool) or not isinstance(number, (str, int)):
        return None
    text = str(number).strip()
    return text if _ID.fullmatch(text) and not ("t-" in text.lower() and mask(text) != text) else None


def answered(
    operation: Operation,
    response: Response,
    *,
    transaction_id: str,
    ticket_age_s: float | None,
    now: datetime,
) -> Attempt:
    """Judge a whole answer. ``now`` is wall time, for a ``Retry-After`` that names a date."""
    envelope: Envelope | None = None
    unread: StpProtocolError | None = None
    if not is_redirect(response):
        try:
            envelope = decode(operation, response, transaction_id=transaction_id)
        except StpProtocolError as error:
            unread = error
    foreign = _foreign(envelope)
    if envelope is not None:
        failure, detail = _of_envelope(envelope, foreign)
    else:
        failure, detail = _of_status(response.status, unread)
    pause = None
    if failure is Failure.RATE_LIMITED:
        pause = retry_after_s(response, now=now, default_s=RATE_LIMIT_PAUSE_S)
    return Attempt(
        operation=operation,
        transaction_id=transaction_id,
        failure=failure,
        detail=detail,
        envelope=envelope,
        http_status=response.status,
        ticket_age_s=ticket_age_s,
        retry_after_s=pause,
        date=response.headers.get("date", ""),
        warning=foreign,
    )


def named_twice(attempt: Attempt, bid: str) -> Attempt:
    """``attempt`` to enter a bid, whose answer named ``bid``, which an earlier answer has named already."""
    return replace(
        attempt,
        failure=Failure.FOREIGN_ANSWER,
        detail=f"The answer names bid {bid}, which an earlier answer named already: it may be the answer to another call.",
    )


def failed(
    operation: Operation,
    error: NotSent | NoAnswer | AuthError,
    *,
    transaction_id: str,
    ticket_age_s: float | None = None,
) -> Attempt:
    """Judge a request that got no whole answer, or no ticket."""
    pause = getattr(error, "retry_after_s", None)
    return Attempt(
        operation=operation,
        transaction_id=transaction_id,
        failure=failure_of(error),
        detail=str(error),
        error=error,
        ticket_age_s=ticket_age_s,
        retry_after_s=pause,
    )


def cancelled(operation: Operation, *, transaction_id: str, ticket_age_s: float | None = None) -> Attempt:
    """Judge a request whose caller was cancelled after its first byte had left."""
    return Attempt(
        operation=operation,
        transaction_id=transaction_id,
        failure=Failure.CANCELLED,
        detail="The calling task was cancelled while the request was under way.",
        ticket_age_s=ticket_age_s,
    )


def failure_of(error: NotSent | NoAnswer | AuthError) -> Failure:
    """The name of a failure without a whole answer."""
    if isinstance(error, NotSent):
        return Failure.NOT_SENT
    if isinstance(error, AuthError):
        return Failure.NO_TICKET
    return {"timeout": Failure.TIMED_OUT, "disconnected": Failure.DISCONNECTED}.get(error.reason, Failure.UNREADABLE)


def _foreign(envelope: Envelope | None) -> str | None:
    echoed = envelope.echoed_transaction_id if envelope is not None else None
    if envelope is None or echoed is None or echoed.lower() == envelope.transaction_id.lower():
        return None
    return f"The answer names transactionId {echoed}, which is not ours."


def _of_envelope(envelope: Envelope, foreign: str | None) -> tuple[Failure | None, str]:
    if foreign is not None and envelope.operation.is_write:
        return Failure.FOREIGN_ANSWER, foreign
    if envelope.http_status == 429 and envelope.result_type is not ResultType.SUCCESS:
        return Failure.RATE_LIMITED, envelope.result_description
    contradiction = _contradiction(envelope)
    if contradiction is not None:
        return Failure.CONTRADICTORY, contradiction
    if (
        envelope.operation.name == "bid_save"
        and envelope.result_type is ResultType.SUCCESS
        and bid_id(envelope) is None
    ):
        return Failure.NO_ID, "The answer says SUCCESS and names no bid."
    return _BY_TYPE[envelope.result_type], envelope.result_description


_BY_TYPE: dict[Any, Failure | None] = {
    ResultType.SUCCESS: None,
    ResultType.BUSINESS_ERROR: Failure.BUSINESS_ERROR,
    ResultType.SECURITY_ERROR: Failure.SECURITY_ERROR,
    ResultType.SYSTEM_ERROR: Failure.SYSTEM_ERROR,
}


def _contradiction(envelope: Envelope) -> str | None:
    if envelope.raw_result_type is None:
        return "The answer has no resultType."
    if envelope.result_type is None:
        return f"The answer has the resultType {envelope.raw_result_type[:80]!r}, which STP does not document."
    if envelope.result_type is not ResultType.SUCCESS:
        if envelope.result_code == "0":
            return f'The answer says {envelope.raw_result_type} with resultCode "0", which means success.'
        return None
    if envelope.result_code != "0":
        return f'The answer says SUCCESS with resultCode {envelope.result_code!r} instead of "0".'
    if not 200 <= envelope.http_status < 300:
        return f"The answer says SUCCESS with HTTP status {envelope.http_status}."
    if envelope.flag is False and envelope.operation.is_write:
        return "The answer says SUCCESS with the content false."
    return None


def _of_status(status: int, unread: StpProtocolError | None) -> tuple[Failure, str]:
    came = str(unread.args[0]) if unread is not None else "A redirect came instead of STP's answer"
    came = f"{came.rstrip('.')} (HTTP {status})."
    if unread is None:
        return Failure.REDIRECT, came
    if status == 429 and unread.kind != "other_operation":  # of which this call's answer says nothing
        return Failure.RATE_LIMITED, came
    if status in (401, 403):
        return Failure.ACCESS_DENIED, came
    if status >= 500:
        return Failure.SERVER_FAULT, came
    if not 200 <= status < 300:
        return Failure.HTTP_STATUS, came
    return (Failure.HTML if unread.kind == "html" else Failure.UNREADABLE), came
