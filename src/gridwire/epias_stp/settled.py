"""What the journal says of a call that was unknown once and is settled. Pure."""

from __future__ import annotations

from gridwire.epias_stp.ledger import order_of
from gridwire.intents.records import Row, rejected_as
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown

FILLED = "filled"
"""Begins the note of a cancellation that came too late, because its bid had been filled."""


def settled_as(row: Row, bid: Row | None, outcome: Unknown) -> Outcome:
    """The outcome of ``row``, which is neither sending nor unknown, for the ``outcome`` that its call once had.

    ``bid`` is the row of the bid that it was about, itself if it entered one; None where that is not known.
    ``resolved_ended`` is settled and still no yes or no: `Unknown` with the cause ``order_ended``.
    """
    intent = outcome.intent
    if row.state == "resolved_ended":
        text = (
            f"Settled: {row.note}. Nothing of it is at the venue any more; whether this {_WORDS.get(row.operation, 'call')} "
            "acted before is not known, and nothing depends on it."
        )
        return Unknown(intent, "order_ended", text, outcome.raw)
    if row.state == "resolved_absent":
        code = FILLED if row.note.startswith(f"{FILLED}: ") else "absent"
        text = f"It is not at the venue: it was settled as {code} ({row.note})."
        return Rejected(code, text, "venue", intent, repeatable=code == "absent")
    if row.state == "rejected":
        origin, code, again, after_s = rejected_as(row.note)
        text = f"It is not at the venue: its answer came later, and was a refusal ({row.note})."
        return Rejected(code or "rejected", text, origin, intent, repeatable=again, retry_after_s=after_s)
    return Accepted(intent, None if bid is None else order_of(bid), row.note)


_WORDS = {"bid_update": "change", "bid_cancel": "cancellation"}
