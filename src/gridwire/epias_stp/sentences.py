"""The sentences of STP's outcomes and errors: what happened, what it means for the bid, what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from gridwire.epias_stp.judgement import Attempt, Failure
from gridwire.epias_stp.operations import Operation

_UNCHANGED: Mapping[str, str] = {
    "bid_save": "No bid was placed.",
    "bid_update": "The bid was not changed; unless it was matched or cancelled meanwhile, it rests as it was.",
    "bid_cancel": "The bid was not cancelled by this call; unless it was matched or cancelled before, it still rests.",
    "payment_order": "This payment was not ordered.",
}
_OPEN: Mapping[str, str] = {
    "bid_save": "The bid may be resting, matched, or not there at all. Look for it among your own bids and matches before "
    "you enter it again.",
    "bid_update": "The bid may rest as it was or as it was to be. Look at it before you change it again.",
    "bid_cancel": "The bid may be cancelled, or may still be resting and be matched. Look at it before you rely on either.",
    "payment_order": "The payment may have been ordered. Ask settlement before you order it again.",
}


def unchanged(operation: Operation) -> str:
    """What a refusal means for what the caller wanted."""
    return _UNCHANGED.get(operation.name, "Nothing was changed at STP.")


def open_question(operation: Operation) -> str:
    """What doubt means for what the caller wanted, and what to do."""
    return _OPEN.get(operation.name, "The change may have been made. Read the current state before you repeat it.")


def refusal(attempt: Attempt, *, stale: bool) -> str:
    """The reason of a `Rejected`."""
    return _join(_refused(attempt, stale), unchanged(attempt.operation), _ask(attempt))


def doubt(attempt: Attempt) -> str:
    """The reason of an `Unknown`."""
    return _join(_happened(attempt), open_question(attempt.operation), _ask(attempt))


def differs(attempt: Attempt, what: str) -> str:
    """The reason of an `Unknown` whose answer says yes and does not fit what was sent."""
    return _join(f"STP said yes, but {what}", open_question(attempt.operation), _ask(attempt))


def refused_entry(attempt: Attempt, status: str, words: str) -> str:
    """The reason of a `Rejected` entry of a call that was answered with success."""
    quoted = f': "{words.rstrip(".")}".' if words else "."
    return _join(f"STP answered it with the status {status}{quoted}", unchanged(attempt.operation), _ask(attempt))


def doubt_remains(doubtful: Attempt, last: Attempt) -> str:
    """The reason of an `Unknown` where ``last``, an attempt that the caller allowed, did not settle ``doubtful``."""
    return _join(
        f"An earlier attempt left the outcome open: {_happened(doubtful)}",
        f"The last one did not settle it: {_happened(last)}",
        "A refusal of the last can mean that the earlier one had already done it.",
        open_question(last.operation),
        _ask(last),
    )


def read(attempt: Attempt) -> str:
    """The text of an error that a read raises; the error itself adds the identifiers."""
    ask = _ask(attempt) if attempt.failure is Failure.SYSTEM_ERROR else ""
    return _join(_happened(attempt), "Nothing was read, and nothing was changed.", ask)


def _refused(attempt: Attempt, stale: bool) -> str:
    if attempt.failure is not Failure.SECURITY_ERROR:
        return _happened(attempt)
    age = "" if attempt.ticket_age_s is None else f" The service ticket was {attempt.ticket_age_s:.0f} s old"
    if stale:
        return f"{_happened(attempt)}{age} and may have expired: the same call can be made again."
    if age:
        age += ", too young to have expired: the user probably lacks the right for this call."
    return f"{_happened(attempt)}{age}"


def _happened(attempt: Attempt) -> str:
    quoted = f': "{attempt.detail}".' if attempt.detail else "."
    match attempt.failure:
        case Failure.BUSINESS_ERROR:
            return f"STP refused it under its rules{quoted}"
        case Failure.SECURITY_ERROR:
            return f"STP did not let the call in (ticket or right){quoted}"
        case Failure.SYSTEM_ERROR:
            return f"STP failed inside{quoted}"
        case Failure.RATE_LIMITED:
            pause = (
                "" if attempt.retry_after_s is None else f" Wait {attempt.retry_after_s:.0f} s before the next call."
            )
            return f"STP received too many calls and did not take this one (HTTP 429).{pause}"
        case Failure.NO_TICKET:
            return f"There was no ticket for the call, so nothing was sent. {attempt.detail}"
        case Failure.NOT_SENT:
            return f"Nothing was sent. {attempt.detail}"
        case _:
            return _join(attempt.detail, _advice(attempt))


def _advice(attempt: Attempt) -> str:
    if attempt.failure is Failure.HTTP_STATUS and attempt.http_status == 404:
        field = "engine_path" if attempt.operation.module == "engine" else "broadcaster_path"
        return (
            f"HTTP 404 usually means that the profile's {field} is wrong: STP's document prints "
            "/stp-orchestrator-trading-engine/rest, while its sister modules use the other word order, "
            "/stp-trading-engine-orchestrator/rest."
        )
    return ""


def _ask(attempt: Attempt) -> str:
    code = attempt.envelope.result_code if attempt.envelope is not None else None
    quoting = f"quoting transactionId {attempt.transaction_id}" + (f" and resultCode {code}" if code else "")
    if attempt.failure is Failure.SYSTEM_ERROR:
        return f"Contact EPİAŞ, {quoting}."
    if attempt.failure in (Failure.NOT_SENT, Failure.NO_TICKET, Failure.RATE_LIMITED):
        return ""
    return f"EPİAŞ can tell more, {quoting}."


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
