"""Damaged logs of the journal: what can still be told of them, and a person's word that they were looked at.

A damaged log keeps its name with the ending ``.damaged`` when its run's rows are moved into the archive. It is reported at
every opening and by ``gridwire journal list`` until a person settles it; then the ending is ``.settled``, and the person's
note is its last line. Nothing is ever deleted: a lost line may be an order that rests at the venue.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gridwire.clock import moment
from gridwire.errors import InvalidInput, JournalError
from gridwire.intents.records import ENDED, Entry, Row, decode, is_cut_short, is_whole, lacks_beginning, split
from gridwire.intents.runs import LOCK_WAIT_S, alone

DAMAGED, SETTLED = ".damaged", ".settled"
NOTE = "damaged: the line of the journal that said what was sent cannot be read"
"""The note of a row whose first record is lost."""


@dataclass(frozen=True, slots=True)
class DamagedLog:
    """A log with lines that cannot be read. ``lines`` holds their numbers, from 1, and their bytes."""

    run: str
    path: Path
    lines: list[tuple[int, bytes]] = field(repr=False)

    @property
    def ended(self) -> bool:
        """Whether its program has ended and its other rows are in the archive, so that it can be settled."""
        return self.path.suffix == DAMAGED


def log_files(directory: Path, ending: str = ".log") -> list[Path]:
    """The logs in ``directory``, oldest first; none where no journal was begun. Raises `JournalError`."""
    folder = directory / "runs"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:  # an empty answer would say that nothing was ever sent
        do = remedy(error, "make the folder readable for this user.")
        raise JournalError(
            f"The journal in {directory} cannot be read ({error.strerror}), so what was sent cannot be told: {do}"
        ) from None
    return sorted(folder / name for name in names if name.endswith(ending))


def remedy(error: OSError, usual: str) -> str:
    """What to do about a journal's folder that cannot be used: ``usual``, where it is one."""
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        return "it, or a part of its path, is a file; name a folder (journal)."
    return usual


def content(log: Path) -> bytes:
    """The bytes of a log; none where its rows have been moved into the archive meanwhile. Raises `JournalError`."""
    try:
        return log.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise JournalError(
            f"{log} of the journal cannot be read ({error.strerror}), so what was sent cannot be told: make it readable for "
            "this user."
        ) from None


def damaged_logs(directory: Path) -> list[DamagedLog]:
    """Every log with damage that no person has settled, oldest first. Raises `JournalError`."""
    found = []
    for path in sorted((*log_files(directory), *log_files(directory, DAMAGED))):
        data = content(path)
        lines = [
            (number, line)
            for number, line in enumerate(split(data), 1)
            # The checksum first: most lines are whole, and reading each of a long log would take a second.
            if not (path.suffix != DAMAGED and is_whole(line)) and decode(line) is None and not is_cut_short(line)
        ]
        if not lines and lacks_beginning(data, path.stem) and (data or path.suffix == DAMAGED):
            lines = [(1, b"(the beginning of the log is lost)")]
        if lines or path.suffix == DAMAGED:
            found.append(DamagedLog(path.stem, path, lines))
    return found


def text(logs: Sequence[DamagedLog]) -> str:
    """The sentence about damaged logs."""
    lines = sum(len(log.lines) for log in logs)
    return (
        f"{lines} line(s) of the journal cannot be read, in {', '.join(str(log.path) for log in logs)}. What they said is lost: "
        "orders may rest at the venue of which nothing is known here. Look there, then settle it: `gridwire journal damaged`."
    )


def settle(directory: Path, run: str, note: str, *, at: datetime) -> None:
    """Report a damaged log no more, because a person has looked: ``note`` says what they found.

    Raises `InvalidInput` where there is no such log, and `JournalError` where it cannot be written.
    """
    path = directory / "runs" / f"{run}{DAMAGED}"
    try:
        with alone(directory / "lock", wait_s=LOCK_WAIT_S):
            if path not in log_files(directory, DAMAGED):
                raise InvalidInput(
                    f"There is no damaged log {run} to settle; `gridwire journal damaged` lists them. One whose program still "
                    "runs is settled when that has ended. Nothing was changed."
                )
            with path.open("ab") as file:
                file.write(f"\nsettled {at.isoformat()}: {' '.join(note.split())}\n".encode())
            path.replace(path.with_suffix(SETTLED))
    except OSError as error:
        raise JournalError(f"{path} cannot be written ({error.strerror}). Nothing was changed.") from None


def lost_rows(orphans: Iterable[Entry]) -> dict[str, Row]:
    """The rows whose first record is lost, from the later records about them.

    What the call was is not known, nor whose. A record that ends a row is as good as ever; everything else leaves it
    unknown, with the identifier of the order where a record names it.
    """
    found: dict[str, Row] = {}
    for entry in sorted(orphans, key=lambda one: one.at_us):
        record, at, before = entry.record, moment(entry.at_us), found.get(entry.key)
        ended = record["s"] in ENDED
        if before is not None and before.state in ENDED:
            continue
        found[entry.key] = Row(
            key=entry.key,
            state=str(record["s"]) if ended else "unknown",
            run=entry.run,
            venue="",
            account="",
            operation="",
            created=at if before is None else before.created,
            changed=at,
            order_id=record.get("i", None if before is None else before.order_id),
            note=str(record.get("n", "")) if ended else NOTE,
            fields={**({} if before is None else before.fields), **record.get("f", {})},
        )
    return found
