"""What is to be written down of an upload, and what the journal could not be told yet.

The venue has answered, and the disk is full: what it said, above all the job id, is kept in memory then, in the order in
which it happened, and written before whatever is written next.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from gridwire.errors import JournalError
from gridwire.intents.upload_records import StepRefused, Upload
from gridwire.intents.uploads import Told, Uploads


@dataclass(frozen=True, slots=True)
class Note:
    """One step of an upload. ``answer`` is an excerpt of the venue's, without secrets."""

    ref: str
    state: Told
    at: datetime
    job_id: str | None = None
    answer: str | None = None
    note: str | None = None

    def __str__(self) -> str:
        """What it says, for a person."""
        job = f", job {self.job_id}" if self.job_id else ""
        return {
            "queued": f"Upload {self.ref} is in the venue's queue{job}.",
            "refused": f"The venue refused upload {self.ref} ({self.note}).",
            "not_sent": f"Upload {self.ref} was not sent.",
            "unknown": f"What became of upload {self.ref} is unknown ({self.note}{job}).",
        }.get(self.state, f"The job of upload {self.ref} is {self.state}{job}.")

    def write(self, uploads: Uploads) -> None:
        """Write it down. Raises `JournalError`, and `StepRefused` or `InvalidInput` where the row says something else."""
        try:
            self._record(uploads, self.state)
        except StepRefused as refused:
            if refused.upload.state != "sending":
                raise
            self._record(uploads, "queued")  # an earlier run could not write that the upload was answered
            self._record(uploads, self.state)

    def _record(self, uploads: Uploads, state: Told) -> None:
        uploads.record(self.ref, state, job_id=self.job_id, answer=self.answer, note=self.note, at=self.at)

    def seen(self, row: Upload) -> Upload:
        """``row`` as it will be when this is written."""
        return replace(row, state=self.state, job_id=self.job_id or row.job_id, answered=self.at, changed=self.at)


class Kept:
    """The notes that are not written yet, in their order. Written from threads, one at a time."""

    def __init__(self) -> None:
        self._notes: list[Note] = []
        self._writing = threading.Lock()
        self.late: list[Note] = []
        """Those that could not be written at first, and are written now, until somebody has told of it."""
        self.refused: list[tuple[Note, Exception]] = []
        """Those that the journal contradicts, until somebody has told of it."""
        self._failed: set[Note] = set()

    def __bool__(self) -> bool:
        return bool(self._notes)

    def __contains__(self, note: Note) -> bool:
        return note in self._notes

    def __iter__(self) -> Iterator[Note]:
        return iter(tuple(self._notes))

    def add(self, note: Note) -> None:
        """Have it written next."""
        self._notes.append(note)

    def write(self, uploads: Uploads) -> None:
        """Write what can be written. Raises `JournalError` where the file cannot be; the rest is still kept then."""
        with self._writing:
            while self._notes:
                note = self._notes[0]
                try:
                    note.write(uploads)
                except Exception as error:
                    if isinstance(error, JournalError) and not isinstance(error, StepRefused):
                        self._failed.add(note)
                        raise
                    self.refused.append((note, error))
                else:
                    self.late += [note] if note in self._failed else []
                del self._notes[0]

    def known(self, row: Upload) -> Upload:
        """``row`` with what is kept about it."""
        for note in self:
            if note.ref == row.ref:
                row = note.seen(row)
        return row
