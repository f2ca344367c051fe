"""Reading a journal's directory as one: the archive, the logs of dead runs and those of live ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from gridwire.intents.archive import Archive
from gridwire.intents.damage import DAMAGED, content, log_files, lost_rows
from gridwire.intents.records import Entry, Reading, entries
from gridwire.intents.runs import alone, is_alive

CRASHED = "crashed: the process that sent it ended before an answer was written down"


def read(directory: Path) -> Reading:
    """Everything in ``directory`` as one, changing nothing: the archive, then dead and live runs. Raises `JournalError`.

    What a dead run left in ``sending`` is shown as ``unknown``, as it will be when the next run recovers it.
    """
    reading = read_files(directory, Archive(directory / "archive.sqlite"))
    mark_crashed(reading, lambda run: may_live(directory, run))
    return reading


def mark_crashed(reading: Reading, lives: Callable[[str], bool]) -> None:
    """Make ``unknown`` what dead runs left in ``sending``."""
    waiting = {row.run for row in reading.rows.values() if row.state == "sending"}
    dead = {run for run in waiting if not lives(run)}
    for row in list(reading.rows.values()):
        if row.state == "sending" and row.run in dead:
            reading.rows[row.key] = replace(row, state="unknown", note=CRASHED)


def may_live(directory: Path, run: str) -> bool:
    """Whether the run lives, or whether that cannot be asked now."""
    try:
        with alone(directory / "lock", wait_s=1.0):
            return is_alive(directory / "runs" / f"{run}.log")
    except OSError:
        return True


def _nothing() -> bytes:
    return b""


def read_files(
    directory: Path,
    archive: Archive,
    since: datetime | None = None,
    *,
    run: str = "",
    unwritten: Callable[[], bytes] = _nothing,
) -> Reading:
    """The same as it stands in the files; ``since`` leaves rows of the archive out that have ended before.

    ``unwritten`` is what ``run`` would have written next, had there been room.

    Where a log is damaged, records whose row is nowhere are shown as rows of their own: see `lost_rows`. Elsewhere they are
    about orders of another journal.
    """
    reading = _read_once(directory, archive, since, run, unwritten)
    if (reading.damaged or log_files(directory, DAMAGED)) and _orphans(reading, archive):
        # Again: what another run has written since its log was read explains most.
        reading = _read_once(directory, archive, since, run, unwritten)
        reading.rows |= lost_rows(_orphans(reading, archive))
    return reading


def _orphans(reading: Reading, archive: Archive) -> list[Entry]:
    """Records about rows that are nowhere."""
    found = [one for one in reading.waiting if one.key not in reading.rows]
    held = archive.some({one.key for one in found}).rows if found else {}
    return [one for one in found if one.key not in held]


def _read_once(
    directory: Path, archive: Archive, since: datetime | None, run: str, unwritten: Callable[[], bytes]
) -> Reading:
    data = {path.stem: content(path) for path in log_files(directory)}
    data[run] = data.get(run, b"") + unwritten()  # after the log: what is written meanwhile is then not seen twice
    found = [(name, *entries(lines, name)) for name, lines in data.items()]
    # The archive after the logs: what is moved between the two is then seen twice, and not never.
    held = archive.read(since)
    logs = [(log, damaged) for name, log, damaged in found if name not in held.runs]
    reading = Reading(held.rows, held.waiting, sum(damaged for _, damaged in logs))
    reading.take(log for log, _ in logs)
    return reading
