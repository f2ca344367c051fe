"""What an answer means: the outcome of an upload, the session in a login, the next step of a poll. Pure functions.

The rules of an upload, written first:

* Only an answer that a rule of the profile names settles it. A rule of ``queued_when`` with a job id is `Accepted`, unless
  the answer holds a code that does not mean OK; a rule of ``refused_when``, which names a code that the profile maps, is
  `Rejected`; so is HTTP 429.
* Both at once, a queue without a job id, a code nobody mapped, a redirect, 5xx, a page of HTML and silence are `Unknown`.
* An upload that is `Unknown` is never sent again by gridwire.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from gridwire.auth.login_session import NoSession
from gridwire.errors import NoAnswer
from gridwire.intents.upload_records import Upload
from gridwire.outcome import Accepted, Cause, Intent, Outcome, Rejected, Unknown
from gridwire.siooi.enums import JobState, ResultCode
from gridwire.siooi.models import VENUE, FileError, JobRef, JobStatus
from gridwire.siooi.profile import Profile
from gridwire.siooi.wire import Said, SendAnswer, StatusAnswer
from gridwire.transport.classify import BodyKind

FIRST_POLL_S = 2.0
POLL_GROWTH = 1.5
LONGEST_POLL_S = 30.0
JITTER = 0.2
"""A pause is up to this share shorter than planned, so that many programs do not ask in step."""
WAIT_DEADLINE_S = 6 * 3600.0
KEPT_S = 7200.0
"""Finished jobs stay in the queue at most this long (API description 2.0)."""
SILENT_S = 5400.0
"""A job not heard of for this long is about to be forgotten."""

_TRY_LATER = frozenset({ResultCode.SESSION_EXPIRED, ResultCode.QUEUE_FULL, ResultCode.MAINTENANCE})
"""Refusals after which the same document may be sent again unchanged."""
PAUSE_AFTER_429_S = 60.0
"""How long HTTP 429 asks to wait where it does not say (RFC 6585 section 4: ``Retry-After`` may be there)."""

_MEANING = {
    ResultCode.BAD_CREDENTIALS: "login or password are wrong",
    ResultCode.ACCOUNT_LOCKED: "the account is locked; ask the venue's support",
    ResultCode.SESSION_EXPIRED: "the session had ended; send it again, a new login is made first",
    ResultCode.NO_ROLE: "the account lacks the role «Ответственный за передаваемую информацию»; have it granted",
    ResultCode.NO_FORM_ACCESS: "the account has no access to this form; have it granted",
    ResultCode.NO_OBJECT_ACCESS: "the account has no access to this object; have it granted",
    ResultCode.UNKNOWN_FORM: "the venue does not know this form code; compare it with the list from support",
    ResultCode.BAD_XML: "the venue cannot read the file as XML",
    ResultCode.SCHEMA_ERROR: "the file breaks the form's schema; ask support for the schema in force",
    ResultCode.DUPLICATE: "the venue holds such a document already",
    ResultCode.QUEUE_FULL: "the queue is full; send it again later",
    ResultCode.JOB_NOT_FOUND: "the venue does not know the job",
    ResultCode.MAINTENANCE: "the venue is under maintenance; send it again later",
    ResultCode.INTERNAL: "the venue failed inside",
}


def refusal(said: Said) -> str:
    """The sentence about a refused upload."""
    code = said.code or ResultCode.UNMAPPED
    meaning = _MEANING.get(code, "for a reason the profile does not name")
    words = f" It says: {said.text}." if said.text else ""
    then = (
        "This upload is not in the queue; an earlier one may be loaded: look for it in the venue's own screens."
        if code is ResultCode.DUPLICATE
        else "It is not in the queue."
    )
    return f"The venue refused the document, code {said.raw_code}: {meaning}.{words} {then}"


def outcome_of(profile: Profile, answer: SendAnswer, intent: Intent, *, pause_s: float = PAUSE_AFTER_429_S) -> Outcome:
    """What became of an upload that was answered. ``raw`` of the outcome holds the `SendAnswer`.

    ``pause_s`` is how long HTTP 429 asks to wait.
    """
    said = answer.said
    if said.status == 429:
        text = (
            "The venue takes no more uploads at the moment (HTTP 429). The document is not in the queue; send it again in "
            f"{pause_s:.0f} s at the earliest."
        )
        return Rejected("429", text, "venue", intent, repeatable=True, retry_after_s=pause_s, raw=answer)
    in_front = _in_front_of_the_venue(said)
    if in_front is not None:
        return doubt(intent, *in_front, answer)
    queued = (
        any(rule.fits(said.status, said.raw_code) for rule in profile.send.queued_when) and 200 <= said.status < 300
    )
    refused = any(rule.fits(said.status, said.raw_code) for rule in profile.send.refused_when)
    if queued and refused:
        return doubt(intent, "contradictory", "the answer fits queued_when and refused_when at once", answer)
    # A rule may look at the status alone: a code beside it that says no, or that nobody mapped, outweighs it.
    if queued and said.code not in (None, ResultCode.OK):
        means = "nothing that the profile knows" if said.code is ResultCode.UNMAPPED else f"{said.code}"
        why = f"the answer fits queued_when and holds the code {said.raw_code!r}, which means {means}"
        return doubt(intent, "contradictory", why, answer)
    if queued and answer.job_id is None:
        return doubt(
            intent, "no_id", "the answer says that it is in the queue, and no job id can be found in it", answer
        )
    if queued:
        return Accepted(intent, JobRef(VENUE, answer.job_id, intent, intent.restated), answer)
    if refused:
        code = said.code or ResultCode.UNMAPPED
        return Rejected(code.value, refusal(said), "venue", intent, repeatable=code in _TRY_LATER, raw=answer)
    if said.code is ResultCode.UNMAPPED:
        return doubt(intent, "contradictory", f"the profile does not say what the code {said.raw_code!r} means", answer)
    what = f"HTTP {said.status}" + (f" with the code {said.raw_code!r}" if said.raw_code is not None else "")
    cause: Cause = (
        "contradictory" if said.raw_code is not None else "http_status" if said.status >= 400 else "unreadable"
    )
    return doubt(intent, cause, f"no rule of the profile fits the answer ({what})", answer)


def _in_front_of_the_venue(said: Said) -> tuple[Cause, str] | None:
    """What kept the venue's own answer from us; None where nothing did."""
    if 300 <= said.status < 400:
        return "redirect", f"something in front of the venue answered with a redirect (HTTP {said.status})"
    if said.status >= 500:
        return "http_status", f"the venue or something in front of it failed (HTTP {said.status})"
    if said.kind is BodyKind.HTML:
        return "unreadable", f"a page of HTML came instead of an answer (HTTP {said.status})"
    return None


def doubt(intent: Intent, cause: Cause, why: str, *received: object) -> Unknown:
    """An upload that may be at the venue, and the sentence about it."""
    return Unknown(intent, cause, _DOUBT.format(why=why, ref=intent.key), received)


_DOUBT = (
    "The document may be in the venue's queue: {why}. gridwire does not send it again. Look for it in the venue's own screens, "
    "or ask its support, then settle upload {ref} as absent or present."
)


def lost(error: NoAnswer, intent: Intent) -> Unknown:
    """An upload whose answer did not come."""
    cause: Cause = {"timeout": "timeout", "disconnected": "disconnected"}.get(error.reason, "unreadable")  # type: ignore[assignment]
    why = {
        "timeout": "no whole answer came in time",
        "disconnected": "the connection ended before the answer",
    }.get(error.reason, "the answer could not be read")
    return doubt(intent, cause, why, str(error))


# ---------------------------------------------------------------------------------------------------------------------
# Login


def session_of(profile: Profile, said: Said, values: dict[str, str] | None) -> dict[str, str] | NoSession:
    """The session values in a login's answer, or what the answer is instead."""
    what = f"HTTP {said.status}" + (f", code {said.raw_code}" if said.raw_code is not None else "")
    login = profile.login
    if said.status >= 500 or said.code in (ResultCode.MAINTENANCE, ResultCode.INTERNAL):
        return NoSession("unavailable", what)
    if said.code is ResultCode.ACCOUNT_LOCKED:
        return NoSession("locked", what)
    refused = any(rule.fits(said.status, said.raw_code) for rule in login.refused_when)
    if refused or said.code is ResultCode.BAD_CREDENTIALS or said.status in (401, 403):
        return NoSession("refused", what)
    # A login form may be answered with a redirect or a page, and so may a wrong password, with a cookie in both; only a
    # rule that names such an answer makes it a login.
    named = any(rule.fits(said.status, said.raw_code) for rule in login.accepted_when)
    accepted = named or (not login.accepted_when and 200 <= said.status < 300 and said.kind is not BodyKind.HTML)
    if accepted and said.code in (None, ResultCode.OK) and values is not None:
        return values
    missing = "" if values is not None else ", without the session values that the profile looks for"
    return NoSession("unreadable", what + missing)


# ---------------------------------------------------------------------------------------------------------------------
# Polling

Trouble: TypeAlias = Literal["session", "denied", "failed", "unreadable"]


def state_of(profile: Profile, answer: StatusAnswer) -> JobState | Trouble:
    """Where the job stands, or why the answer does not say.

    ``session``: log in again and repeat; ``denied``: the account lacks the right; ``failed``: ask later; ``unreadable``:
    the profile does not describe such an answer.
    """
    said = answer.said
    if said.code is None or said.code is ResultCode.UNMAPPED:
        code = profile.http_codes.get(str(said.status), said.code)
    else:
        code = said.code
    if code is ResultCode.JOB_NOT_FOUND:
        return JobState.NOT_FOUND
    if code in (ResultCode.SESSION_EXPIRED, ResultCode.BAD_CREDENTIALS):
        return "session"
    if code in (ResultCode.NO_ROLE, ResultCode.NO_FORM_ACCESS, ResultCode.NO_OBJECT_ACCESS, ResultCode.ACCOUNT_LOCKED):
        return "denied"
    if code in (ResultCode.MAINTENANCE, ResultCode.INTERNAL, ResultCode.QUEUE_FULL) or said.status >= 500:
        return "failed"
    if said.kind is BodyKind.HTML or not 200 <= said.status < 300 or answer.state is None:
        return "unreadable"
    return answer.state


def pause_s(poll: int, chance: float) -> float:
    """Seconds before the next question: 2, then half as much again up to 30. ``poll`` counts from 0, ``chance`` is 0 to 1."""
    planned = min(FIRST_POLL_S * POLL_GROWTH ** min(poll, 16), LONGEST_POLL_S)
    return planned * (1 - JITTER * chance)


def journal_state(status: JobStatus) -> Literal["queued", "processing", "succeeded", "failed", "expired"] | None:
    """What the journal is told of a job's state; None where there is nothing new to say."""
    return _TOLD.get(status.state)


def known_status(job: JobRef, row: Upload, asked: datetime) -> JobStatus | None:
    """How the job ended by the journal, which knows it when the venue has forgotten it; None where it does not."""
    if row.state not in _ENDS:
        return None
    state, words = _ENDS[row.state]
    return JobStatus(
        job=job,
        state=state,
        raw_state=None,
        code=None,
        raw_code=None,
        document_status=None,
        errors=(FileError(message=row.note),) if row.state == "failed" and row.note else (),
        text=words.format(note=row.note),
        asked=asked,
    )


def takes_back(said: JobState, row: Upload) -> bool:
    """Whether the venue's word on a job contradicts the end in the journal, so that the job is followed again.

    Where the journal has the document as not loaded, a second one could leave while the first is being loaded.
    """
    return said in _TAKES_BACK.get(row.state, ())


_LIVES = frozenset({JobState.QUEUED, JobState.RUNNING})
_TAKES_BACK: dict[str, frozenset[JobState]] = {
    "failed": _LIVES | {JobState.SUCCEEDED},
    "resolved_absent": _LIVES | {JobState.SUCCEEDED},
    "resolved_present": _LIVES,
}


_ENDS: dict[str, tuple[JobState, str]] = {
    "succeeded": (JobState.SUCCEEDED, "The journal knows it as loaded."),
    "resolved_present": (JobState.SUCCEEDED, "A person found it at the venue: {note}"),
    "failed": (JobState.FAILED, "The journal knows it as not loaded."),
    "resolved_absent": (JobState.FAILED, "A person did not find it at the venue: {note}"),
    "withdrawn": (JobState.FAILED, "The venue's support deleted it: {note}"),
}


_TOLD: dict[JobState, Literal["queued", "processing", "succeeded", "failed", "expired"]] = {
    JobState.QUEUED: "queued",
    JobState.RUNNING: "processing",
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "failed",
    JobState.NOT_FOUND: "expired",
}
