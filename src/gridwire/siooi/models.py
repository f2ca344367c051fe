"""What the client of АС СиОИ takes and gives: a prepared document, its job, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from gridwire.intents.upload_records import Document, Upload
from gridwire.outcome import Intent, OrderRef
from gridwire.siooi.enums import JobState, ResultCode

VENUE = "siooi"
OPERATION = "send"
SIGNED = "Подписан"
"""The status of a loaded document (API description 2.0). Its user cannot correct it any more."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that was checked and hashed, and not yet sent. Made by `Siooi.prepare`; the bytes hashed are the bytes sent."""

    document: Document
    """What the journal will know of it: form, object, period, hashes, size."""
    content: bytes = field(repr=False)
    validated: bool
    """Whether it was held against its form's schema."""
    warning: str | None = None
    """Why it would not be sent now: an earlier upload that may be the same or about the same."""

    def summary(self) -> str:
        """What will be signed, in lines for a person to read before saying yes."""
        document = self.document
        lines = [
            f"form      {document.form}",
            f"object    {document.object_key}",
            f"period    {document.period}",
            f"account   {document.account} at {document.venue}",
            f"size      {document.size_bytes} bytes",
            f"SHA-256   {document.exact_sha256}",
            f"schema    {'valid' if self.validated else 'NOT CHECKED (allow_unvalidated)'}",
        ]
        if self.warning is not None:
            lines.append(f"held back {self.warning}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class JobRef(OrderRef):
    """An upload that is in the venue's queue. ``id`` is the job id, ``intent.key`` the journal's ref."""

    @property
    def ref(self) -> str:
        """The upload's name in the journal; stays valid when the venue has forgotten the job."""
        return self.intent.key

    @property
    def job_id(self) -> str:
        """The venue's id of the job."""
        return self.id or ""

    @property
    def form_code(self) -> str:
        """The form's code."""
        return str(self.restated["form_code"])

    @property
    def object_key(self) -> str:
        """The caller's name of the object."""
        return str(self.restated["object_key"])

    @property
    def period(self) -> str:
        """The caller's name of the period."""
        return str(self.restated["period"])


@dataclass(frozen=True, slots=True)
class FileError:
    """One error that the venue found in a document. Parts that the answer did not give are None."""

    message: str | None = None
    code: str | None = None
    element: str | None = None
    line: str | None = None

    def __str__(self) -> str:
        """One line."""
        parts = [f"line {self.line}" if self.line else "", self.element or "", f"[{self.code}]" if self.code else ""]
        head = " ".join(part for part in parts if part)
        return f"{head}: {self.message}" if head and self.message else head or self.message or ""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job stood when it was asked about."""

    job: JobRef
    state: JobState
    raw_state: str | None
    code: ResultCode | None
    raw_code: str | None
    document_status: str | None
    errors: tuple[FileError, ...]
    text: str | None
    """The venue's explanation, shortened."""
    asked: datetime


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The document is loaded. Its user cannot correct it: a wrong one has to be deleted by the venue's support first."""

    job: JobRef
    document_status: str | None
    """The document's own status where the answer gave one, byte for byte: «Подписан»."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The document was not loaded. Correct it and send it again; the journal allows that."""

    job: JobRef
    errors: tuple[FileError, ...]
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """The venue no longer knows the job: finished ones leave its queue after two hours. The document may be loaded or not.

    Also a job that failed, and whose id came with an answer that settles nothing, like HTTP 502: it may be another one's. Look for it in the venue's own screens, then settle it with `Siooi.resolve`. Until then no second one is sent.
    """

    job: JobRef
    reason: str
    state: JobState = JobState.NOT_FOUND
    """What the venue says of the job: ``NOT_FOUND`` or ``FAILED``."""


Result: TypeAlias = Succeeded | Failed | Expired


def restated(document: Document) -> dict[str, str]:
    """A document's names, as intents and references carry them."""
    return {
        "form_code": document.form,
        "object_key": document.object_key,
        "period": document.period,
        "sha256": document.exact_sha256,
    }


def intent_of(row: Upload) -> Intent:
    """The intent behind a row of the journal."""
    return Intent(
        VENUE, OPERATION, row.ref, row.started or row.created, None, restated(row.document), max(row.attempts, 1)
    )


def job_of(row: Upload) -> JobRef:
    """The job behind a row of the journal."""
    return JobRef(VENUE, row.job_id, intent_of(row), restated(row.document))
