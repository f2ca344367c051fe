"""What arrived at the simulator and what it did, for assertions such as "exactly one upload"."""

from __future__ import annotations

from dataclasses import dataclass

from gridwire.sandbox.log import Log


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One request. Holds no password, no token and no document."""

    at: float
    """Arrival of the request's head, in seconds of the loop's clock."""
    operation: str
    wire: str
    user: str | None = None
    """The account behind it, where the request showed one."""
    form: str | None = None
    sha256: str | None = None
    """Of the document's bytes as they arrived."""
    code: str | None = None
    """What the venue decided, also where a fault kept the answer from arriving; None if it was never asked."""
    executed: bool = False
    """Whether it did what was asked: of a send, whether the document is in the queue."""
    job_id: str | None = None
    fault: str | None = None
    """Kind of the scripted fault that struck this call."""


class CallLog(Log[LoggedCall]):
    """The requests in the order in which they were decided; the last 100,000."""

    def calls(self, operation: str | None = None) -> list[LoggedCall]:
        """Every request of one operation, whatever became of it."""
        return [call for call in self._calls if operation in (None, call.operation)]

    def uploads(self) -> list[LoggedCall]:
        """Every document that was put into the queue."""
        return [call for call in self._calls if call.operation == "send" and call.executed]
