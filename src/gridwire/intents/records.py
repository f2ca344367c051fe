"""The journal's records: one line of bytes each, and the one state machine they drive. Pure functions.

Rules, written first:

* A row begins with ``sending``, on disk before the first byte of the call leaves.
* The venue's answer makes it ``accepted`` or ``rejected``; no readable answer, or a dead writer, makes it ``unknown``.
* Only evidence from the venue or a person ends an ``unknown``; nothing makes an ended row open again.
* A second attempt (only where the caller allowed one) is another ``sending`` of the same row.

=============  ==============================================================================================
from           to
=============  ==============================================================================================
(nothing)      sending
sending        sending (another attempt), accepted, done, rejected, unknown
unknown        accepted, done, rejected (a late answer);
               resolved_live, resolved_done, resolved_absent, resolved_by_person
accepted       accepted (restated by a change), closed
resolved_live  accepted (restated by a change), closed
others         (nothing)
=============  ==============================================================================================

``accepted`` and ``resolved_live`` orders may be resting until they are ``closed`` (cancelled, filled or expired, as far as
we know). ``done`` is for what the venue took and nothing rests of: cancellations, changes, immediate-or-cancel orders,
operator writes. A record that the table does not allow is kept out and reported; it never overwrites what is there.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from gridwire.errors import GridwireError

_ALLOWED: Mapping[str | None, frozenset[str]] = {
    None: frozenset({"sending"}),
    "sending": frozenset({"sending", "accepted", "done", "rejected", "unknown"}),
    "unknown": frozenset(
        {"accepted", "done", "rejected", "resolved_live", "resolved_done", "resolved_absent", "resolved_by_person"}
    ),
    "accepted": frozenset({"accepted", "closed"}),
    "resolved_live": frozenset({"accepted", "closed"}),
}
LIVE = frozenset({"accepted", "resolved_live"})
ENDED = frozenset({"done", "rejected", "closed", "resolved_done", "resolved_absent", "resolved_by_person"})
STATES = frozenset(state for states in _ALLOWED.values() for state in states)


class JournalError(GridwireError):
    """The journal cannot be read or written. Nothing is sent without it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One intent and what is known of it. ``fields`` restates the call: contract, direction, price, quantity."""

    key: str
    state: str
    run: str
    venue: str
    account: str
    """Environment and user, as ``test/AYSE``."""
    operation: str
    created: datetime
    changed: datetime
    client_ref: str | None = None
    attempts: int = 1
    order_id: str | None = None
    note: str = ""
    """The cause of an unknown, the code of a rejection, or the evidence of a resolution."""
    fields: Mapping[str, Any] = field(default_factory=dict)


def dump(record: Mapping[str, Any]) -> bytes:
    """A record as JSON without line feeds."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def sign(body: bytes) -> bytes:
    """A record's line: eight hexadecimal digits of CRC-32, a space, JSON, a line feed."""
    return b"%08x %b\n" % (zlib.crc32(body), body)


def decode(line: bytes) -> dict[str, Any] | None:
    """The record in ``line``, or None where the line is torn or damaged."""
    if len(line) < 10 or line[8:9] != b" " or not line.endswith(b"\n"):
        return None
    body = line[9:-1]
    if line[:8] != b"%08x" % zlib.crc32(body):
        return None
    try:
        record = json.loads(body)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "k" in record and record.get("s") in STATES else None


def moment(microseconds: int) -> datetime:
    """A UTC datetime from whole microseconds since 1970."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)


def microseconds(value: datetime) -> int:
    """Whole microseconds since 1970."""
    return int(value.timestamp()) * 1_000_000 + value.microsecond


def apply(row: Row | None, record: Mapping[str, Any], run: str) -> Row | None:
    """``row`` after ``record``, or None where the table does not allow it."""
    state = str(record["s"])
    if state not in _ALLOWED.get(row.state if row is not None else None, frozenset()):
        return None
    at = moment(int(record["t"]))
    if row is None:
        return Row(
            key=str(record["k"]),
            state=state,
            run=run,
            venue=str(record.get("v", "")),
            account=str(record.get("a", "")),
            operation=str(record.get("o", "")),
            created=at,
            changed=at,
            client_ref=record.get("r"),
            fields=record.get("f", {}),
        )
    return replace(
        row,
        state=state,
        changed=at,
        attempts=row.attempts + (state == "sending"),
        order_id=record.get("i", row.order_id),
        note=record.get("n", row.note),
        fields={**row.fields, **record.get("f", {})},
    )


@dataclass(slots=True)
class Reading:
    """What logs said. ``damaged`` counts lines that could not be read or that the table does not allow."""

    rows: dict[str, Row] = field(default_factory=dict)
    damaged: int = 0
    _early: list[tuple[dict[str, Any], str]] = field(default_factory=list)

    def take(self, lines: Iterable[bytes], run: str) -> None:
        """Apply the lines of one run, in order. What speaks of a row not seen yet waits for `settle`."""
        for line in lines:
            record = decode(line)
            if record is None:
                self.damaged += 1
            elif record["s"] != "sending" and record["k"] not in self.rows:
                self._early.append((record, run))
            else:
                self._apply(record, run)

    def settle(self) -> int:
        """Apply what waited, after all logs were taken; returns how many records speak of rows that are nowhere."""
        early, self._early = self._early, []
        missing = 0
        for record, run in sorted(early, key=lambda item: int(item[0]["t"])):
            if record["k"] in self.rows:
                self._apply(record, run)
            else:
                missing += 1
        return missing

    def _apply(self, record: Mapping[str, Any], run: str) -> None:
        row = apply(self.rows.get(record["k"]), record, run)
        if row is None:
            self.damaged += 1
        else:
            self.rows[row.key] = row


def split(data: bytes) -> Iterator[bytes]:
    """The lines of a log with their line feeds; a torn last one comes without."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
