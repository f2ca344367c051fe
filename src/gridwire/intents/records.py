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
               resolved_live, resolved_done, resolved_absent, resolved_ended
accepted       accepted (restated by a change), closed
resolved_live  accepted (restated by a change), closed
others         (nothing)
=============  ==============================================================================================

``accepted`` and ``resolved_live`` orders may be resting until they are ``closed`` (cancelled, filled or expired, as far as
we know). ``done`` is for what the venue took and nothing rests of: cancellations, changes, immediate-or-cancel orders,
operator writes. ``resolved_ended`` is for a change or a cancellation whose order has ended since: whether it acted before
then is not known, and nothing depends on it any more. A record that the table does not allow is kept out and reported; it
never overwrites what is there.
"""

from __future__ import annotations

import heapq
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any, TypeAlias, cast

from gridwire.clock import moment
from gridwire.errors import JournalError as JournalError
from gridwire.intents.runs import begins_with_a_line, boot_of
from gridwire.outcome import Origin, Rejected

_ALLOWED: Mapping[str | None, frozenset[str]] = {
    None: frozenset({"sending"}),
    "sending": frozenset({"sending", "accepted", "done", "rejected", "unknown"}),
    "unknown": frozenset(
        {"accepted", "done", "rejected", "resolved_live", "resolved_done", "resolved_absent", "resolved_ended"}
    ),
    "accepted": frozenset({"accepted", "closed"}),
    "resolved_live": frozenset({"accepted", "closed"}),
}
LIVE = frozenset({"accepted", "resolved_live"})
ENDED = frozenset({"done", "rejected", "closed", "resolved_done", "resolved_absent", "resolved_ended"})
STATES = frozenset(state for states in _ALLOWED.values() for state in states)

_LATEST_US = 4_102_444_800_000_000
"""The year 2100: a record that claims to be younger is none."""


BootTime: TypeAlias = tuple[str, int]
"""The name of a boot of a machine, and microseconds since then. Comparable only where the names are the same."""


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
    stated: datetime | None = None
    """When the change was sent that stated the fields last; None if there was none."""
    created_boot: BootTime | None = None
    """``created`` by a clock that is never stepped; None where the writer did not say. So are the next two."""
    changed_boot: BootTime | None = None
    stated_boot: BootTime | None = None
    exclusive: bool = False
    """Whether the caller had declared that nobody else enters orders for this account."""


_REJECTION = re.compile(r"(guard|security|venue|wire) (.*?)(: repeatable(?: after ([0-9.]+) s)?)?", re.DOTALL)


def rejection(outcome: Rejected) -> str:
    """The note of a rejected call: who refused, the code, and whether and after how long the same call may be made again."""
    again = ": repeatable" if outcome.repeatable else ""
    after = f" after {outcome.retry_after_s:.12g} s" if again and outcome.retry_after_s is not None else ""
    return f"{outcome.origin} {outcome.code}{again}{after}"


def rejected_as(note: str) -> tuple[Origin, str, bool, float | None]:
    """What `rejection` wrote down: origin, code, ``repeatable`` and ``retry_after_s``. A note without an origin is a code."""
    found = _REJECTION.fullmatch(note)
    if found is None:
        return "venue", note, False, None
    origin, code, again, after = found.groups()
    return cast("Origin", origin), code, again is not None, None if after is None else float(after)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def quote(value: Any) -> str:
    """``value`` as JSON without line feeds; text, which most values are, by the short way."""
    return encode_basestring(value) if type(value) is str else _JSON.encode(value)


def sign(body: bytes) -> bytes:
    """A record's line: eight hexadecimal digits of CRC-32, a space, JSON, a line feed."""
    return b"%08x %b\n" % (zlib.crc32(body), body)


def decode(line: bytes) -> dict[str, Any] | None:
    """The record in ``line``, or None where the line is torn or damaged."""
    if not is_whole(line):
        return None
    try:
        record = json.loads(line[9:-1])
    except ValueError:
        return None
    return record if isinstance(record, dict) and _is_record(record) else None


def is_whole(line: bytes) -> bool:
    """Whether a line is as it was written, by its checksum."""
    return line[8:9] == b" " and line.endswith(b"\n") and line[:8] == b"%08x" % zlib.crc32(line[9:-1])


def _is_record(record: Mapping[str, Any]) -> bool:
    return (
        isinstance(record.get("k"), str)
        and record.get("s") in STATES
        and _is_time(record.get("t"))
        and all(_is_time(record.get(name, 0)) for name in ("u", "b", "ub"))
        and isinstance(record.get("f", {}), dict)
    )


def _is_time(value: object) -> bool:
    return type(value) is int and 0 <= value < _LATEST_US


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it stands in a run's log."""

    run: str
    at_us: int
    """When it was written; never before what the same run wrote earlier, also where its clock was set back."""
    record: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The intent it speaks of."""
        return str(self.record["k"])

    def boot(self, name: str) -> BootTime | None:
        """The boot time in the member ``name``, of the boot in which the record was written."""
        boot, at_us = boot_of(self.run), self.record.get(name)
        return None if boot is None or at_us is None else (boot, int(at_us))


def entries(data: bytes, run: str) -> tuple[list[Entry], int]:
    """The records of one log, in order, and how many of its lines could not be read.

    A last line without its end is no damage where it is the beginning of a record: whoever wrote it was told that nothing
    may be sent, or did not live to know. NULs, which a power cut can leave, are no such beginning.
    """
    found: list[Entry] = []
    damaged = at_us = 0
    for line in split(data):
        record = decode(line)
        if record is None:
            damaged += not is_cut_short(line)
        else:
            at_us = max(at_us, int(record["t"]))
            found.append(Entry(run, at_us, record))
    return found, damaged or int(bool(data) and lacks_beginning(data, run))


CUT = b"#cut\n"
"""Ends a line whose write ended too early, where the same run writes on: whoever wrote it knows."""


def lacks_beginning(data: bytes, run: str) -> bool:
    """Whether a log was emptied, or its first lines are lost: one of a run whose name says so begins with `CUT`."""
    return begins_with_a_line(run) and not data.startswith(CUT)


_BEGINNING = re.compile(rb"[0-9a-f]{0,8}|[0-9a-f]{8} (?:\{[^\x00-\x1f]*)?")


def is_cut_short(line: bytes) -> bool:
    """Whether a line is the beginning of a record whose write ended too early, and not one that was damaged later."""
    return line.endswith(CUT) or (_BEGINNING.fullmatch(line) is not None and decode(line[:-1] + b"\n") is None)


def apply(row: Row | None, entry: Entry) -> Row | None:
    """``row`` after ``entry``, or None where the table does not allow it."""
    record, at = entry.record, moment(entry.at_us)
    state = str(record["s"])
    if state not in _ALLOWED.get(row.state if row is not None else None, frozenset()):
        return None
    if row is None:
        return Row(
            key=entry.key,
            state=state,
            run=entry.run,
            venue=str(record.get("v", "")),
            account=str(record.get("a", "")),
            operation=str(record.get("o", "")),
            created=at,
            changed=at,
            client_ref=record.get("r"),
            fields=record.get("f", {}),
            created_boot=entry.boot("b"),
            changed_boot=entry.boot("b"),
            exclusive=record.get("x") is True,
        )
    stated, stated_boot = row.stated, row.stated_boot
    if "u" in record:
        stated, stated_boot = moment(int(record["u"])), entry.boot("ub")
        if row.stated is not None and _is_older(stated, stated_boot, row) and state == row.state:
            return row  # a change that was sent later has been answered earlier
    return replace(
        row,
        state=state,
        changed=max(at, row.changed),
        attempts=row.attempts + (state == "sending"),
        order_id=record.get("i", row.order_id),
        note=record.get("n", row.note),
        fields={**row.fields, **record.get("f", {})},
        stated=stated,
        stated_boot=stated_boot,
        changed_boot=entry.boot("b"),
        # An attempt that left without the declaration takes it from the whole intent.
        exclusive=row.exclusive and (state != "sending" or record.get("x") is True),
    )


def _is_older(stated: datetime, stated_boot: BootTime | None, row: Row) -> bool:
    """Whether a change was sent before the one that stated the row last; wall time decides only where nothing better does."""
    if stated_boot is not None and row.stated_boot is not None and stated_boot[0] == row.stated_boot[0]:
        return stated_boot[1] < row.stated_boot[1]
    return row.stated is not None and stated < row.stated


@dataclass(slots=True)
class Reading:
    """What logs said, together."""

    rows: dict[str, Row] = field(default_factory=dict)
    waiting: list[Entry] = field(default_factory=list)
    """What a run said of another run's row that is not here, or that is not so far yet (its own log may say so later)."""
    damaged: int = 0
    """Lines that could not be read, or that the table does not allow."""

    def take(self, logs: Iterable[Sequence[Entry]]) -> None:
        """Apply whole logs, merged in the order of time; what has to wait is tried again at the end."""
        early, self.waiting = [self.waiting], []
        for entry in heapq.merge(*early, *logs, key=lambda one: one.at_us):
            self._apply(entry)
        again, self.waiting = self.waiting, []
        for entry in again:
            self._apply(entry)

    def _apply(self, entry: Entry) -> None:
        before = self.rows.get(entry.key)
        row = apply(before, entry)
        if row is not None:
            self.rows[row.key] = row
        elif before is None or (before.run != entry.run and before.state not in ENDED):
            self.waiting.append(entry)
        elif before.run == entry.run:
            self.damaged += 1


def split(data: bytes) -> Iterator[bytes]:
    """The lines of a log with their line feeds; a torn last one comes without."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
