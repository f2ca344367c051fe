"""gridwire's own words for what the venue says. A profile maps the venue's codes and states to these; raw ones are kept."""

from __future__ import annotations

from enum import Enum


class ResultCode(str, Enum):
    """What an answer means. The venue's own codes are told by its support only, so a profile maps them to these."""

    OK = "OK"
    BAD_CREDENTIALS = "BAD_CREDENTIALS"
    ACCOUNT_LOCKED = "ACCOUNT_LOCKED"
    SESSION_EXPIRED = "SESSION_EXPIRED"
    NO_ROLE = "NO_ROLE"
    """The account lacks the role «Ответственный за передаваемую информацию»."""
    NO_FORM_ACCESS = "NO_FORM_ACCESS"
    NO_OBJECT_ACCESS = "NO_OBJECT_ACCESS"
    UNKNOWN_FORM = "UNKNOWN_FORM"
    BAD_XML = "BAD_XML"
    SCHEMA_ERROR = "SCHEMA_ERROR"
    DUPLICATE = "DUPLICATE"
    QUEUE_FULL = "QUEUE_FULL"
    JOB_NOT_FOUND = "JOB_NOT_FOUND"
    MAINTENANCE = "MAINTENANCE"
    INTERNAL = "INTERNAL"
    UNMAPPED = "UNMAPPED"
    """A code that the profile does not map. It decides nothing: an upload answered with it is Unknown."""

    def __str__(self) -> str:
        """The word itself."""
        return self.value


class JobState(str, Enum):
    """Where a job stands. Strict, because it decides whether a document counts as loaded."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    NOT_FOUND = "NOT_FOUND"
    """The venue does not know the job: finished ones leave its queue after at most two hours."""
    UNKNOWN_STATE = "UNKNOWN_STATE"
    """A state that the profile does not map. Polling goes on."""

    def __str__(self) -> str:
        """The word itself."""
        return self.value
