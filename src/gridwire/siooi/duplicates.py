"""What a document is answered with that is held back by an earlier upload. Pure functions; nothing is sent.

The same document for the same account, form, object and period was sent before: the answer is what is known of that upload,
so that a program that is started again acts as the first one should have. Another document about the same, or the same one under
other names, is not there: it is `Rejected`.
"""

from __future__ import annotations

from typing import cast, get_args

from gridwire.intents.journal import CRASHED
from gridwire.intents.upload_records import Document, Obstacle, Upload, blocked, is_about_the_same
from gridwire.outcome import AcceptedBefore, Cause, Outcome, Rejected, Unknown
from gridwire.siooi.models import intent_of, job_of
from gridwire.siooi.rules import doubt


def answer_to(document: Document, obstacle: Obstacle) -> Outcome:
    """The outcome of submitting ``document`` while ``obstacle`` stands in its way; ``raw`` holds the `Obstacle`."""
    row = obstacle.upload
    if obstacle.reason == "same_object_and_period" or not is_about_the_same(document, row.document):
        return Rejected("duplicate", blocked(obstacle), "guard", raw=obstacle)
    intent = intent_of(row)
    if row.state == "sending":
        return Unknown(intent, "underway", blocked(obstacle), (obstacle,))
    if row.state in ("unknown", "expired"):
        return doubt(intent, *cause_of(row), obstacle)
    return AcceptedBefore(intent, job_of(row), obstacle)


def obstacle_in(outcome: Outcome) -> Obstacle | None:
    """The earlier upload that an outcome tells of; None where the document itself was sent or refused."""
    raw = outcome.raw[0] if isinstance(outcome, Unknown) and outcome.raw else outcome.raw
    return raw if isinstance(raw, Obstacle) else None


def cause_of(row: Upload) -> tuple[Cause, str]:
    """Why an upload of an earlier run is unknown: the cause is its note."""
    if row.state == "expired":
        return "expired", f"the venue took it as job {row.job_id}, and no longer knows that job"
    if row.note in get_args(Cause) and row.note != CRASHED:
        return cast("Cause", row.note), f"an earlier run got no answer that settles it ({row.note})"
    return "crashed", "the program that sent it ended before its answer was written down"
