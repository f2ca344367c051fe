"""The rows of the upload journal, and the one state machine they live by. Pure functions.

A document that was loaded cannot be taken back by who loaded it: only the venue's support can delete it. So a document
is sent once, and whatever may have arrived stands in the way of the next one until it is known what became of it.

Rules, written first:

* A row begins with ``prepared``. Nothing has left; it stands in nobody's way.
* ``sending`` is on disk before the first byte leaves. No row ever enters it twice: a second try is a new row.
* A readable answer makes it ``queued`` (with a job id) or ``refused``; no byte left makes it ``not_sent``; everything
  else, and a dead writer, makes it ``unknown``.
* The job's status makes ``queued`` and ``processing`` to ``succeeded`` or ``failed``. A job the venue no longer knows is
  ``expired``: it keeps finished jobs for two hours, so the document may have been loaded or not.
* ``unknown`` and ``expired`` end only by the venue's word on the job, or by a person who looked.
* A job that lives or has loaded its document outranks a failure and a person's ``absent``: the row stands in the way again.
* A loaded document leaves only through the venue's support: then, and by a person's word, it is ``withdrawn``.

================  ========================================================================================
from              to
================  ========================================================================================
(nothing)         prepared
prepared          sending, not_sent
sending           queued, refused, not_sent, unknown
queued            processing, succeeded, failed, expired
processing        queued (the venue took it back), succeeded, failed, expired
unknown           queued, processing, succeeded, failed, expired (a job id is known after all);
                  resolved_absent, resolved_present
expired           queued, processing, succeeded, failed (the venue knows the job again);
                  resolved_absent, resolved_present
succeeded         withdrawn
resolved_present  withdrawn
failed            queued, processing, succeeded (the venue contradicts what it said)
resolved_absent   queued, processing, succeeded (the venue contradicts the person)
others            (nothing)
================  ========================================================================================

Two programs may follow one job: saying ``queued``, ``processing``, ``succeeded``, ``failed`` or ``expired`` of a row that
is so already changes nothing and is no fault. Every other step that the table does not have is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from gridwire.errors import InvalidInput
from gridwire.intents.records import JournalError

State: TypeAlias = Literal[
    "prepared", "sending", "queued", "processing", "succeeded", "failed", "refused", "not_sent", "unknown", "expired",
    "resolved_absent", "resolved_present", "withdrawn",
]  # fmt: skip
Finding: TypeAlias = Literal["absent", "present"]
Reason: TypeAlias = Literal["same_bytes", "same_content", "same_object_and_period"]
"""Why a document is taken for one that was sent: equal byte for byte, equal but for its formatting, or about the same."""

JOB_STATES: frozenset[State] = frozenset({"queued", "processing", "succeeded", "failed", "expired"})
"""What is said of a job, and so needs its id."""
_LIVES: frozenset[State] = frozenset({"queued", "processing", "succeeded"})
_FOUND: frozenset[State] = frozenset({"resolved_absent", "resolved_present"})
ALLOWED: Mapping[State | None, frozenset[State]] = {
    None: frozenset({"prepared"}),
    "prepared": frozenset({"sending", "not_sent"}),
    "sending": frozenset({"queued", "refused", "not_sent", "unknown"}),
    "queued": frozenset({"processing", "succeeded", "failed", "expired"}),
    "processing": frozenset({"queued", "succeeded", "failed", "expired"}),
    "unknown": JOB_STATES | _FOUND,
    "expired": JOB_STATES - {"expired"} | _FOUND,
    "succeeded": frozenset({"withdrawn"}),
    "resolved_present": frozenset({"withdrawn"}),
    "failed": _LIVES,
    "resolved_absent": _LIVES,
}
STATES: frozenset[State] = frozenset(state for states in ALLOWED.values() for state in states)
BLOCKING: frozenset[State] = frozenset(
    {"sending", "queued", "processing", "succeeded", "unknown", "expired", "resolved_present"}
)
"""Rows in these states may be, or become, a loaded document: nothing that equals them is sent."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be sent, as the journal knows it: names and hashes, never its content.

    Letters are normalised (NFC), so that a key typed on another system is the same key. Raises `InvalidInput` for an empty
    or overlong name, spaces around it, control characters, or a hash that is none.
    """

    venue: str
    """The installation it goes to, as ``siooi/production``. Duplicates are looked for within it."""
    account: str
    """The login it is sent under."""
    form: str
    object_key: str
    """The caller's own name of the object the document is about."""
    period: str
    """The caller's own name of the period the document is about, as ``2026-Q3``."""
    exact_sha256: str
    """Of the bytes that are sent, as 64 hexadecimal digits."""
    canonical_sha256: str
    """Of the canonical form, which no formatting changes."""
    size_bytes: int

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name in ("venue", "account", "form", "object_key", "period"):
            value = unicodedata.normalize("NFC", getattr(self, name))
            if not value or value != value.strip() or len(value) > MOST_CHARACTERS or not value.isprintable():
                raise InvalidInput(
                    f"{name}={value[:MOST_CHARACTERS]!r} must be 1 to {MOST_CHARACTERS} printable characters without spaces "
                    "around them: it is what tells a duplicate from a new document. Nothing was sent."
                )
            object.__setattr__(self, name, value)
        for name in ("exact_sha256", "canonical_sha256"):
            if not _SHA256.fullmatch(getattr(self, name)):
                raise InvalidInput(f"{name} must be 64 lower-case hexadecimal digits. Nothing was sent.")
        if self.size_bytes < 1:
            raise InvalidInput("The document is empty. Nothing was sent.")


@dataclass(frozen=True, slots=True)
class Upload:
    """One row: a document and what is known of its way."""

    ref: str
    """What a person names it by."""
    document: Document
    state: State
    run: str
    """The program run that changed it last."""
    created: datetime
    changed: datetime
    started: datetime | None = None
    """When it became ``sending``; None: no byte has left."""
    answered: datetime | None = None
    """When the venue last said something about it."""
    job_id: str | None = None
    answer: str = ""
    """The venue's last answer, cut to size and without secrets."""
    attempts: int = 0
    """The how-manieth sending for this account, form, object and period this one is; 0 before it is sent."""
    note: str = ""
    """The cause of an unknown, the code of a refusal, or what a person said."""
    forced_over: str | None = None
    """The row that stood in the way when a person sent this one nevertheless."""
    supersedes: str | None = None
    """The row of the withdrawn document that this one corrects."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a row's history, oldest first."""

    at: datetime
    before: State | None
    state: State
    run: str
    note: str


@dataclass(frozen=True, slots=True)
class Obstacle:
    """An earlier upload that a document must not repeat."""

    upload: Upload
    reason: Reason


class AlreadySent(JournalError):
    """An equal document, or one about the same object and period, may be at the venue. Nothing was sent.

    ``obstacle`` holds the earlier upload. It stops standing in the way when it is known to have failed or not to be there.
    """

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(blocked(obstacle))
        self.obstacle = obstacle


class StepRefused(JournalError):
    """The row is in a state from which this step is not possible; it was left as it is. ``upload`` is how it stands."""

    def __init__(self, upload: Upload, state: State) -> None:
        super().__init__(
            f"Upload {upload.ref} is {upload.state} and cannot become {state}; the journal keeps what it has."
            + (f" It may be: {', '.join(sorted(following))}." if (following := after(upload.state)) else "")
        )
        self.upload = upload


def after(state: State) -> frozenset[State]:
    """The states that may follow."""
    return ALLOWED.get(state, frozenset())


def is_told_again(before: State, state: State) -> bool:
    """Whether this says of a job what is known already."""
    return before == state and state in JOB_STATES


def obstacle(document: Document, row: Upload) -> Obstacle | None:
    """``row`` as an obstacle to sending ``document``, for the strongest reason; None where it is none."""
    other = row.document
    if row.state not in BLOCKING or other.venue != document.venue:
        return None
    if other.exact_sha256 == document.exact_sha256:
        return Obstacle(row, "same_bytes")
    if other.canonical_sha256 == document.canonical_sha256:
        return Obstacle(row, "same_content")
    if is_about_the_same(document, other):
        return Obstacle(row, "same_object_and_period")
    return None


def foremost(obstacles: Iterable[Obstacle]) -> Obstacle | None:
    """The one to name: what is being sent right now, then the strongest reason, then what is certain, then the oldest."""
    order = get_args(Reason)
    return min(
        obstacles,
        key=lambda one: (
            one.upload.state != "sending",
            order.index(one.reason),
            one.upload.state in ("unknown", "expired"),
            one.upload.created,
        ),
        default=None,
    )


def is_about_the_same(one: Document, other: Document) -> bool:
    """Whether both are for the same account, form, object and period: the venue keeps one of them."""
    return (one.venue, one.account, one.form, one.object_key, one.period) == (
        other.venue,
        other.account,
        other.form,
        other.object_key,
        other.period,
    )


_LIKENESS: Mapping[Reason, str] = {
    "same_bytes": "This very file",
    "same_content": "A document with the same content, formatted differently,",
    "same_object_and_period": "A document for the same form, object and period",
}
_STANDING: Mapping[State, str] = {
    "sending": "is being sent by a program that still waits for its answer. Wait for it",
    "queued": "is in the venue's queue. Follow its job",
    "processing": "is being processed by the venue. Follow its job",
    "succeeded": "was loaded. To replace it, have the venue's support delete it, and say so with "
    "deleted_by_support() or `gridwire siooi resolve --deleted-by-support`",
    "resolved_present": "was found at the venue. To replace it, have its support delete it, and say so with "
    "deleted_by_support() or `gridwire siooi resolve --deleted-by-support`",
    "unknown": "may be at the venue: its answer was lost. Look there, and settle it with resolve() "
    "or `gridwire siooi resolve`",
    "expired": "may be at the venue: its job is no longer known there. Look there, and settle it with resolve() "
    "or `gridwire siooi resolve`",
}


def blocked(obstacle: Obstacle) -> str:
    """The sentence about a document that is not sent."""
    row, document = obstacle.upload, obstacle.upload.document
    job = f", job {row.job_id}" if row.job_id else ""
    about = f", form {document.form}, object {document.object_key}, period {document.period}, by {document.account}"
    return f"{_LIKENESS[obstacle.reason]} {_STANDING[row.state]} (upload {row.ref}{job}{about}). Nothing was sent."
