"""What the journal knows of a call that was made before under the same ``client_ref`` or transactionId. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from gridwire.epias_stp.book import Book
from gridwire.epias_stp.ledger import intent_of, unknown_of
from gridwire.epias_stp.outcomes import VENUE
from gridwire.epias_stp.restated import restated_of
from gridwire.epias_stp.settled import settled_as
from gridwire.intents.records import Row, rejected_as
from gridwire.orders.desk import plain
from gridwire.outcome import Accepted, Intent, OrderRef, Outcome, Rejected, Unknown

REPEATED = ("client_ref", "transaction_id")
"""Codes of a `Rejected` whose call, or another one with its key, was made before."""

_CHANGED = ("bid_id", "price", "quantity", "bid_status")
"""What a change writes into the row of its bid."""
_OF_THE_MOMENT = ("request_time",)


def earlier(rows: Collection[Row], refused: Sequence[Rejected]) -> list[Outcome] | None:
    """The outcomes of the call that was made before ``refused`` (all of one call, with a code of `REPEATED`), in its order.

    None where the key is that of a call that says something else. A field that is the moment of the call may differ, and
    what a change has restated since. A key without a row is that of a call of which nothing else is known.
    """
    wanted = [one.intent for one in refused if one.intent is not None]
    code, reference, key = refused[0].code, wanted[0].client_ref, _call(wanted[0].key)
    of_key = [row for row in rows if (row.client_ref == reference if code == "client_ref" else _call(row.key) == key)]
    of_key = [
        row for row in of_key if not _never_left(row)
    ]  # the key was free again, and another call may have taken it
    if not of_key:
        return [Unknown(intent, "underway", _NO_ROW) for intent in wanted]
    last = _call(max(of_key, key=lambda row: row.created).key)
    found = sorted((row for row in of_key if _call(row.key) == last), key=lambda row: (len(row.key), row.key))
    book = Book(rows)
    if len(found) != len(wanted) or not all(_same(row, one, book) for row, one in zip(found, wanted, strict=True)):
        return None
    return [_outcome(row, book) for row in found]


def _call(key: str) -> str:
    return key.partition("/")[0]


def _never_left(row: Row) -> bool:
    return row.state == "rejected" and rejected_as(row.note)[0] == "wire"


def _same(row: Row, intent: Intent, book: Book) -> bool:
    changed = row.operation == "bid_save" and bool(book.changes(row))
    left_out = {*_OF_THE_MOMENT, *(_CHANGED if changed else ())}
    was, is_now = (
        {name: value for name, value in restated_of(fields).items() if value is not None and name not in left_out}
        for fields in (row.fields, plain(intent.restated))
    )
    return row.operation == intent.operation and was == is_now


def _outcome(row: Row, book: Book) -> Outcome:
    if row.state == "unknown":
        return unknown_of(row)
    intent = intent_of(row)
    if row.state == "sending":
        return Unknown(intent, "underway", _UNDER_WAY)
    outcome = settled_as(row, book.target(row), Unknown(intent, "crashed", ""))
    if row.state == "rejected" and isinstance(outcome, Rejected):
        return replace(outcome, reason=f"It was refused when it was made ({row.note}).")
    bid_id = intent.restated.get("bid_id")
    if isinstance(outcome, Accepted) and outcome.order is None and bid_id is not None:
        return replace(outcome, order=OrderRef(VENUE, str(bid_id), intent, intent.restated))
    return outcome


_UNDER_WAY = "It is under way: no answer to it has been written down yet. It may be at the venue."
_NO_ROW = (
    "A call with this key was begun before, here or by another program, and the journal has nothing else of it: it may be at "
    "the venue. Look there before you send it under another key."
)
